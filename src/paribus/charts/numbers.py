"""Numbers as people read them: the digits that their uncertainty carries, never a false zero or certainty.

The number of decimals follows the standard error, which keeps two significant digits (Taylor 1997, ch. 2): an estimate
and its interval always share it. Something that is not zero is never written as zero, and nothing uncertain is certain.
"""

from __future__ import annotations

import math
from datetime import date, datetime
from typing import Literal

Unit = Literal["number", "percent", "points"]

NOTHING = "–"
INFINITY = "∞"
MAX_DECIMALS = 6
_SUFFIX: dict[Unit, str] = {"number": "", "percent": "%", "points": " pp"}
_FACTOR: dict[Unit, float] = {"number": 1.0, "percent": 100.0, "points": 100.0}


def count(n: float) -> str:
    """A count of units or rows with thousands separated.

    >>> count(12345)
    '12,345'
    """
    return f"{round(n):,}"


def decimals(se: float) -> int:
    """How many decimals a number with this standard error deserves: those that keep two significant digits of it.

    >>> decimals(1.9), decimals(0.023), decimals(140.0)
    (1, 3, 0)
    """
    if not math.isfinite(se) or se <= 0:
        return 2
    # The standard error is rounded first: .0996 keeps two digits as .10, not as .0996.
    leading = math.floor(math.log10(float(f"{se:.1e}")))
    return min(max(1 - leading, 0), MAX_DECIMALS)


def number(x: float, *, se: float | None = None, unit: Unit = "number", signed: bool = False) -> str:
    """A value in its unit, with the decimals of its standard error, or three significant digits without one.

    Args:
        x: the value; proportions and relative effects as shares (0.12 is written 12%).
        se: its standard error, in the same unit as `x`.
        unit: number, percent, or points (percentage points).
        signed: write + before positive values, as effects ask for.

    >>> number(0.1234, se=0.0019, unit="percent"), number(1794.34, se=671.0), number(0.049, unit="points", signed=True)
    ('12.34%', '1,794', '+4.90 pp')
    """
    if math.isnan(x):
        return NOTHING
    if math.isinf(x):
        return ("+" if signed and x > 0 else "-" if x < 0 else "") + INFINITY
    scaled = x * _FACTOR[unit]
    if se is not None and math.isfinite(se) and se > 0:
        text = fixed(scaled, decimals(se * _FACTOR[unit]))
    else:
        text = significant(scaled, 3)
    sign = "+" if signed and scaled > 0 and not text.startswith("+") else ""
    return sign + text + _SUFFIX[unit]


def fixed(x: float, places: int) -> str:
    """A number with `places` decimals; one that would round to zero keeps its first significant digit instead.

    >>> fixed(1234.5, 0), fixed(-0.00004, 2), fixed(0.0, 2)
    ('1,234', '-0.00004', '0')
    """
    if x == 0:
        return "0"
    if abs(x) >= 1e12:
        return significant(x, 3)
    text = f"{x:,.{places}f}"
    return significant(x, 1) if float(text.replace(",", "")) == 0 else text


def significant(x: float, digits: int) -> str:
    """A number with this many significant digits, whole above 100, with an exponent only where zeros would drown it.

    >>> significant(0.012345, 3), significant(1794.34, 3), significant(0.00000123, 3), significant(12.0, 3)
    ('0.0123', '1,794', '1.23e-6', '12.0')
    """
    if x == 0:
        return "0"
    rounded = float(f"{x:.{digits - 1}e}")
    exponent = math.floor(math.log10(abs(rounded)))
    if exponent < -MAX_DECIMALS + 1 or exponent >= 12:
        mantissa, power = f"{x:.{digits - 1}e}".split("e")
        return f"{mantissa}e{int(power)}"
    return f"{x:,.{max(digits - 1 - exponent, 0)}f}"


def interval(lower: float, upper: float, *, se: float | None = None, unit: Unit = "number", signed: bool = True) -> str:
    """An interval, open where an end is infinite, with the decimals of the standard error.

    >>> interval(0.012, 0.087, se=0.019, unit="percent"), interval(-0.008, float("inf"), se=0.004, unit="percent")
    ('[+1.2%, +8.7%]', '[-0.80%, ∞)')
    >>> interval(0.0029, 0.0109, se=0.00206, unit="points")
    '[+0.29, +1.09] pp'
    """
    # Percentage points are said once, after the bracket.
    unit_of_ends: Unit = "number" if unit == "points" else unit
    after = _SUFFIX[unit] if unit == "points" else ""
    factor = 100.0 if unit == "points" else 1.0
    spread = None if se is None else se * factor

    def end(x: float) -> str:
        return number(x * factor, se=spread, unit=unit_of_ends, signed=signed)

    low = f"(-{INFINITY}" if math.isinf(lower) else f"[{end(lower)}"
    high = f"{INFINITY})" if math.isinf(upper) else f"{end(upper)}]"
    return f"{low}, {high}{after}"


def estimate(value: float, lower: float, upper: float, *, se: float | None = None, unit: Unit = "number") -> str:
    """An effect with its interval.

    >>> estimate(0.049, 0.012, 0.087, se=0.019, unit="percent")
    '+4.9% [+1.2%, +8.7%]'
    >>> estimate(0.0069, 0.0029, 0.0109, se=0.00206, unit="points")
    '+0.69 [+0.29, +1.09] pp'
    """
    written = number(value, se=se, unit=unit, signed=True)
    if unit == "points":
        written = written.removesuffix(_SUFFIX[unit])
    return f"{written} {interval(lower, upper, se=se, unit=unit)}"


def p_value(p: float) -> str:
    """A p-value as in a paper: no leading zero, never zero, never one; a dash when there is none.

    >>> p_value(0.0079), p_value(0.0432), p_value(0.0), p_value(1.0)
    ('.0079', '.043', '< .0001', '> .999')
    """
    if math.isnan(p):
        return NOTHING
    if p < 0.0001:
        return "< .0001"
    if p > 0.999:
        return "> .999"
    return f"{p:.{4 if p < 0.00995 else 3}f}".removeprefix("0")


def chance(p: float) -> str:
    """A probability that is an inference, in percent: never 0% and never 100%.

    >>> chance(0.973), chance(1.0), chance(0.0)
    ('97.3%', '> 99.9%', '< 0.1%')
    """
    if math.isnan(p):
        return NOTHING
    if p > 0.999:
        return "> 99.9%"
    if p < 0.001:
        return "< 0.1%"
    return f"{100 * p:.1f}%"


def share(x: float) -> str:
    """An observed share in percent: exact zeros and ones are told from small and nearly all.

    >>> share(0.00004), share(0.0), share(0.12), share(0.99999)
    ('< 0.01%', '0%', '12.0%', '> 99.99%')
    """
    if math.isnan(x):
        return NOTHING
    if x in (0.0, 1.0):
        return f"{x:.0%}"
    if 0 < x < 0.0001:
        return "< 0.01%"
    if 0.9999 < x < 1:
        return "> 99.99%"
    places = 1 if 0.01 <= x <= 0.99 else 2
    return f"{100 * x:.{places}f}%"


def level(confidence: float) -> str:
    """A confidence level in percent without needless zeros.

    >>> level(0.95), level(0.975), level(1 - 0.05 / 3)
    ('95%', '97.5%', '98.33%')
    """
    return f"{100 * confidence:.2f}".rstrip("0").rstrip(".") + "%"


def day(value: date) -> str:
    """A calendar date.

    >>> day(date(2026, 3, 4))
    '4 Mar 2026'
    """
    return f"{value.day} {value:%b %Y}"


def moment(value: datetime) -> str:
    """A point in time to the minute, with its zone.

    >>> from datetime import UTC
    >>> moment(datetime(2026, 3, 4, 9, 5, tzinfo=UTC))
    '4 Mar 2026, 09:05 UTC'
    """
    return f"{day(value)}, {value:%H:%M} {value.tzname() or ''}".rstrip()
