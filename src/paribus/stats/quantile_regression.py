"""The quantile treatment effect by quantile regression on a treatment indicator, with R quantreg's standard errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from paribus.errors import InputError
from paribus.stats.estimate import Floats, Reason, Undetermined
from paribus.stats.quantile_simplex import regression_quantile


@dataclass(frozen=True, slots=True)
class QuantileEffect:
    """Quantile of treatment minus quantile of control, and three standard errors (Koenker 2005, sections 3.4, 4.10).

    value   the effect
    iid     from one sparsity for all units (Koenker, Bassett 1978), by regression of ordered residuals on their ranks
    nid     Hendricks-Koenker sandwich: each unit's density from neighboring quantiles
    ker     Powell sandwich: each unit's density by a kernel
    """

    value: float
    iid: float
    nid: float
    ker: float


def quantile_effect(y: ArrayLike, treated: ArrayLike, p: float) -> QuantileEffect | Undetermined:
    """Quantile treatment effect of the regression of y on an intercept and a treatment indicator.

    Each arm's quantile is an order statistic. Where n p is whole, every value between two of them minimizes the loss;
    then the one counts that the simplex of Barrodale and Roberts (1974), which starts from zero, meets first, as in R's
    quantreg. Bandwidths are Hall and Sheather's (1988), quantreg's default.

    Args:
        y: outcomes, shape (n,).
        treated: 0 or 1, shape (n,).
        p: the quantile's share.

    Returns:
        The effect, or Undetermined when an arm has too few units for the quantile or ties leave no density.

    >>> y = [1, 2, 3, 4, 5, 11, 12, 13, 14, 15]
    >>> quantile_effect(y, [0] * 5 + [1] * 5, 0.5).value
    10.0
    """
    y, d = np.asarray(y, dtype=np.float64), np.asarray(treated, dtype=np.float64)
    if not 0 < p < 1:
        raise InputError(f"the quantile is {p}", rule="0 < p < 1")
    if y.shape != d.shape or y.ndim != 1 or not np.all((d == 0) | (d == 1)):
        raise InputError(
            "outcomes and treatment indicators do not fit", rule="one outcome and one 0 or 1 for each unit"
        )
    arms = (np.sort(y[d == 0]), np.sort(y[d == 1]))
    if min(arm.size for arm in arms) < 5:
        return Undetermined(Reason.TOO_FEW_UNITS, "at least 5 in each arm")
    n = y.size
    h = hall_sheather_bandwidth(p, n)
    quantiles = np.array(_minimizers(arms, p))
    residuals = y - quantiles[d.astype(np.intp)]
    sizes = np.array([arm.size for arm in arms], dtype=np.float64)
    iid = _sparsity(residuals, n, h) * np.sqrt(p * (1 - p) * (1 / sizes).sum())
    nid = _sandwich(_neighbor_density(arms, p, h), sizes, p)
    ker = _sandwich(_kernel_density(residuals, d, p, h), sizes, p)
    if not np.all(np.isfinite([iid, nid, ker])) or iid == 0:
        return Undetermined(Reason.TIED)
    return QuantileEffect(float(quantiles[1] - quantiles[0]), float(iid), nid, ker)


def hall_sheather_bandwidth(p: float, n: int, alpha: float = 0.05) -> float:
    """Bandwidth on the probability scale for the density at a quantile (Hall, Sheather 1988)."""
    from scipy.special import ndtri

    x = float(ndtri(p))
    density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    z = float(ndtri(1 - alpha / 2))
    return float(n ** (-1 / 3) * z ** (2 / 3) * (1.5 * density**2 / (2 * x**2 + 1)) ** (1 / 3))


def _minimizers(arms: tuple[Floats, Floats], p: float) -> tuple[float, float]:
    """The minimizers of the quantile loss in control and treatment that the simplex ends at.

    From (0, 0) it moves along the coefficient whose loss falls fastest, until the loss falls no more: the intercept
    takes both arms to their common quantile, the indicator treatment alone to its own. The other coefficient then moves
    the arm that the first one left without a point of zero residual, and last the arm that has one, if it must.
    """
    slopes = [arm.size * p - int((arm < 0).sum()) for arm in arms]
    if abs(slopes[1]) > abs(sum(slopes)):
        return _settle(arms[0], 0.0, p, rising=slopes[0] >= 0), _settle(arms[1], 0.0, p, rising=slopes[1] >= 0)
    common = _settle(np.sort(np.concatenate(arms)), 0.0, p, rising=True)
    return _settle(arms[0], common, p, rising=common in arms[0]), _settle(arms[1], common, p, rising=True)


def _settle(ordered: Floats, start: float, p: float, *, rising: bool) -> float:
    """The minimizer of the quantile loss in one arm that a walk from `start` meets first.

    From between two minimizers, where the loss is flat, the walk is `rising` or not.
    """
    lower, upper = (_order_statistic(ordered, p, upper=upper) for upper in (False, True))
    if lower < start < upper:
        return upper if rising else lower
    return lower if start <= lower else upper


def _order_statistic(ordered: Floats, p: float, *, upper: bool) -> float:
    """The lowest or the highest order statistic of one arm that minimizes its quantile loss."""
    position = ordered.size * p
    whole = round(position)
    is_whole = abs(position - whole) < 1e-9 * max(1.0, position)
    rank = whole + int(upper) if is_whole else int(np.ceil(position))
    return float(ordered[min(max(rank, 1), ordered.size) - 1])


def _sparsity(residuals: Floats, n: int, h: float, coefficients: int = 2) -> float:
    """Slope of the ordered residuals nearest to zero on their ranks / (n - coefficients), by least absolute errors."""
    zeros = int((np.abs(residuals) < np.finfo(float).eps ** (2 / 3)).sum())
    count = max(coefficients + 1, int(np.ceil(n * h)))
    ranks = np.arange(zeros, count + zeros + 1)
    nearest = residuals[np.argsort(np.abs(residuals), kind="stable")]
    ranks = ranks[ranks < nearest.size]
    line = np.column_stack([np.ones(ranks.size), (ranks + 1) / (n - coefficients)])
    return float(regression_quantile(line, np.sort(nearest[ranks]), 0.5)[1])


def _neighbor_density(arms: tuple[Floats, Floats], p: float, h: float) -> Floats:
    """Density at each arm's quantile from its quantiles at p - h and p + h."""
    while p - h < 0 or p + h > 1:
        h = h / 2
    spread = np.array(
        [_order_statistic(arm, p + h, upper=False) - _order_statistic(arm, p - h, upper=False) for arm in arms]
    )
    with np.errstate(divide="ignore"):
        return np.asarray(np.maximum(0.0, 2 * h / (spread - np.finfo(float).eps ** (2 / 3))))


def _kernel_density(residuals: Floats, d: Floats, p: float, h: float) -> Floats:
    """Mean normal kernel weight of each arm's residuals at zero."""
    from scipy.special import ndtri

    while p - h < 0 or p + h > 1:
        h = h / 2
    spread = min(float(np.std(residuals, ddof=1)), float(np.diff(np.quantile(residuals, [0.25, 0.75]))[0]) / 1.34)
    width = float(ndtri(p + h) - ndtri(p - h)) * spread
    if width <= 0:
        return np.array([np.nan, np.nan])
    weights = np.exp(-((residuals / width) ** 2) / 2) / np.sqrt(2 * np.pi) / width
    return np.array([weights[d == 0].mean(), weights[d == 1].mean()])


def _sandwich(density: Floats, sizes: Floats, p: float) -> float:
    """The sandwich's standard error for an indicator: each arm's p (1 - p) / (n f^2), added."""
    with np.errstate(divide="ignore"):
        return float(np.sqrt((p * (1 - p) / (sizes * density**2)).sum()))
