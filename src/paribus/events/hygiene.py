"""JSON bodies made safe: depth, duplicate keys, numbers, text; one broken event does not take its batch along.

What is refused, and the words for it:

- nesting deeper than `MAX_DEPTH`;
- a key twice in one object: readers disagree on which value counts;
- a number outside the range of a double, NaN, Infinity;
- text with a NUL character, a lone surrogate, or bytes that are no UTF-8.

A byte order mark is skipped. A flaw inside an event rejects that event; a flaw around the events refuses the body.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

MAX_DEPTH = 20
MAX_DIGITS = 400
FAST_DEPTH = 8
"""Deeper bodies are read the slow way, which counts exactly."""


class Unreadable(Exception):
    """A body that cannot be taken at all; `what` and `rule` go into the answer."""

    def __init__(self, what: str, rule: str) -> None:
        super().__init__(what)
        self.what = what
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why a value cannot be taken."""

    what: str
    rule: str


@dataclass(frozen=True, slots=True)
class Clean:
    """A body without flaws; events that had one stand as null, with the flaw by their index."""

    document: bytes
    flaws: Mapping[int, Flaw] = field(default_factory=dict)


def _nested(depth: int) -> Any:
    """Any JSON value down to a depth, as a type; msgspec keeps 2 ** depth nodes for it."""
    kind: Any = None | bool | int | float | str
    for _ in range(depth):
        kind = None | bool | int | float | str | list[kind] | dict[str, kind]
    return kind


_read = msgspec.json.Decoder(_nested(FAST_DEPTH)).decode
_write = msgspec.json.Encoder().encode


def clean(document: bytes, list_key: str | None) -> Clean:
    """The body without flaws, the same bytes when it has none.

    Args:
        document: JSON, UTF-8.
        list_key: where the events stand in a top-level object; None when the body is refused as a whole. The elements
            of a top-level list are events.

    Raises:
        Unreadable: no JSON, or a flaw outside the events.
    """
    if document.startswith(b"\xef\xbb\xbf"):
        document = document[3:]
    # A key given twice loses at least one colon when the body is decoded and written again, and only an escaped colon
    # could hide that.
    if b"\\" not in document or (b"\\u003" not in document and b"\\u0000" not in document):
        try:
            if _write(_read(document)).count(b":") == document.count(b":"):
                return Clean(document)
        except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
            pass
    return _clean_slowly(document, list_key)


def _clean_slowly(document: bytes, list_key: str | None) -> Clean:
    try:
        value = json.loads(
            document.decode("utf-8", "surrogateescape"),
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_int=_integer,
            parse_float=_float,
        )
    except RecursionError:
        raise Unreadable("nested too deep", f"at most {MAX_DEPTH} levels") from None
    except ValueError as error:
        position = f" at byte {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        raise Unreadable(f"not JSON{position}", "the body is one JSON document in UTF-8") from None
    if isinstance(value, list):
        events, envelope = value, []
    elif isinstance(value, dict) and list_key is not None and isinstance(value.get(list_key), list):
        events, envelope = value[list_key], [{key: part for key, part in value.items() if key != list_key}]
    else:
        events, envelope = [], [value]
    flaw = _flaw(envelope, 0)
    if flaw is not None:
        raise Unreadable(flaw.what, flaw.rule)
    flaws: dict[int, Flaw] = {}
    for index, event in enumerate(events):
        flaw = _flaw(event, 1 if isinstance(value, list) else 2)
        if flaw is not None:
            flaws[index] = flaw
            events[index] = None
    return Clean(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(), flaws)


def _object(pairs: list[tuple[str, Any]]) -> Any:
    made = dict(pairs)
    return made if len(made) == len(pairs) else Flaw("a key stands twice in one object", "keys are unique")


def _constant(_: str) -> Flaw:
    return Flaw("NaN or Infinity", "numbers are finite")


def _integer(text: str) -> Any:
    return int(text) if len(text) <= MAX_DIGITS and math.isfinite(float(text)) else _huge()


def _float(text: str) -> Any:
    number = float(text)
    return number if math.isfinite(number) else _huge()


def _huge() -> Flaw:
    return Flaw("a number too large", "numbers fit a 64-bit float")


def _flaw(value: Any, depth: int) -> Flaw | None:
    if isinstance(value, Flaw):
        return value
    if isinstance(value, str):
        return _text_flaw(value)
    if not isinstance(value, (list, dict)):
        return None
    if depth >= MAX_DEPTH:
        return Flaw("nested too deep", f"at most {MAX_DEPTH} levels")
    if isinstance(value, dict):
        for key in value:
            found = _text_flaw(key)
            if found is not None:
                return found
        value = value.values()
    for part in value:
        found = _flaw(part, depth + 1)
        if found is not None:
            return found
    return None


def _text_flaw(text: str) -> Flaw | None:
    if "\x00" in text:
        return Flaw("text with a NUL character", "texts hold no U+0000")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            code = ord(text[error.start])
            if 0xDC80 <= code <= 0xDCFF:
                return Flaw("bytes that are no UTF-8", "the body is UTF-8")
            return Flaw("a lone surrogate", "texts are Unicode: surrogates come in pairs")
    return None
