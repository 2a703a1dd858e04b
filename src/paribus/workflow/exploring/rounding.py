"""Numbers without the bits that depend on the order in which a sum was added up."""

from __future__ import annotations

from math import isfinite
from typing import Any, TypeVar

from paribus.workflow.artifact import Part

F = TypeVar("F", bound=Part)
DIGITS = 9


def rounded(facts: F) -> F:
    """The facts with every float to nine significant digits, so that the same events give the same text."""
    return type(facts).model_validate(_rounded(facts.model_dump()))


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if isfinite(value) else None
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_rounded(each) for each in value)
    return value
