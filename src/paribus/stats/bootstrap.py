"""The Poisson bootstrap: deterministic, mergeable resampling of units.

In each replicate a unit counts Poisson(1) times, by a hash of unit and replicate: the same unit gets the same weight
in every query, on every machine, for numerator and denominator alike, so partial sums by shard can be added and a page
refreshed tomorrow shows the same interval. Weights belong to units, never to their events. (Chamandy et al. 2012;
Hanley, MacGibbon 2006.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paribus.errors import InputError
from paribus.stats.estimate import Alternative, Estimates, Floats, Reason, estimates
from paribus.stats.proportion import check_level

_BLOCK = 1 << 20  # weights computed at a time: units x replicates
# P(Poisson(1) <= k), as thresholds for a uniform 64-bit hash.
_CDF = np.cumsum([np.exp(-1.0) / float(np.prod(np.arange(1, k + 1))) for k in range(18)])
_THRESHOLDS = np.array([int(p * 2.0**64) if p < 1 else 2**64 - 1 for p in _CDF], dtype=np.uint64)


def poisson_weights(units: Sequence[str] | NDArray[np.uint64], replicates: int, *, first: int = 0) -> NDArray[np.uint8]:
    """Poisson(1) weights by unit and replicate, shape (units, replicates), each a hash of (unit, replicate).

    Args:
        units: unit ids as strings (hashed by BLAKE2b), or 64-bit hashes of them.
        replicates: number of replicates.
        first: number of the first replicate; blocks of replicates computed apart fit together.

    >>> all_at_once = poisson_weights(["u1", "u2"], 4)
    >>> bool((all_at_once[:, 2:] == poisson_weights(["u1", "u2"], 2, first=2)).all())
    True
    """
    keys = hash_units(units)
    numbers = np.arange(first, first + replicates, dtype=np.uint64)
    mixed = _mix(keys[:, None] ^ _mix(numbers + np.uint64(0x9E3779B97F4A7C15))[None, :])
    return np.searchsorted(_THRESHOLDS, mixed, side="right").astype(np.uint8)


def hash_units(units: Sequence[str] | NDArray[np.uint64]) -> NDArray[np.uint64]:
    """64-bit hashes of unit ids: BLAKE2b of their UTF-8, little-endian; hashes are passed through."""
    from hashlib import blake2b

    if isinstance(units, np.ndarray) and units.dtype == np.uint64:
        return units
    digests = b"".join(blake2b(str(unit).encode(), digest_size=8).digest() for unit in units)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def poisson_sums(
    units: Sequence[str] | NDArray[np.uint64], columns: ArrayLike, replicates: int, *, first: int = 0
) -> Floats:
    """Weighted sums of columns in every replicate, shape (replicates, columns); sums over disjoint shards add.

    Include a column of ones to have each replicate's number of units.

    Args:
        units: one id per row of `columns`; a unit's rows must have been summed before.
        columns: shape (units, columns).
        replicates: number of replicates.
        first: number of the first replicate.
    """
    x = np.asarray(columns, dtype=np.float64)
    x = x[:, None] if x.ndim == 1 else x
    keys = hash_units(units)
    if keys.size != x.shape[0]:
        raise InputError(f"{keys.size} units for {x.shape[0]} rows")
    if np.unique(keys).size != keys.size:
        raise InputError("a unit has more than one row", fix="sum a unit's rows first: weights belong to units")
    sums = np.zeros((replicates, x.shape[1]))
    block = max(1, _BLOCK // max(replicates, 1))
    for start in range(0, keys.size, block):
        rows = slice(start, start + block)
        sums += poisson_weights(keys[rows], replicates, first=first).T.astype(np.float64) @ x[rows]
    return sums


def poisson_bootstrap(
    control: tuple[Sequence[str] | NDArray[np.uint64], ArrayLike],
    treatment: tuple[Sequence[str] | NDArray[np.uint64], ArrayLike],
    statistic: Callable[[Floats], Floats],
    *,
    compare: Literal["difference", "lift"] = "difference",
    replicates: int = 2000,
    interval: Literal["percentile", "normal"] = "percentile",
    level: float = 0.95,
    alternative: Alternative = "two-sided",
) -> Estimates:
    """Effect of treatment on any smooth function of sums over units, with a Poisson bootstrap interval.

    The p-value is that of the interval: twice the smaller share of replicates on one side of 0 (at least
    2 / (replicates + 1), never 0) for "percentile", or from the bootstrap standard error for "normal".

    Args:
        control, treatment: unit ids, and columns of shape (units, k); weights follow the ids.
        statistic: maps sums, shape (..., 1 + k) with the number of units first, to the arm's value, shape (...).
        compare: treatment minus control, or relative to control.
        replicates: number of replicates.
        interval: "percentile" of the replicates, or "normal" (value plus or minus z standard errors).
        level: confidence level.
        alternative: of the test and interval.

    >>> ids = [f"u{i}" for i in range(200)]
    >>> low, high = (ids[:100], [0.0, 1.0] * 50), (ids[100:], [1.0, 2.0] * 50)
    >>> poisson_bootstrap(low, high, lambda sums: sums[..., 1] / sums[..., 0]).at().value
    1.0
    """
    sums, observed = [], []
    for units, columns in (control, treatment):
        x = np.asarray(columns, dtype=np.float64)
        x = x[:, None] if x.ndim == 1 else x
        table = np.column_stack([np.ones(x.shape[0]), x])
        observed.append(table.sum(axis=0))
        sums.append(poisson_sums(units, table, replicates))
    with np.errstate(invalid="ignore", divide="ignore"):
        value = _compare(statistic(observed[0]), statistic(observed[1]), compare)
        draws = _compare(statistic(sums[0]), statistic(sums[1]), compare)
    draws = draws[np.isfinite(draws)]
    lower, upper, p_value, se = _interval(float(value), draws, interval, check_level(level), alternative)
    lost = replicates - draws.size
    return estimates(
        value,
        se,
        -np.inf if alternative == "less" else lower,
        np.inf if alternative == "greater" else upper,
        p_value,
        level=level,
        alternative=alternative,
        method=f"Poisson bootstrap, {interval}, {replicates} replicates",
        reasons=(
            (min(observed[0][0], observed[1][0]) == 0, Reason.NO_DATA),
            (min(observed[0][0], observed[1][0]) < 20, Reason.TOO_FEW_UNITS),
            (lost > 0.01 * replicates, Reason.ZERO_DENOMINATOR),
            (se == 0, Reason.NO_VARIANCE),
        ),
    )


def _compare(control: Floats, treatment: Floats, compare: str) -> Floats:
    gap = np.asarray(treatment, dtype=np.float64) - control
    return np.asarray(gap / control if compare == "lift" else gap)


def _interval(
    value: float, draws: Floats, interval: str, level: float, alternative: Alternative
) -> tuple[float, float, float, float]:
    """Lower and upper end, p-value, standard error."""
    from scipy.special import ndtr, ndtri

    if draws.size < 2:
        return (float("nan"),) * 4
    se = float(np.std(draws, ddof=1))
    sides = 2 if alternative == "two-sided" else 1
    tail = (1 - level) / sides
    if interval == "normal":
        z = float(-ndtri(tail))
        t = value / se if se > 0 else float("nan")
        p = {"two-sided": 2 * ndtr(-abs(t)), "greater": ndtr(-t), "less": ndtr(t)}[alternative]
        return value - z * se, value + z * se, float(p), se
    lower, upper = np.quantile(draws, [tail, 1 - tail])
    below = (1 + (draws <= 0).sum()) / (draws.size + 1)
    above = (1 + (draws >= 0).sum()) / (draws.size + 1)
    p = {"two-sided": min(1.0, 2 * min(below, above)), "greater": below, "less": above}[alternative]
    return float(lower), float(upper), float(p), se


def _mix(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finalizer (Steele, Lea, Flood 2014): a bijection whose every output bit depends on every input."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))
