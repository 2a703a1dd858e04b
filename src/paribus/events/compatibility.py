"""What may change from one revision of the tracking plan to the next, and what needs a new version of the event.

| change | rule |
|---|---|
| event, optional property, or enum value added; a bound or pattern loosened or dropped | allowed |
| required property made optional; personal class raised; words changed | allowed |
| property added as required, or made required | new version |
| property removed | new version |
| enum introduced or narrowed; bound introduced or tightened; pattern introduced or changed | new version |
| personal class lowered; semantics or funnel changed | new version |
| type of a property changed | refused: a name is one column of the lake; choose another name |
| event removed that was not deprecated in the revision before | refused |
| version lowered | refused |
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from paribus.errors import DefinitionError
from paribus.events.plan import KEY, KIND, PERSONAL_ORDER, EventDoc, PlanDoc, PropertyDoc

Need = Literal["nothing", "new_version", "refused"]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two revisions, and what it needs."""

    event: str
    property_name: str | None
    what: str
    need: Need
    is_versioned: bool = False
    """Whether the event's version grew with it."""

    @property
    def is_allowed(self) -> bool:
        """Whether the new revision may be written with this change."""
        return self.need == "nothing" or (self.need == "new_version" and self.is_versioned)

    def __str__(self) -> str:
        where = f"{self.event}.{self.property_name}" if self.property_name else self.event
        return f"{where}: {self.what}"


def compare_plans(old: PlanDoc, new: PlanDoc, earlier: Iterable[PlanDoc] = ()) -> list[Change]:
    """Every change of meaning from the old revision to the new one; changed words are none.

    Types are compared with all `earlier` revisions too: a column outlives the property that made it.
    """
    changes: list[Change] = []
    types = {
        name: part.type
        for plan in (*earlier, old)
        for event in plan.events.values()
        for name, part in event.properties.items()
    }
    for name, before in old.events.items():
        after = new.events.get(name)
        if after is None:
            need: Need = "nothing" if before.deprecated else "refused"
            what = "removed" if before.deprecated else "removed without having been deprecated"
            changes.append(Change(name, None, what, need))
            continue
        if after.version < before.version:
            changes.append(Change(name, None, f"version lowered from {before.version} to {after.version}", "refused"))
        is_versioned = after.version > before.version
        changes += [Change(name, part, what, need, is_versioned) for part, what, need in _event_changes(before, after)]
    for name, event in new.events.items():
        if name not in old.events:
            changes.append(Change(name, None, "added", "nothing"))
        for part, declared in event.properties.items():
            was_here = name in old.events and part in old.events[name].properties
            if part in types and types[part] != declared.type and not was_here:
                what = f"type changed from {types[part]} to {declared.type}"
                changes.append(Change(name, part, what, "refused"))
    return changes


def check_compatibility(old: PlanDoc, new: PlanDoc, earlier: Iterable[PlanDoc] = ()) -> list[Change]:
    """The changes, when the new revision may be written.

    Args:
        old: the revision before; an empty plan where there is none.
        new: the revision to write.
        earlier: all revisions before that.

    Raises:
        DefinitionError: a change is refused, or needs a version that did not grow; names all of them.
    """
    changes = compare_plans(old, new, earlier)
    refused = [change for change in changes if not change.is_allowed]
    if refused:
        events = sorted({change.event for change in refused if change.need == "new_version"})
        fix = "raise the version of " + ", ".join(events) if events else "keep the old declaration, or use a new name"
        raise DefinitionError(
            "breaking: " + "; ".join(map(str, refused)),
            where=f"{KIND}/{KEY}",
            rule="a breaking change needs a higher version of its event; types never change, events are deprecated "
            "before they are removed",
            fix=fix,
        )
    return changes


def _event_changes(old: EventDoc, new: EventDoc) -> Iterator[tuple[str | None, str, Need]]:
    if old.semantics != new.semantics:
        yield None, f"semantics changed from {old.semantics} to {new.semantics}", "new_version"
    if old.funnel != new.funnel:
        yield None, "place in the funnel changed", "new_version"
    for name, before in old.properties.items():
        after = new.properties.get(name)
        if after is None:
            yield name, "removed", "new_version"
        else:
            for what, need in _property_changes(before, after):
                yield name, what, need
    for name, declared in new.properties.items():
        if name not in old.properties:
            yield (
                name,
                "added as required" if declared.required else "added",
                ("new_version" if declared.required else "nothing"),
            )


def _property_changes(old: PropertyDoc, new: PropertyDoc) -> Iterator[tuple[str, Need]]:
    if old.type != new.type:
        yield f"type changed from {old.type} to {new.type}", "refused"
        return
    if old.required != new.required:
        yield ("made required", "new_version") if new.required else ("made optional", "nothing")
    yield from _enum_changes(old.enum, new.enum)
    yield from _bound_changes("minimum", old.minimum, new.minimum, 1)
    yield from _bound_changes("maximum", old.maximum, new.maximum, -1)
    if old.pattern != new.pattern:
        yield ("pattern dropped", "nothing") if new.pattern is None else ("pattern changed", "new_version")
    if old.personal != new.personal:
        is_lowered = PERSONAL_ORDER.index(new.personal) < PERSONAL_ORDER.index(old.personal)
        what = f"personal class {'lowered' if is_lowered else 'raised'} from {old.personal} to {new.personal}"
        yield what, "new_version" if is_lowered else "nothing"


def _enum_changes(old: tuple[Any, ...] | None, new: tuple[Any, ...] | None) -> Iterator[tuple[str, Need]]:
    if old == new or (old is not None and new is not None and set(old) == set(new)):
        return
    if new is None:
        yield "enum dropped", "nothing"
    elif old is None:
        yield "enum introduced", "new_version"
    elif set(old) - set(new):
        yield "enum values removed", "new_version"
    else:
        yield "enum values added", "nothing"


def _bound_changes(name: str, old: float | None, new: float | None, sign: int) -> Iterator[tuple[str, Need]]:
    if old == new:
        return
    if new is None:
        yield f"{name} dropped", "nothing"
    elif old is None:
        yield f"{name} introduced", "new_version"
    elif sign * (new - old) > 0:
        yield f"{name} tightened from {old} to {new}", "new_version"
    else:
        yield f"{name} loosened from {old} to {new}", "nothing"
