"""Power, sample size and minimum detectable effect for two proportions, in the four conventions that tools use."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from paribus.errors import InputError, did_you_mean
from paribus.stats.estimate import Alternative, Floats
from paribus.stats.power import SampleSize
from paribus.stats.solving import check_error_rates, distance_from_null, normal_quantiles

ProportionTest = Literal["pooled", "unpooled", "arcsine", "evan-miller"]


def power_proportions(
    p_control: ArrayLike,
    p_treatment: ArrayLike,
    n_control: ArrayLike,
    n_treatment: ArrayLike | None = None,
    *,
    test: ProportionTest = "unpooled",
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
) -> Floats:
    """Power to find the difference of two proportions, in its own direction.

    test: how the analysis estimates the variance under the null. "unpooled" for Wald, Newcombe and delta intervals,
    "pooled" for the chi-squared and score tests, "arcsine" (Cohen's h), "evan-miller" for his calculator's convention
    (the control's variance in both arms under the null).
    """
    from scipy.special import ndtr

    p0, p1 = np.asarray(p_control, dtype=np.float64), np.asarray(p_treatment, dtype=np.float64)
    n0 = np.asarray(n_control, dtype=np.float64)
    n1 = n0 if n_treatment is None else np.asarray(n_treatment, dtype=np.float64)
    gap, null, true = _proportion_parts(p0, p1, n1 / n0, test)
    critical = normal_quantiles(alpha, 0.5, alternative)
    return np.asarray(ndtr((gap * np.sqrt(n0) - critical * null) / true))


def sample_size_proportions(
    p_control: float,
    p_treatment: float | None = None,
    *,
    effect: float | None = None,
    test: ProportionTest = "unpooled",
    power: float = 0.8,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    ratio: float = 1.0,
) -> SampleSize:
    """Units to find the difference of two proportions; arguments as `power_proportions`.

    The proportion in treatment can be given as the absolute `effect` on control's.

    >>> round(sample_size_proportions(0.20, 0.25, test="evan-miller").control)    # his calculator's first screen
    1030
    """
    from scipy.special import ndtri

    check_error_rates(power, alpha)
    if (p_treatment is None) == (effect is None):
        raise InputError("give either the proportion in treatment or the effect on control's")
    p_treatment = p_control + (effect or 0.0) if p_treatment is None else p_treatment
    if not (0 <= p_control <= 1 and 0 <= p_treatment <= 1):
        raise InputError(f"proportions {p_control} and {p_treatment}", rule="proportions lie in [0, 1]")
    distance_from_null(p_treatment, p_control, alternative)
    gap, null, true = _proportion_parts(np.asarray(p_control), np.asarray(p_treatment), np.asarray(ratio), test)
    n = ((normal_quantiles(alpha, 0.5, alternative) * null + ndtri(power) * true) / gap) ** 2
    return SampleSize(float(n), float(n) * ratio)


def minimum_detectable_proportion(
    p_control: float,
    n_control: float,
    n_treatment: float | None = None,
    *,
    test: ProportionTest = "unpooled",
    power: float = 0.8,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
) -> float:
    """The proportion in treatment nearest to control's that has this power, upward (downward for "less")."""
    from scipy.optimize import brentq

    check_error_rates(power, alpha)
    down = alternative == "less"
    edge = 0.0 if down else 1.0

    def missing(p: float) -> float:
        found = power_proportions(p_control, p, n_control, n_treatment, test=test, alpha=alpha, alternative=alternative)
        return float(found) - power

    near = p_control + (edge - p_control) * 1e-9
    far = edge + (p_control - edge) * 1e-9
    if missing(far) < 0:
        raise InputError(
            f"no proportion in treatment is found with power {power} from {n_control:.0f} units",
            fix="plan more units or less power",
        )
    return float(brentq(missing, near, far, xtol=1e-12))


def _proportion_parts(p0: Floats, p1: Floats, ratio: Floats, test: ProportionTest) -> tuple[Floats, Floats, Floats]:
    """Difference, and its standard deviations under null and truth for one control unit (ratio treatment units)."""
    if test not in get_args(ProportionTest):
        raise InputError(f"unknown test {test!r}", fix=did_you_mean(test, get_args(ProportionTest)))
    if test == "arcsine":
        gap = np.abs(2 * np.arcsin(np.sqrt(p1)) - 2 * np.arcsin(np.sqrt(p0)))
        spread = np.sqrt(1 + 1 / ratio)
        return gap, spread, spread
    true = np.sqrt(p0 * (1 - p0) + p1 * (1 - p1) / ratio)
    common = (p0 + ratio * p1) / (1 + ratio)
    null = {
        "unpooled": true,
        "pooled": np.sqrt(common * (1 - common) * (1 + 1 / ratio)),
        "evan-miller": np.sqrt(p0 * (1 - p0) * (1 + 1 / ratio)),
    }[test]
    return np.abs(p1 - p0), null, true
