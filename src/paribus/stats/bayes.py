"""Posteriors of effects: normal estimates with normal priors, and two binomial proportions with beta priors.

Everything an experiment needs is closed form or quadrature; nothing is drawn at random, so the same data give the
same answer. A flat prior makes the chance to win one minus the one-sided p-value: the prior is what a Bayesian reading
adds, so state it before the data (`paribus.stats.meta.prior_from_past` estimates it from past experiments).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from paribus.errors import InputError
from paribus.stats.estimate import Floats

_NODES_PER_PANEL = 20


@dataclass(frozen=True, slots=True)
class NormalPosterior:
    """Normal posteriors of effects, any shape: mean and standard deviation; NaN where there is none.

    >>> posterior = NormalPosterior(0.1, 0.05)
    >>> round(float(posterior.probability_above(0.0)), 4)  # Phi(2)
    0.9772
    """

    mean: Floats
    sd: Floats

    def __post_init__(self) -> None:
        mean, sd = np.broadcast_arrays(np.asarray(self.mean, dtype=np.float64), np.asarray(self.sd, dtype=np.float64))
        if np.any(sd < 0):
            raise InputError("a posterior with a negative standard deviation", rule="sd >= 0")
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "sd", sd)

    def probability_above(self, x: ArrayLike) -> Floats:
        """Probability that the effect is above x; at x = 0 the chance to win where larger is better.

        >>> float(NormalPosterior(1.0, 2.0).probability_above(1.0))
        0.5
        """
        from scipy.special import ndtr

        return np.asarray(ndtr(-self._z(x)))

    def probability_between(self, lower: ArrayLike, upper: ArrayLike) -> Floats:
        """Probability that the effect lies between: in a region of practical equivalence (Kruschke 2018).

        >>> round(float(NormalPosterior(0.0, 1.0).probability_between(-1.0, 1.0)), 4)
        0.6827
        """
        from scipy.special import ndtr

        if np.any(np.asarray(lower) > np.asarray(upper)):
            raise InputError("a region whose lower end is above its upper end", rule="lower <= upper")
        low, high = self._z(lower), self._z(upper)
        # In the upper tail the difference of the complements keeps the digits.
        return np.asarray(np.where(low > 0, ndtr(-low) - ndtr(-high), ndtr(high) - ndtr(low)))

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """Credible interval with equal tails: lower and upper ends.

        >>> [round(float(end), 2) for end in NormalPosterior(0.0, 1.0).interval(0.95)]
        [-1.96, 1.96]
        """
        from scipy.special import ndtri

        half = -float(ndtri((1 - _level(level)) / 2)) * self.sd
        return self.mean - half, self.mean + half

    def expected_loss(self) -> tuple[Floats, Floats]:
        """What choosing the treatment, and choosing control, is expected to cost: E max(-effect, 0), E max(effect, 0).

        On the effect's own scale, where larger is better (Stucchio 2015). Their difference is the posterior mean.

        >>> [round(float(loss), 4) for loss in NormalPosterior(0.0, 1.0).expected_loss()]  # 1 / sqrt(2 pi) each
        [0.3989, 0.3989]
        """
        z = self._z(0.0)
        with np.errstate(invalid="ignore", over="ignore"):
            treatment, control = (
                np.where(self.sd > 0, self.sd * _unit_loss(sign * z), np.maximum(sign * self.mean, 0.0))
                for sign in (-1, 1)
            )
        unknown = np.isnan(self.mean) | np.isnan(self.sd)
        # Far from 0 the product of a tiny sd and a huge z may overflow; the loss is then the mean itself.
        huge = ~np.isfinite(z)
        control = np.where(huge, np.maximum(self.mean, 0.0), control)
        treatment = np.where(huge, np.maximum(-self.mean, 0.0), treatment)
        return np.where(unknown, np.nan, treatment), np.where(unknown, np.nan, control)

    def _z(self, x: ArrayLike) -> Floats:
        """(x - mean) / sd with the sign that `expected_loss` needs left to it; a point mass on x counts half."""
        gap = np.asarray(x, dtype=np.float64) - self.mean
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            return np.asarray(np.where((self.sd == 0) & (gap == 0), 0.0, gap / self.sd))


@dataclass(frozen=True, slots=True)
class BetaBinomial:
    """Two proportions after the data, with independent beta priors; arrays of the cells' shape.

    p_b_beats_a    probability that B's proportion is the larger
    loss_choose_a  E max(p_b - p_a, 0): proportion given up by choosing A if B is better
    loss_choose_b  E max(p_a - p_b, 0)
    mean_a, mean_b, interval_a, interval_b  posterior means and equal-tailed credible intervals (lower, upper)
    """

    p_b_beats_a: Floats
    loss_choose_a: Floats
    loss_choose_b: Floats
    mean_a: Floats
    mean_b: Floats
    interval_a: tuple[Floats, Floats]
    interval_b: tuple[Floats, Floats]
    level: float


def normal_posterior(
    estimate: ArrayLike, se: ArrayLike, prior_mean: ArrayLike = 0.0, prior_sd: ArrayLike = np.inf
) -> NormalPosterior:
    """Posterior of an effect with a normal prior, by weighting with precisions; flat where prior_sd is infinite.

    Args:
        estimate: estimated effects, any shape; NaN gives NaN.
        se: their standard errors, >= 0; infinite where the data say nothing.
        prior_mean: mean of the prior, on the estimate's scale.
        prior_sd: standard deviation of the prior, > 0.

    >>> posterior = normal_posterior(2.0, 1.0, prior_mean=0.0, prior_sd=1.0)  # halfway; variance 1 / (1 + 1)
    >>> float(posterior.mean), round(float(posterior.sd**2), 12)
    (1.0, 0.5)
    """
    value, error, center, spread = np.broadcast_arrays(
        *(np.asarray(a, dtype=np.float64) for a in (estimate, se, prior_mean, prior_sd))
    )
    if np.any(error < 0):
        raise InputError("a negative standard error", rule="se >= 0")
    if np.any(spread <= 0):
        raise InputError("a prior without spread", rule="prior_sd > 0", fix="prior_sd=inf is the flat prior")
    if np.any(np.isinf(error) & np.isinf(spread)):
        raise InputError("a flat prior and an infinite standard error leave no posterior")
    with np.errstate(invalid="ignore"):
        # Ratios of standard deviations: their squares would underflow for small effects.
        ratio = np.where(np.isinf(error), 1.0, error / np.where(np.isinf(error), 1.0, spread))
        weight = np.where(np.isinf(error), 1.0, ratio**2 / (1 + ratio**2))
        sd = np.where(np.isinf(error), spread, error / np.sqrt(1 + ratio**2))
        mean = np.where(weight < 1, (1 - weight) * value, 0.0) + np.where(weight > 0, weight * center, 0.0)
    return NormalPosterior(np.where(np.isnan(value) | np.isnan(error), np.nan, mean), sd)


def beta_binomial(
    x_a: ArrayLike,
    n_a: ArrayLike,
    x_b: ArrayLike,
    n_b: ArrayLike,
    prior_alpha: float = 1.0,
    prior_beta: float = 1.0,
    *,
    level: float = 0.95,
) -> BetaBinomial:
    """Chance that B beats A, expected losses, means and credible intervals of two proportions with beta priors.

    By Gauss-Legendre quadrature on the log odds scale, to about 1e-10 relative for one unit or 1e9 units.

    Args:
        x_a: successes in A, any shape.
        n_a: units in A.
        x_b: successes in B.
        n_b: units in B.
        prior_alpha: first parameter of the prior of both proportions, > 0: prior successes.
        prior_beta: second parameter, > 0: prior failures.
        level: of the credible intervals.

    Source: Stucchio 2015; Deng 2015.

    >>> found = beta_binomial(0, 0, 1, 1)  # B ~ Beta(2, 1) against A ~ Beta(1, 1): P(B > A) = E B = 2/3
    >>> round(float(found.p_b_beats_a), 10), round(float(found.mean_b), 10)
    (0.6666666667, 0.6666666667)
    """
    from scipy.special import betaincinv

    from paribus.stats.proportion import counts

    if not (prior_alpha > 0 and prior_beta > 0 and np.isfinite(prior_alpha + prior_beta)):
        raise InputError("a beta prior that is not a distribution", rule="prior_alpha > 0 and prior_beta > 0, finite")
    (xa, na), (xb, nb) = counts(x_a, n_a), counts(x_b, n_b)
    xa, na, xb, nb = np.broadcast_arrays(xa, na, xb, nb)
    first, second = (
        (np.asarray(x + prior_alpha), np.asarray(n - x + prior_beta)) for x, n in ((xa, na), (xb, nb))
    )
    cells = zip(*(p.ravel().tolist() for p in (*first, *second)), strict=True)
    integrals = np.array([_compare(*cell) for cell in cells]).reshape((*xa.shape, 3))
    tail = (1 - _level(level)) / 2
    ends = [
        (np.asarray(betaincinv(a, b, tail)), np.asarray(1 - betaincinv(b, a, tail))) for a, b in (first, second)
    ]
    return BetaBinomial(
        p_b_beats_a=integrals[..., 0],
        loss_choose_a=integrals[..., 1],
        loss_choose_b=integrals[..., 2],
        mean_a=first[0] / (first[0] + first[1]),
        mean_b=second[0] / (second[0] + second[1]),
        interval_a=ends[0],
        interval_b=ends[1],
        level=level,
    )


def _compare(a1: float, b1: float, a2: float, b2: float) -> tuple[float, float, float]:
    """P(B > A), E max(B - A, 0) and E max(A - B, 0) for A ~ Beta(a1, b1), B ~ Beta(a2, b2), independent."""
    from scipy.special import betainc, expit, polygamma, psi

    arms = ((a1, b1), (a2, b2))
    steps = np.concatenate([np.arange(-9.0, 9.5, 0.5), np.array([-50, -35, -25, -18, -14, -11, 11, 14, 18, 25, 35, 50])])
    edges = np.unique(
        np.concatenate([psi(a) - psi(b) + np.sqrt(polygamma(1, a) + polygamma(1, b)) * steps for a, b in arms])
    )
    nodes, weights = np.polynomial.legendre.leggauss(_NODES_PER_PANEL)
    half = np.diff(edges) / 2
    x = ((edges[:-1] + half)[:, None] + half[:, None] * nodes).ravel()
    dx = (half[:, None] * weights).ravel()
    t, rest = expit(x), expit(-x)
    below = [np.asarray(betainc(a, b, t)) for a, b in arms]
    above = [np.asarray(betainc(b, a, rest)) for a, b in arms]
    density = dx * np.exp(_log_density(x, a1, b1))
    # E max(B - A, 0) = integral of P(A < t < B): no cancellation, however small
    b_better = density @ above[1] / density.sum()
    return float(b_better), float((dx * t * rest) @ (below[0] * above[1])), float((dx * t * rest) @ (below[1] * above[0]))


def _log_density(x: Floats, a: float, b: float) -> Floats:
    """Log density of the log odds of Beta(a, b) relative to its mode; exact where a and b are large."""
    d = x - np.log(a / b)
    p = a / (a + b)
    with np.errstate(over="ignore"):
        near = np.log1p(p * np.expm1(np.clip(d, -1, 1)))
    normalizer = np.where(np.abs(d) < 1, near, np.logaddexp(np.log(b / (a + b)), np.log(p) + d))
    return np.asarray(a * d - (a + b) * normalizer)


def _unit_loss(z: Floats) -> Floats:
    """E max(Z - z, 0) for a standard normal Z: phi(z) - z Phi(-z), without cancellation for large z."""
    from scipy.special import erfcx, ndtr

    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    mills = np.sqrt(np.pi / 2) * erfcx(np.maximum(z, 0) / np.sqrt(2))
    return np.asarray(np.where(z > 0, density * (1 - z * mills), density - z * ndtr(-z)))


def _level(level: float) -> float:
    if not 0 < level < 1:
        raise InputError(f"a level of {level}", rule="0 < level < 1")
    return level
