"""Share of failed requests by arm, with intervals that know that the requests of one unit are alike."""

from __future__ import annotations

import math
from dataclasses import dataclass

from paribus.stats.proportion import proportion_interval


@dataclass(frozen=True, slots=True)
class RequestSums:
    """An arm's requests n and failures x, summed over its units, with the squares that the variance needs."""

    units: int
    requests: int
    failed: int
    requests_squared: float
    failed_squared: float
    product: float


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate with its interval; None without requests."""

    value: float | None
    low: float | None
    high: float | None


def rate(sums: RequestSums, *, level: float = 0.95) -> Rate:
    """The share of failed requests; Wilson's interval at as many independent requests as there really are.

    The design effect compares the variance between units (linearized ratio) with that of independent requests. Where
    nothing failed it is that of equal requests in each unit, the worst that can be.

    >>> rate(RequestSums(100, 100, 0, 100, 0, 0)).value
    0.0
    """
    n, x = sums.requests, sums.failed
    if n == 0:
        return Rate(None, None, None)
    share = x / n
    if 0 < x < n and sums.units > 1:
        spread = sums.failed_squared - 2 * share * sums.product + share**2 * sums.requests_squared
        variance = max(spread, 0.0) / n**2 * sums.units / (sums.units - 1)
        effect = max(variance / (share * (1 - share) / n), 1.0)
    else:
        effect = max(sums.requests_squared / n, 1.0)
    effective = max(n / effect, 1.0)
    low, high = (float(end) for end in proportion_interval(share * effective, effective, level=level))
    return Rate(share, low, high)


def difference(control: Rate, treatment: Rate) -> Rate:
    """Treatment less control; the interval by Zou and Donner's (2008) method from the two rates' own."""
    if None in {control.value, control.low, control.high, treatment.value, treatment.low, treatment.high}:
        return Rate(None, None, None)
    c, c_low, c_high = (float(each or 0.0) for each in (control.value, control.low, control.high))
    t, t_low, t_high = (float(each or 0.0) for each in (treatment.value, treatment.low, treatment.high))
    gap = t - c
    return Rate(gap, gap - math.hypot(t - t_low, c_high - c), gap + math.hypot(t_high - t, c - c_low))


def ratio(control: Rate, treatment: Rate) -> Rate:
    """Treatment over control, the interval by the same method on logarithms; None where an end is not positive."""
    ends = (control.value, control.low, control.high, treatment.value, treatment.low, treatment.high)
    if any(each is None or each <= 0 for each in ends):
        return Rate(None, None, None)
    logs = [Rate(*(math.log(each or 1.0) for each in three)) for three in (ends[:3], ends[3:])]
    found = difference(*logs)
    return Rate(*(math.exp(each) if each is not None else None for each in (found.value, found.low, found.high)))
