"""The words of verdicts and checks; numbers are written by `charts.numbers`."""

from __future__ import annotations

from collections.abc import Sequence

from paribus.charts import numbers
from paribus.stats.estimate import Estimate, Undetermined


def effect(relative: Estimate | Undetermined, absolute: Estimate | Undetermined) -> str:
    """The effect with its interval: relative where it is determined, else absolute, else why there is none."""
    if isinstance(relative, Estimate):
        return _written(relative, "percent")
    if isinstance(absolute, Estimate):
        return _written(absolute, "number")
    return f"undetermined: {absolute}"


def listing(items: Sequence[str]) -> str:
    """Names in a sentence.

    >>> listing(["a", "b", "c"])
    'a, b and c'
    """
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""


def _written(estimate: Estimate, unit: numbers.Unit) -> str:
    value = numbers.number(estimate.value, se=estimate.se, unit=unit, signed=True)
    interval = numbers.interval(estimate.lower, estimate.upper, se=estimate.se, unit=unit)
    return f"{value}, {numbers.level(estimate.level)} interval {interval}"


def p_words(p: float) -> str:
    """A p-value in words.

    >>> p_words(0.0312), p_words(1e-9)
    ('p = .031', 'p < .0001')
    """
    text = numbers.p_value(p)
    return f"p {text}" if text[0] in "<>" else f"p = {text}"
