"""The comparison of two proportions: the default that analyses use, and the named intervals of the literature.

`proportion_difference` and `proportion_lift` are one test on two scales. Rule: where the pooled share of successes
(or of failures) times the smaller arm's units is under 20, the exact unconditional method; else Miettinen and
Nurminen's score. The score's two-sided error is near its level from 5 expected events on, its one-sided error at a
90/10 split (.036 for .025 at 5 events) only from about 20.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from paribus.errors import InputError, did_you_mean
from paribus.stats import score
from paribus.stats.estimate import Alternative, Estimates, Floats, Reason, estimates
from paribus.stats.proportion import check_level, counts, normal_p_value, proportion_interval

EXACT_BELOW = 20.0

DifferenceMethod = Literal["newcombe", "miettinen_nurminen", "mee", "wald", "pooled"]
RatioMethod = Literal["katz", "miettinen_nurminen", "koopman", "pooled_log"]


def proportion_difference(
    x_c: ArrayLike,
    n_c: ArrayLike,
    x_t: ArrayLike,
    n_t: ArrayLike,
    *,
    level: float = 0.95,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
    exact_below: float = EXACT_BELOW,
) -> Estimates:
    """Difference of two proportions, treatment minus control, with a p-value and interval valid for rare events.

    `se` is the unpooled standard error (NaN where an arm has no variance: neither p-value nor interval uses it);
    `extra["exact"]` is 1 where the exact method was used; `extra["statistic"]` is the score z.

    Args:
        x_c, n_c, x_t, n_t: successes and units of control and treatment, any broadcastable shapes.
        level: confidence level; for a one-sided alternative of the single finite end.
        alternative: "greater" asks whether treatment's proportion is larger.
        null: difference under the null hypothesis.
        exact_below: expected successes or failures in the smaller arm under which the exact method is used.

    Source: Miettinen, Nurminen 1985; Chan, Zhang 1999.

    >>> d = proportion_difference(48, 80, 56, 70).at()  # Newcombe 1998b, example (a)
    >>> round(d.lower, 4), round(d.upper, 4)
    (0.0528, 0.3382)
    """
    return _compare(x_c, n_c, x_t, n_t, level, alternative, null, exact_below, relative=False)


def proportion_lift(
    x_c: ArrayLike,
    n_c: ArrayLike,
    x_t: ArrayLike,
    n_t: ArrayLike,
    *,
    level: float = 0.95,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
    exact_below: float = EXACT_BELOW,
) -> Estimates:
    """Relative lift of a proportion, p_t / p_c - 1, consistent with `proportion_difference`.

    With null = 0 the p-value is that of the difference, and the interval excludes 0 exactly when the difference's
    does. Undetermined where control has no successes. `se` is the delta-method standard error.

    >>> lift = proportion_lift(100, 1000, 125, 1000).at()  # z = .025 / sqrt(.1125 * .8875 * .002 * 2000 / 1999)
    >>> round(lift.value, 12), round(lift.p_value, 4)
    (0.25, 0.0769)
    """
    return _compare(x_c, n_c, x_t, n_t, level, alternative, 1 + null, exact_below, relative=True)


def proportion_difference_interval(
    x_c: ArrayLike,
    n_c: ArrayLike,
    x_t: ArrayLike,
    n_t: ArrayLike,
    *,
    level: float = 0.95,
    method: DifferenceMethod = "miettinen_nurminen",
) -> tuple[Floats, Floats]:
    """Two-sided interval of p_t - p_c by a named method.

    Args:
        x_c, n_c, x_t, n_t: successes and units of control and treatment.
        level: confidence level.
        method: "newcombe" (hybrid score, Newcombe 1998b, method 10), "miettinen_nurminen" (1985), "mee" (1984, which is
            also Farrington and Manning's), "wald", "pooled" (Wald with the variance pooled as under the null).

    >>> [round(float(end), 4) for end in proportion_difference_interval(3, 10, 9, 10, method="newcombe")]
    [0.1705, 0.809]
    """
    from scipy.special import ndtri

    x_c, n_c = counts(x_c, n_c)
    x_t, n_t = counts(x_t, n_t)
    z = float(ndtri((1 + check_level(level)) / 2))
    if method in ("miettinen_nurminen", "mee"):
        return score.difference_interval(x_c, n_c, x_t, n_t, z, z, factor=method == "miettinen_nurminen")
    with np.errstate(invalid="ignore", divide="ignore"):
        p_c, p_t = x_c / n_c, x_t / n_t
        d = p_t - p_c
        if method == "newcombe":
            low_c, high_c = proportion_interval(x_c, n_c, level=level)
            low_t, high_t = proportion_interval(x_t, n_t, level=level)
            return d - np.hypot(p_t - low_t, high_c - p_c), d + np.hypot(high_t - p_t, p_c - low_c)
        if method == "wald":
            radius = z * np.sqrt(p_c * (1 - p_c) / n_c + p_t * (1 - p_t) / n_t)
            return d - radius, d + radius
        if method == "pooled":
            p = (x_c + x_t) / (n_c + n_t)
            radius = z * np.sqrt(p * (1 - p) * (1 / n_c + 1 / n_t))
            return np.maximum(d - radius, -1), np.minimum(d + radius, 1)
    methods = ("newcombe", "miettinen_nurminen", "mee", "wald", "pooled")
    raise InputError(f"no interval {method!r} for a difference of proportions", fix=did_you_mean(method, methods))


def risk_ratio_interval(
    x_c: ArrayLike,
    n_c: ArrayLike,
    x_t: ArrayLike,
    n_t: ArrayLike,
    *,
    level: float = 0.95,
    method: RatioMethod = "miettinen_nurminen",
    as_lift: bool = False,
) -> tuple[Floats, Floats, Floats]:
    """The ratio p_t / p_c and its two-sided interval (value, lower, upper) by a named method.

    Args:
        x_c, n_c, x_t, n_t: successes and units of control and treatment.
        level: confidence level.
        method: "katz" (log, Katz et al. 1978; NaN with a zero count), "pooled_log" (the same with the variance pooled
            under the null), "koopman" (score, 1984), "miettinen_nurminen" (score with N / (N - 1)).
        as_lift: the three as relative lift, ratio - 1.

    >>> value, lower, upper = risk_ratio_interval(2, 7, 6, 7, method="katz")
    >>> round(float(value), 6), round(float(lower), 4), round(float(upper), 4)
    (3.0, 0.8948, 10.0576)
    """
    from scipy.special import ndtri

    x_c, n_c = counts(x_c, n_c)
    x_t, n_t = counts(x_t, n_t)
    z = float(ndtri((1 + check_level(level)) / 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = (x_t / n_t) / (x_c / n_c)
        if method in ("miettinen_nurminen", "koopman"):
            lower, upper = score.ratio_interval(x_c, n_c, x_t, n_t, z, z, factor=method == "miettinen_nurminen")
        elif method in ("katz", "pooled_log"):
            if method == "katz":
                variance = (1 / x_t - 1 / n_t) + (1 / x_c - 1 / n_c)
            else:
                p = (x_c + x_t) / (n_c + n_t)
                variance = (1 - p) / p * (1 / n_c + 1 / n_t)
            known = (x_c > 0) & (x_t > 0)
            ratio = np.where(known, ratio, np.nan)
            factor = np.exp(z * np.sqrt(np.where(known, variance, np.nan)))
            lower, upper = ratio / factor, ratio * factor
        else:
            methods = ("katz", "miettinen_nurminen", "koopman", "pooled_log")
            raise InputError(f"no interval {method!r} for a ratio of proportions", fix=did_you_mean(method, methods))
    shift = 1.0 if as_lift else 0.0
    return ratio - shift, lower - shift, upper - shift


def _compare(
    x_c: ArrayLike,
    n_c: ArrayLike,
    x_t: ArrayLike,
    n_t: ArrayLike,
    level: float,
    alternative: Alternative,
    null: float,
    exact_below: float,
    *,
    relative: bool,
) -> Estimates:
    from scipy.special import ndtri

    x_c, n_c, x_t, n_t = np.broadcast_arrays(*counts(x_c, n_c), *counts(x_t, n_t))
    whole = [np.all(a == np.floor(a)) for a in (x_c, n_c, x_t, n_t)]
    if not all(whole):
        raise InputError("successes and units must be whole numbers", fix="compare weighted shares as means")
    sides = 2 if alternative == "two-sided" else 1
    tail = (1 - check_level(level)) / sides
    z = float(-ndtri(tail))
    z_low, z_high = (np.inf if alternative == "less" else z), (np.inf if alternative == "greater" else z)
    with np.errstate(invalid="ignore", divide="ignore"):
        p_c, p_t = x_c / n_c, x_t / n_t
        v_c, v_t = p_c * (1 - p_c) / n_c, p_t * (1 - p_t) / n_t
        if relative:
            value = p_t / p_c
            se = np.sqrt(v_t + value**2 * v_c) / p_c
            statistic = score.ratio_z(x_c, n_c, x_t, n_t, np.asarray(null), factor=True)
            lower, upper = score.ratio_interval(x_c, n_c, x_t, n_t, z_low, z_high, factor=True)
        else:
            value = p_t - p_c
            se = np.sqrt(v_t + v_c)
            statistic = score.difference_z(x_c, n_c, x_t, n_t, np.asarray(null), factor=True)
            lower, upper = score.difference_interval(x_c, n_c, x_t, n_t, z_low, z_high, factor=True)
        pooled = (x_c + x_t) / (n_c + n_t)
        exact = np.minimum(n_c, n_t) * np.minimum(pooled, 1 - pooled) < exact_below
        se = np.where((v_c > 0) & (v_t > 0), se, np.nan)
    p_value = normal_p_value(statistic, alternative)
    exact &= (n_c > 0) & (n_t > 0)
    lower, upper, p_value = _with_exact(
        (x_c, n_c, x_t, n_t), exact, (lower, upper, p_value), null, tail, alternative, relative
    )
    shift = 1.0 if relative else 0.0
    open_low, open_high = alternative == "less", alternative == "greater"
    reasons: tuple[tuple[ArrayLike, Reason], ...] = (((n_c == 0) | (n_t == 0), Reason.NO_DATA),)
    if relative:
        reasons += ((x_c == 0, Reason.ZERO_BASELINE),)
    return estimates(
        value - shift,
        se,
        -np.inf if open_low else lower - shift,
        np.inf if open_high else upper - shift,
        p_value,
        level=level,
        alternative=alternative,
        method=_name(exact),
        reasons=reasons,
        extra={"exact": exact, "statistic": statistic},
    )


def _name(exact: Floats) -> str:
    if np.all(exact):
        return "exact unconditional"
    return "score; exact unconditional where few events" if np.any(exact) else "score (Miettinen–Nurminen)"


def _with_exact(
    table: tuple[Floats, Floats, Floats, Floats],
    exact: Floats,
    by_score: tuple[Floats, Floats, Floats],
    null: float,
    tail: float,
    alternative: Alternative,
    relative: bool,
) -> tuple[Floats, Floats, Floats]:
    """The score's limits and p-values with those of the exact cells put in their place."""
    from paribus.stats.unconditional import exact_comparison

    lower, upper, p_value = (np.array(a, dtype=np.float64) for a in by_score)
    for index in np.argwhere(exact):
        i = tuple(index)
        x_c, n_c, x_t, n_t = (int(a[i]) for a in table)
        found = exact_comparison(x_c, n_c, x_t, n_t, float(null), tail, relative)
        lower[i], upper[i] = found.lower, found.upper
        both = min(1.0, 2 * min(found.p_greater, found.p_less))
        p_value[i] = {"two-sided": both, "greater": found.p_greater, "less": found.p_less}[alternative]
    return lower, upper, p_value
