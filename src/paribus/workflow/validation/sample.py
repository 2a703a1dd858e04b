"""Events as a tracking plan wants them: a value for each property, within its constraints."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]
TEXTS = (
    "sample",
    "a",
    "A1",
    "0",
    "NO",
    "2026-01-02",
    "2026-01-02T03:04:05Z",
    "x@example.org",
    "+4712345678",
    "https://x.org/",
)


def event(declared: Mapping[str, Any], number: int, *, whole: bool = True) -> Json | None:
    """The properties of the `number`-th sample; with `whole` optional ones too. None: a pattern is not met."""
    found: Json = {}
    for name, each in (declared.get("properties") or {}).items():
        if not whole and not each.get("required", False):
            continue
        value = property_value(each, number)
        if value is None:
            if each.get("required", False):
                return None
            continue
        found[name] = value
    return found


def property_value(declared: Mapping[str, Any], number: int) -> Any:
    """A value of the declared type within its constraints, another one for another number; None where none is known."""
    choices = declared.get("enum")
    if choices:
        return choices[number % len(choices)]
    kind = declared.get("type", "string")
    if kind == "boolean":
        return number % 2 == 0
    if kind == "integer":
        return int(_within(declared, math.floor, number))
    if kind == "number":
        return float(_within(declared, float, number)) + 0.0
    if kind == "datetime":
        return f"2026-01-{1 + number % 28:02d}T03:04:05+00:00"
    if kind == "json":
        return {"sample": number}
    return _text(declared.get("pattern"), number)


def _within(declared: Mapping[str, Any], rounded: Any, number: int) -> float:
    low, high = declared.get("minimum"), declared.get("maximum")
    start = low if low is not None else (min(1, high) if high is not None else 1)
    wanted = start + number * (0.25 if rounded is float else 1)
    if high is not None:
        wanted = min(wanted, high)
    return float(rounded(wanted))


def _text(pattern: str | None, number: int) -> str | None:
    if pattern is None:
        return f"sample {number}"
    from paribus.events.plan import compile_pattern

    compiled = compile_pattern(pattern, "sample")
    return next((text for text in TEXTS if compiled.search(text)), None)
