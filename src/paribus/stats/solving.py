"""What all questions of power share: checks, normal quantiles, and the search for the size that reaches a power."""

from __future__ import annotations

from collections.abc import Callable

from paribus.errors import InputError
from paribus.stats.estimate import Alternative


def check_error_rates(power: float, alpha: float) -> None:
    if not 0 < alpha < power < 1:
        raise InputError(f"power {power} at alpha {alpha}", rule="0 < alpha < power < 1")


def distance_from_null(effect: float, null: float, alternative: Alternative) -> float:
    """How far the effect lies from the null, in the alternative's direction."""
    gap = effect - null
    gap = abs(gap) if alternative == "two-sided" else -gap if alternative == "less" else gap
    if not gap > 0:
        raise InputError(
            f"an effect of {effect} against a null of {null} with the alternative {alternative!r}",
            rule="the effect must differ from the null, in the alternative's direction",
        )
    return gap


def normal_quantiles(alpha: float, power: float, alternative: Alternative) -> float:
    """z_{1 - alpha} + z_power, alpha halved for two-sided tests."""
    from scipy.special import ndtri

    return float(ndtri(power) - ndtri(alpha / 2 if alternative == "two-sided" else alpha))


def solve_increasing(power_at: Callable[[float], float], target: float, *, near: float, least: float) -> float:
    """The smallest argument at which an increasing power reaches the target, searched around `near`."""
    from scipy.optimize import brentq

    low = max(near, least)
    while low > least and power_at(low) >= target:
        low = max(low / 1.5, least) if low / 1.5 > least else least
    if power_at(low) >= target:
        return low
    high = max(low, near) * 1.5
    while power_at(high) < target:
        high *= 2
    return float(brentq(lambda x: power_at(x) - target, low, high, xtol=1e-10, rtol=1e-12))
