"""One hypothesis with everything computed for it: opportunity, prior, forecast, value, and days to the answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, isfinite

import numpy as np

from paribus.experiments.hypothesis import Class, Statement
from paribus.experiments.prior import EffectPrior
from paribus.experiments.ranking import Candidate
from paribus.impact.effect import normal_effect
from paribus.impact.forecast import Forecast, forecast
from paribus.impact.value import Case, Costs, Persistence, Uncertain
from paribus.stats.estimate import Floats
from paribus.stats.metric_power import power_per_metric
from paribus.workflow.config import Config
from paribus.workflow.facts.explore import Bottleneck, ExploreFacts, Segment
from paribus.workflow.hypotheses.matching import whom
from paribus.workflow.hypotheses.metrics import Chosen, about, funnel_of
from paribus.workflow.hypotheses.numbers import text
from paribus.workflow.hypotheses.opportunity import (
    POWER,
    Opportunity,
    comparison,
    days_needed,
    detectable,
    opportunity,
    units_in,
)

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
    gain       successes a year that it may add: the upper quartile of the prior, within the headroom
    """

    idea: Idea
    at: Opportunity
    case: Case
    forecast: Forecast
    detectable: float
    gain: float
    units: float
    days: float
    priced: bool

    @property
    def first_year(self) -> Floats:
        """Money of the first year under the rule."""
        return self.forecast.worth.first_year

    @property
    def candidate(self) -> Candidate:
        """What its scores are computed from."""
        value = float(self.first_year.mean()) if self.priced else None
        return Candidate(self.idea.id, self.at.yearly.value, self.gain, self.idea.source, self.days, value=value)


def because_of(explore: ExploreFacts, bottleneck: Bottleneck | None, segment: Segment | None) -> str:
    """What was found, in words whose numbers are those of the exploration."""
    if bottleneck is None:
        return "Nothing that was found speaks of it; somebody thinks so"
    title = next((s.title for s in explore.segments if s.key == bottleneck.segment), "") or "all users"
    return (
        f"Of {title} who reach {bottleneck.from_event}, {text(bottleneck.rate.value, percent=True)} go on to "
        f"{bottleneck.to_event} where {text(bottleneck.best.value, percent=True)} would be plausible, "
        f"about {text(bottleneck.lost_units.value)} units a year (observational)"
    )


def will_move(success: Chosen) -> str:
    """What will happen to the success metric, in words, with its direction."""
    event = about(str(success.definition.get("event") or success.name))
    return f"the share of units with {event} rises" if success.kind == "proportion" else f"{success.name} rises"


def statement_of(
    change: str, explore: ExploreFacts, success: Chosen, bottleneck: Bottleneck | None, segment: Segment | None
) -> Statement:
    """The structured hypothesis of a change at a bottleneck."""
    return Statement(
        because=because_of(explore, bottleneck, segment),
        change=change,
        for_whom=whom(segment),
        will=will_move(success),
        measured_by=success.name,
        findings=(bottleneck.id,) if bottleneck else (),
    )


def believed(
    idea: Idea,
    explore: ExploreFacts,
    success: Chosen,
    config: Config,
    prior: EffectPrior,
    *,
    money: Uncertain | None,
    costs: Costs,
    guardrails: int,
    seed: int,
) -> Belief:
    """Everything that follows from a candidate and the numbers of the exploration."""
    funnel = funnel_of(explore, idea.bottleneck, [])
    at = opportunity(explore, success, funnel, idea.bottleneck, idea.segment)
    most = min(
        at.headroom if at.headroom is not None else inf, 1 / at.base.value - 1 if at.is_share and at.base.value else inf
    )
    effect = normal_effect(prior.mean, prior.sd, prior.origin, most=most)
    case = Case(
        effect=effect,
        units_per_year=at.yearly,
        base=at.base,
        money_per_success=money or Uncertain(1.0),
        persistence=DRAFT_PERSISTENCE,
        costs=costs if money else replace(costs, build=0.0, running=0.0, support=0.0, model=0.0),
    )
    smallest = detectable(success, at, config, guardrails)
    se, z = _error(success, at, config, guardrails, smallest)
    passes = power_per_metric(POWER, guardrails) ** guardrails if isfinite(smallest) else 0.0
    upper = max(float(np.quantile(np.asarray(effect.points), 0.75)), 0.0)
    gain = at.yearly.value * at.base.value * min(max(prior.mean + 0.6745 * prior.sd, 0.0), most, upper or inf)
    planned = config.minimum_detectable_effect or (smallest if isfinite(smallest) else prior.sd)
    units, days = days_needed(success, at, config, guardrails, planned)
    return Belief(
        idea=idea,
        at=at,
        case=case,
        forecast=forecast(case, se=se, z=z, guardrails_pass=passes, seed=seed),
        detectable=smallest,
        gain=gain,
        units=units,
        days=days,
        priced=money is not None,
    )


def _error(success: Chosen, at: Opportunity, config: Config, guardrails: int, smallest: float) -> tuple[float, float]:
    """Standard error of the relative effect at the runtime's end, and the z that the deciding method then asks for."""
    from scipy.special import ndtri

    window = int(success.definition.get("window_days") or 0)
    total = units_in(at, config.experiment_config.runtime_days, window)
    if not isfinite(smallest) or total < 20 or at.base.value <= 0:
        return 1.0, inf
    asked = comparison(success, at, config, guardrails, effect=0.1)
    se = asked.se(total, 0.0) / at.base.value
    return se, max(smallest / se - float(ndtri(asked.power)), 0.0)
