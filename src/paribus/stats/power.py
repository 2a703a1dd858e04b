"""Power, sample size and minimum detectable effect of a comparison of means read once, at its end.

Everything reduces to effect over standard error: a ratio or an adjusted metric enters by its variance per unit
(`metric_variance`), so the variance in the power is the variance of the analysis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from paribus.errors import InputError
from paribus.stats.estimate import Alternative, Floats
from paribus.stats.solving import check_error_rates, distance_from_null, normal_quantiles, solve_increasing


@dataclass(frozen=True, slots=True)
class SampleSize:
    """Units needed by arm, not rounded; `whole` rounds each arm up."""

    control: float
    treatment: float

    @property
    def total(self) -> float:
        return self.control + self.treatment

    @property
    def whole(self) -> SampleSize:
        # A hair of tolerance, so that an exact integer with rounding noise is not raised by one.
        return SampleSize(*(float(np.ceil(n * (1 - 1e-12))) for n in (self.control, self.treatment)))


def power_of_ratio(
    effect_over_se: ArrayLike,
    *,
    df: ArrayLike = np.inf,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
) -> Floats:
    """Power when the true effect is `effect_over_se` standard errors, by the noncentral t (df = inf: normal).

    Two-sided power counts rejections on both sides, as the analysis does.
    """
    from scipy.special import ndtr, ndtri, stdtrit

    ratio, df = np.broadcast_arrays(np.asarray(effect_over_se, dtype=np.float64), np.asarray(df, dtype=np.float64))
    two_sided = alternative == "two-sided"
    ratio = -ratio if alternative == "less" else ratio
    tail = alpha / 2 if two_sided else alpha
    finite = np.isfinite(df)
    nu = np.where(finite, df, 1.0)
    critical = np.where(finite, -stdtrit(nu, tail), -ndtri(tail))
    # scipy's noncentral t loses accuracy for very large df, where the normal is exact to more digits.
    use_t = finite & (df < 1e6)
    power = np.where(use_t, 1 - _noncentral_t(critical, nu, ratio), ndtr(ratio - critical))
    if two_sided:
        power = power + np.where(use_t, _noncentral_t(-critical, nu, ratio), ndtr(-ratio - critical))
    return np.asarray(power)


def power_means(
    effect: ArrayLike,
    sd: ArrayLike,
    n_control: ArrayLike,
    n_treatment: ArrayLike | None = None,
    *,
    sd_treatment: ArrayLike | None = None,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    margin: float = 0.0,
    reference: Literal["t", "z"] = "t",
) -> Floats:
    """Power of Welch's t (or the z) test for a difference of means.

    Args:
        effect: true difference.
        sd: standard deviation of a unit in control, and in treatment unless `sd_treatment` is given.
        n_control: units in control.
        n_treatment: units in treatment, default as many as in control.
        sd_treatment: standard deviation in treatment.
        alpha: type I error, both sides together for two-sided tests.
        alternative: two-sided, greater or less.
        margin: difference under the null; for non-inferiority of "more is better" pass -margin with "greater".
        reference: t, or z for a known variance.
    """
    a, b = (np.asarray(x, dtype=np.float64) for x in (sd, sd if sd_treatment is None else sd_treatment))
    n_c = np.asarray(n_control, dtype=np.float64)
    n_t = n_c if n_treatment is None else np.asarray(n_treatment, dtype=np.float64)
    v_c, v_t = a**2 / n_c, b**2 / n_t
    se = np.sqrt(v_c + v_t)
    with np.errstate(divide="ignore", invalid="ignore"):
        df = (v_c + v_t) ** 2 / (v_c**2 / (n_c - 1) + v_t**2 / (n_t - 1)) if reference == "t" else np.inf
    ratio = (np.asarray(effect, dtype=np.float64) - margin) / se
    return power_of_ratio(ratio, df=df, alpha=alpha, alternative=alternative)


def sample_size_means(
    effect: float,
    sd: float,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    ratio: float = 1.0,
    margin: float = 0.0,
    sd_treatment: float | None = None,
    reference: Literal["t", "z"] = "t",
) -> SampleSize:
    """Units for a difference of means; `ratio` is treatment over control, other arguments as `power_means`.

    >>> sample_size_means(0.5, 1.0, reference="t").whole.control    # the textbook's 64
    64.0
    """
    distance = distance_from_null(effect, margin, alternative)
    check_error_rates(power, alpha)
    if not sd > 0 or not ratio > 0:
        raise InputError(f"sd {sd}, ratio {ratio}", rule="both are positive")
    variance = sd**2 + (sd if sd_treatment is None else sd_treatment) ** 2 / ratio
    n = normal_quantiles(alpha, power, alternative) ** 2 * variance / distance**2
    if reference == "t":
        n = solve_increasing(
            lambda m: float(
                power_means(
                    effect,
                    sd,
                    m,
                    m * ratio,
                    sd_treatment=sd_treatment,
                    alpha=alpha,
                    alternative=alternative,
                    margin=margin,
                )
            ),
            power,
            near=n,
            least=1.0 + max(1.0, 1.0 / ratio) * 1e-3 if ratio >= 1 else (1.0 + 1e-3) / ratio,
        )
    return SampleSize(n, n * ratio)


def minimum_detectable_effect(
    sd: float,
    n_control: float,
    n_treatment: float | None = None,
    *,
    sd_treatment: float | None = None,
    power: float = 0.8,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    reference: Literal["t", "z"] = "t",
) -> float:
    """The smallest true difference that has this power; negative for "less".

    >>> round(minimum_detectable_effect(1.0, 100, reference="z"), 4)    # 2.8016 * sqrt(2 / 100)
    0.3962
    """
    check_error_rates(power, alpha)
    sign = -1.0 if alternative == "less" else 1.0
    n_t = n_control if n_treatment is None else n_treatment
    b = sd if sd_treatment is None else sd_treatment
    near = normal_quantiles(alpha, power, alternative) * np.sqrt(sd**2 / n_control + b**2 / n_t)
    if reference == "z":
        return float(sign * near)

    def reached(effect: float) -> float:
        found = power_means(sign * effect, sd, n_control, n_t, sd_treatment=b, alpha=alpha, alternative=alternative)
        return float(found)

    return sign * solve_increasing(reached, power, near=float(near), least=0.0)


def sample_size_non_inferiority(
    margin: float,
    sd: float,
    *,
    effect: float = 0.0,
    power: float = 0.8,
    alpha: float = 0.025,
    ratio: float = 1.0,
    reference: Literal["t", "z"] = "z",
) -> SampleSize:
    """Units to show that treatment is not worse than control by more than `margin`; more is better, alpha one-sided."""
    if not margin > 0:
        raise InputError(f"a margin of {margin}", rule="the margin is a positive distance")
    return sample_size_means(
        effect,
        sd,
        power=power,
        alpha=alpha,
        alternative="greater",
        ratio=ratio,
        margin=-margin,
        reference=reference,
    )


def _noncentral_t(t: Floats, nu: Floats, shift: Floats) -> Floats:
    """Distribution function of the noncentral t.

    scipy answers NaN for shifts of some tens of standard errors, where power is 0 or 1 to all digits; there the normal
    approximation of Johnson, Kotz, Balakrishnan 1995, eq. 31.26 serves.
    """
    from scipy.special import nctdtr, ndtr

    exact = nctdtr(nu, shift, t)
    near = ndtr((t * (1 - 1 / (4 * nu)) - shift) / np.sqrt(1 + t * t / (2 * nu)))
    return np.asarray(np.where(np.isnan(exact), near, exact))
