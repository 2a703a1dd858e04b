"""The words of verdicts and checks; numbers are written by `charts.numbers`."""

from __future__ import annotations

from collections.abc import Sequence

from paribus.charts import numbers
from paribus.stats.estimate import Estimate, Undetermined

_OF_ONE = {"are": "is", "have": "has", "do": "does"}


def effect(
    relative: Estimate | Undetermined | None, absolute: Estimate | Undetermined, unit: numbers.Unit = "number"
) -> str:
    """The effect with its interval: relative where it is determined, else absolute, else why there is none.

    Args:
        relative: None where the absolute effect decides.
        absolute: the difference.
        unit: of the absolute effect: points for shares.
    """
    if isinstance(relative, Estimate):
        return _written(relative, "percent")
    if isinstance(absolute, Estimate):
        return _written(absolute, unit)
    return f"undetermined: {absolute}"


def counted(n: float, noun: str, verb: str = "") -> str:
    """A number of things, and what they do, in the grammar of one or of many; `noun` as of one, `verb` as of many.

    >>> counted(1, "unit", "have"), counted(2500, "row", "repeat"), counted(0, "exposure")
    ('1 unit has', '2,500 rows repeat', '0 exposures')
    """
    words = f"{numbers.count(n)} {noun}" + ("" if n == 1 else "s")
    return f"{words} {agreeing(n, verb)}" if verb else words


def agreeing(n: float, verb: str) -> str:
    """The verb, given as of many, as it follows so many.

    >>> agreeing(1, "are"), agreeing(1, "lie"), agreeing(2, "do")
    ('is', 'lies', 'do')
    """
    return verb if n != 1 else _OF_ONE.get(verb, f"{verb}s")


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
