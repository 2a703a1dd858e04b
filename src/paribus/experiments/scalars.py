"""The small values of an experiment file and what a person may have meant: shares, names, fragments, times."""

from __future__ import annotations

import math
import re
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

_PERCENTAGE = re.compile(r"\s*([-+]?\d+(?:\.\d+)?)\s*%\s*\Z")
_PERCENTAGE_SCHEMA = r"^\s*[-+]?\d+(\.\d+)?\s*%\s*$"
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?\s*(Z|[-+]\d{2}:?\d{2})?)?\Z")
_TIME_SCHEMA = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?\s*(Z|[-+]\d{2}:?\d{2})?)?$"


def complaint(what: str, *, rule: str = "", fix: str = "") -> PydanticCustomError:
    """An error for pydantic that keeps the rule and the fix for the document's own error."""
    words = {"what": what, "rule": rule, "fix": fix}
    return PydanticCustomError("meaning", "{what}", {name: text for name, text in words.items() if text})


def shown(value: Any) -> str:
    """The value as it was written, short enough for a sentence."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = getattr(value, "text", None) or (repr(value) if isinstance(value, str) else str(value))
    return text if len(text) <= 60 else text[:57] + "..."


def number(value: Any) -> float:
    """A finite number, or the number of a percentage text divided by 100."""
    if isinstance(value, str) and (match := _PERCENTAGE.match(value)):
        return float(match[1]) / 100
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise complaint(f"{shown(value)} is not a number or a percentage", fix="write 0.05 or 5%")
    if not math.isfinite(value):
        raise complaint(f"{shown(value)} is not a finite number")
    return float(value)


def _plain_number(value: Any) -> float:
    if isinstance(value, str):
        raise complaint(f"{shown(value)} is not a number", fix="write it without quotes and without a unit")
    return number(value)


def _share(value: Any) -> float:
    found = number(value)
    if abs(found) >= 1:
        hint = f"write {found:g}% or {found / 100:g}" if 1 <= abs(found) < 100 else "write for example 5% or 0.05"
        raise complaint(
            f"{shown(value)} would be {found:.0%}",
            rule="a relative size is a share: 0.05 and 5% are the same",
            fix=hint,
        )
    return found


def _positive_share(value: Any) -> float:
    found = _share(value)
    if found <= 0:
        raise complaint(f"{shown(value)} is not above zero", fix="write for example 5% or 0.05")
    return found


def _upper_percentile(value: Any) -> float:
    found = _plain_number(value)
    if 50 <= found < 100:
        return found
    fix = f"write {found * 100:g}" if 0.5 <= found < 1 else "write for example 99.9"
    raise complaint(f"{shown(value)} is not an upper percentile", rule="from 50 to below 100", fix=fix)


def _lower_percentile(value: Any) -> float:
    found = _plain_number(value)
    if 0 < found <= 50:
        return found
    raise complaint(f"{shown(value)} is not a lower percentile", rule="above 0, up to 50", fix="write for example 0.1")


def _confidence(value: Any) -> float:
    found = number(value)
    if 0.5 < found < 1:
        return found
    if 50 < found < 100:
        fix = f"write {found / 100:g}, or {found:g}%"
    elif 0 < found <= 0.5:
        fix = f"if this is alpha, write {1 - found:g}"
    else:
        fix = "write for example 0.95"
    raise complaint(f"{shown(value)} is not a confidence level", rule="between 0.5 and 1, both excluded", fix=fix)


def _probability(value: Any) -> float:
    found = number(value)
    if 0 < found < 1:
        return found
    fix = f"write {found / 100:g}, or {found:g}%" if 1 < found < 100 else "write for example 0.8"
    raise complaint(f"{shown(value)} is not a probability", rule="between 0 and 1, both excluded", fix=fix)


def _name(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        word = {True: "true", False: "false", None: "null"}[value]
        raise complaint(
            f"unquoted, {word} is a YAML constant and not a name",
            rule="a name is text",
            fix=f'write "{word}" in quotes',
        )
    text = getattr(value, "text", None) or (str(value) if isinstance(value, str | int | float) else None)
    if text is None:
        raise complaint(f"{type(value).__name__} given where a name is expected", fix="write one word or quoted text")
    if not text.strip():
        raise complaint("the name is blank")
    if not text.isprintable() or len(text) > 200:
        raise complaint(f"{shown(text)} is not a name", rule="at most 200 printable characters")
    return str(text)


def _fragment(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = getattr(value, "text", None) or (value if isinstance(value, str) else None)
    if text is None and isinstance(value, int | float):
        text = str(value)
    if not isinstance(text, str) or not text.strip():
        raise complaint(
            f"{shown(value)} is not a SQL expression",
            fix='write an expression in quotes, for instance "amount - refund"',
        )
    return text.strip()


def _time(value: Any) -> str:
    if isinstance(value, str) and _TIME.match(value.strip()):
        try:
            parsed(value.strip())
        except ValueError as error:
            raise complaint(
                f"{shown(value)} is not a time: {error}", fix="write 2026-01-31 or 2026-01-31T09:30Z"
            ) from error
        return value.strip()
    raise complaint(
        f"{shown(value)} is not a date or a time", rule="ISO 8601", fix="write 2026-01-31 or 2026-01-31T09:30:00+01:00"
    )


def parsed(text: str) -> datetime | date:
    """The date, or the time with its zone if it has one, that a checked text says."""
    return (
        date.fromisoformat(text)
        if len(text) == 10
        else datetime.fromisoformat(text.replace(" +", "+").replace(" -", "-"))
    )


def _with_schema(**schema: Any) -> WithJsonSchema:
    return WithJsonSchema(schema)


def _number_or_percentage(**limits: float) -> WithJsonSchema:
    return _with_schema(anyOf=[{"type": "number", **limits}, {"type": "string", "pattern": _PERCENTAGE_SCHEMA}])


Number = Annotated[float, BeforeValidator(_plain_number), _with_schema(type="number")]
Weight = Annotated[float, BeforeValidator(number), _number_or_percentage()]
Share = Annotated[float, BeforeValidator(_share), _number_or_percentage(exclusiveMinimum=-1, exclusiveMaximum=1)]
PositiveShare = Annotated[
    float, BeforeValidator(_positive_share), _number_or_percentage(exclusiveMinimum=0, exclusiveMaximum=1)
]
Confidence = Annotated[
    float, BeforeValidator(_confidence), _number_or_percentage(exclusiveMinimum=0.5, exclusiveMaximum=1)
]
Probability = Annotated[
    float, BeforeValidator(_probability), _number_or_percentage(exclusiveMinimum=0, exclusiveMaximum=1)
]
UpperPercentile = Annotated[
    float, BeforeValidator(_upper_percentile), _with_schema(type="number", minimum=50, exclusiveMaximum=100)
]
LowerPercentile = Annotated[
    float, BeforeValidator(_lower_percentile), _with_schema(type="number", exclusiveMinimum=0, maximum=50)
]
Name = Annotated[
    str,
    BeforeValidator(_name),
    _with_schema(anyOf=[{"type": "string", "pattern": r"\S", "maxLength": 200}, {"type": "number"}]),
]
Fragment = Annotated[
    str,
    BeforeValidator(_fragment),
    _with_schema(anyOf=[{"type": "string", "pattern": r"\S"}, {"type": ["number", "boolean"]}]),
]
Time = Annotated[str, BeforeValidator(_time), _with_schema(type="string", pattern=_TIME_SCHEMA)]
Whole = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
