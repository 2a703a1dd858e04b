"""Power for a lift of a metric as it will be analyzed: mean or ratio, adjusted or not, clustered, among several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from paribus.errors import InputError
from paribus.stats.estimate import Alternative, Floats
from paribus.stats.power import SampleSize, power_means, sample_size_means


@dataclass(frozen=True, slots=True)
class MetricVariance:
    """A metric's value and its variance per unit, as the analysis will see them."""

    value: float
    variance: float


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
