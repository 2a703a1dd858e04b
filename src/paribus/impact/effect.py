"""The true effect behind a measured one, after one correction for having been noticed, as a distribution.

One correction, never two: the sealed prior where the plan is Bayesian, else the posterior under the family's prior,
else what the result holds without the early stop, else conditional likelihood where the effect was shown, else the
estimate. The estimate at an early stop knows the data up to that look alone; where those that came since say less, it
would add to the effect instead of taking off, and conditional likelihood on all of them takes its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from paribus.experiments.plan import Method
from paribus.experiments.prior import EffectPrior
from paribus.experiments.result import Comparison, Quantity
from paribus.stats.bayes import normal_posterior
from paribus.stats.estimate import Estimate, Floats, Undetermined
from paribus.stats.selection import conditional_mle

# Probabilities at which a distribution is known: dense in the middle, out to 4 standard deviations.
_Z = np.linspace(-4.0, 4.0, 161)
SHOWN = ("better", "worse")


@dataclass(frozen=True)
class TrueEffect:
    """A distribution of the true relative effect, in the good direction where `good` was applied.

    value      its center: posterior mean, or most likely value
    points     its quantiles at `probabilities()`, increasing
    method     how it was obtained, in words
    corrected  whether something was taken off for having been noticed
    """

    value: float
    points: tuple[float, ...]
    method: str
    corrected: bool = False

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Equal-tailed interval."""
        low, high = np.interp(((1 - level) / 2, (1 + level) / 2), probabilities(), self.points)
        return float(low), float(high)

    def chance_above(self, x: float = 0.0) -> float:
        """Probability that the effect exceeds x."""
        return float(1 - np.interp(x, self._grid, probabilities(), left=0.0, right=1.0))

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """n draws: evenly spaced probabilities in random order, so that the mean has next to no simulation error."""
        u = rng.permutation((np.arange(n) + 0.5) / n)
        return np.asarray(np.interp(u, probabilities(), self.points))

    @cached_property
    def _grid(self) -> Floats:
        return np.asarray(self.points)


def probabilities() -> Floats:
    """The probabilities of `TrueEffect.points`."""
    from scipy.special import ndtr

    return np.asarray(ndtr(_Z))


def normal_effect(mean: float, sd: float, method: str, *, most: float = np.inf, corrected: bool = False) -> TrueEffect:
    """A normal distribution, cut off at `most` where an effect cannot be larger.

    >>> low, high = normal_effect(0.1, 0.02, "posterior").interval(0.95)
    >>> round(low, 3), round(high, 3)
    (0.061, 0.139)
    """
    points = np.minimum(mean + sd * _Z, most)
    value = mean if not np.isfinite(most) else _mean(points)
    return TrueEffect(float(value), tuple(points.tolist()), method, corrected)


def true_effect(
    comparison: Comparison, *, method: Method, prior: EffectPrior | None = None, level: float = 0.95
) -> TrueEffect | Undetermined:
    """What the comparison says of the true relative effect; positive is good.

    Args:
        comparison: of a success metric, as the result has it.
        method: the deciding method of the sealed plan.
        prior: of the metric's family; only one's own (`is_own`) corrects, a published one never does.
        level: of the result's intervals.
    """
    good = 1.0 if comparison.direction == "increase" else -1.0
    estimate = comparison.relative
    if not isinstance(estimate, Estimate):
        return estimate
    value, se = good * estimate.value, estimate.se
    if not np.isfinite(se) or se <= 0:
        return normal_effect(value, 1e-12, "the estimate as it stands, without an error")
    if method is Method.BAYESIAN:
        return normal_effect(value, se, f"posterior under the sealed prior ({estimate.method})", corrected=True)
    if prior is not None and prior.is_own:
        posterior = normal_posterior(value, se, prior_mean=prior.mean, prior_sd=prior.sd)
        words = f"posterior under the prior of {prior.origin}"
        return normal_effect(float(posterior.mean), float(posterior.sd), words, corrected=True)
    stopped = comparison.at_stop
    if isinstance(stopped, Estimate) and good * stopped.value <= value:
        return _of_interval(good, stopped, f"without what the early stop added ({stopped.method})")
    if comparison.conclusion in SHOWN:
        return _conditional(value, se, threshold(comparison, estimate, level))
    words = "the estimate with its own interval: it was not shown, so nothing was selected"
    if not (np.isfinite(estimate.lower) and np.isfinite(estimate.upper)):
        return normal_effect(value, se, words)
    return _of_interval(good, estimate, words, corrected=False)


def threshold(comparison: Comparison, estimate: Estimate, level: float = 0.95) -> float:
    """The |z| that the sealed rule asked for: half the width of the deciding interval in standard errors."""
    from scipy.special import ndtri

    low, high = comparison.simultaneous or (estimate.lower, estimate.upper)
    z = abs(estimate.value) / estimate.se
    if np.isfinite(low) and np.isfinite(high) and high > low:
        asked = (high - low) / 2 / estimate.se
    else:
        asked = float(ndtri((1 + level) / 2))
    # Shown means past the threshold; an asymmetric interval may put half its width a little beyond the estimate.
    return float(min(asked, 0.999 * z))


def _conditional(value: float, se: float, asked: float) -> TrueEffect:
    """The confidence distribution given selection: the effects by P(an estimate at least as large | it was shown)."""
    from scipy.special import log_ndtr, ndtr

    x, sign = abs(value) / se, 1.0 if value >= 0 else -1.0
    mu = np.linspace(x - 14.0, x + 9.0, 9_201)
    shown = np.logaddexp(log_ndtr(mu - asked), log_ndtr(-mu - asked))
    points = sign * se * np.interp(probabilities(), np.exp(log_ndtr(mu - x) - shown), mu)
    likely = float(conditional_mle(value, se, alpha=float(2 * ndtr(-asked))).value)
    words = f"most likely effect given that it was shown (conditional likelihood, threshold z = {asked:.2f})"
    return TrueEffect(likely, tuple(np.sort(points).tolist()), words, True)


def _of_interval(good: float, estimate: Estimate, words: str, *, corrected: bool = True) -> TrueEffect:
    """A split normal through the estimate and both ends of its interval."""
    from scipy.special import ndtri

    z = float(ndtri((1 + estimate.level) / 2))
    ends = sorted((good * estimate.lower, good * estimate.upper))
    value = good * estimate.value
    below, above = max(value - ends[0], 1e-12) / z, max(ends[1] - value, 1e-12) / z
    points = value + np.where(_Z < 0, below, above) * _Z
    return TrueEffect(value, tuple(points.tolist()), words, corrected)


def _mean(points: Floats) -> float:
    n = 4_000
    return float(np.interp((np.arange(n) + 0.5) / n, probabilities(), points).mean())


def relative(quantity: Quantity) -> float | None:
    """The value of an effect, None where there is none."""
    return quantity.value if isinstance(quantity, Estimate) else None
