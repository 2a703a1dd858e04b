"""How many units each deciding method needs for one metric, with the error and power that the whole plan asks of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from paribus.errors import InputError
from paribus.experiments.plan import Method, Plan, Prior
from paribus.experiments.reading import spending
from paribus.stats.anytime import AsymptoticSequence
from paribus.stats.group_sequential import GroupSequentialDesign, group_sequential_design
from paribus.stats.metric_power import comparison_alpha, power_per_metric
from paribus.stats.power import power_means, sample_size_means
from paribus.stats.prior_power import power_bayesian, power_expected_loss
from paribus.stats.proportion_power import power_proportions, sample_size_proportions
from paribus.stats.sequential_power import power_over_looks, sample_size_anytime
from paribus.stats.solving import solve_increasing
from paribus.stats.spending import Spending

LOOKS = 5  # of a group-sequential plan that names none
READINGS = 20  # of an anytime-valid plan, for its expected size
LOSS_THRESHOLD = 0.001  # relative, of a Bayesian plan that names none


@dataclass(frozen=True, slots=True)
class Question:
    """One metric and what the plan asks of it; effects are relative to the baseline.

    baseline    the control's value
    sd          standard deviation per unit; None for a proportion, whose baseline says it
    effect      relative effect to find, in either direction
    arms        arms, the control included, of equal size
    guardrails  metrics that must be shown safe besides
    """

    baseline: float
    sd: float | None
    effect: float
    plan: Plan
    arms: int = 2
    guardrails: int = 0

    @property
    def alpha(self) -> float:
        """The two-sided error of each comparison with control, after the plan's correction over the arms."""
        alpha = 1 - self.plan.confidence_level
        if self.plan.correction == "none" or self.arms == 2:
            return alpha
        # Stepwise methods have their first step at Bonferroni's level, and one effect alone has to pass that.
        return comparison_alpha(
            self.arms - 1, alpha, method="dunnett" if self.plan.correction == "dunnett" else "bonferroni"
        )

    @property
    def power(self) -> float:
        """The power of each metric, so that all of them pass together with the plan's."""
        return power_per_metric(self.plan.power, self.guardrails)

    def absolute(self, effect: float) -> float:
        """A relative effect in the metric's own unit."""
        return effect * abs(self.baseline)

    def treated(self, effect: float) -> float:
        """The treatment's value."""
        return self.baseline + self.absolute(effect)

    def spread(self, effect: float) -> float:
        """Standard deviation of a unit, the mean variance of the two arms."""
        if self.sd is not None:
            return self.sd
        p, q = self.baseline, self.treated(effect)
        return float(np.sqrt((p * (1 - p) + q * (1 - q)) / 2))

    def relative_se(self, effect: float, n: float) -> float:
        """Standard error of the relative effect with `n` units in each of two arms."""
        return self.spread(effect) * float(np.sqrt(2 / n)) / abs(self.baseline)

    @property
    def largest(self) -> float:
        """The largest relative effect that can be, in the direction asked for."""
        if self.sd is not None:
            return np.inf
        return (1 - self.baseline) / self.baseline if self.effect > 0 else 1.0


@dataclass(frozen=True, slots=True)
class Size:
    """Units in each arm under one method, not rounded; expected ones where it may stop early."""

    method: Method
    n: float
    expected_h0: float | None = None
    expected_h1: float | None = None


def size(question: Question, method: Method) -> Size:
    """Units in each arm for the question's effect, and what is expected when looks may stop the experiment.

    Fixed: the pooled test of two proportions, or Welch's. Group sequential: the fixed size times the design's
    inflation. Anytime-valid: the size at which the sequence, tuned to it, excludes zero. Bayesian: the size at which
    the posterior's expected loss falls below the threshold.
    """
    if method is Method.GROUP_SEQUENTIAL:
        fixed, design = _fixed(question), sequential_design(question)
        factors = (design.inflation_factor, design.average_sample_h0, design.average_sample_h1)
        return Size(method, *(fixed * factor for factor in factors))
    if method is Method.ANYTIME:
        return _anytime(question)
    if method is Method.BAYESIAN:
        power = power_function(question, method)
        found = solve_increasing(lambda n: power(n, question.effect), question.power, near=_fixed(question), least=2.0)
        return Size(method, found)
    return Size(method, _fixed(question))


def power_function(question: Question, method: Method) -> Callable[[float, float], float]:
    """Power of a method as a function of units in each arm and relative effect, for a plan that ends there."""

    def fixed(n: float, effect: float) -> float:
        if question.sd is not None:
            return float(power_means(question.absolute(effect), question.sd, n, alpha=question.alpha))
        p, q = question.baseline, question.treated(effect)
        return float(power_proportions(p, q, n, test="pooled", alpha=question.alpha))

    def sequential(n: float, effect: float) -> float:
        drift = abs(question.absolute(effect)) / (question.spread(effect) * np.sqrt(2 / n))
        return sequential_design(question).power_at(float(drift))

    def anytime(n: float, effect: float) -> float:
        from scipy.special import ndtr

        se = question.spread(effect) * np.sqrt(2 / n)
        radius = float(_sequence(question, 2 * n).radius(se, 2 * n, np.inf))
        return float(ndtr((abs(question.absolute(effect)) - radius) / se))

    def bayesian(n: float, effect: float) -> float:
        return ship_by_loss(question, n, abs(effect))

    known = {Method.FIXED: fixed, Method.GROUP_SEQUENTIAL: sequential, Method.ANYTIME: anytime}
    return known.get(method, bayesian)


def detectable(question: Question, method: Method, n: float) -> float | None:
    """The relative effect that `n` units in each arm find with the question's power; None when none can be found."""
    power = power_function(question, method)
    sign = 1.0 if question.effect > 0 else -1.0
    most = question.largest * (1 - 1e-9)
    if n < 2 or (np.isfinite(most) and power(n, sign * most) < question.power):
        return None
    scale = question.relative_se(question.effect, n)
    near = min(3 * scale, most / 2)
    # Past the largest effect the power is held at what that gives, so that the search stays among proportions.
    found = solve_increasing(lambda e: power(n, sign * min(e, most)), question.power, near=near, least=1e-6 * near)
    return sign * found


def ship_by_loss(question: Question, n: float, effect: float) -> float:
    """Probability that a Bayesian plan ships: expected loss below the threshold, and a posterior mean above zero."""
    prior = prior_of(question.plan)
    se, threshold = question.relative_se(question.effect, n), loss_threshold(question.plan)
    shown = {"prior_mean": prior.mean, "prior_sd": prior.sd}
    above = float(power_bayesian(effect, se, chance_to_win=0.5, **shown))
    return min(above, power_expected_loss(effect, se, threshold, **shown))


def prior_of(plan: Plan) -> Prior:
    """The plan's prior of the relative effect: its first one, or the weak one."""
    return next(iter(plan.priors.values()), Prior())


def loss_threshold(plan: Plan) -> float:
    """The plan's threshold of expected loss, relative, or the default."""
    return plan.loss_threshold or LOSS_THRESHOLD


def sequential_design(question: Question) -> GroupSequentialDesign:
    """The plan's group-sequential design, with five equal looks when it names none."""
    looks = sorted(question.plan.looks)
    information = tuple(day / looks[-1] for day in looks) or tuple((k + 1) / LOOKS for k in range(LOOKS))
    plan = question.plan
    return _design(spending(plan), information, question.alpha, question.power, plan.futility)


@lru_cache(maxsize=64)
def _design(
    rule: Spending, information: tuple[float, ...], alpha: float, power: float, futility: str
) -> GroupSequentialDesign:
    if futility == "none":
        return group_sequential_design(rule, information=information, alpha=alpha, power=power)
    return group_sequential_design(
        rule,
        information=information,
        alpha=alpha / 2,
        sides=1,
        power=power,
        futility=rule,
        binding=futility == "binding",
    )


def _fixed(question: Question) -> float:
    asked = {"power": question.power, "alpha": question.alpha}
    if question.sd is not None:
        return sample_size_means(question.absolute(question.effect), question.sd, **asked).control
    return sample_size_proportions(question.baseline, question.treated(question.effect), test="pooled", **asked).control


def _anytime(question: Question) -> Size:
    effect, sd = question.absolute(question.effect), question.spread(question.effect)
    tuned = question.plan.n_opt
    n = sample_size_anytime(effect, sd, power=question.power, alpha=question.alpha, n_opt=tuned).control
    units = n * np.arange(1, READINGS + 1) / READINGS
    sequence = _sequence(question, 2 * n)

    def expected(true: float) -> float:
        below, above = power_over_looks(sequence, true, sd * np.sqrt(2 / units), 2 * units)
        going = 1 - np.concatenate([[0.0], (below + above)[:-1]])
        return float(going @ np.diff(units, prepend=0.0))

    return Size(Method.ANYTIME, n, expected(0.0), expected(effect))


def _sequence(question: Question, total: float) -> AsymptoticSequence:
    return AsymptoticSequence(question.plan.n_opt or total, 1 - question.alpha, burn_in=0.0)


def checked(question: Question) -> Question:
    """The question, when it can be answered.

    Raises:
        InputError: the baseline or the effect cannot be.
    """
    baseline, sd, effect = question.baseline, question.sd, question.effect
    if not all(np.isfinite(x) for x in (baseline, effect)) or baseline == 0:
        raise InputError(
            f"a baseline of {baseline:g} with a relative effect of {effect:g}" if baseline else "the baseline is 0",
            where="baseline",
            rule="a relative effect needs a baseline that is finite and not 0",
            fix="give the control's value, for instance --baseline 0.12",
        )
    if sd is not None and not (sd > 0 and np.isfinite(sd)):
        raise InputError(f"a standard deviation of {sd:g}", where="sd", rule="sd > 0", fix="give the spread per unit")
    if sd is None and not 0 < baseline < 1:
        raise InputError(
            f"a baseline of {baseline:g} without a standard deviation",
            where="baseline",
            rule="a proportion lies in (0, 1); a mean needs its standard deviation per unit",
            fix="write 0.12 for 12%, or give --sd",
        )
    if effect == 0:
        raise InputError(
            "the effect to detect is 0", where="mde", rule="no sample finds no effect", fix="for instance --mde 3%"
        )
    if sd is None and not 0 < question.treated(effect) < 1:
        raise InputError(
            f"a proportion of {baseline:g} changed by {effect:+.0%} would be {question.treated(effect):g}",
            where="mde",
            rule="the mde is relative, and a proportion lies in (0, 1)",
            fix="write 3% (or 0.03) for a relative change of 3%",
        )
    if question.arms < 2:
        raise InputError(f"{question.arms} arms", where="arms", rule="a control and at least one treatment")
    return question
