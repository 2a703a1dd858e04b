"""Bayesian readings: the normal posterior of an effect, and two proportions with Beta posteriors.

A chance to win is a probability given model and prior, not an error rate: with a flat prior it is one minus the
one-sided p-value, and looking at it repeatedly inflates false wins all the same. Expected losses are exact, and both
chances are kept to full relative precision, so that a page need never print 100%.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from paribus.errors import InputError
from paribus.stats.estimate import Floats
from paribus.stats.proportion import check_level, counts


@dataclass(frozen=True, slots=True)
class NormalPosterior:
    """A normal posterior of an effect (treatment minus control, or relative lift), by cell.

    mean  posterior mean
    sd    posterior standard deviation, positive
    """

    mean: Floats
    sd: Floats

    def probability_above(self, effect: ArrayLike = 0.0) -> Floats:
        """Probability that the effect exceeds `effect`: with 0 the chance to win."""
        from scipy.special import ndtr

        return np.asarray(ndtr((self.mean - np.asarray(effect, dtype=np.float64)) / self.sd))

    def probability_below(self, effect: ArrayLike = 0.0) -> Floats:
        """Probability that the effect is under `effect`, precise where it is tiny (1 - chance to win is not)."""
        from scipy.special import ndtr

        return np.asarray(ndtr((np.asarray(effect, dtype=np.float64) - self.mean) / self.sd))

    def probability_between(self, lower: ArrayLike, upper: ArrayLike) -> Floats:
        """Probability that the effect lies between, such as in the region of practical equivalence (Kruschke 2018)."""
        from scipy.special import ndtr

        low, high = ((np.asarray(end) - self.mean) / self.sd for end in (lower, upper))
        # In the upper tail the difference of two numbers near 1 would cancel.
        flip = low > 0
        return np.asarray(np.where(flip, ndtr(-low) - ndtr(-high), ndtr(high) - ndtr(low)))

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """Equal-tailed credible interval."""
        from scipy.special import ndtri

        radius = float(ndtri((1 + check_level(level)) / 2)) * np.asarray(self.sd)
        return np.asarray(self.mean - radius), np.asarray(self.mean + radius)

    def expected_loss(self) -> tuple[Floats, Floats]:
        """What is lost on average by choosing treatment, E max(-effect, 0), and by choosing control, E max(effect, 0).

        Their difference is the posterior mean. On the scale of the effect: a posterior of a lift gives relative loss.

        >>> treatment, control = NormalPosterior(np.array(0.0), np.array(1.0)).expected_loss()
        >>> round(float(treatment), 4), round(float(control), 4)  # 1 / sqrt(2 pi)
        (0.3989, 0.3989)
        """
        z = np.asarray(self.mean, dtype=np.float64) / self.sd
        return np.asarray(self.sd * _mean_excess(z)), np.asarray(self.sd * _mean_excess(-z))


def normal_posterior(
    estimate: ArrayLike,
    se: ArrayLike,
    prior_mean: ArrayLike = 0.0,
    prior_sd: ArrayLike = np.inf,
    *,
    prior_variance: ArrayLike | None = None,
    baseline: ArrayLike = 1.0,
) -> NormalPosterior:
    """Posterior of an effect from its estimate and standard error under a normal prior on the same scale.

    Args:
        estimate: observed effect by cell.
        se: its standard error, positive.
        prior_mean: prior mean.
        prior_sd: prior standard deviation; infinite for a flat prior.
        prior_variance: its square, for a prior that is stated so.
        baseline: the control value by whose size a prior of the lift is brought to the scale of a difference
            (GrowthBook's convention; the baseline's own error is left out).

    >>> posterior = normal_posterior(1.0, 1.0, prior_mean=0.0, prior_sd=1.0)
    >>> float(posterior.mean), round(float(posterior.sd), 4)
    (0.5, 0.7071)
    >>> float(normal_posterior(1.0, 1.0, prior_sd=0.1, baseline=10.0).mean)  # a tenth of 10 is 1
    0.5
    """
    size = np.abs(np.asarray(baseline, dtype=np.float64))
    spread = prior_sd if prior_variance is None else np.sqrt(prior_variance)
    estimate, se, mean, sd = (np.asarray(a, dtype=np.float64) for a in (estimate, se, prior_mean, spread))
    mean, sd = mean * size, sd * size
    if np.any(se <= 0) or np.any(sd <= 0):
        raise InputError("a standard error or prior standard deviation that is not positive", rule="both > 0")
    with np.errstate(divide="ignore"):
        data, prior = 1 / se**2, 1 / sd**2
    # Written as a shrinkage of the estimate: with a nearly flat prior nothing is lost to rounding.
    weight = prior / (prior + data)
    return NormalPosterior(
        np.asarray(estimate + weight * (np.where(weight > 0, mean, 0.0) - estimate)),
        np.asarray(se * np.sqrt(1 - weight)),
    )


@dataclass(frozen=True, slots=True)
class BetaBinomial:
    """Posterior of two proportions, control and treatment, by cell.

    chance_to_win, chance_to_lose  P(p_t > p_c) and P(p_t < p_c), each precise when tiny
    loss_treatment, loss_control   expected loss of choosing treatment, E max(p_c - p_t, 0), or control
    mean_control, mean_treatment   posterior means
    interval_control, interval_treatment  equal-tailed credible intervals (lower, upper)
    """

    chance_to_win: Floats
    chance_to_lose: Floats
    loss_treatment: Floats
    loss_control: Floats
    mean_control: Floats
    mean_treatment: Floats
    interval_control: tuple[Floats, Floats]
    interval_treatment: tuple[Floats, Floats]
    level: float


def beta_binomial(
    x_c: ArrayLike,
    n_c: ArrayLike,
    x_t: ArrayLike,
    n_t: ArrayLike,
    *,
    prior: tuple[float, float] = (1.0, 1.0),
    level: float = 0.95,
) -> BetaBinomial:
    """Chance to win and expected losses of two proportions with independent Beta priors (Stucchio 2015).

    By Gauss-Legendre quadrature on the log-odds scale, to about 1e-10 at any number of units (1e-7 where a parameter is
    0.01); losses are integrals of P(p_t < s < p_c) over s, so nothing cancels.

    Args:
        x_c, n_c, x_t, n_t: successes and units of control and treatment, any broadcastable shapes.
        prior: alpha and beta of both arms' prior; (1, 1) uniform, (0.5, 0.5) Jeffreys.
        level: of the credible intervals.

    >>> both = beta_binomial(0, 1, 1, 1)  # Beta(1, 2) against Beta(2, 1)
    >>> round(float(both.chance_to_win), 6), round(float(both.loss_treatment), 6)  # 5/6, 1/30
    (0.833333, 0.033333)
    """
    from scipy.special import betaincinv, betaln, log_expit

    if min(prior) <= 0:
        raise InputError(f"the prior is Beta{prior}", rule="both parameters > 0")
    x_c, n_c, x_t, n_t = np.broadcast_arrays(*counts(x_c, n_c), *counts(x_t, n_t))
    a_c, b_c = x_c + prior[0], n_c - x_c + prior[1]
    a_t, b_t = x_t + prior[0], n_t - x_t + prior[1]
    y, weights = _log_odds_rule(a_c, b_c, a_t, b_t)
    ac, bc, at, bt = (a[..., None] for a in (a_c, b_c, a_t, b_t))
    log_p, log_q = log_expit(y), log_expit(-y)
    density = weights * np.exp(ac * log_p + bc * log_q - betaln(ac, bc))  # control's, per unit of log odds
    control_below, control_above = _share_below(ac, bc, log_p, log_q), _share_below(bc, ac, log_q, log_p)
    treatment_below, treatment_above = _share_below(at, bt, log_p, log_q), _share_below(bt, at, log_q, log_p)
    win, lose = (density * treatment_above).sum(axis=-1), (density * treatment_below).sum(axis=-1)
    step = weights * np.exp(log_p + log_q)
    loss_treatment = (step * treatment_below * control_above).sum(axis=-1)
    loss_control = (step * treatment_above * control_below).sum(axis=-1)
    tails = ((1 - check_level(level)) / 2, (1 + level) / 2)
    return BetaBinomial(
        chance_to_win=win / (win + lose),
        chance_to_lose=lose / (win + lose),
        loss_treatment=loss_treatment,
        loss_control=loss_control,
        mean_control=a_c / (a_c + b_c),
        mean_treatment=a_t / (a_t + b_t),
        interval_control=(np.asarray(betaincinv(a_c, b_c, tails[0])), np.asarray(betaincinv(a_c, b_c, tails[1]))),
        interval_treatment=(np.asarray(betaincinv(a_t, b_t, tails[0])), np.asarray(betaincinv(a_t, b_t, tails[1]))),
        level=level,
    )


# Panels of one standard deviation around each posterior; the far ones hold the slow tails of parameters below 1.
_STEPS = np.array([-40, -28, -20, -14, *range(-10, 11), 14, 20, 28, 40], dtype=np.float64)


def _log_odds_rule(a_c: Floats, b_c: Floats, a_t: Floats, b_t: Floats, nodes: int = 8) -> tuple[Floats, Floats]:
    """Quadrature nodes and weights on log odds that resolve both posteriors, shape (*cells, nodes)."""
    from scipy.special import digamma, polygamma

    edges = []
    for a, b in ((a_c, b_c), (a_t, b_t)):
        center, sd = digamma(a) - digamma(b), np.sqrt(polygamma(1, a) + polygamma(1, b))
        edges.append(center[..., None] + sd[..., None] * _STEPS)
    if min(a.min(initial=1.0) for a in (a_c, b_c, a_t, b_t)) < 0.4:
        # Such a posterior is far wider than the log odds over which a proportion moves from 0 to 1.
        edges.append(np.broadcast_to(np.arange(-40.0, 42.0, 2.0), (*a_c.shape, 41)))
    edge = np.sort(np.concatenate(edges, axis=-1), axis=-1)
    x, w = np.polynomial.legendre.leggauss(nodes)
    half = np.diff(edge, axis=-1)[..., None] / 2
    y = edge[..., :-1, None] + half + half * x
    shape = (*a_c.shape, -1)
    return y.reshape(shape), (half * w).reshape(shape)


def _share_below(a: Floats, b: Floats, log_p: Floats, log_q: Floats) -> Floats:
    """P(X < p) for X ~ Beta(a, b), with log p and log (1 - p) given: p rounds to 1 long before 1 - p is 0."""
    from scipy.special import betainc, betaincc, betaln

    p, q = np.exp(log_p), np.exp(log_q)
    below = np.where(q < p, betaincc(b, a, q), betainc(a, b, p))
    # Where p itself would underflow, the first term of the series is exact.
    return np.asarray(np.where(log_p < -100, np.exp(np.minimum(a * log_p - np.log(a) - betaln(a, b), 0)), below))


def _mean_excess(z: Floats) -> Floats:
    """E max(Z - z, 0) for a standard normal Z: phi(z) - z (1 - Phi(z)), without overflow or cancellation."""
    from scipy.special import erfcx, ndtr

    right = np.maximum(z, 0.0)
    density = np.exp(-(right**2) / 2) / np.sqrt(2 * np.pi)
    ratio = right * np.sqrt(np.pi / 2) * erfcx(right / np.sqrt(2))  # z times Mills' ratio, near 1 for large z
    above = density * np.where(right > 1e3, 1 / np.maximum(right, 1.0) ** 2, 1 - ratio)
    left = np.minimum(z, 0.0)
    below = np.exp(-(left**2) / 2) / np.sqrt(2 * np.pi) - left * ndtr(-left)
    return np.asarray(np.where(z > 0, above, below))
