"""Power, sample size and minimum detectable effect of a comparison read once, at its end.

Everything reduces to effect over standard error: a mean, a ratio or an adjusted metric enters by its variance per unit
(`metric_variance`), so the variance in the power is the variance of the analysis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from paribus.errors import InputError, did_you_mean
from paribus.stats.estimate import Alternative, Floats

ProportionTest = Literal["pooled", "unpooled", "arcsine", "evan-miller"]


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


@dataclass(frozen=True, slots=True)
class MetricVariance:
    """A metric's value and its variance per unit, as the analysis will see them."""

    value: float
    variance: float


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
    from scipy.special import nctdtr, ndtr, ndtri, stdtrit

    ratio, df = np.broadcast_arrays(np.asarray(effect_over_se, dtype=np.float64), np.asarray(df, dtype=np.float64))
    two_sided = alternative == "two-sided"
    ratio = -ratio if alternative == "less" else ratio
    tail = alpha / 2 if two_sided else alpha
    finite = np.isfinite(df)
    nu = np.where(finite, df, 1.0)
    critical = np.where(finite, -stdtrit(nu, tail), -ndtri(tail))
    # scipy's noncentral t loses accuracy for very large df, where the normal is exact to more digits.
    use_t = finite & (df < 1e6)
    power = np.where(use_t, 1 - nctdtr(nu, ratio, critical), ndtr(ratio - critical))
    if two_sided:
        power = power + np.where(use_t, nctdtr(nu, ratio, -critical), ndtr(-ratio - critical))
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
    distance = _distance(effect, margin, alternative)
    _check(power, alpha)
    if not sd > 0 or not ratio > 0:
        raise InputError(f"sd {sd}, ratio {ratio}", rule="both are positive")
    variance = sd**2 + (sd if sd_treatment is None else sd_treatment) ** 2 / ratio
    n = _quantiles(alpha, power, alternative) ** 2 * variance / distance**2
    if reference == "t":
        n = _solve(
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
    _check(power, alpha)
    sign = -1.0 if alternative == "less" else 1.0
    n_t = n_control if n_treatment is None else n_treatment
    b = sd if sd_treatment is None else sd_treatment
    near = _quantiles(alpha, power, alternative) * np.sqrt(sd**2 / n_control + b**2 / n_t)
    if reference == "z":
        return float(sign * near)

    def reached(effect: float) -> float:
        found = power_means(sign * effect, sd, n_control, n_t, sd_treatment=b, alpha=alpha, alternative=alternative)
        return float(found)

    return sign * _solve(reached, power, near=float(near), least=0.0)


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
    critical = _quantiles(alpha, 0.5, alternative)
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

    _check(power, alpha)
    if (p_treatment is None) == (effect is None):
        raise InputError("give either the proportion in treatment or the effect on control's")
    p_treatment = p_control + (effect or 0.0) if p_treatment is None else p_treatment
    if not (0 <= p_control <= 1 and 0 <= p_treatment <= 1):
        raise InputError(f"proportions {p_control} and {p_treatment}", rule="proportions lie in [0, 1]")
    _distance(p_treatment, p_control, alternative)
    gap, null, true = _proportion_parts(np.asarray(p_control), np.asarray(p_treatment), np.asarray(ratio), test)
    n = ((_quantiles(alpha, 0.5, alternative) * null + ndtri(power) * true) / gap) ** 2
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

    _check(power, alpha)
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


def metric_variance(
    mean: ArrayLike,
    cov: ArrayLike,
    *,
    numerator: int = 0,
    denominator: int | None = None,
    covariates: Sequence[tuple[int, int | None]] = (),
) -> MetricVariance:
    """Value and variance per unit of a mean or ratio of sums, after adjustment for covariates, from history's moments.

    Args:
        mean: of k variables, shape (k,).
        cov: their covariance, shape (k, k).
        numerator: position of the metric's numerator.
        denominator: position of its denominator, None for a mean.
        covariates: (numerator, denominator or None) of each covariate; CUPED removes what they explain.

    Source: Deng, Knoblich, Lu 2018 (delta method); Deng, Xu, Kohavi, Walker 2013 (CUPED).

    >>> metric_variance([10.0, 0.0], [[4.0, 1.0], [1.0, 1.0]], covariates=[(1, None)])    # 4 - 1^2 / 1
    MetricVariance(value=10.0, variance=3.0)
    """
    mu, sigma = np.asarray(mean, dtype=np.float64), np.asarray(cov, dtype=np.float64)

    def linear(top: int, bottom: int | None) -> tuple[float, Floats]:
        gradient = np.zeros(len(mu))
        if bottom is None:
            gradient[top] = 1.0
            return float(mu[top]), gradient
        if mu[bottom] == 0:
            raise InputError("a ratio whose denominator has mean zero has no variance")
        gradient[top], gradient[bottom] = 1 / mu[bottom], -mu[top] / mu[bottom] ** 2
        return float(mu[top] / mu[bottom]), gradient

    value, gradient = linear(numerator, denominator)
    variance = gradient @ sigma @ gradient
    if covariates:
        others = np.stack([linear(*pair)[1] for pair in covariates])
        shared = others @ sigma @ gradient
        variance = variance - shared @ np.linalg.lstsq(others @ sigma @ others.T, shared, rcond=None)[0]
    return MetricVariance(value, max(float(variance), 0.0))


def power_relative(
    metric: MetricVariance,
    relative_effect: float,
    n_total: float,
    *,
    ratio: float = 1.0,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    reference: Literal["t", "z"] = "t",
) -> float:
    """Power to find a lift of `relative_effect` (.05 is 5%) from `n_total` units in both arms together."""
    n_control = n_total / (1 + ratio)
    return float(
        power_means(
            relative_effect * metric.value,
            np.sqrt(metric.variance),
            n_control,
            n_control * ratio,
            alpha=alpha,
            alternative=alternative,
            reference=reference,
        )
    )


def sample_size_relative(
    metric: MetricVariance,
    relative_effect: float,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    ratio: float = 1.0,
    reference: Literal["t", "z"] = "t",
) -> SampleSize:
    """Units to find a lift of `relative_effect` (.05 is 5%) of the metric's value."""
    if metric.value == 0:
        raise InputError("a lift relative to a value of zero is not defined", fix="plan on the absolute scale")
    return sample_size_means(
        relative_effect * metric.value,
        float(np.sqrt(metric.variance)),
        power=power,
        alpha=alpha,
        alternative=alternative,
        ratio=ratio,
        reference=reference,
    )


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


def design_effect(cluster_size: float, correlation: float, cluster_size_cv: float = 0.0) -> float:
    """Factor by which clusters raise the variance: 1 + ((1 + cv^2) m - 1) icc (Eldridge, Ashby, Kerry 2006).

    >>> round(design_effect(20, 0.05), 9)    # Kish: 1 + 19 * .05
    1.95
    """
    if cluster_size < 1 or not -1 <= correlation <= 1:
        raise InputError(f"clusters of {cluster_size} units with correlation {correlation}")
    return 1 + ((1 + cluster_size_cv**2) * cluster_size - 1) * correlation


def comparison_alpha(
    arms: int, alpha: float = 0.05, *, method: Literal["dunnett", "bonferroni"] = "dunnett", ratio: float = 1.0
) -> float:
    """The two-sided alpha of each of `arms` comparisons with control, `ratio` = size of a treatment over control."""
    from scipy.special import ndtr

    from paribus.stats.dunnett import dunnett_critical_value

    if arms < 1:
        raise InputError(f"{arms} treatment arms")
    if method == "bonferroni":
        return alpha / arms
    return float(2 * ndtr(-dunnett_critical_value(alpha=alpha, n_treatments=np.full(arms, ratio))))


def power_per_metric(power: float, guardrails: int) -> float:
    """The power each metric needs so that all pass together: beta is divided over guardrails + 1.

    Source: Schultzberg, Ankargren, Franberg 2024 (2402.11609), the decision needs every guardrail to pass.

    >>> round(power_per_metric(0.8, 3), 12)
    0.95
    """
    if guardrails < 0:
        raise InputError(f"{guardrails} guardrails")
    return 1 - (1 - power) / (guardrails + 1)


def _check(power: float, alpha: float) -> None:
    if not 0 < alpha < power < 1:
        raise InputError(f"power {power} at alpha {alpha}", rule="0 < alpha < power < 1")


def _distance(effect: float, null: float, alternative: Alternative) -> float:
    """How far the effect lies from the null, in the alternative's direction."""
    gap = effect - null
    gap = abs(gap) if alternative == "two-sided" else -gap if alternative == "less" else gap
    if not gap > 0:
        raise InputError(
            f"an effect of {effect} against a null of {null} with the alternative {alternative!r}",
            rule="the effect must differ from the null, in the alternative's direction",
        )
    return gap


def _quantiles(alpha: float, power: float, alternative: Alternative) -> float:
    """z_{1 - alpha} + z_power, alpha halved for two-sided tests."""
    from scipy.special import ndtri

    return float(ndtri(power) - ndtri(alpha / 2 if alternative == "two-sided" else alpha))


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


def _solve(power_at: Callable[[float], float], target: float, *, near: float, least: float) -> float:
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
