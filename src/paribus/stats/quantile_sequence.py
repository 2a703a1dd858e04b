"""Confidence limits of a quantile that hold at every look, by the ranks that uniform boundaries leave (Howard, Ramdas
2022, Bernoulli 28).

At time t the number of values below the true quantile is within a boundary of t p at all times at once, so the order
statistics at the ranks beyond that boundary enclose the quantile, whatever the distribution and its ties.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from paribus.errors import InputError
from paribus.stats.confseq import (
    beta_binomial_mixture_bound,
    double_stitching_bound,
    empirical_process_lil_bound,
    quantile_ab_p_value,
)
from paribus.stats.estimate import Floats
from paribus.stats.proportion import check_level

Over = Literal["quantile", "quantiles", "distance"]


def anytime_quantile_interval(
    values: ArrayLike,
    p: float,
    *,
    over: Over = "quantile",
    level: float = 0.95,
    t_opt: float = 2500.0,
    t_min: float = 100,
) -> tuple[float, float]:
    """Limits of the p-quantile, for all times; infinite where the sample is too small for an end.

    Args:
        values: all values so far.
        p: the quantile's share, 0 < p < 1.
        over: what else the limits hold for:
            "quantile"   this quantile alone, by a beta-binomial mixture that is tightest at `t_opt` values;
            "quantiles"  all quantiles at once, by double stitching from `t_min` values on (theorem 3): narrower in the
                         tails;
            "distance"   all quantiles at once, by the distance of the distribution functions (theorem 2), none before
                         `t_min` values: as wide in the tails as in the middle, counted in ranks.
        level: confidence level.
        t_opt: number of values at which the mixture is tightest; chosen before the data.
        t_min: number of values from which the limits over all quantiles are meant to be used.

    Raises:
        InputError: the share, the level or `over` is not among those above.

    >>> anytime_quantile_interval(range(1, 1001), 0.5, over="quantiles")  # 500 -+ 68.63
    (432.0, 569.0)
    """
    if not 0 < p < 1:
        raise InputError(f"the quantile is {p}", rule="0 < p < 1")
    x = np.sort(np.asarray(values, dtype=np.float64).ravel())
    if x.size == 0:
        return -np.inf, np.inf
    below, above = _reach(x.size, p, over, 1 - check_level(level), t_opt, t_min)
    lower, upper = np.floor(x.size * p - below + 1), np.ceil(x.size * p + above)
    return (
        float(x[int(lower) - 1]) if lower >= 1 else -np.inf,
        float(x[int(upper) - 1]) if upper <= x.size else np.inf,
    )


def anytime_quantile_difference(
    control: ArrayLike, treatment: ArrayLike, p: float, *, over: Over = "quantile", level: float = 0.95, t_opt: float
) -> tuple[float, float]:
    """Limits of the difference of two arms' p-quantiles for all times: each arm's limits miss with half the error."""
    half = 1 - (1 - check_level(level)) / 2
    low_c, high_c = anytime_quantile_interval(control, p, over=over, level=half, t_opt=t_opt)
    low_t, high_t = anytime_quantile_interval(treatment, p, over=over, level=half, t_opt=t_opt)
    return low_t - high_c, high_t - low_c


def anytime_quantile_p_value(control: Floats, treatment: Floats, p: float, *, t_opt: float) -> float:
    """Always-valid p-value of equal p-quantiles, of arms that are tightest at `t_opt` values each."""
    return quantile_ab_p_value(control, treatment, p, t_opt)


def _reach(n: int, p: float, over: Over, alpha: float, t_opt: float, t_min: float) -> tuple[float, float]:
    """How many ranks the limits lie below and above n p."""
    if over == "quantile":
        below, above = (_mixture_reach(n, g, alpha, t_opt) for g in (1 - p, p))
        return below, above
    if over == "quantiles":
        below, above = (float(double_stitching_bound(q, n, alpha, t_min)) for q in (1 - p, p))
        return below, above
    if over == "distance":
        reach = n * float(empirical_process_lil_bound(n, alpha, t_min))
        return reach, reach
    raise InputError(f"limits over {over!r}", rule="'quantile', 'quantiles' or 'distance'")


def _mixture_reach(n: int, g: float, alpha: float, t_opt: float) -> float:
    """The mixture's boundary for sums of increments between -g and 1 - g; infinite where no sum of n crosses it."""
    spread = g * (1 - g)
    bound = float(beta_binomial_mixture_bound(n * spread, alpha, t_opt * spread, g, 1 - g, one_sided=False))
    largest = n * (1 - g)
    return bound if bound < largest * (1 - 1e-9) else np.inf
