"""JSON of a document as strictly as RFC 8259 and I-JSON (RFC 7493) ask: no doubled name, no NaN, bounded depth."""

from __future__ import annotations

import json
import re
from typing import Any

from paribus.server.problem import MalformedRequest

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")
LONGEST_NUMBER = 400
"""Digits; JSON itself has no limit, and reading a number of a million digits takes seconds."""
LARGEST_WHOLE = 2**53 - 1


def strict_json(body: bytes, max_depth: int) -> Any:
    """The value.

    Raises:
        MalformedRequest: not JSON, a name twice in one object, deeper than allowed, or a number out of range.
    """
    depth = deepest = 0
    for bracket in _BRACKET.finditer(_STRING.sub(b"", body)):
        depth += 1 if bracket[0] in b"[{" else -1
        deepest = max(deepest, depth)
        if deepest > max_depth:
            raise _refusal("it is nested too deeply", f"at most {max_depth} levels")
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_once,
            parse_constant=_no_constant,
            parse_int=_whole,
            parse_float=_finite,
        )
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise _refusal("it is not UTF-8", "RFC 8259, section 8.1") from error
    except UnicodeEncodeError as error:
        raise _refusal("a text holds half of a surrogate pair", "RFC 7493, section 2.1") from error
    except ValueError as error:
        raise _refusal(f"it is not JSON: {error}", "RFC 8259") from error
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        doubled = next(name for name in names if names.count(name) > 1)
        raise _refusal(f"the name {doubled[:80]!r} stands twice in one object", "RFC 7493, section 2.3")
    return found


def _no_constant(name: str) -> Any:
    raise _refusal(f"{name} is not JSON", "RFC 8259, section 6")


def _whole(text: str) -> int:
    if len(text) > LONGEST_NUMBER or abs(number := int(text)) > LARGEST_WHOLE:
        raise _refusal("a whole number is out of range", "RFC 7493, section 2.2: from -(2**53 - 1) to 2**53 - 1")
    return number


def _finite(text: str) -> float:
    if len(text) > LONGEST_NUMBER or abs(number := float(text)) == float("inf"):
        raise _refusal("a number is out of range", "IEEE 754 double precision")
    return number


def _refusal(what: str, rule: str) -> MalformedRequest:
    return MalformedRequest(what, where="body", rule=rule)
