"""What one comparison needs under each deciding method: power, sample size, detectable effect, expected sample.

A comparison is a distance to show (a success metric's effect, or a guardrail's margin while nothing happens) with its
variance per unit. A guardrail is judged by the same two-sided interval as a success metric, so both are one question.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from paribus.experiments.plan import Method, Plan, Prior
from paribus.experiments.reading import spending
from paribus.stats.anytime import AsymptoticSequence
from paribus.stats.estimate import Floats
from paribus.stats.group_sequential import GroupSequentialDesign, group_sequential_design
from paribus.stats.integration import exit_probabilities
from paribus.stats.power import power_means
from paribus.stats.proportion_power import power_proportions
from paribus.stats.sequential_power import power_over_looks
from paribus.stats.solving import normal_quantiles, solve_increasing
from paribus.stats.spending import Spending

MONITORED = 40  # looks at which an anytime-valid reading is taken to be made, for its expected length


@dataclass(frozen=True, slots=True)
class Comparison:
    """One hypothesis of the plan, between control and one treatment arm.

    distance   what is to be shown, in the metric's unit: positive
    variance   per unit
    baseline   control's value
    alpha      two-sided error, after the correction for several hypotheses
    power      wanted, after beta was divided over the guardrails
    ratio      units in treatment over units in control
    share      a success metric that is compared as a table of counts
    upward     whether the metric moves up when the effect is as hoped
    undated    read as it stands, without planned looks: a quantile, or a metric of clusters
    """

    metric: str
    distance: float
    variance: float
    baseline: float
    alpha: float
    power: float
    ratio: float = 1.0
    share: bool = False
    upward: bool = True
    is_guardrail: bool = False
    undated: bool = False
    prior: Prior = field(default_factory=Prior)

    def variances(self, distance: float) -> tuple[float, float]:
        """Variance per unit in control and in treatment, when the effect is of this size."""
        if not self.share:
            return self.variance, self.variance
        moved = float(np.clip(self.baseline + (distance if self.upward else -distance), 1e-9, 1 - 1e-9))
        return self.variance, moved * (1 - moved)

    def se(self, total: float, distance: float) -> float:
        """Standard error of the difference, with `total` units in the two arms together."""
        control = total / (1 + self.ratio)
        a, b = self.variances(distance)
        return float(np.sqrt(a / control + b / (control * self.ratio)))


@dataclass(frozen=True, slots=True)
class Reader:
    """One method with its looks, as fractions of the end; `power` and its inverses answer for any comparison."""

    plan: Plan
    fractions: tuple[float, ...] = (1.0,)

    def power(self, c: Comparison, total: float, distance: float | None = None) -> float:
        """Probability to show the distance by the end, with `total` units in the two arms together."""
        size = c.distance if distance is None else distance
        se = c.se(total, size)
        match self._method(c):
            case Method.FIXED:
                return _fixed(c, total, size)
            case Method.GROUP_SEQUENTIAL:
                return self._design(c).power_at(size / se)
            case Method.ANYTIME:
                from scipy.special import ndtr

                # Read once, at the end: reading before can only find more.
                return float(ndtr((size - float(self._sequence(c, total).radius(se, total, np.inf))) / se))
            case _:
                return float(self._bayesian_exits(c, se, size)[1].sum())

    def total(self, c: Comparison) -> float:
        """Units in the two arms together for the comparison's power."""
        z = normal_quantiles(c.alpha, c.power, "two-sided")
        a, b = c.variances(c.distance)
        near = z**2 * (a + b / c.ratio) / c.distance**2 * (1 + c.ratio)
        return solve_increasing(lambda n: self.power(c, n), c.power, near=near, least=2 * (1 + c.ratio))

    def detectable(self, c: Comparison, total: float) -> float:
        """The smallest distance shown with that power: infinite where none is, 0 where even no effect is."""
        near = normal_quantiles(c.alpha, c.power, "two-sided") * c.se(total, 0.0)
        most = np.inf
        if c.share:
            most = (1 - c.baseline if c.upward else c.baseline) * (1 - 1e-6)
            if near >= most or self.power(c, total, most) < c.power:
                return float("inf")
        if self.power(c, total, 1e-6 * near) >= c.power:
            return 0.0  # a loose loss threshold: the sample ships without any effect
        return solve_increasing(lambda d: self.power(c, total, min(d, most)), c.power, near=near, least=1e-6 * near)

    def expected_fraction(self, c: Comparison, total: float, *, effect: bool) -> float:
        """Expected share of the sample at which this comparison stops, when the effect is as assumed or absent."""
        size = c.distance if effect else 0.0
        se = c.se(total, size)
        match self._method(c):
            case Method.FIXED:
                return 1.0
            case Method.GROUP_SEQUENTIAL:
                return self._design(c).expected_fraction(size / se)
            case Method.ANYTIME:
                at = np.arange(1, MONITORED + 1) / MONITORED
                below, above = power_over_looks(self._sequence(c, total), size, se / np.sqrt(at), total * at)
                stopped = np.diff(below + above, prepend=0.0)
                return _mean_stop(stopped, at)
            case _:
                below, above = self._bayesian_exits(c, se, size)
                return _mean_stop(below + above, np.asarray(self.fractions))

    def false_positive(self, c: Comparison, total: float) -> float:
        """Probability that the metric is shown better by the end though there is no effect."""
        se = c.se(total, 0.0)
        match self._method(c):
            case Method.FIXED:
                return c.alpha / 2
            case Method.GROUP_SEQUENTIAL:
                return self._design(c).power_at(0.0)
            case Method.ANYTIME:
                at = np.arange(1, MONITORED + 1) / MONITORED
                return float(power_over_looks(self._sequence(c, total), 0.0, se / np.sqrt(at), total * at)[1][-1])
            case _:
                return float(self._bayesian_exits(c, se, 0.0)[1].sum())

    def _method(self, c: Comparison) -> Method:
        """What an undated metric is read by under planned looks holds at any time (`effects.undated_rule`)."""
        method = self.plan.method
        return Method.ANYTIME if c.undated and method is Method.GROUP_SEQUENTIAL else method

    def _design(self, c: Comparison) -> GroupSequentialDesign:
        return _group_sequential(spending(self.plan), self.fractions, c.alpha)

    def _sequence(self, c: Comparison, total: float) -> AsymptoticSequence:
        n_opt = self.plan.n_opt or total
        return AsymptoticSequence(float(n_opt), 1 - c.alpha, burn_in=0.0)

    def _bayesian_exits(self, c: Comparison, se: float, size: float) -> tuple[Floats, Floats]:
        """Probabilities to be shown worse and to be shown at each look, on the relative scale of the prior."""
        scale = abs(c.baseline)
        errors = se / np.sqrt(np.asarray(self.fractions)) / scale
        center = c.prior.mean if c.upward else -c.prior.mean
        precision = 1 / errors**2 + 1 / c.prior.sd**2
        sd, z, shift = 1 / np.sqrt(precision), -_quantile(c.alpha / 2), 0.0
        if c.is_guardrail:
            # Safe where the credible interval lies above -margin: distances are measured from there.
            shift = c.distance / scale
            upper, lower = z * sd - shift, -z * sd - shift
        else:
            threshold = self.plan.loss_threshold
            upper = z * sd if threshold is None else sd * _mean_of_loss(threshold / sd)
            lower = _quantile(min(self.plan.deterioration_alpha, 0.5)) * sd
        # The estimates whose posterior means these are, as z statistics.
        reach = 60 * (1 + (errors / c.prior.sd) ** 2) + (abs(center) + 1) / errors
        up, low = (
            np.clip((mean * precision - center / c.prior.sd**2) * errors + shift / errors, -reach, reach)
            for mean in (upper, lower)
        )
        low = np.minimum(low, up)
        return exit_probabilities(low, up, 1 / errors**2, size / scale)


def calibrated_loss(plan: Plan, fractions: tuple[float, ...], c: Comparison) -> float:
    """The relative loss threshold at which the Bayesian rule ships, without effect, as often as a fixed horizon.

    That is alpha / 2, at the sample in which the rule then finds the distance with the comparison's power; by 2%.
    """
    from scipy.optimize import brentq

    aim = np.log(c.alpha / 2)

    def excess(log_threshold: float) -> float:
        own = Reader(replace(plan, method=Method.BAYESIAN, loss_threshold=float(np.exp(log_threshold))), fractions)
        return float(np.log(max(own.false_positive(c, own.total(c)), 1e-12)) - aim)

    # One look under a flat prior: the loss of a z at its critical value. More looks ship more, a prior less.
    z = -_quantile(c.alpha / 2)
    once = np.log(float(_unit_loss(np.asarray(z))) / (z + _quantile(c.power)) * c.distance / abs(c.baseline))
    low, high = once - 3.0, once + 1.0
    if excess(high) < 0:
        return float(np.exp(high))
    if excess(low) > 0:
        return float(np.exp(low))
    return float(np.exp(brentq(excess, low, high, xtol=0.02)))


def _fixed(c: Comparison, total: float, size: float) -> float:
    control = total / (1 + c.ratio)
    if c.share:
        moved = c.baseline + (size if c.upward else -size)
        return float(
            power_proportions(
                c.baseline, moved, control, control * c.ratio, test="pooled", alpha=c.alpha, alternative="two-sided"
            )
        )
    sd = float(np.sqrt(c.variance))
    return float(power_means(size, sd, control, control * c.ratio, alpha=c.alpha))


@lru_cache(maxsize=256)
def _group_sequential(rule: Spending, fractions: tuple[float, ...], alpha: float) -> GroupSequentialDesign:
    return group_sequential_design(rule, information=fractions, alpha=alpha, power=max(0.8, alpha * 1.01))


def _mean_stop(stopped: Floats, at: Floats) -> float:
    early = stopped[:-1]
    return float(early @ at[:-1] + (1 - early.sum()) * at[-1])


def _quantile(p: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(p))


def _unit_loss(mean: Floats) -> Floats:
    """Expected loss of choosing a treatment whose effect has this posterior mean and sd 1: the mean of max(0, -X)."""
    from scipy.special import ndtr

    return np.asarray(np.exp(-0.5 * mean * mean) / np.sqrt(2 * np.pi) - mean * ndtr(-mean))


def _mean_of_loss(loss: Floats) -> Floats:
    """The inverse of `_unit_loss`, by Newton on its logarithm, which is concave: no step passes the root twice."""
    from scipy.special import ndtr

    wanted = np.log(np.maximum(loss, 1e-12))
    mean = np.minimum(0.0, -np.asarray(loss))
    for _ in range(50):
        at = _unit_loss(mean)
        step = (np.log(at) - wanted) * at / ndtr(-mean)
        mean = mean + step
        if np.abs(step).max() < 1e-12:
            break
    return mean
