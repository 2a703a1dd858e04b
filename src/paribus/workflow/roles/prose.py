"""Numbers in prose: which stand in a text, so that nobody changes one by writing it more nicely."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

_NUMBER = re.compile(r"(?<![\w.])[-+−]?\d+(?:[,. ]\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?\s?%?", re.IGNORECASE)


def numbers_in(text: str) -> Counter[str]:
    """The numbers of a text and how often each stands there, thousands separators and plus signs left out.

    >>> sorted(numbers_in("12,500 units gained 3.0% in 14 days").items())
    [('12500', 1), ('14', 1), ('3%', 1)]
    """
    return Counter(_normal(found) for found in _NUMBER.findall(text))


def numbers_below(value: Any) -> Counter[str]:
    """The numbers of a plain value: those of its texts, and its own."""
    if isinstance(value, str):
        return numbers_in(value)
    if isinstance(value, bool) or value is None:
        return Counter()
    if isinstance(value, int | float):
        return Counter([_normal(repr(value))])
    items = value.values() if isinstance(value, Mapping) else value
    found: Counter[str] = Counter()
    for item in items:
        found += numbers_below(item)
    return found


def _normal(text: str) -> str:
    share = text.rstrip().endswith("%")
    digits = text.rstrip("% ").replace("−", "-").replace(",", "").replace(" ", "").lstrip("+")
    try:
        number = f"{float(digits):.12g}"
    except ValueError:
        number = digits
    return number + ("%" if share else "")
