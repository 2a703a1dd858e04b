"""The operators that conditions compare an attribute with a value by.

Each answers True, False, or None: *unknown*, when the attribute's type is not one it can compare.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from paribus_sdk.instant import milliseconds, text_milliseconds
from paribus_sdk.number import is_number
from paribus_sdk.semver import precedence

Test: TypeAlias = Callable[[Any, Any], bool | None]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Operator:
    """How an attribute is compared.

    Attributes:
        name: As written in definitions.
        phrase: As written in explanations.
        needs: The types of attribute it can compare, for explanations.
        operand: Turns a definition's value into what `test` takes; ValueError says why it cannot be used.
        test: The comparison of an attribute that is present with an operand.
    """

    name: str
    phrase: str
    needs: str
    operand: Callable[[Any], Any]
    test: Test


def kind_of(value: object) -> str | None:
    """`text`, `number`, `boolean`, or None for what cannot be compared for equality."""
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool):
        return "boolean"
    return "number" if is_number(value) else None


def _scalar(value: Any) -> Any:
    if kind_of(value) is None or (isinstance(value, float) and abs(value) == float("inf")):
        raise ValueError("the value must be text, a number or a boolean")
    return value


def _scalars(value: Any) -> frozenset[tuple[str | None, Any]]:
    if not isinstance(value, list | tuple):
        raise ValueError("the value must be a list of texts, numbers or booleans")
    return frozenset((kind_of(_scalar(item)), item) for item in value)


def _number(value: Any) -> Any:
    if not is_number(value) or abs(value) == float("inf"):
        raise ValueError("the value must be a number")
    return value


def _version(value: Any) -> Any:
    parsed = precedence(value) if isinstance(value, str) else None
    if parsed is None:
        raise ValueError("the value must be a semantic version, such as 1.4.0")
    return parsed


def _instant(value: Any) -> int:
    parsed = text_milliseconds(value) if isinstance(value, str) else None
    if parsed is None:
        raise ValueError("the value must be a time by RFC 3339 with an offset, such as 2026-01-31T00:00:00Z")
    return parsed


def _texts(value: Any) -> tuple[str, ...]:
    texts = (value,) if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise ValueError("the value must be text, or a list of texts")
    return tuple(texts)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("the value must be true or false")
    return value


def _expression(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("the value must be a regular expression")
    try:
        import re2  # type: ignore[import-untyped]
    except ImportError:
        raise ValueError("regular expressions need the package google-re2") from None
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(value, options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        detail = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(f"the value is not a regular expression that RE2 takes: {detail}") from None
    except UnicodeEncodeError:
        raise ValueError("the value is not a regular expression that RE2 takes: it is no valid Unicode") from None


def _equals(value: Any, operand: Any) -> bool | None:
    kind = kind_of(value)
    return bool(value == operand) if kind is not None and kind == kind_of(operand) else None


def _is_in(value: Any, operand: frozenset[tuple[str | None, Any]]) -> bool | None:
    kind = kind_of(value)
    if kind is None or (operand and not any(kind == held for held, _ in operand)):
        return None
    return (kind, value) in operand


def _ordered(compare: Callable[[Any, Any], bool], key: Callable[[Any], Any]) -> Test:
    def test(value: Any, operand: Any) -> bool | None:
        placed = key(value)
        return None if placed is None else compare(placed, operand)

    return test


def _text(match: Callable[[str, tuple[str, ...]], bool]) -> Test:
    def test(value: Any, operand: tuple[str, ...]) -> bool | None:
        return match(value, operand) if isinstance(value, str) else None

    return test


def _contains(value: Any, operand: tuple[str, ...]) -> bool | None:
    if isinstance(value, str):
        return any(text in value for text in operand)
    if isinstance(value, list | tuple):
        return any(isinstance(item, str) and item in operand for item in value)
    return None


def _matches(value: Any, operand: Any) -> bool | None:
    if not isinstance(value, str):
        return None
    try:
        return operand.search(value) is not None
    except UnicodeEncodeError:
        return None


def _negated(test: Test) -> Test:
    def negation(value: Any, operand: Any) -> bool | None:
        answer = test(value, operand)
        return None if answer is None else not answer

    return negation


def _as_number(value: Any) -> Any:
    return value if is_number(value) else None


def _as_version(value: Any) -> Any:
    return precedence(value) if isinstance(value, str) else None


_SCALAR = "text, a number or a boolean, as the value is"
_VERSION = "a semantic version"
_TIME = "a time: RFC 3339 text with an offset, or milliseconds since 1970"

OPERATORS = {
    item.name: item
    for item in (
        Operator("equals", "equals", _SCALAR, _scalar, _equals),
        Operator("not_equals", "does not equal", _SCALAR, _scalar, _negated(_equals)),
        Operator("in", "is one of", _SCALAR, _scalars, _is_in),
        Operator("not_in", "is none of", _SCALAR, _scalars, _negated(_is_in)),
        Operator("less_than", "is less than", "a number", _number, _ordered(operator.lt, _as_number)),
        Operator("at_most", "is at most", "a number", _number, _ordered(operator.le, _as_number)),
        Operator("greater_than", "is greater than", "a number", _number, _ordered(operator.gt, _as_number)),
        Operator("at_least", "is at least", "a number", _number, _ordered(operator.ge, _as_number)),
        Operator("semver_equals", "is version", _VERSION, _version, _ordered(operator.eq, _as_version)),
        Operator("semver_less_than", "is a version below", _VERSION, _version, _ordered(operator.lt, _as_version)),
        Operator("semver_at_most", "is a version up to", _VERSION, _version, _ordered(operator.le, _as_version)),
        Operator("semver_greater_than", "is a version above", _VERSION, _version, _ordered(operator.gt, _as_version)),
        Operator("semver_at_least", "is a version from", _VERSION, _version, _ordered(operator.ge, _as_version)),
        Operator("before", "is before", _TIME, _instant, _ordered(operator.lt, milliseconds)),
        Operator("after", "is after", _TIME, _instant, _ordered(operator.gt, milliseconds)),
        Operator("starts_with", "starts with", "text", _texts, _text(str.startswith)),
        Operator("ends_with", "ends with", "text", _texts, _text(str.endswith)),
        Operator("contains", "contains", "text or a list", _texts, _contains),
        Operator("matches", "matches", "text", _expression, _matches),
        Operator("exists", "exists:", "anything", _boolean, lambda value, operand: operand),
    )
}
