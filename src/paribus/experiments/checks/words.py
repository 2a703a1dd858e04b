"""P-values in a check's sentence."""

from __future__ import annotations

from paribus.charts.numbers import p_value


def p_words(p: float) -> str:
    """A p-value in words.

    >>> p_words(0.0312), p_words(1e-9)
    ('p = .031', 'p < .0001')
    """
    text = p_value(p)
    return f"p {text}" if text[0] in "<>" else f"p = {text}"
