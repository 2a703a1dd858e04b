"""The place where a feature would act: who reaches it, how often they succeed from there, what could be gained.

Sizes are observational. The level at the decision is the metric's baseline over the share of units that get there,
moved by how the segment does in the step that follows; so it moves with the baseline and with every step of the funnel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

from paribus.experiments.history import arrivals_of
from paribus.experiments.plan import Method, Plan
from paribus.experiments.sample_size import Comparison, Reader
from paribus.impact.value import DAYS, Uncertain
from paribus.stats.metric_power import power_per_metric
from paribus.stats.runtime import constant_arrivals, runtime_days
from paribus.workflow.config import Config
from paribus.workflow.facts.explore import Bottleneck, ExploreFacts, Funnel, Segment
from paribus.workflow.hypotheses.chosen import Chosen

POWER = 0.8
LONGEST_DAYS = 56  # that a plan waits for its least sample
MOST_SHARE = 0.98


@dataclass(frozen=True, slots=True)
class Opportunity:
    """Where a change would act.

    event        what stands directly before the decision
    daily        units per day that reach it for the first time, in the segment
    base         the success metric per unit from there
    variance     of the metric per unit from there
    reaching     share of all units that get there
    headroom     relative rise of the metric if the step were as good as its plausible best; None without a bottleneck
    arrived      units that have arrived by a day
    """

    event: str
    daily: Uncertain
    base: Uncertain
    variance: float
    is_share: bool
    reaching: float
    headroom: float | None
    arrived: Callable[[float], float]

    @property
    def yearly(self) -> Uncertain:
        """Units a year."""
        return Uncertain(self.daily.value * DAYS, self.daily.se * DAYS)


def opportunity(
    explore: ExploreFacts,
    success: Chosen,
    funnel: Funnel | None,
    bottleneck: Bottleneck | None,
    segment: Segment | None,
) -> Opportunity:
    """The opportunity at a bottleneck; without one, at the first step of the funnel, else for all who come."""
    baseline = success.baseline
    mean = (baseline.mean.value or 0.0) if baseline else 0.0
    units = max(baseline.units if baseline else 1, 1)
    sd = baseline.sd if baseline else 0.0
    reaching, step_share, event = 1.0, 1.0, ""
    daily = explore.daily_new_units.value or 0.0
    headroom = None
    in_segment = _share_of(explore, segment)
    if funnel is not None and funnel.steps:
        event = funnel.steps[0].event
        daily = funnel.steps[0].units / explore.window.days * in_segment
    if bottleneck is not None and funnel is not None:
        at = next((i for i, step in enumerate(funnel.steps) if step.event == bottleneck.from_event), 0)
        event = bottleneck.from_event
        entered = funnel.steps[0].units
        reaching = funnel.steps[at].units / entered if entered and funnel.steps[at].units else 1.0
        overall = next((s.share.value for s in funnel.steps if s.event == bottleneck.to_event), None)
        rate, best = bottleneck.rate.value or 0.0, bottleneck.best.value or 0.0
        headroom = best / rate - 1 if rate > 0 and best > rate else None
        there = funnel.steps[at].units / explore.window.days
        if bottleneck.segment == (segment.key if segment else ""):
            step_share = rate / overall if overall and rate else 1.0
            daily = min(bottleneck.reach.value or 0.0, there) or daily
        else:
            daily = there * in_segment or daily
            if segment is None and headroom is not None and overall and daily:
                # Only a part of those whom the feature is for is lost there.
                headroom = (bottleneck.reach.value or 0.0) * (best - rate) / (daily * overall)
    is_share = success.kind in ("proportion", "funnel", "retention")
    level = mean / reaching * step_share
    if is_share:
        level = min(level, MOST_SHARE)
        variance = level * (1 - level)
    else:
        # The same relative spread among those who get there, and zeros among those who do not.
        variance = max((sd**2 + mean**2) / reaching * step_share - level**2, 0.0)
    scale = daily / (explore.daily_new_units.value or 0.0) if explore.daily_new_units.value else 1.0
    curve = arrivals_of([round(x) for x in explore.arrivals]) if len(explore.arrivals) >= 7 else None
    arrived = (lambda day: curve(day) * scale) if curve is not None else constant_arrivals(daily)
    return Opportunity(
        event=event,
        daily=Uncertain(daily, sqrt(max(daily, 0.0) / max(explore.window.days, 1))),
        base=Uncertain(level, sqrt(variance / max(units * reaching * in_segment, 1.0))),
        variance=variance,
        is_share=is_share,
        reaching=reaching,
        headroom=headroom,
        arrived=arrived,
    )


def deciding(config: Config) -> Plan:
    """The plan whose method the design tries first, for what can be detected."""
    named = config.method or ("bayesian" if config.statistical_methods == ("bayesian",) else "anytime")
    return Plan(method=Method(named), confidence_level=config.experiment_config.confidence_level, power=POWER)


def comparison(success: Chosen, at: Opportunity, config: Config, guardrails: int, *, effect: float) -> Comparison:
    """The hypothesis on the success metric, for an effect relative to the level at the decision."""
    removed = 0.0
    if success.baseline and success.baseline.pre_period_correlation and not at.is_share:
        removed = success.baseline.pre_period_correlation**2
    return Comparison(
        metric=success.name,
        distance=effect * at.base.value,
        variance=at.variance * (1 - removed),
        baseline=at.base.value,
        alpha=1 - config.experiment_config.confidence_level,
        power=power_per_metric(POWER, guardrails),
        share=at.is_share,
    )


def units_in(at: Opportunity, days: float, window: int) -> float:
    """Units whose window has closed after so many days."""
    return float(at.arrived(max(days - window, 0.0)))


def planned_days(success: Chosen, at: Opportunity, config: Config, guardrails: int, plausible: float) -> int:
    """The runtime as configured; longer, in full weeks and to a limit, where the least matured sample asks for it.

    Where no runtime is configured, it is also longer until it finds an effect that is `plausible` (relative).
    """
    days = config.experiment_config.days
    is_free = config.experiment_config.runtime_days is None
    least = 2.0 * config.experiment_config.min_sample_size
    window = int(success.definition.get("window_days") or 0)

    def suffices() -> bool:
        if units_in(at, float(days), window) < least:
            return False
        return not is_free or detectable(success, at, config, guardrails, days) <= plausible

    while days < LONGEST_DAYS and not suffices():
        days = 7 * (days // 7 + 1)
    return days


def detectable(success: Chosen, at: Opportunity, config: Config, guardrails: int, days: float) -> float:
    """The smallest relative effect that so many days find with the plan's power; infinite where none is."""
    if at.base.value <= 0 or at.variance <= 0:
        return float("inf")
    total = units_in(at, days, int(success.definition.get("window_days") or 0))
    if total < 20:
        return float("inf")
    reader = reader_of(config)
    found = reader.detectable(comparison(success, at, config, guardrails, effect=0.1), total)
    return float(found) / at.base.value


def days_needed(
    success: Chosen, at: Opportunity, config: Config, guardrails: int, effect: float
) -> tuple[float, float]:
    """Units of both arms, and days in full weeks, that an effect of this size needs; infinite where they never come."""
    most = 1 / at.base.value - 1 if at.is_share and at.base.value > 0 else float("inf")
    effect = min(effect, 0.95 * most)
    if at.base.value <= 0 or at.variance <= 0 or effect <= 0:
        return float("inf"), float("inf")
    total = reader_of(config).total(comparison(success, at, config, guardrails, effect=effect))
    days = runtime_days(total * (1 - 1e-6), at.arrived, whole_weeks=False)
    window = int(success.definition.get("window_days") or 0)
    return total, float(-(-(days + window) // 7) * 7) if isinstance(days, int) else float("inf")


def excluded_rise(of: Chosen, at: Opportunity, config: Config, guardrails: int, days: float) -> float | None:
    """The smallest rise of a guardrail that so many days can exclude, in its own unit; None where unknown."""
    if of.baseline is None or not of.baseline.mean.value or of.kind == "quantile":
        return None
    total = units_in(at, days, int(of.definition.get("window_days") or 0))
    if total < 20:
        return None
    base = of.baseline.mean.value
    reached = max(at.reaching, 1e-9)
    if of.kind == "proportion":
        # Who gets to the decision is more active than others, and a rare event's level is known only about.
        level = min((of.baseline.mean.high or base) / reached, 0.5)
        variance = level * (1 - level)
    else:
        variance = of.baseline.sd**2 / reached
    asked = Comparison(
        metric=of.name,
        distance=0.1 * base,
        variance=variance,
        baseline=base,
        alpha=1 - config.experiment_config.confidence_level,
        power=power_per_metric(POWER, guardrails),
        is_guardrail=True,
        upward=False,
    )
    return float(reader_of(config).detectable(asked, total))


def reader_of(config: Config) -> Reader:
    """What answers for sizes under the deciding method, with weekly looks where it has some."""
    plan = deciding(config)
    if plan.method in (Method.GROUP_SEQUENTIAL, Method.BAYESIAN):
        looks = max(2, min(8, config.experiment_config.days // 7))
        return Reader(plan, tuple((i + 1) / looks for i in range(looks)))
    return Reader(plan)


def _share_of(explore: ExploreFacts, segment: Segment | None) -> float:
    everyone = explore.units.value or 0.0
    if segment is None or not segment.units.value or everyone <= 0:
        return 1.0
    return min(segment.units.value / everyone, 1.0)
