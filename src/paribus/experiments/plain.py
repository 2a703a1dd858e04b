"""Frozen dataclasses as plain JSON values and back, driven by their type hints, without losing a bit.

Floats keep their shortest exact form; what JSON cannot say is a string: "NaN", "Infinity", "-Infinity". Times are
ISO 8601, enumerations their value, tuples arrays, a mapping with tuple keys an array of `[*key, value]` rows, and an
`Undetermined` is `{"undetermined": code, "sentence": ..., "detail": ...}`.
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from functools import cache
from typing import Any, Literal, Union

import numpy as np

from paribus.errors import ProofError
from paribus.stats.estimate import Reason, Undetermined

NOT_JSON_NUMBERS = ("NaN", "Infinity", "-Infinity")


def to_plain(value: Any) -> Any:
    """The value as dicts, lists, strings, numbers, booleans and None.

    >>> to_plain((1.5, float("inf"), None))
    [1.5, 'Infinity', None]
    """
    if isinstance(value, Undetermined):
        return {"undetermined": value.reason.name.lower(), "sentence": value.reason.value, "detail": value.detail}
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _field_to_plain(hint, getattr(value, name)) for name, hint in hints(type(value)).items()}
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, np.generic):
        return to_plain(value.item())
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _name_of(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Mapping):
        if any(isinstance(key, tuple) for key in value):
            return [[*(to_plain(part) for part in key), to_plain(item)] for key, item in value.items()]
        return {str(to_plain(key)): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return to_plain(value.tolist())
    raise TypeError(f"{type(value).__name__} has no plain form")


def from_plain(kind: Any, plain: Any, at: str = "") -> Any:
    """The value of type `kind` that `to_plain` wrote.

    Raises:
        ProofError: a field is missing, unknown or of another type; `where` is its path.
    """
    if kind is Any or kind is object:
        return plain
    if kind is None or kind is types.NoneType:
        return _expect(plain is None, None, plain, at, "null")
    origin = typing.get_origin(kind)
    if origin is Union or origin is types.UnionType:
        return _one_of(typing.get_args(kind), plain, at)
    if origin is Literal:
        return _expect(plain in typing.get_args(kind), plain, plain, at, f"one of {typing.get_args(kind)}")
    if origin is tuple:
        return _tuple(typing.get_args(kind), plain, at)
    if origin is dict:
        return _mapping(typing.get_args(kind), plain, at)
    if kind is dict:
        return _expect(isinstance(plain, dict), plain, plain, at, "an object")
    if kind is float:
        return _float(plain, at)
    if kind in (int, str, bool):
        right = isinstance(plain, kind) and not (kind is int and isinstance(plain, bool))
        return _expect(right, plain, plain, at, {int: "an integer", str: "a text", bool: "true or false"}[kind])
    if kind in (datetime, date):
        return _moment(kind, plain, at)
    if kind is Undetermined:
        return _undetermined(plain, at)
    if isinstance(kind, type) and issubclass(kind, Enum):
        values = [member.value for member in kind]
        _expect(plain in values, None, plain, at, f"one of {', '.join(map(str, values))}")
        return kind(plain)
    if is_dataclass(kind):
        return _record(kind, plain, at)
    raise TypeError(f"{kind!r} has no plain form")


def schema(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """The JSON Schema of what `to_plain` writes for `kind`; dataclasses are collected in `definitions`."""
    if kind is Any or kind is object:
        return {}
    if kind is None or kind is types.NoneType:
        return {"type": "null"}
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is Union or origin is types.UnionType:
        return {"anyOf": [schema(arg, definitions) for arg in args]}
    if origin is Literal:
        return {"enum": list(args)}
    if origin is tuple:
        if args[-1] is Ellipsis:
            return {"type": "array", "items": schema(args[0], definitions)}
        parts = [schema(arg, definitions) for arg in args]
        return {"type": "array", "prefixItems": parts, "minItems": len(parts), "maxItems": len(parts)}
    if origin is dict:
        if typing.get_origin(args[0]) is tuple:
            parts = [schema(arg, definitions) for arg in (*typing.get_args(args[0]), args[1])]
            row = {"type": "array", "prefixItems": parts, "minItems": len(parts), "maxItems": len(parts)}
            return {"type": "array", "items": row}
        return {"type": "object", "additionalProperties": schema(args[1], definitions)}
    if kind is dict:
        return {"type": "object"}
    if kind is float:
        return {"anyOf": [{"type": "number"}, {"enum": list(NOT_JSON_NUMBERS)}]}
    if kind in (int, str, bool):
        return {"type": {int: "integer", str: "string", bool: "boolean"}[kind]}
    if kind in (datetime, date):
        return {"type": "string", "format": "date-time" if kind is datetime else "date"}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"enum": [member.value for member in kind]}
    if kind.__name__ not in definitions:
        definitions[kind.__name__] = {}  # holds the place while its own fields are described
        definitions[kind.__name__] = _record_schema(kind, definitions)
    return {"$ref": f"#/$defs/{kind.__name__}"}


@cache
def hints(kind: type) -> dict[str, Any]:
    """The resolved types of a dataclass's fields."""
    return typing.get_type_hints(kind)


def _field_to_plain(hint: Any, value: Any) -> Any:
    # An empty mapping does not show its keys' type: the hint tells that it is written as rows.
    if isinstance(value, dict) and not value and typing.get_origin(hint) is dict:
        return [] if typing.get_origin(typing.get_args(hint)[0]) is tuple else {}
    return to_plain(value)


def _record_schema(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    described = {"description": (kind.__doc__ or "").split("\n")[0]}
    if kind is Undetermined:
        properties: dict[str, Any] = {
            "undetermined": {"enum": [reason.name.lower() for reason in Reason]},
            "sentence": {"type": "string"},
            "detail": {"type": "string"},
        }
        required = list(properties)
    else:
        properties = {name: schema(hint, definitions) for name, hint in hints(kind).items()}
        required = [f.name for f in fields(kind) if not _has_default(f)]
    return {
        **described,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _has_default(field: Any) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


def _name_of(value: float) -> str:
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _expect(right: bool, value: Any, plain: Any, at: str, expected: str) -> Any:
    if not right:
        shown = repr(plain) if len(repr(plain)) <= 60 else repr(plain)[:57] + "..."
        raise ProofError(f"{shown} is not {expected}", where=at or None)
    return value


def _float(plain: Any, at: str) -> float:
    if isinstance(plain, str) and plain in NOT_JSON_NUMBERS:
        return float(plain)
    _expect(isinstance(plain, int | float) and not isinstance(plain, bool), None, plain, at, "a number")
    return float(plain)


def _moment(kind: Any, plain: Any, at: str) -> Any:
    _expect(isinstance(plain, str), None, plain, at, "a time in ISO 8601")
    try:
        return kind.fromisoformat(plain)
    except ValueError:
        return _expect(False, None, plain, at, "a time in ISO 8601")


def _undetermined(plain: Any, at: str) -> Undetermined:
    right = isinstance(plain, dict) and str(plain.get("undetermined")).upper() in Reason.__members__
    _expect(right, None, plain, at, "an undetermined quantity with a known reason")
    return Undetermined(Reason[str(plain["undetermined"]).upper()], str(plain.get("detail", "")))


def _tuple(args: tuple[Any, ...], plain: Any, at: str) -> tuple[Any, ...]:
    _expect(isinstance(plain, list), None, plain, at, "a list")
    if args[-1] is Ellipsis:
        return tuple(from_plain(args[0], item, f"{at}[{i}]") for i, item in enumerate(plain))
    _expect(len(plain) == len(args), None, plain, at, f"a list of {len(args)}")
    return tuple(from_plain(arg, item, f"{at}[{i}]") for i, (arg, item) in enumerate(zip(args, plain, strict=True)))


def _mapping(args: tuple[Any, ...], plain: Any, at: str) -> dict[Any, Any]:
    key, item = args
    if typing.get_origin(key) is tuple:
        parts = typing.get_args(key)
        _expect(isinstance(plain, list), None, plain, at, "a list of rows")
        rows = [_tuple((*parts, item), row, f"{at}[{i}]") for i, row in enumerate(plain)]
        return {row[:-1]: row[-1] for row in rows}
    _expect(isinstance(plain, dict), None, plain, at, "an object")
    return {from_plain(key, k, at): from_plain(item, v, f"{at}.{k}") for k, v in plain.items()}


def _one_of(kinds: tuple[Any, ...], plain: Any, at: str) -> Any:
    if plain is None and types.NoneType in kinds:
        return None
    kinds = tuple(kind for kind in kinds if kind is not types.NoneType)
    if Undetermined in kinds:
        if isinstance(plain, dict) and "undetermined" in plain:
            return _undetermined(plain, at)
        kinds = tuple(kind for kind in kinds if kind is not Undetermined)
    if len(kinds) == 1:
        return from_plain(kinds[0], plain, at)
    for kind in kinds:
        try:
            return from_plain(kind, plain, at)
        except ProofError:
            continue
    return _expect(False, None, plain, at, "of any type that this field may have")


def _record(kind: Any, plain: Any, at: str) -> Any:
    _expect(isinstance(plain, dict), None, plain, at, f"an object ({kind.__name__})")
    known = {f.name: f for f in fields(kind)}
    unknown = sorted(set(plain) - set(known))
    _expect(not unknown, None, ", ".join(unknown), at, f"a field of {kind.__name__}")
    missing = [name for name, f in known.items() if name not in plain and not _has_default(f)]
    if missing:
        raise ProofError(f"{kind.__name__} lacks {', '.join(missing)}", where=at or None)
    prefix = f"{at}." if at else ""
    return kind(**{name: from_plain(hints(kind)[name], value, prefix + name) for name, value in plain.items()})
