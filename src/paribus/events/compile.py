"""The tracking plan compiled to decoders that check an event's properties in about half a microsecond."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import msgspec

from paribus.events.constraint import Constraint, Violation
from paribus.events.plan import EventDoc, PlanDoc, UnplannedPolicy, parse_plan
from paribus.events.reserved import RESERVED

Typed = dict[str, Any]


class CompiledEvent:
    """The checker of one event of the plan."""

    __slots__ = ("_finish", "_parts", "_type", "declared", "is_strict", "name", "read")

    def __init__(self, name: str, declared: EventDoc, *, is_strict: bool) -> None:
        self.name = name
        self.declared = declared
        self.is_strict = is_strict
        self._parts = {key: Constraint(key, part) for key, part in declared.properties.items()}
        fields = [
            (part.field, part.kind)
            if part.is_required
            # msgspec reads a union with Raw as null only; Raw takes null by itself.
            else (part.field, part.kind if part.kind is msgspec.Raw else part.kind | None, None)
            for part in self._parts.values()
        ]
        self._type = msgspec.defstruct(
            "Properties",
            fields,
            rename={part.field: part.key for part in self._parts.values()},
            kw_only=True,
            gc=False,
        )
        self._finish = [(part.field, part.finish) for part in self._parts.values() if part.finish is not None]
        self.read: Callable[[str], Any] = msgspec.json.Decoder(self._type).decode

    def check(self, properties: str) -> bool:
        """Whether the JSON text of the properties keeps the contract."""
        try:
            values = self.read(properties)
            for field, finish in self._finish:
                value = getattr(values, field)
                if value is not None:
                    finish(value)
        except (msgspec.ValidationError, ValueError):
            return not self.is_strict
        return True

    def typed(self, properties: str) -> Typed:
        """The values of declared properties by their lake name, for properties that `check` accepts."""
        try:
            values = msgspec.structs.asdict(self.read(properties))
            for field, finish in self._finish:
                if values[field] is not None:
                    values[field] = finish(values[field])
        except (msgspec.ValidationError, ValueError):
            return {}
        return values

    def violations(self, properties: str) -> list[Violation]:
        """Every rule that the properties break; empty when they keep the contract."""
        given = msgspec.json.decode(properties, type=dict[str, msgspec.Raw])
        found = []
        for part in self._parts.values():
            if part.key in given:
                found += part.violations(given[part.key])
            elif part.is_required:
                found.append(Violation(part.key, "is missing", "required"))
        return found


@dataclass(frozen=True, slots=True)
class CompiledPlan:
    """A revision of the tracking plan, ready to check events of one environment."""

    revision: int
    events: Mapping[str, CompiledEvent]
    unplanned: UnplannedPolicy
    plan: PlanDoc
    environment: str = ""

    def __repr__(self) -> str:
        return f"CompiledPlan(revision={self.revision}, events={len(self.events)}, unplanned={self.unplanned!r})"


_RESERVED = {
    name: CompiledEvent(name, declared, is_strict=declared.semantics == "exposure")
    for name, declared in RESERVED.items()
}


def compile_plan(plan: PlanDoc | Mapping[str, Any] | None, *, revision: int, environment: str = "") -> CompiledPlan:
    """The plan compiled for an environment; None, for a project without a plan, leaves the reserved events only.

    Raises:
        DefinitionError: the body is no tracking plan.
    """
    document = plan if isinstance(plan, PlanDoc) else parse_plan(plan or {})
    events = {name: CompiledEvent(name, declared, is_strict=True) for name, declared in document.events.items()}
    policy = document.unplanned.get(environment, "accept")
    return CompiledPlan(revision, MappingProxyType({**_RESERVED, **events}), policy, document, environment)


class PlanBook:
    """Compiled plans by (API key, revision): what `decode` asks for the plan a row was checked under.

    `load(key_id, revision)` gives the document's body (None: no plan, revision 0) and the environment of the key.
    """

    def __init__(self, load: Callable[[str, int], tuple[Mapping[str, Any] | None, str]]) -> None:
        self._load = load
        self._known: dict[tuple[str, int], CompiledPlan] = {}

    def at(self, key_id: str, revision: int) -> CompiledPlan:
        """The plan of that revision for the key's environment.

        Raises:
            DefinitionError: the stored body is no tracking plan.
        """
        known = self._known.get((key_id, revision))
        if known is None:
            body, environment = self._load(key_id, revision)
            known = compile_plan(body, revision=revision, environment=environment)
            if len(self._known) >= 512:
                self._known.clear()
            self._known[key_id, revision] = known
        return known
