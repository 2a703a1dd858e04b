"""What a metric is among the units that will come: its moments, from history or from a baseline that someone states.

A quantile is like a mean of as many units, with the variance that its order statistics show (Deng, Knoblich, Lu 2018).
Sample sizes are computed from it, and simulated experiments are drawn from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from paribus.experiments.layout import is_share
from paribus.metrics.definition import Metric
from paribus.stats.estimate import Floats
from paribus.stats.metric_power import MetricVariance, metric_variance
from paribus.stats.moments import Moments


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """A metric's variables (as in `Cells`): mean vector, covariance per unit, skewness of the outcome.

    inflation   factor on the variance from units that came in clusters (the design effect)
    clustered   whether they did
    """

    metric: Metric
    names: tuple[str, ...]
    mean: Floats
    cov: Floats
    skewness: float = 0.0
    inflation: float = 1.0
    clustered: bool = False

    @property
    def is_share(self) -> bool:
        """Whether the metric is a share that is compared as a table of counts."""
        return is_share(self.metric) and self.names == ("y",) and not self.clustered

    @property
    def value(self) -> float:
        """The metric's value: a mean, a share, or a ratio of sums."""
        return self.variance(adjusted=False).value

    def variance(self, *, adjusted: bool) -> MetricVariance:
        """Value and variance per unit, after adjustment for the covariates or without."""
        found = metric_variance(
            self.mean,
            self.cov,
            denominator=self.names.index("d") if "d" in self.names else None,
            covariates=covariates_of(self.names) if adjusted else (),
        )
        return replace(found, variance=found.variance * self.inflation)

    @property
    def reduction(self) -> float:
        """Share of the variance that the covariates remove; 0 without any."""
        raw = self.variance(adjusted=False).variance
        return 1 - self.variance(adjusted=True).variance / raw if raw > 0 else 0.0

    def moved(self, difference: float) -> Population:
        """The same population with the metric's value moved by `difference`; a share keeps its Bernoulli variance."""
        mean, cov = self.mean.copy(), self.cov
        if self.is_share:
            mean[0] = float(np.clip(mean[0] + difference, 0.0, 1.0))
            cov = np.array([[mean[0] * (1 - mean[0])]])
        else:
            mean[0] += difference * (mean[self.names.index("d")] if "d" in self.names else 1.0)
        return replace(self, mean=mean, cov=cov)

    def draw(self, rng: np.random.Generator, n: ArrayLike) -> Moments:
        """Moments of random samples of `n` units each, shape of `n`: of normal variables, or of a share's 0 and 1.

        Exact in distribution without drawing a unit: mean and cross-products of a normal sample are independent,
        normal and Wishart (by Bartlett's decomposition).
        """
        n = np.asarray(n, dtype=np.int64)
        if self.is_share:
            share = rng.binomial(n, self.mean[0]) / np.maximum(n, 1)
            square = n * share * (1 - share)
            return Moments(
                self.names,
                n.astype(np.float64),
                np.where(n > 0, share, np.nan)[..., None],
                square[..., None, None],
                (square * (1 - 2 * share))[..., None],
            )
        k = len(self.names)
        root = _root(self.cov * self.inflation)
        z = rng.standard_normal((*n.shape, k))
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(n[..., None] > 0, self.mean + (z @ root.T) / np.sqrt(n)[..., None], np.nan)
        triangle = np.tril(rng.standard_normal((*n.shape, k, k)), -1)
        df = np.maximum(n[..., None] - 1 - np.arange(k), 0)
        triangle[..., np.arange(k), np.arange(k)] = np.sqrt(2 * rng.standard_gamma(df / 2))
        spread = root @ triangle
        m2 = spread @ np.swapaxes(spread, -1, -2)
        m3 = np.zeros((*n.shape, k))
        m3[..., 0] = n * self.skewness * float(self.cov[0, 0] * self.inflation) ** 1.5
        return Moments(self.names, n.astype(np.float64), mean, m2, m3)


def of_moments(metric: Metric, moments: Moments) -> Population:
    """The population that one cell of moments describes."""
    skewness = float(moments.skewness[..., 0])
    return Population(
        metric, moments.names, moments.mean.copy(), moments.cov, skewness if np.isfinite(skewness) else 0.0
    )


def covariates_of(names: Sequence[str]) -> tuple[tuple[int, int | None], ...]:
    """Positions of the covariates among the variables, as (numerator, denominator or None); indicators included."""
    return tuple(
        (i, names.index(f"{name}d") if f"{name}d" in names else None)
        for i, name in enumerate(names)
        if name not in ("y", "d") and not (name.startswith("x") and name.endswith("d"))
    )


def _root(cov: Floats) -> Floats:
    """A square root of a covariance that may be singular: an indicator of history that all units have is constant."""
    values, vectors = np.linalg.eigh(cov)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))
