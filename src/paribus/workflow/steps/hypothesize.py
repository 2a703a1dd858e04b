"""Step 2, by the business analyst: what we believe will change, for whom, and what it would be worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from paribus.experiments.hypothesis import Class, checked_requirement, complaints, refuse_unsound
from paribus.experiments.prior import EffectPrior, effect_prior, family_of
from paribus.experiments.ranking import Ranking, rank
from paribus.workflow.artifact import Artifact, Evidence, Measured, Outcome
from paribus.workflow.block import Block, Heading, Listing, Paragraph, Picture, Table
from paribus.workflow.facts.explore import ExploreFacts
from paribus.workflow.facts.hypothesize import Forecast, Hypothesis, HypothesizeFacts
from paribus.workflow.hypotheses import learnings
from paribus.workflow.hypotheses.believing import Belief, Idea, because_of, believed, statement_of
from paribus.workflow.hypotheses.economics import Price, cost_lines, costs, price
from paribus.workflow.hypotheses.matching import Support, support
from paribus.workflow.hypotheses.metrics import Chosen, checked, funnel_of, guardrails, secondary, success, with_margin
from paribus.workflow.hypotheses.numbers import dots, measured, of_draws, rounded, span, text
from paribus.workflow.hypotheses.opportunity import deciding, excluded_rise
from paribus.workflow.step import BUSINESS_ANALYST

if TYPE_CHECKING:
    from paribus.workflow.context import Context

MOST_ALTERNATIVES = 5
OWN = "h1"


class Candidate(BaseModel):
    """What a language model may propose: words only; every number is computed here."""

    change: str
    bottleneck: str
    """Id of a bottleneck of the exploration."""


def run(context: Context) -> Artifact:
    """Ranked hypotheses, the requirement's own first, with what each would be worth."""
    requirement = checked_requirement(context.feature.requirement)
    explore, config = context.facts("explore", ExploreFacts), context.config
    found = support(requirement, explore)
    funnel = funnel_of(explore, found.bottleneck, found.events)
    goal = success(explore, funnel)
    guards = guardrails(explore, goal)
    priced = price(explore, goal, config)
    learned = learnings.cards(context)
    prior = effect_prior(learnings.past(learned), family_of(goal.definition))
    ideas = _ideas(context, requirement, explore, goal, found)
    beliefs = {
        idea.id: believed(
            idea,
            explore,
            goal,
            config,
            prior,
            funnel=funnel_of(explore, idea.bottleneck, found.events),
            money=priced.value,
            costs=costs(config),
            guardrails=len(guards),
            seed=context.seed,
        )
        for idea in ideas
    }
    ranking = rank(
        [belief.candidate for belief in beliefs.values()],
        planned_days=config.experiment_config.runtime_days,
        seed=context.seed,
    )
    own = beliefs[OWN]
    guards = tuple(with_margin(each, excluded_rise(each, own.at, config, len(guards))) for each in guards)
    explaining = secondary(explore, goal, funnel, [goal.name, *(each.name for each in guards)])
    chosen_metrics = (goal, *guards, *explaining)
    worthwhile, detectable, planned, why_planned = _effects(context, own, prior)
    order = [OWN, *(each for each in ranking.order if each != OWN)]
    currency = config.economics.currency
    facts = HypothesizeFacts(
        hypotheses=tuple(_hypothesis(beliefs[each], ranking, currency) for each in order),
        chosen=OWN,
        metrics=tuple(each.definition for each in chosen_metrics),
        smallest_worthwhile=worthwhile,
        detectable=detectable,
        minimum_detectable_effect=planned,
        economics={
            "currency": currency,
            "value_per_success": measured(
                priced.value.value if priced.value else None,
                "price",
                unit=currency,
                low=priced.value.value - 1.96 * priced.value.se if priced.value and priced.value.se else None,
                high=priced.value.value + 1.96 * priced.value.se if priced.value and priced.value.se else None,
                level=0.95,
            ).model_dump(),
            "from": priced.words,
            "costs": cost_lines(config),
            "known": priced.value is not None,
            "planned_for": why_planned,
        },
        support=_support(found, requirement),
        ranking=_ranking(ranking),
        tree=_tree(own, currency, priced),
        prior={
            "mean": rounded(prior.mean),
            "sd": rounded(prior.sd),
            "origin": prior.origin,
            "experiments": prior.count,
            "win_rate": None if prior.win_rate is None else rounded(prior.win_rate),
            "evidence": "prior",
        },
        choices=tuple(_choice(each) for each in chosen_metrics),
        dots={
            "lift": dots(own.forecast.lift),
            "first_year": dots(own.first_year) if own.priced else (),
            "evidence": "forecast",
        },
    )
    return context.artifact(
        "hypothesize",
        _summary(facts, found, own, goal, currency),
        facts,
        evidence=_evidence(context, explore, found, own, prior, priced),
        assumptions=_assumptions(facts, prior, config.experiment_config.runtime_days, priced),
        checks=_checks(facts, found, own, beliefs, goal, config.experiment_config.runtime_days),
    )


def _ideas(context: Context, requirement: str, explore: ExploreFacts, goal: Chosen, found: Support) -> tuple[Idea, ...]:
    """The requirement's own idea, the feature's before it, those of other bottlenecks, those of a model."""
    taken_up = [each for each in learnings.follow_ups(context) if each.change.strip() == requirement]
    source: Class = "follow_up" if taken_up else "finding" if found.cited else "opinion"
    own = statement_of(requirement, explore, goal, found.bottleneck, found.segment)
    if taken_up:
        own = _replaced(own, because=taken_up[0].because)
    elif found.bottleneck is None and found.findings:
        said = next(each.statement for each in explore.findings if each.id == found.findings[0])
        own = _replaced(own, because=said)
    ideas = [Idea(OWN, _replaced(own, findings=found.cited), source, found.bottleneck, found.segment)]
    for each in learnings.follow_ups(context):
        if each.change.strip() != requirement:
            segment = next((s for s in explore.segments if s.key == each.segment), None)
            there = support(each.change, explore)
            statement = _replaced(
                statement_of(each.change, explore, goal, there.bottleneck, segment or there.segment),
                because=each.because,
                findings=there.cited,
            )
            ideas.append(Idea(f"h{len(ideas) + 1}", statement, "follow_up", there.bottleneck, segment or there.segment))
    others = sorted(
        (b for b in explore.bottlenecks if found.bottleneck is None or b.id != found.bottleneck.id),
        key=lambda b: (-(b.lost_units.value or 0.0), b.id),
    )
    computed = [
        Candidate(change=f"make the step from {b.from_event} to {b.to_event} easier", bottleneck=b.id) for b in others
    ][:MOST_ALTERNATIVES]
    proposed = context.agent.propose(
        BUSINESS_ANALYST,
        "Propose changes that could mend one of the bottlenecks, each for one bottleneck by its id. Words only.",
        "\n".join(f"{b.id}: {because_of(explore, b, None)}" for b in explore.bottlenecks),
        Candidate,
        default=computed,
    )
    known = {b.id: b for b in explore.bottlenecks}
    texts = {idea.statement.change.lower() for idea in ideas}
    for i, candidate in enumerate(proposed):
        bottleneck = known.get(candidate.bottleneck)
        words = " ".join(candidate.change.split())
        own_words = i < len(computed) and candidate == computed[i]
        if bottleneck is None or words.lower() in texts or (not own_words and any(c.isdigit() for c in words)):
            continue
        segment = next((s for s in explore.segments if s.key == bottleneck.segment), None)
        statement = statement_of(words, explore, goal, bottleneck, segment)
        if complaints(statement, [goal.name]) or len(ideas) > 2 * MOST_ALTERNATIVES:
            continue
        texts.add(words.lower())
        ideas.append(Idea(f"h{len(ideas) + 1}", statement, "finding" if own_words else "model", bottleneck, segment))
    return tuple(ideas)


def _effects(context: Context, own: Belief, prior: EffectPrior) -> tuple[Measured, Measured, Measured, str]:
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
        planned, why, evidence = found, "nothing smaller can be found in the planned runtime", "sizing"
    elif worth:
        planned, why, evidence = worth, "nothing smaller pays for its cost in the first year", "worthwhile"
    else:
        planned, why, evidence = (
            prior.sd,
            "nothing can be found in the planned runtime; it is a typical effect",
            "prior",
        )
    planned = min(planned, largest, 1.0)
    return (
        measured(worth, "worthwhile", unit="relative"),
        measured(found, "sizing", unit="relative"),
        measured(planned, evidence, unit="relative"),
        why,
    )


def _hypothesis(belief: Belief, ranking: Ranking, currency: str) -> Hypothesis:
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


def _support(found: Support, requirement: str) -> dict[str, Any]:
    return {
        "requirement": requirement,
        "events": list(found.events),
        "segment": found.segment.key if found.segment else "",
        "bottleneck": found.bottleneck.id if found.bottleneck else "",
        "findings": list(found.findings),
        "unmatched": list(found.unmatched),
        "is_opinion": not found.cited,
    }


def _ranking(ranking: Ranking) -> dict[str, Any]:
    return {
        "order": list(ranking.order),
        "by": ranking.by,
        "stability": rounded(ranking.stability),
        "agreement": rounded(ranking.agreement),
        "first": {each: rounded(score.first) for each, score in ranking.rice.items()},
        "evidence": "ranking",
    }


def _tree(own: Belief, currency: str, priced: Price) -> tuple[dict[str, Any], ...]:
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
    )


def _choice(chosen: Chosen) -> dict[str, Any]:
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


def _evidence(
    context: Context, explore: ExploreFacts, found: Support, own: Belief, prior: EffectPrior, priced: Price
) -> dict[str, Evidence]:
    config, case = context.config, own.case
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
                f"{at.variance:.6g} per unit, {config.experiment_config.runtime_days} days"
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
                f"seed {context.seed}; lift from the prior, at most the headroom; ships where the estimate is shown and "
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


def _checks(
    facts: HypothesizeFacts,
    found: Support,
    own: Belief,
    beliefs: Mapping[str, Belief],
    goal: Chosen,
    days: int,
) -> tuple[Outcome, ...]:
    for belief in beliefs.values():
        refuse_unsound(belief.idea.statement, [goal.name])
    for definition in facts.metrics:
        checked(definition)
    rests = found.cited
    planned = facts.minimum_detectable_effect.value or 0.0
    small = own.detectable
    findable = isfinite(small) and planned >= small * (1 - 1e-6)
    headroom = own.at.headroom
    return (
        Outcome(
            name="hypotheses are testable",
            status="passed",
            message=f"{len(beliefs)} hypotheses name a metric and a direction; {len(facts.metrics)} definitions are sound",
        ),
        Outcome(
            name="rests on data",
            status="passed" if rests or own.idea.source == "follow_up" else "warned",
            message=f"cites {', '.join(rests)}" if rests else "nothing that was found speaks of it: it is an opinion",
            blocking=False,
        ),
        Outcome(
            name="can be found in the runtime",
            status="passed" if findable else "warned",
            message=(
                f"{text(planned, percent=True)} planned, {text(small if isfinite(small) else None, percent=True)} "
                f"detectable in {days} days"
            ),
            blocking=False,
            evidence="sizing",
        ),
        Outcome(
            name="plausible",
            status="passed" if headroom is None or planned <= headroom else "warned",
            message=(
                "no bottleneck bounds the effect"
                if headroom is None
                else f"the plausible best would add {text(headroom, percent=True)}; {text(planned, percent=True)} planned"
            ),
            blocking=False,
            evidence="opportunity",
        ),
        Outcome(
            name="money is known",
            status="passed" if own.priced else "warned",
            message=str(facts.economics["from"]),
            blocking=False,
            evidence="price",
        ),
    )


def _assumptions(facts: HypothesizeFacts, prior: EffectPrior, days: int, priced: Price) -> tuple[str, ...]:
    own = facts.hypotheses[0]
    found = [
        "Sizes of bottlenecks and headroom are observational: they bound an opportunity and prove no cause.",
        f"Before the experiment the relative effect is normal with mean {text(prior.mean, percent=True)} and standard "
        f"deviation {text(prior.sd, percent=True)}: {prior.origin}.",
        "Each unit counts once a year, with what it does within the metric's window; between half and all of an effect "
        "is taken to last the year.",
        f"What is detectable holds for {days} days at the arrivals of the exploration's window.",
        "Every candidate is taken to cost what the configuration says of this one; confidence is by class of evidence.",
    ]
    if priced.value is not None:
        found.append(f"A success is worth {text(priced.value.value)} {facts.economics['currency']}: {priced.words}.")
    if own.source == "opinion":
        found.append(
            "Nothing in the data supports the requirement's own hypothesis; it is tested because it was asked."
        )
    return tuple(found)


def _summary(facts: HypothesizeFacts, found: Support, own: Belief, goal: Chosen, currency: str) -> str:
    first = facts.hypotheses[0]
    effect = text(facts.minimum_detectable_effect.value, percent=True)
    sentences = [
        f"We believe that {first.change} makes {first.expected.removesuffix(' rises')} rise for {first.for_whom}."
        if found.cited
        else f"Nothing in the data speaks of {first.change!r}: it is an opinion, and is tested as one."
    ]
    if found.bottleneck:
        sentences.append(f"{first.because}.")
    chance = text(first.forecast.chance_of_success.value, percent=True)
    if own.priced:
        value = span(first.expected_value)
        sentences.append(
            f"Before any data of its own it has a chance of {chance} to ship, and is expected to bring {value} "
            f"{currency} in its first year, net of building it."
        )
    else:
        sentences.append(f"Before any data of its own it has a chance of {chance} to ship; its money is not known.")
    sentences.append(
        f"The plan is sized for a relative effect of {effect} on {goal.name}, because {facts.economics['planned_for']}."
    )
    if not found.cited and len(facts.hypotheses) > 1:
        sentences.append(f"The data would rather support: {facts.hypotheses[1].change}.")
    return " ".join(sentences)


def present(artifact: Artifact) -> list[Block]:
    """Pictures of the forecast first, then the ranking, the metrics, the money."""
    from paribus.charts import Dots, distribution

    facts = HypothesizeFacts.model_validate(artifact.facts)
    currency = str(facts.economics.get("currency", ""))
    own = facts.hypotheses[0]
    blocks: list[Block] = [
        Paragraph(
            f"**Because** {own.because}, **we believe** that {own.change}, **for** {own.for_whom}, **will** have the "
            f"effect that {own.expected}, **measured by** `{own.measured_by}`."
            + ("" if own.findings else " It cites nothing that was found: it is an **opinion**.")
        )
    ]
    if values := facts.dots.get("first_year"):
        figure = distribution(
            [Dots("first year, net", tuple(values), span(own.expected_value))],
            title="Forecast of the first year",
            scale_title=f"{currency}, each dot 1 of {len(values)} equally likely outcomes; nothing is earned where it "
            "does not ship",
        )
        blocks.append(Picture(figure, "What the first year is expected to bring, building included", "forecast"))
    blocks.append(
        Picture(
            distribution(
                [
                    Dots(
                        "relative effect",
                        tuple(facts.dots.get("lift", ())),
                        span(own.forecast.lift, percent=True, signed=True),
                    )
                ],
                title="What is believed of the effect before the experiment",
                scale_title=f"relative effect on {own.measured_by}",
                unit="percent",
            ),
            str(facts.prior.get("origin", "")),
            "prior",
        )
    )
    first: Mapping[str, float] = facts.ranking.get("first", {})
    blocks += [
        Heading("Hypotheses"),
        Table(
            (
                "",
                "change",
                "for",
                "rests on",
                "reach a year",
                "ICE",
                "RICE",
                f"first year, {currency}",
                "days",
                "first in",
            ),
            [
                (
                    f"{each.id}{' (tested)' if each.id == facts.chosen else ''}",
                    each.change,
                    each.for_whom,
                    ", ".join(each.findings) or each.source,
                    text(each.reach.value),
                    text(each.ice.value),
                    text(each.rice.value),
                    span(each.expected_value),
                    text(each.days.value) if each.days else "",
                    text(first.get(each.id), percent=True),
                )
                for each in facts.hypotheses
            ],
            caption=(
                f"Order by {facts.ranking.get('by')}; when the inputs vary the first stays first in "
                f"{text(facts.ranking.get('stability'), percent=True)} of variations"
            ),
            right=("reach a year", "ICE", "RICE", f"first year, {currency}", "days", "first in"),
        ),
        Heading("Metrics"),
        Table(
            ("metric", "role", "baseline", "margin", "why"),
            [
                (
                    str(each["metric"]),
                    str(each["role"]),
                    text(each["baseline"]),
                    _margin(each["margin"]),
                    str(each["why"]),
                )
                for each in facts.choices
            ],
            right=("baseline", "margin"),
        ),
        Heading("Which effect"),
        Table(
            ("relative effect", "", "from"),
            [
                (
                    "smallest that pays",
                    text(facts.smallest_worthwhile.value, percent=True),
                    "costs over value, first year",
                ),
                (
                    "smallest that can be found",
                    text(facts.detectable.value, percent=True),
                    "planned runtime and arrivals",
                ),
                (
                    "planned for",
                    text(facts.minimum_detectable_effect.value, percent=True),
                    f"because {facts.economics.get('planned_for')}",
                ),
            ],
            right=("",),
        ),
        Heading("From the metric to money"),
        Table(
            ("", "value", "unit", "from"),
            [
                (
                    ("" if not each["parent"] else "– " if each["parent"] == facts.tree[0]["name"] else "– – ")
                    + str(each["name"]),
                    span(Measured.model_validate({k: each[k] for k in Measured.model_fields})),
                    str(each["unit"]),
                    str(each["words"]),
                )
                for each in facts.tree
            ],
            caption="95% intervals by simulation",
            right=("value",),
        ),
        Table(
            ("cost", "amount", "per"),
            [
                (str(each["name"]), f"{text(each['amount'])} {each['unit']}".strip(), str(each["per"]))
                for each in facts.economics.get("costs", ())
            ],
            right=("amount",),
        ),
    ]
    unmatched: Sequence[str] = facts.support.get("unmatched", ())
    if unmatched:
        blocks.append(
            Listing([f"Nothing in the data speaks of: {', '.join(f'`{word}`' for word in unmatched)} (word stems)."])
        )
    return blocks


def _margin(margin: Any) -> str:
    if margin is None:
        return "\u2013"
    if isinstance(margin, Mapping):
        return (
            f"{text(margin['absolute'])} absolute" if "absolute" in margin else text(margin["relative"], percent=True)
        )
    return text(float(margin), percent=True)


def _replaced(statement: Any, **changes: Any) -> Any:
    from dataclasses import replace

    return replace(statement, **changes)
