"""The tracking plan compiled to decoders that check an event's properties in about half a microsecond."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated, Any, Literal

import msgspec

from paribus.events.plan import EventDoc, PlanDoc, PropertyDoc, UnplannedPolicy, compile_pattern, parse_plan, typed_name
from paribus.events.reserved import RESERVED

Typed = dict[str, Any]

_SHOWN = {"int": "integer", "float": "number", "str": "string", "bool": "boolean", "object": "object", "array": "list"}


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule of the plan that an event breaks; holds no value of the event."""

    property: str | None
    what: str
    rule: str

    def __str__(self) -> str:
        return f"{self.property}: {self.what}" if self.property else self.what


class CompiledEvent:
    """The checker of one event of the plan."""

    __slots__ = ("_finish", "_parts", "_type", "declared", "is_strict", "name", "read")

    def __init__(self, name: str, declared: EventDoc, *, is_strict: bool) -> None:
        self.name = name
        self.declared = declared
        self.is_strict = is_strict
        self._parts = {key: _Part(key, part) for key, part in declared.properties.items()}
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


class _Part:
    """How one property is read and checked."""

    __slots__ = ("declared", "field", "finish", "is_required", "key", "kind")

    def __init__(self, key: str, declared: PropertyDoc) -> None:
        self.key = key
        self.declared = declared
        self.is_required = declared.required
        self.field = typed_name(key)
        self.kind = _kind(declared)
        self.finish = _finish(key, declared)

    def violations(self, value: msgspec.Raw) -> list[Violation]:
        declared = self.declared
        if bytes(value) == b"null":
            return [Violation(self.key, "is null", "required")] if self.is_required else []
        try:
            decoded = msgspec.json.decode(value, type=self.kind)
            if self.finish is not None:
                self.finish(decoded)
        except (msgspec.ValidationError, ValueError) as error:
            return [Violation(self.key, _without_values(error), _rule(declared))]
        return []


def _kind(declared: PropertyDoc) -> Any:
    if declared.type == "string":
        return Literal[declared.enum] if declared.enum is not None else str
    if declared.type == "integer":
        return Literal[declared.enum] if declared.enum is not None else _bounded(declared)
    if declared.type == "number":
        return _bounded(declared)
    return {"boolean": bool, "datetime": datetime, "json": msgspec.Raw}[declared.type]


def _bounded(declared: PropertyDoc) -> Any:
    low, high = declared.minimum, declared.maximum
    if declared.type == "integer":
        low = -(2**63) if low is None else max(int(low), -(2**63))
        high = 2**63 - 1 if high is None else min(int(high), 2**63 - 1)
        return Annotated[int, msgspec.Meta(ge=low, le=high)]
    return float if low is None and high is None else Annotated[float, msgspec.Meta(ge=low, le=high)]


def _finish(key: str, declared: PropertyDoc) -> Callable[[Any], Any] | None:
    if declared.type == "datetime":
        return _aware
    if declared.type == "json":
        return _text
    if declared.pattern is not None:
        pattern = compile_pattern(declared.pattern, key)

        def matched(value: str) -> str:
            if pattern.search(value) is None:
                raise ValueError("does not match the pattern")
            return value

        return matched
    if declared.type == "number" and declared.enum is not None:
        allowed = frozenset(map(float, declared.enum))

        def listed(value: float) -> float:
            if value not in allowed:
                raise ValueError("is not one of the listed values")
            return value

        return listed
    return None


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("is a time without an offset")
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is outside the years 1 to 9999") from error


def _text(value: msgspec.Raw) -> str | None:
    return None if bytes(value) == b"null" else str(value, "utf-8")


def _without_values(error: Exception) -> str:
    """The reason in the plan's words; msgspec names the value of an enum, which may be personal, so that is cut."""
    message = str(error).split(" - at ")[0]
    if message.startswith("Invalid enum value"):
        return "is not one of the listed values"
    if message.startswith("Expected `"):
        for theirs, ours in _SHOWN.items():
            message = message.replace(f"`{theirs}`", ours).replace(f"`{theirs} | null`", ours)
        message = message.replace("`", "")
        return message[0].lower() + message[1:]
    return "is not an RFC 3339 time" if "RFC3339" in message else message


def _rule(declared: PropertyDoc) -> str:
    parts: list[str] = [declared.type]
    if declared.enum is not None:
        parts.append("one of " + ", ".join(map(str, declared.enum)))
    if declared.minimum is not None:
        parts.append(f"at least {declared.minimum}")
    if declared.maximum is not None:
        parts.append(f"at most {declared.maximum}")
    if declared.pattern is not None:
        parts.append(f"matching {declared.pattern}")
    if declared.type == "datetime":
        parts.append("RFC 3339 with an offset")
    return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class CompiledPlan:
    """A revision of the tracking plan, ready to check events of one environment."""

    revision: int
    events: Mapping[str, CompiledEvent]
    unplanned: UnplannedPolicy
    plan: PlanDoc

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
    return CompiledPlan(revision, MappingProxyType({**_RESERVED, **events}), policy, document)


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
