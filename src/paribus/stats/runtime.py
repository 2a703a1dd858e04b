"""How long a sample takes to arrive: new units get fewer by the day, since the same ones come back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from paribus.errors import InputError
from paribus.stats.estimate import Reason, Undetermined

Arrivals = Callable[[float], float]


def constant_arrivals(daily_units: float) -> Arrivals:
    """As many new units every day."""
    return lambda day: daily_units * day


def saturating_arrivals(daily_units: float, population: float) -> Arrivals:
    """New units by day when a population comes at random: N (1 - exp(-d t / N)), which starts at d a day.

    >>> round(saturating_arrivals(1000, 10_000)(10))
    6321
    """
    if not daily_units > 0 or not population > 0:
        raise InputError(f"{daily_units} units a day of a population of {population}", rule="both are positive")
    return lambda day: float(-population * np.expm1(-daily_units * day / population))


def observed_arrivals(cumulative: list[float]) -> Arrivals:
    """New units as seen: cumulated at the end of day 1, 2, …; afterwards the last week's mean daily growth goes on."""
    if not cumulative or np.any(np.diff(cumulative) < 0):
        raise InputError("cumulated units by day must not decrease")
    days = np.arange(len(cumulative) + 1.0)
    units = np.concatenate([[0.0], cumulative])
    week = min(7, len(cumulative))
    growth = float(units[-1] - units[-1 - week]) / week

    def arrived(day: float) -> float:
        last = float(days[-1])
        return float(np.interp(min(day, last), days, units)) + growth * max(day - last, 0.0)

    return arrived


def runtime_days(
    units: float, arrivals: Arrivals, *, whole_weeks: bool = True, longest: int = 365
) -> int | Undetermined:
    """Days until `units` have arrived, as full weeks unless told otherwise: traffic differs by the day of the week.

    Undetermined when they do not arrive within `longest` days.

    >>> runtime_days(10_000, constant_arrivals(1000)), runtime_days(10_000, constant_arrivals(1000), whole_weeks=False)
    (14, 10)
    """
    low, high = 0, longest
    if arrivals(high) < units:
        return Undetermined(Reason.TOO_FEW_UNITS, f"{arrivals(high):.0f} of {units:.0f} arrive in {longest} days")
    while low < high:
        middle = (low + high) // 2
        if arrivals(middle) >= units:
            high = middle
        else:
            low = middle + 1
    return -(-low // 7) * 7 if whole_weeks else low
