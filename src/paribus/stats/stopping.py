"""Solving for the bounds of a group-sequential design: critical values, futility bounds, and the drift they need."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from paribus.stats.estimate import Floats
from paribus.stats.integration import Walk, exit_probabilities, start
from paribus.stats.spending import Rule, Spending, WangTsiatis

# A critical value beyond this is never reached: its one-sided level is below 1e-15, some roundings of 1.
UNREACHABLE = 7.9413
# Below this a look's share of the error is smaller than the accuracy of the integration: the look cannot stop, and
# what it would have spent is left to the next one.
SMALLEST_SHARE = 1e-10


@lru_cache(maxsize=4096)
def critical_values(
    rule: Rule, information: tuple[float, ...], alpha: float, sides: int, time: tuple[float, ...] = ()
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Critical values and cumulative alpha spent of a design without futility; spent at `time`, not at information."""
    if isinstance(rule, WangTsiatis):
        return _critical_by_shape(rule.delta, information, alpha, sides)
    return _critical_by_spending(information, tuple(rule(time or information, alpha, sides).tolist()), sides)


def _critical_by_shape(
    delta: float, information: tuple[float, ...], alpha: float, sides: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    from scipy.optimize import brentq
    from scipy.special import ndtri

    t = np.asarray(information)
    shape = t ** (delta - 0.5)

    def spent(constant: float) -> Floats:
        upper = constant * shape
        below, above = exit_probabilities(-upper if sides == 2 else np.full_like(t, -np.inf), upper, t)
        return below + above

    single = float(-ndtri(alpha / sides))
    lowest = min(0.0, 3 * single)  # a one-sided alpha above one half has negative critical values
    constant = brentq(lambda c: spent(c).sum() - alpha, lowest, max(single, 0.0) + 4.0, xtol=1e-11, rtol=1e-12)
    critical = constant * shape
    reachable = np.where(critical >= UNREACHABLE, np.inf, critical)
    return tuple(reachable.tolist()), tuple(np.cumsum(spent(constant)).tolist())


@lru_cache(maxsize=4096)
def _critical_by_spending(
    information: tuple[float, ...], spent: tuple[float, ...], sides: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    stage = np.diff(information, prepend=0.0)
    walk, used, critical, total = start(), 0.0, [], []
    for k, (t, variance) in enumerate(zip(information, stage, strict=True)):
        bound = _upper_bound(walk, (spent[k] - used) / sides, t, variance, first=k == 0)
        critical.append(bound)
        share = walk.above(bound * np.sqrt(t), variance) * sides if np.isfinite(bound) else 0.0
        used += share
        total.append(used)
        if k + 1 < len(stage):
            high = bound * np.sqrt(t)
            walk = walk.advance(-high if sides == 2 else -np.inf, high, variance, 0.0, np.sqrt(stage[k + 1]))
    return tuple(critical), tuple(total)


def _upper_bound(walk: Walk, share: float, information: float, variance: float, *, first: bool) -> float:
    """The critical value (z scale) that the walk passes with probability `share` at its next look."""
    from scipy.optimize import brentq
    from scipy.special import ndtri

    if first:
        bound = float(-ndtri(share)) if share > 0 else np.inf
        return bound if bound < UNREACHABLE else np.inf
    if share < SMALLEST_SHARE:
        return np.inf
    scale = np.sqrt(information)
    low, high = float(-ndtri(min(share, 1 - 1e-16))), UNREACHABLE

    def excess(z: float) -> float:
        return walk.above(z * scale, variance) - share

    # P(pass) is at most P(z above the bound), so the bound is at most -ndtri(share), except for large drifts or alpha.
    low = min(low, 0.0) - UNREACHABLE if excess(low) > 0 else low
    high, low = (low, -UNREACHABLE) if excess(low) <= 0 else (high, low)
    if excess(low) <= 0:
        return float(low)
    return float(brentq(excess, low, high, xtol=1e-11, rtol=1e-12))


def _lower_bound(walk: Walk, share: float, information: float, variance: float, mean: float) -> float:
    """The bound (z scale) below which the walk falls with probability `share` at its next look."""
    from scipy.optimize import brentq

    if share < SMALLEST_SHARE:
        return -np.inf
    scale = np.sqrt(information)
    center = (walk.mean + mean) / scale

    def excess(z: float) -> float:
        return walk.below(z * scale, variance, mean) - share

    low, high = center - 3 * UNREACHABLE, center + 3 * UNREACHABLE
    return float(high) if excess(high) <= 0 else float(brentq(excess, low, high, xtol=1e-11, rtol=1e-12))


def bounds_with_futility(
    rule: Spending, information: tuple[float, ...], alpha: float, power: float, futility: Spending, binding: bool
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...], float]:
    """Critical values, alpha spent, futility bounds and the drift at which the last two bounds meet."""
    from scipy.optimize import brentq

    def at(drift: float) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...], float]:
        return bounds_at_drift(
            information, information, rule, futility, alpha, 1 - power, drift, binding=binding, final=True
        )

    fixed = fixed_drift(alpha, 1, power)
    drift = float(brentq(lambda d: at(d)[3], 0.8 * fixed, 2.0 * fixed, xtol=1e-10, rtol=1e-11))
    return (*at(drift)[:3], drift)


def bounds_at_drift(
    information: tuple[float, ...],
    time: tuple[float, ...],
    rule: Spending,
    futility: Spending,
    alpha: float,
    beta: float,
    drift: float,
    *,
    binding: bool,
    final: bool,
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...], float]:
    """Critical values, alpha spent and futility bounds when the drift is known, and the beta used beyond `beta`.

    The walks under the null and under the alternative go forward together: with binding futility each look's critical
    value depends on the futility bounds before it, and these on the critical values before them.
    """
    t = np.asarray(information)
    stage = np.diff(t, prepend=0.0)
    alphas, betas = rule(time, alpha), futility(time, beta)
    unbound = critical_values(rule, information, alpha, 1, time)[0]
    null, truth = start(), start()
    critical: list[float] = []
    lower: list[float] = []
    total: list[float] = []
    used, missed = 0.0, 0.0
    for k, variance in enumerate(stage):
        mean, scale = drift * variance, np.sqrt(t[k])
        if binding:
            critical.append(_upper_bound(null, alphas[k] - used, t[k], variance, first=k == 0))
        else:
            critical.append(unbound[k])
        ends = final and k + 1 == len(stage)
        bound = critical[k] if ends else _lower_bound(truth, betas[k] - missed, t[k], variance, mean)
        lower.append(min(bound, critical[k]))
        used += null.above(critical[k] * scale, variance)
        total.append(used)
        missed += truth.below(lower[k] * scale, variance, mean)
        if k + 1 < len(stage):
            low, high, next_sd = lower[k] * scale, critical[k] * scale, np.sqrt(stage[k + 1])
            null = null.advance(low if binding else -np.inf, high, variance, 0.0, next_sd)
            truth = truth.advance(low, high, variance, mean, next_sd)
    return tuple(critical), tuple(total), tuple(lower), missed - beta


def drift_for_power(critical: Floats, information: Floats, alpha: float, sides: int, power: float) -> float:
    from scipy.optimize import brentq

    lower = -critical if sides == 2 else np.full_like(critical, -np.inf)

    def missing(drift: float) -> float:
        return float(exit_probabilities(lower, critical, information, drift)[1].sum()) - power

    fixed = fixed_drift(alpha, sides, power)
    if missing(0.0) >= 0:  # power is asked for below alpha
        return 0.0
    low = max(0.9 * fixed, 0.0)
    low, high = (low, 2.0 * max(fixed, 0.5)) if missing(low) < 0 else (0.0, low)
    while missing(high) < 0:
        high *= 2
    return float(brentq(missing, low, high, xtol=1e-10, rtol=1e-11))


def fixed_drift(alpha: float, sides: int, power: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(power) - ndtri(alpha / sides))
