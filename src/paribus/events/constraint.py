"""One property of the plan as a type that msgspec decodes and checks, and the words for what breaks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec

from paribus.events.plan import PropertyDoc, compile_pattern, typed_name

_SHOWN = {"int": "integer", "float": "number", "str": "string", "bool": "boolean", "object": "object", "array": "list"}


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule of the plan that an event breaks; holds no value of the event."""

    property: str | None
    what: str
    rule: str

    def __str__(self) -> str:
        return f"{self.property}: {self.what}" if self.property else self.what


class Constraint:
    """How one property is read, checked and finished."""

    __slots__ = ("declared", "field", "finish", "is_required", "key", "kind")

    def __init__(self, key: str, declared: PropertyDoc) -> None:
        self.key = key
        self.declared = declared
        self.is_required = declared.required
        self.field = typed_name(key)
        self.kind = _kind(declared)
        self.finish = _finish(key, declared)

    def violations(self, value: msgspec.Raw) -> list[Violation]:
        """The rules that the value breaks."""
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
