"""The next tracking plan: what stands, what the history shows beside it, and the feature's funnel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from paribus.events.compatibility import Change, compare_plans
from paribus.events.plan import (
    EventDoc,
    FunnelStep,
    PlanDoc,
    PropertyDoc,
    PropertyType,
    Semantics,
    column_name,
    declared_properties,
    parse_plan,
)
from paribus.events.taxonomy import verb_of
from paribus.exploration.shape import CONVERSION, FAILURE, LATENCY, MONEY
from paribus.governance.privacy import classify
from paribus.workflow.facts.explore import EventProfile

TYPES: dict[str, PropertyType] = {
    "string": "string", "text": "string", "integer": "integer", "number": "number", "boolean": "boolean",
    "datetime": "datetime", "object": "json", "array": "json", "json": "json", "mixed": "json",
}  # fmt: skip
ALWAYS = 0.9999  # share of rows from which a property counts as always there


@dataclass(slots=True)
class Draft:
    """The plan to write, and what was left out of it."""

    plan: PlanDoc
    conflicts: list[str] = field(default_factory=list)


def drafted(
    standing: PlanDoc,
    profiles: Sequence[EventProfile],
    *,
    funnel: str,
    steps: Sequence[str],
    conversions: Iterable[str],
    needed: Mapping[str, Iterable[str]],
    owner: str,
    seen_as: Mapping[str, Sequence[str]] | None = None,
) -> Draft:
    """The next plan: nothing that stands is lost or changes its type, and it is compatible by its versions.

    Args:
        standing: the plan in force.
        profiles: events of the history with the types of their properties.
        funnel, steps: the feature's funnel and its events in order.
        conversions: events of the success metrics.
        needed: properties that metrics read, by event: they are required.
        owner: of events that nobody owns yet.
        seen_as: values that were seen of properties with few of them; they are described, not enforced.
    """
    draft = Draft(standing)
    events = dict(standing.events)
    kinds = {column_name(name).lower(): (name, part.type) for _, name, part in declared_properties(standing)}
    seen: dict[str, list[str]] = {}
    for profile in profiles:
        for name, kind in profile.properties.items():
            seen.setdefault(column_name(name).lower(), []).append(kind)
    goals = set(conversions)
    for profile in sorted(profiles, key=lambda each: each.name):
        if profile.name.startswith("$") or not profile.count:
            continue
        before = events.get(profile.name)
        properties = dict(before.properties) if before is not None else {}
        for name, kind in sorted(profile.properties.items()):
            if name in properties or kind not in TYPES:
                continue
            column = column_name(name).lower()
            wanted = _type(name, [TYPES[each] for each in seen[column] if each in TYPES])
            other, standing_type = kinds.setdefault(column, (name, wanted))
            if other != name or (standing_type != wanted and not _holds(standing_type, wanted)):
                draft.conflicts.append(f"{profile.name}.{name}: {wanted}, but {other} is {standing_type} already")
                continue
            required = before is None and (
                name in needed.get(profile.name, ()) or profile.present.get(name, 0.0) >= ALWAYS
            )
            properties[name] = PropertyDoc(
                type=standing_type,
                required=required,
                personal=classify(name),
                description=_described(name, (seen_as or {}).get(name, ())),
            )
        if before is not None:
            events[profile.name] = before.model_copy(update={"properties": properties, "owner": before.owner or owner})
        else:
            events[profile.name] = EventDoc(
                description=_sentence(profile.name),
                owner=owner,
                semantics=_semantics(profile.name, profile.name in goals, profile.name in steps),
                properties=properties,
            )
    for number, name in enumerate(steps, 1):
        event = events.get(name)
        if event is not None and event.funnel is None:
            events[name] = event.model_copy(update={"funnel": FunnelStep(funnel=funnel, step=number)})
    draft.plan = _versioned(standing, parse_plan({"events": _plain(events), "unplanned": dict(standing.unplanned)}))
    return draft


def differences(before: PlanDoc, after: PlanDoc) -> list[Change]:
    """What is new, one change per event and property, in the order of the plan."""
    return compare_plans(before, after)


def _versioned(standing: PlanDoc, draft: PlanDoc) -> PlanDoc:
    """The draft with the version of each event raised that a breaking change asks for."""
    raised = {
        change.event
        for change in compare_plans(standing, draft)
        if change.need == "new_version" and not change.is_versioned
    }
    events = {
        name: event.model_copy(update={"version": event.version + 1}) if name in raised else event
        for name, event in draft.events.items()
    }
    return draft.model_copy(update={"events": events})


def _type(name: str, kinds: list[PropertyType]) -> PropertyType:
    """One type for all events that carry the property; amounts and durations are never narrowed to whole numbers."""
    different = set(kinds)
    if different == {"integer"} and (MONEY.search(name) or LATENCY.search(name)):
        return "number"
    if len(different) == 1:
        return kinds[0]
    return "number" if different == {"integer", "number"} else "json"


def _holds(standing: PropertyType, wanted: PropertyType) -> bool:
    return standing == "json" or (standing == "number" and wanted == "integer")


def _semantics(name: str, is_goal: bool, is_step: bool) -> Semantics:
    if is_goal or CONVERSION.search(name):
        return "conversion"
    if FAILURE.search(name):
        return "error"
    return "funnel_step" if is_step else "action"


def _words(name: str) -> str:
    return " ".join(name.replace("-", " ").replace("_", " ").split())


def _described(name: str, values: Sequence[str]) -> str:
    """The property in words, with the values it was seen with."""
    return f"{_words(name)}, seen as {', '.join(values)}" if values else _words(name)


def _sentence(name: str) -> str:
    """What happened, in words.

    >>> _sentence("order_completed")
    'Somebody did this: complete order.'
    """
    *object_words, action = _words(name).split() or [name]
    verb = verb_of(action)
    return f"Somebody did this: {' '.join([verb, *object_words])}." if object_words else f"{name} happened."


def _plain(events: Mapping[str, EventDoc]) -> dict[str, Any]:
    return {name: event.model_dump(mode="json", exclude_defaults=True) for name, event in sorted(events.items())}
