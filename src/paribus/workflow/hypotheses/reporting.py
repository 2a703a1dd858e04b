"""The hypotheses as facts: what each number is, and where it comes from."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from paribus.experiments.ranking import Ranking
from paribus.workflow.artifact import Evidence, Measured
from paribus.workflow.facts.hypothesize import Forecast, Hypothesis
from paribus.workflow.hypotheses.believing import Belief
from paribus.workflow.hypotheses.chosen import Chosen
from paribus.workflow.hypotheses.economics import Price
from paribus.workflow.hypotheses.matching import Support
from paribus.workflow.hypotheses.numbers import measured, of_draws, rounded
from paribus.workflow.hypotheses.opportunity import deciding

if TYPE_CHECKING:
    from paribus.workflow.context import Context


def effects(context: Context, own: Belief, in_runtime: float) -> tuple[Measured, Measured, Measured, str]:
    """Smallest worthwhile, detectable, planned for, and why that."""
    case, config = own.case, context.config
    earned = case.units_per_year.value * case.base.value * case.money_per_success.value
    cost = case.costs.build + case.costs.yearly
    worth = cost / earned if own.priced and earned > 0 else None
    largest = 0.95 * (1 / own.at.base.value - 1) if own.at.is_share and own.at.base.value > 0 else 1.0
    found = own.detectable if isfinite(own.detectable) else None
    if config.minimum_detectable_effect is not None:
        planned, why, evidence = config.minimum_detectable_effect, "it is configured", "config"
    elif found is not None and found >= (worth or 0.0):
        planned, why, evidence = found, f"nothing smaller can be found in {own.planned_days} days", "sizing"
    elif worth:
        planned, why, evidence = worth, "nothing smaller pays for its cost in the first year", "worthwhile"
    else:
        planned, why, evidence = (
            own.prior.sd,
            "nothing can be found in the planned runtime; it is a typical effect",
            "prior",
        )
    planned = min(planned, largest, 1.0)
    return (
        measured(worth, "worthwhile", unit="relative"),
        measured(in_runtime, "sizing", unit="relative"),
        measured(planned, evidence, unit="relative"),
        why,
    )


def hypothesis_of(belief: Belief, ranking: Ranking, currency: str) -> Hypothesis:
    statement, idea = belief.idea.statement, belief.idea
    ice, rice = ranking.ice[idea.id], ranking.rice[idea.id]
    reach = belief.at.yearly
    return Hypothesis(
        id=idea.id,
        because=statement.because,
        change=statement.change,
        for_whom=statement.for_whom,
        segment=idea.segment.key if idea.segment else "",
        expected=statement.will,
        measured_by=statement.measured_by,
        findings=statement.findings,
        source=idea.source,
        reach=measured(
            reach.value,
            "opportunity",
            unit="units/year",
            low=max(reach.value - 1.96 * reach.se, 0.0),
            high=reach.value + 1.96 * reach.se,
            level=0.95,
        ),
        ice=measured(ice.value, "ranking", low=ice.low, high=ice.high, level=0.9),
        rice=measured(rice.value, "ranking", low=rice.low, high=rice.high, level=0.9),
        expected_value=of_draws(belief.first_year, "forecast", unit=f"{currency}/year") if belief.priced else None,
        forecast=Forecast(
            lift=of_draws(belief.forecast.lift, "prior", unit="relative"),
            chance_of_success=measured(belief.forecast.chance_of_success, "forecast", unit="share"),
            value_per_year=(
                of_draws(belief.forecast.worth.yearly, "forecast", unit=f"{currency}/year") if belief.priced else None
            ),
            chance_of_loss=(
                measured(belief.forecast.worth.chance_of_loss, "forecast", unit="share") if belief.priced else None
            ),
        ),
        days=measured(belief.days, "sizing", unit="days"),
        base=measured(belief.at.base.value, "opportunity", unit="per unit"),
    )


def support_facts(found: Support, requirement: str) -> dict[str, Any]:
    return {
        "requirement": requirement,
        "events": list(found.events),
        "segment": found.segment.key if found.segment else "",
        "bottleneck": found.bottleneck.id if found.bottleneck else "",
        "findings": list(found.findings),
        "unmatched": list(found.unmatched),
        "is_opinion": not found.cited,
    }


def ranking_facts(ranking: Ranking) -> dict[str, Any]:
    return {
        "order": list(ranking.order),
        "by": ranking.by,
        "stability": rounded(ranking.stability),
        "agreement": rounded(ranking.agreement),
        "first": {each: rounded(score.first) for each, score in ranking.rice.items()},
        "evidence": "ranking",
    }


def tree_of(own: Belief, currency: str, priced: Price, planned: float) -> tuple[dict[str, Any], ...]:
    """From the metric to money a year: each node with its parent."""
    import numpy as np

    rng = np.random.default_rng([20261128, 2])
    case, n = own.case, 20_000
    units, base = case.units_per_year.draw(rng, n), case.base.draw(rng, n)
    lift, lasts = case.effect.draw(rng, n), case.persistence.draw(rng, n)
    gained = units * base * lift * lasts

    def node(name: str, parent: str, of: Measured, words: str = "") -> dict[str, Any]:
        return {"name": name, "parent": parent, "words": words, **of.model_dump()}

    nodes = [
        node("successes gained a year", "money a year", of_draws(gained, "tree", unit="successes/year")),
        node("units that meet it", "successes gained a year", of_draws(units, "tree", unit="units/year"), own.at.event),
        node("succeed without it", "successes gained a year", of_draws(base, "tree", unit="per unit")),
        node("relative effect", "successes gained a year", of_draws(lift, "tree", unit="relative"), case.effect.method),
        node("lasting share", "successes gained a year", of_draws(lasts, "tree", unit="share"), case.persistence.why),
    ]
    if not own.priced:
        return tuple(nodes)
    per = case.money_per_success.draw(rng, n)
    yearly = gained * per - case.costs.yearly
    return (
        node(
            "money a year", "", of_draws(yearly, "tree", unit=f"{currency}/year"), "if it were rolled out in any case"
        ),
        *nodes,
        node("money per success", "money a year", of_draws(per, "tree", unit=currency), priced.words),
        node("yearly costs", "money a year", measured(-case.costs.yearly, "config", unit=f"{currency}/year")),
        node(
            "money a year at the effect planned for",
            "",
            measured(
                case.units_per_year.value
                * case.base.value
                * planned
                * case.persistence.mean
                * case.money_per_success.value
                - case.costs.yearly,
                "tree",
                unit=f"{currency}/year",
            ),
            "if the effect is as large as the plan can find",
        ),
    )


def choice_of(chosen: Chosen) -> dict[str, Any]:
    baseline = chosen.baseline
    return {
        "metric": chosen.name,
        "role": chosen.definition["role"],
        "why": chosen.why,
        "baseline": baseline.mean.value if baseline else None,
        "margin": chosen.definition.get("margin"),
        "evidence": f"explore/{baseline.mean.evidence}"
        if baseline and "/" not in baseline.mean.evidence
        else "metrics",
    }


def evidence_of(context: Context, found: Support, own: Belief, priced: Price) -> dict[str, Evidence]:
    config, case, prior = context.config, own.case, own.prior
    where = f"explore, {context.artifacts['explore'].hash[:12]}"
    at = own.at
    return {
        "metrics": Evidence(
            kind="result",
            title="definitions chosen from the exploration's baselines and events",
            statement="success: the end of the funnel; guardrails: errors, latency, harms; secondary: money and steps",
            data=where,
        ),
        "config": Evidence(kind="config", title="paribus.yaml", statement=f"hash {config.hash}"),
        "price": priced.evidence,
        "prior": Evidence(
            kind="result" if prior.is_own else "source",
            title="what is believed of the effect before",
            statement=f"normal, mean {prior.mean:.4g}, sd {prior.sd:.4g}: {prior.origin}",
            data=f"{prior.count} experiments" if prior.is_own else "",
        ),
        "opportunity": Evidence(
            kind="result",
            title="the place of the change, observational",
            statement=(
                f"{at.daily.value:.6g} units a day reach {at.event or 'the product'} for the first time; level there = "
                "baseline / share that gets there x the segment's rate over all users' in the next step"
            ),
            data=f"{where}{', ' + found.bottleneck.id if found.bottleneck else ''}",
        ),
        "sizing": Evidence(
            kind="result",
            title="sample sizes by the deciding method",
            statement=(
                f"method {deciding(config).method.value}, power .8 with beta divided over guardrails + 1, confidence "
                f"{config.experiment_config.confidence_level:g}, level {at.base.value:.6g}, variance "
                f"{at.variance:.6g} per unit; {own.planned_days} days planned"
            ),
            data=where,
        ),
        "worthwhile": Evidence(
            kind="result",
            title="the effect that pays for its cost in the first year",
            statement=(
                f"({case.costs.build:g} + {case.costs.yearly:g}) / ({case.units_per_year.value:.6g} units x "
                f"{case.base.value:.6g} x {case.money_per_success.value:.6g})"
            ),
            data="config, price, opportunity",
        ),
        "forecast": Evidence(
            kind="simulation",
            title="the experiment and its rule, 20,000 draws",
            statement=(
                f"seed {context.seed}; lift from the prior, at most the headroom; ships where it is shown and "
                "the guardrails pass; value = units x level x lift x persistence x money - costs where it ships"
            ),
            data="prior, opportunity, price, config, sizing",
        ),
        "tree": Evidence(
            kind="simulation",
            title="money a year if it were rolled out, 20,000 draws",
            statement="units x level x lift x persistence x money - yearly costs",
            data="prior, opportunity, price, config",
        ),
        "ranking": Evidence(
            kind="simulation",
            title="ICE and RICE, and their order when the inputs vary, 4,000 variations",
            statement=f"seed {context.seed}; counted inputs vary by a factor of 1.25, judged ones by 1.5 (one sd)",
            data="opportunity, prior, sizing",
        ),
    }
