"""One hypothesis with everything computed for it: opportunity, prior, forecast, value, and days to the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite

from paribus.experiments.hypothesis import Class, Statement
from paribus.experiments.prior import EffectPrior, Past, effect_prior, family_of
from paribus.experiments.ranking import Candidate
from paribus.impact.effect import normal_effect
from paribus.impact.forecast import Forecast, forecast
from paribus.impact.value import Case, Costs, Persistence, Uncertain
from paribus.stats.estimate import Floats
from paribus.stats.metric_power import power_per_metric
from paribus.workflow.config import Config
from paribus.workflow.facts.explore import Bottleneck, ExploreFacts, Funnel, Segment
from paribus.workflow.hypotheses.chosen import Chosen, about
from paribus.workflow.hypotheses.matching import whom
from paribus.workflow.hypotheses.numbers import text
from paribus.workflow.hypotheses.opportunity import (
    POWER,
    Opportunity,
    comparison,
    days_needed,
    detectable,
    opportunity,
    planned_days,
    units_in,
)

NINE_OF_TEN = 1.2815515655446004  # of the standard normal
UPPER_QUARTILE = 0.6744897501960817
DRAFT_PERSISTENCE = Persistence(1.0, 0.5, "between half and all of an effect is taken to last the year")


@dataclass(frozen=True, slots=True)
class Idea:
    """A candidate before anything is computed."""

    id: str
    statement: Statement
    source: Class
    bottleneck: Bottleneck | None
    segment: Segment | None


@dataclass(frozen=True)
class Belief:
    """A candidate with everything computed for it.

    case       what its value follows from; money is 1 per success where nobody knows what one is worth
    detectable  smallest relative effect that `planned_days` find
    gain       successes a year that it may add: the upper quartile of the prior, within the headroom
    units, days  that the effect planned for needs
    """

    idea: Idea
    at: Opportunity
    prior: EffectPrior
    case: Case
    forecast: Forecast
    detectable: float
    gain: float
    units: float
    days: float
    planned_days: float
    priced: bool

    @property
    def first_year(self) -> Floats:
        """Money of the first year under the rule."""
        return self.forecast.worth.first_year

    @property
    def candidate(self) -> Candidate:
        """What its scores are computed from."""
        value = float(self.first_year.mean()) if self.priced else None
        spent = self.case.costs.build
        return Candidate(
            self.idea.id, self.at.yearly.value, self.gain, self.idea.source, self.days, value=value, spent=spent
        )


def because_of(explore: ExploreFacts, bottleneck: Bottleneck | None, segment: Segment | None) -> str:
    """What was found, in words whose numbers are those of the exploration."""
    if bottleneck is None:
        return "Nothing that was found speaks of it; somebody thinks so"
    title = next((f"users with {s.title}" for s in explore.segments if s.key == bottleneck.segment), "all users")
    return (
        f"{text(bottleneck.rate.value, percent=True)} of {title} who reach {bottleneck.from_event} go on to "
        f"{bottleneck.to_event} where {text(bottleneck.best.value, percent=True)} would be plausible, "
        f"about {text(bottleneck.lost_units.value)} units a year (observational)"
    )


def will_move(success: Chosen) -> str:
    """What will happen to the success metric, in words, with its direction."""
    event = about(str(success.definition.get("event") or success.name))
    return f"the share of units with {event} rises" if success.kind == "proportion" else f"{success.name} rises"


def statement_of(
    change: str,
    explore: ExploreFacts,
    success: Chosen,
    bottleneck: Bottleneck | None,
    segment: Segment | None,
) -> Statement:
    """The structured hypothesis of a change at a bottleneck."""
    return Statement(
        because=because_of(explore, bottleneck, segment),
        change=change,
        for_whom=whom(change, segment),
        will=will_move(success),
        measured_by=success.name,
        findings=(bottleneck.id,) if bottleneck else (),
    )


def believed(
    idea: Idea,
    explore: ExploreFacts,
    success: Chosen,
    config: Config,
    past: Sequence[Past],
    *,
    funnel: Funnel | None,
    money: Uncertain | None,
    costs: Costs,
    guardrails: int,
    seed: int,
) -> Belief:
    """Everything that follows from a candidate and the numbers of the exploration."""
    at = opportunity(explore, success, funnel, idea.bottleneck, idea.segment)
    most = at.headroom if at.headroom is not None else inf
    if at.is_share and at.base.value > 0:
        most = min(most, 1 / at.base.value - 1)
    family = family_of(success.definition)
    prior = effect_prior(past, family, share=at.base.value if at.is_share else None)
    effect = normal_effect(prior.mean, prior.sd, prior.origin, most=most)
    case = Case(
        effect=effect,
        units_per_year=at.yearly,
        base=at.base,
        money_per_success=money or Uncertain(1.0),
        persistence=DRAFT_PERSISTENCE,
        costs=costs if money else replace(costs, build=0.0, running=0.0, support=0.0, model=0.0),
    )
    plausible = at.headroom if at.headroom is not None else prior.mean + NINE_OF_TEN * prior.sd
    days = planned_days(success, at, config, guardrails, plausible)
    smallest = detectable(success, at, config, guardrails, days)
    se, z = _error(success, at, config, guardrails, smallest, days)
    passes = power_per_metric(POWER, guardrails) ** guardrails if isfinite(smallest) else 0.0
    gain = at.yearly.value * at.base.value * min(max(prior.mean + UPPER_QUARTILE * prior.sd, 0.0), most)
    planned = config.minimum_detectable_effect or (smallest if isfinite(smallest) else prior.sd)
    units, needed = days_needed(success, at, config, guardrails, planned)
    return Belief(
        idea=idea,
        at=at,
        prior=prior,
        case=case,
        forecast=forecast(case, se=se, z=z, guardrails_pass=passes, seed=seed),
        detectable=smallest,
        gain=gain,
        units=units,
        days=needed,
        planned_days=days,
        priced=money is not None,
    )


def _error(
    success: Chosen, at: Opportunity, config: Config, guardrails: int, smallest: float, days: float
) -> tuple[float, float]:
    """Standard error of the relative effect at the runtime's end, and the z that the deciding method then asks for."""
    from scipy.special import ndtri

    total = units_in(at, days, int(success.definition.get("window_days") or 0))
    if not isfinite(smallest) or total < 20 or at.base.value <= 0:
        return 1.0, inf
    asked = comparison(success, at, config, guardrails, effect=0.1)
    se = asked.se(total, 0.0) / at.base.value
    return se, max(smallest / se - float(ndtri(asked.power)), 0.0)
