"""The case behind a feature's value: every input from an earlier artifact, none invented here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from paribus.experiments.plan import Method
from paribus.experiments.prior import EffectPrior
from paribus.experiments.result import Comparison, Novelty, Result
from paribus.impact.effect import TrueEffect, true_effect
from paribus.impact.persistence import persistence
from paribus.impact.value import DAYS, Case, Costs, Uncertain
from paribus.metrics.definition import Role
from paribus.stats.estimate import Undetermined
from paribus.workflow.artifact import Measured
from paribus.workflow.facts.design import DesignFacts
from paribus.workflow.facts.hypothesize import HypothesizeFacts


@dataclass(frozen=True)
class Found:
    """The success metric's comparison that decides, its corrected effect, and the view by days since exposure."""

    comparison: Comparison
    effect: TrueEffect | Undetermined
    novelty: Novelty | None


def found(result: Result, hypotheses: HypothesizeFacts, prior: EffectPrior) -> Found | None:
    """What the result says of the success metric in the arm that its verdict names; None where it says nothing."""
    chosen = next(each for each in hypotheses.hypotheses if each.id == hypotheses.chosen)
    success = [c for c in result.comparisons if c.role is Role.SUCCESS]
    of_metric = [c for c in success if c.metric == chosen.measured_by] or success
    if not of_metric:
        return None
    arm = result.verdict.arm
    comparison = next((c for c in of_metric if c.treatment.variant == arm), of_metric[0])
    method = Method(str(result.plan.get("method", "fixed")))
    effect = true_effect(comparison, method=method, prior=prior, level=result.confidence_level)
    return Found(comparison, effect, novelty_of(result, comparison, hypotheses))


def novelty_of(result: Result, comparison: Comparison, hypotheses: HypothesizeFacts) -> Novelty | None:
    """The view by days since exposure of the success itself, else of how often it comes, else of its money."""
    definition: dict[str, Any] = next((m for m in hypotheses.metrics if m["name"] == comparison.metric), {})
    event = definition.get("event")
    alike = [m["name"] for m in hypotheses.metrics if m.get("event") == event and m["name"] != comparison.metric]
    counts = [m["name"] for m in hypotheses.metrics if m["type"] == "count" and m["name"] in alike]
    for name in (comparison.metric, *counts, *alike):
        for each in result.novelty:
            if each.metric == name and each.treatment == comparison.treatment.variant:
                return each
    return None


def case_of(of: Found, hypotheses: HypothesizeFacts, design: DesignFacts, costs: Costs) -> Case | None:
    """The case of rolling out to everyone eligible; None without an effect."""
    if isinstance(of.effect, Undetermined):
        return None
    control = of.comparison.control
    definition = next((m for m in hypotheses.metrics if m["name"] == of.comparison.metric), {})
    money = Measured.model_validate(hypotheses.economics["value_per_success"])
    days = float(definition.get("window_days") or _longest(of.novelty))
    return Case(
        effect=of.effect,
        units_per_year=yearly_units(design, hypotheses),
        base=Uncertain(control.value, control.se),
        money_per_success=_uncertain(money) if money.value is not None else Uncertain(1.0),
        persistence=persistence(of.novelty, measured_days=days),
        costs=costs,
    )


def yearly_units(design: DesignFacts, hypotheses: HypothesizeFacts) -> Uncertain:
    """Eligible units a year, as the forecast counts them, so that both differ by the effect alone.

    Without a forecast of its own the feature's arrivals in the plan count.
    """
    chosen = next(each for each in hypotheses.hypotheses if each.id == hypotheses.chosen)
    reach = _uncertain(chosen.reach)
    if reach.value > 0:
        return reach
    daily = _uncertain(design.arrivals_per_day)
    return Uncertain(daily.value * DAYS, daily.se * DAYS)


def _uncertain(of: Measured) -> Uncertain:
    from scipy.special import ndtri

    value = of.value or 0.0
    if of.low is None or of.high is None or not of.level:
        return Uncertain(value)
    return Uncertain(value, (of.high - of.low) / (2 * float(ndtri((1 + of.level) / 2))))


def _longest(novelty: Novelty | None) -> int:
    return novelty.points[-1].days if novelty is not None else 14
