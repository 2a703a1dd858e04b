"""Numbers as people read them: never "0.0000", never "100%" for a chance, always with the unit that was meant."""

from __future__ import annotations

import math

from paribus.stats.estimate import Estimate, Undetermined


def count(n: float) -> str:
    """A whole number with thousands separated.

    >>> count(10000)
    '10,000'
    """
    return f"{n:,.0f}"


def number(x: float) -> str:
    """A number with about four significant digits.

    >>> number(1794.34), number(0.00012345), number(0.0)
    ('1,794', '0.0001234', '0')
    """
    if not math.isfinite(x):
        return "no limit" if math.isinf(x) else "undetermined"
    if x == 0:
        return "0"
    digits = max(0, 3 - math.floor(math.log10(abs(x))))
    if digits > 9:
        return f"{x:.3g}"
    text = f"{x:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(x: float, *, signed: bool = False) -> str:
    """A share or a relative change in percent, with at least two significant digits.

    >>> percent(0.0312), percent(0.0312, signed=True), percent(-0.000042, signed=True)
    ('3.1%', '+3.1%', '-0.0042%')
    """
    if not math.isfinite(x):
        return "no limit" if math.isinf(x) else "undetermined"
    if x == 0:
        return "0%"
    scaled = 100 * x
    digits = min(9, max(0, 1 - math.floor(math.log10(abs(scaled)))))
    digits = max(digits, 1) if abs(scaled) < 100 else 0
    text = f"{scaled:{'+' if signed else ''},.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}%"


def p_words(p: float) -> str:
    """A p-value as a phrase.

    >>> p_words(0.0312), p_words(3e-9)
    ('p = .031', 'p < .0001')
    """
    if math.isnan(p):
        return "no p-value"
    if p < 0.0001:
        return "p < .0001"
    if p > 0.9995:
        return "p > .999"
    return f"p = {p:.{4 if p < 0.001 else 3 if p < 0.1 else 2}f}".replace("= 0.", "= .").replace("= 1.00", "= .99")


def chance(p: float) -> str:
    """A probability as people say it, never certain.

    >>> chance(0.973), chance(0.99999), chance(0.0)
    ('97.3%', 'over 99.9%', 'under 0.1%')
    """
    if p > 0.999:
        return "over 99.9%"
    if p < 0.001:
        return "under 0.1%"
    return f"{100 * p:.1f}%"


def level(c: float) -> str:
    """A confidence level.

    >>> level(0.95), level(0.999), level(0.9916667)
    ('95%', '99.9%', '99.17%')
    """
    return f"{100 * c:.2f}".rstrip("0").rstrip(".") + "%"


def effect(relative: Estimate | Undetermined, absolute: Estimate | Undetermined) -> str:
    """The effect with its interval: relative where it is determined, else absolute, else why there is none."""
    for quantity, write in ((relative, percent), (absolute, _absolute)):
        if isinstance(quantity, Estimate):
            ends = f"{write(quantity.lower, signed=True)} to {write(quantity.upper, signed=True)}"
            return f"{write(quantity.value, signed=True)}, {level(quantity.level)} interval {ends}"
    return f"undetermined: {absolute}"


def _absolute(x: float, *, signed: bool = False) -> str:
    return ("+" if signed and x > 0 and math.isfinite(x) else "") + number(x)


def listing(items: list[str] | tuple[str, ...]) -> str:
    """Names in a sentence.

    >>> listing(["a", "b", "c"])
    'a, b and c'
    """
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""
