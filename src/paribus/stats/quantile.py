"""Quantiles: of a sample, their confidence limits by ranks, and the effect of treatment on a quantile.

A quantile's limits are order statistics whose ranks come from the binomial distribution, exact for continuous data;
their distance over 2 z is the standard error from which arms are compared. So a warehouse need return three order
statistics per arm and no rows. When rows (page loads, requests) are clustered by unit, the share of rows at or below
the quantile is a ratio of sums over units, and its variance over p (1 - p) / n inflates the quantile's (Deng, Knoblich,
Lu 2018, section 4.1).

Ties: limits on an atom of the distribution coincide, and no standard error follows from them. Such a comparison is
undetermined. A bucketed or rounded metric needs a mean or a proportion instead.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paribus.errors import InputError
from paribus.stats.arm import Arm, difference
from paribus.stats.boundary import Boundary
from paribus.stats.estimate import Estimates, Floats, Reason
from paribus.stats.moments import Moments
from paribus.stats.proportion import check_level
from paribus.stats.relative import lift


@dataclass(frozen=True, slots=True)
class QuantileRanks:
    """Ranks, from 1, of the order statistics that enclose a quantile, by cell.

    lower, upper  ranks of the limits
    center        rank of the sample quantile (type 1: the smallest value with at least a share p at or below it)
    coverage      probability that the limits enclose the quantile of a continuous distribution
    available     False where a limit lies outside the sample: there is no interval then
    """

    lower: NDArray[np.int64]
    upper: NDArray[np.int64]
    center: NDArray[np.int64]
    coverage: Floats
    available: NDArray[np.bool_]


def sample_quantile(values: ArrayLike, p: float, kind: int = 7) -> float:
    """Sample quantile by Hyndman and Fan's (1996) definition 1 to 9; 7 is the default of R, NumPy and most engines.

    >>> [sample_quantile([1, 2, 3, 4], 0.4, kind) for kind in (1, 7)]  # 1-based positions 1.6 -> 2; 1 + 3 * .4
    [2.0, 2.2]
    """
    x = np.sort(np.asarray(values, dtype=np.float64).ravel())
    n = x.size
    if n == 0:
        return float("nan")
    _check_share(p)
    if kind not in range(1, 10):
        raise InputError(f"quantile type {kind}", rule="1 to 9 (Hyndman, Fan 1996)")
    fuzz = 4 * np.finfo(float).eps
    if kind <= 3:
        position = n * p - (0.5 if kind == 3 else 0.0)
        j = int(np.floor(position + fuzz))
        on_step = abs(position - j) <= fuzz * max(1.0, position)
        share = {1: 0.0, 2: 0.5, 3: float(j % 2)}[kind] if on_step else 1.0
    else:
        a, b = {4: (0, 1), 5: (0.5, 0.5), 6: (0, 0), 7: (1, 1), 8: (1 / 3, 1 / 3), 9: (3 / 8, 3 / 8)}[kind]
        position = a + p * (n + 1 - a - b)
        j = int(np.floor(position + fuzz))
        share = position - j
        share = 0.0 if abs(share) < fuzz else share
    low, high = x[min(max(j, 1), n) - 1], x[min(max(j + 1, 1), n) - 1]
    return float(low if share == 0 else high if share == 1 else low + share * (high - low))


def harrell_davis(values: ArrayLike, p: float) -> float:
    """Harrell and Davis's (1982) quantile: all order statistics weighted by a Beta((n + 1) p, (n + 1)(1 - p)).

    >>> round(harrell_davis([1, 2, 3], 0.5), 12)
    2.0
    """
    from scipy.special import betainc

    x = np.sort(np.asarray(values, dtype=np.float64).ravel())
    if x.size == 0:
        return float("nan")
    _check_share(p)
    steps = betainc((x.size + 1) * p, (x.size + 1) * (1 - p), np.arange(x.size + 1) / x.size)
    return float(np.diff(steps) @ x)


def quantile_ranks(n: ArrayLike, p: float, *, level: float = 0.95) -> QuantileRanks:
    """Ranks of the order statistics that enclose a quantile with at least `level` confidence.

    The lower rank is the binomial (n, p) quantile at (1 - level) / 2, the upper the one at (1 + level) / 2 plus 1, and
    the coverage P(lower <= B < upper) is exact (Hahn, Meeker 1991, section 5.2; Schultzberg, Ankargren 2022).

    Args:
        n: number of values by cell.
        p: the quantile's share, 0 < p < 1.
        level: confidence level.

    >>> ranks = quantile_ranks(101, 0.25)
    >>> int(ranks.lower), int(ranks.upper), round(float(ranks.coverage), 4)
    (17, 35, 0.9622)
    """
    from scipy.special import bdtr

    _check_share(p)
    n = np.asarray(n, dtype=np.int64)
    tail = (1 - check_level(level)) / 2
    lower, upper = _binomial_quantile(tail, n, p), _binomial_quantile(1 - tail, n, p) + 1
    center = np.clip(np.ceil(n * p - 1e-9), 1, np.maximum(n, 1)).astype(np.int64)
    coverage = bdtr(upper - 1, n, p) - np.where(lower > 0, bdtr(np.maximum(lower - 1, 0), n, p), 0.0)
    return QuantileRanks(lower, upper, center, np.asarray(coverage), np.asarray((lower >= 1) & (upper <= n)))


def _binomial_quantile(q: float, n: NDArray[np.int64], p: float) -> NDArray[np.int64]:
    """The smallest k with P(B <= k) >= q for B binomial (n, p); 0 for no trials."""
    from scipy.special import bdtr, bdtrik

    k = np.where(n > 0, np.ceil(bdtrik(q, np.maximum(n, 1), p)), 0).astype(np.int64)
    below = np.maximum(k - 1, 0)
    return np.where(bdtr(below, n, p) >= q, below, k)


def quantile_interval(values: ArrayLike, p: float, *, level: float = 0.95) -> tuple[float, float]:
    """Distribution-free confidence limits of a quantile; an infinite end where the sample is too small for it."""
    x = np.sort(np.asarray(values, dtype=np.float64).ravel())
    ranks = quantile_ranks(x.size, p, level=level)
    lower, upper = int(ranks.lower), int(ranks.upper)
    return (float(x[lower - 1]) if lower >= 1 else -np.inf), (float(x[upper - 1]) if upper <= x.size else np.inf)


def quantile_se(lower: ArrayLike, upper: ArrayLike, *, level: float = 0.95) -> Floats:
    """Standard error of a quantile from the distance of its confidence limits, (upper - lower) / (2 z)."""
    from scipy.special import ndtri

    z = float(ndtri((1 + check_level(level)) / 2))
    return np.asarray((np.asarray(upper, dtype=np.float64) - np.asarray(lower, dtype=np.float64)) / (2 * z))


def quantile_arm(
    n: ArrayLike, value: ArrayLike, lower: ArrayLike, upper: ArrayLike, *, level: float = 0.95, n_ranked: ArrayLike = 0
) -> Arm:
    """A sample quantile as an arm: value, and the variance per unit behind the distance of its limits.

    var = (n - 1) se^2 with se from `quantile_se`, scaled by n_ranked / n when the limits were read from a sample of
    n_ranked values only (GrowthBook's convention).

    Args:
        n: values (units, or rows) behind the quantile, by cell.
        value: the sample quantile.
        lower, upper: the order statistics at the ranks of `quantile_ranks`.
        level: confidence level of those ranks.
        n_ranked: values among which the ranks were taken, if not n.

    >>> arm = quantile_arm(101, 3.0, 2.0, 2.0 + 2 * 1.959963985)
    >>> round(float(arm.var), 6)  # se = 1
    100.0
    """
    n, value, ranked = (np.asarray(a, dtype=np.float64) for a in (n, value, n_ranked))
    with np.errstate(invalid="ignore", divide="ignore"):
        var = np.where(ranked > 0, ranked / n, 1.0) * (n - 1) * quantile_se(lower, upper, level=level) ** 2
    return Arm(n, value, np.asarray(var), np.full(np.shape(var), np.nan))


def clustered_quantile_arm(
    arm: Arm, p: float, below: Arm, *, degrees_of_freedom: Literal["clusters", "rows"] = "clusters"
) -> Arm:
    """The arm of a quantile over rows when rows of one unit depend on each other.

    The variance as if rows were independent is multiplied by var(share at or below) / (p (1 - p) / n), where the share
    is a ratio of sums over units (Deng, Knoblich, Lu 2018, section 4.1).

    Args:
        arm: `quantile_arm` over rows, as if they were independent.
        p: the quantile's share.
        below: the arm of the ratio (rows at or below the quantile) / rows, over units: `ratio` of their moments.
        degrees_of_freedom: "clusters" counts units afterwards, "rows" keeps counting rows (GrowthBook).
    """
    _check_share(p)
    with np.errstate(invalid="ignore", divide="ignore"):
        var = arm.var * (below.var / below.n) / (p * (1 - p) / arm.n)
        if degrees_of_freedom == "rows":
            return Arm(arm.n, arm.value, np.asarray(var), arm.skewness)
        if degrees_of_freedom == "clusters":
            return Arm(below.n, arm.value, np.asarray(var / arm.n * below.n), arm.skewness)
    raise InputError(f"degrees_of_freedom is {degrees_of_freedom!r}", rule="'clusters' or 'rows'")


def effective_clusters(units: Moments, rows: str) -> Floats:
    """How many units of equal size the rows are worth: (sum of sizes)^2 / sum of squared sizes (Kish 1965).

    Args:
        units: moments over units, among them the number of rows of each.
        rows: the name of that number.

    >>> sizes = Moments.from_rows([[4.0], [4.0], [1.0], [1.0]], ["n"])
    >>> round(float(effective_clusters(sizes, "n")), 4)  # 10^2 / 34
    2.9412
    """
    i = units.names.index(rows)
    total = units.n * units.mean[..., i]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total**2 / (units.m2[..., i, i] + total * units.mean[..., i]))


def quantile_difference(
    control: Arm,
    treatment: Arm,
    *,
    tied: ArrayLike = False,
    relative: bool = False,
    boundary: Boundary | None = None,
) -> Estimates:
    """Effect of treatment on a quantile, treatment minus control (or the lift, by Fieller: one test for both scales).

    Undetermined: TIED where `tied`, TOO_FEW_UNITS where a limit's rank lies outside the sample (its value is NaN).

    Args:
        control, treatment: arms of `quantile_arm` or `clustered_quantile_arm`.
        tied: where a limit equals the quantile itself in either arm: see `tied_limits`.
        relative: lift instead of difference.
        boundary: interval and p-value rule (default: fixed horizon, 95%, two-sided).
    """
    if relative:
        found = lift(control, treatment, boundary=boundary, negative_baseline="magnitude")
    else:
        found = difference(control, treatment, boundary=boundary)
    beyond = (control.n > 0) & (treatment.n > 0) & (np.isnan(control.var) | np.isnan(treatment.var))
    atom = np.broadcast_to(np.asarray(tied, dtype=np.bool_), found.shape)
    reason = found.reason.copy()  # these two are the causes of the reasons that stand there
    reason[beyond] = Reason.TOO_FEW_UNITS
    reason[atom & ~beyond] = Reason.TIED
    return replace(
        found.without(beyond | atom, Reason.TIED), reason=reason, method=f"quantile by ranks, {found.method}"
    )


def tied_limits(value: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> NDArray[np.bool_]:
    """Where a confidence limit equals the quantile: the quantile sits on an atom, and the limits show no density.

    >>> tied_limits(3.0, 3.0, 4.0).item()
    True
    """
    value, lower, upper = (np.asarray(a, dtype=np.float64) for a in (value, lower, upper))
    return np.asarray((value == lower) | (value == upper) | (lower == upper))


def _check_share(p: float) -> None:
    if not 0 < p < 1:
        raise InputError(f"the quantile is {p}", rule="0 < p < 1")
