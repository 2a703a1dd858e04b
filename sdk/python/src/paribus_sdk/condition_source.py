"""Conditions as Python source, in two forms: "is true" and "is false".

The two forms make Kleene's logic without a third value: a condition that is unknown is neither. The source holds
structure only; values are bound to names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from paribus_sdk.condition import Audience, Comparison, Condition, Everyone, Negation, Someone
from paribus_sdk.instant import milliseconds
from paribus_sdk.number import is_number
from paribus_sdk.semver import precedence

# Binds a value to a name that the source may use.
Bind: TypeAlias = Callable[[Any], str]

# What the source of conditions refers to.
CONDITION_NAMES = {"precedence": precedence, "milliseconds": milliseconds, "NUMBERS": (int, float)}

_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!="}
_NUMBERS = {"less_than": "<", "at_most": "<=", "greater_than": ">", "at_least": ">="}
_VERSIONS = {f"semver_{name}": symbol for name, symbol in _NUMBERS.items()} | {"semver_equals": "=="}
_TIMES = {"before": "<", "after": ">"}
_TEXTS = {"starts_with": "startswith", "ends_with": "endswith"}
_NEGATIONS = {"not_equals": "equals", "not_in": "in"}


def is_true(condition: Condition, attributes: Mapping[str, str], bind: Bind) -> str:
    """Source that is truthy exactly when the condition is true."""
    match condition:
        case Comparison():
            return _compared(condition, attributes, bind, True)
        case Everyone(parts):
            return _joined(" and ", [is_true(part, attributes, bind) for part in parts], "True")
        case Someone(parts):
            return _joined(" or ", [is_true(part, attributes, bind) for part in parts], "False")
        case Negation(part):
            return is_false(part, attributes, bind)
        case Audience(_, part):
            return is_true(part, attributes, bind)


def is_false(condition: Condition, attributes: Mapping[str, str], bind: Bind) -> str:
    """Source that is truthy exactly when the condition is false: neither holds for one that is unknown."""
    match condition:
        case Comparison():
            return _compared(condition, attributes, bind, False)
        case Everyone(parts):
            return _joined(" or ", [is_false(part, attributes, bind) for part in parts], "False")
        case Someone(parts):
            return _joined(" and ", [is_false(part, attributes, bind) for part in parts], "True")
        case Negation(part):
            return is_true(part, attributes, bind)
        case Audience(_, part):
            return is_false(part, attributes, bind)


def _compared(comparison: Comparison, attributes: Mapping[str, str], bind: Bind, wanted: bool) -> str:
    name, value, operand = comparison.operator.name, comparison.value, comparison.operand
    a = attributes[comparison.attribute]
    if name in _NEGATIONS:
        name, wanted = _NEGATIONS[name], not wanted
    if name == "exists":
        return f"{a} is not None" if operand is wanted else f"{a} is None"
    if name == "equals" and isinstance(value, str):
        k = bind(value)
        return f"{a} == {k}" if wanted else f"(isinstance({a}, str) and {a} != {k})"
    if name == "equals" and isinstance(value, bool):
        return f"{a} is {bind(value is wanted)}"
    if name == "in" and value and all(isinstance(item, str) for item in value):
        k = bind(frozenset(value))
        return f"{a} in {k}" if wanted else f"(isinstance({a}, str) and {a} not in {k})"
    if wanted and (name == "equals" or (name == "in" and value and all(is_number(item) for item in value))):
        # 1 == True in Python: a boolean is no number.
        sign, k = ("==", bind(value)) if name == "equals" else ("in", bind(frozenset(value)))
        return f"({a} {sign} {k} and type({a}) is not bool)"
    if name in {"equals", "in"}:
        return _tested(comparison, a, bind, wanted is (name == comparison.operator.name))
    if name in _NUMBERS:
        symbol = _NUMBERS[name] if wanted else _OPPOSITE[_NUMBERS[name]]
        return f"(isinstance({a}, NUMBERS) and type({a}) is not bool and {a} {symbol} {bind(operand)})"
    if name in _VERSIONS:
        symbol = _VERSIONS[name] if wanted else _OPPOSITE[_VERSIONS[name]]
        k = bind(operand)
        return f"(isinstance({a}, str) and (place := precedence({a})) is not None and place {symbol} {k})"
    if name in _TIMES:
        symbol = _TIMES[name] if wanted else _OPPOSITE[_TIMES[name]]
        k = bind(operand)
        return f"({a} is not None and (place := milliseconds({a})) is not None and place {symbol} {k})"
    if name in _TEXTS:
        verb = "" if wanted else "not "
        return f"(isinstance({a}, str) and {verb}{a}.{_TEXTS[name]}({bind(operand)}))"
    if name == "matches":
        verb = "is not" if wanted else "is"
        return f"(isinstance({a}, str) and {bind(operand.search)}({a}) {verb} None)"
    return _tested(comparison, a, bind, wanted)


def _tested(comparison: Comparison, a: str, bind: Bind, wanted: bool) -> str:
    test, operand = bind(comparison.operator.test), bind(comparison.operand)
    return f"({a} is not None and {test}({a}, {operand}) is {bind(wanted)})"


def _joined(word: str, parts: list[str], empty: str) -> str:
    return f"({word.join(parts)})" if parts else empty
