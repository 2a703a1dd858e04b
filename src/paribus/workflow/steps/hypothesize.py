"""Step 2, by the business analyst: what we believe will change, for whom, and what it would be worth."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import BaseModel

from paribus.experiments.hypothesis import Class, checked_requirement, complaints
from paribus.experiments.ranking import rank
from paribus.workflow.artifact import Artifact
from paribus.workflow.block import Block
from paribus.workflow.facts.explore import ExploreFacts
from paribus.workflow.facts.hypothesize import HypothesizeFacts
from paribus.workflow.hypotheses import learnings
from paribus.workflow.hypotheses.believing import Idea, because_of, believed, statement_of
from paribus.workflow.hypotheses.blocks import blocks_of
from paribus.workflow.hypotheses.chosen import Chosen
from paribus.workflow.hypotheses.economics import cost_lines, costs, price
from paribus.workflow.hypotheses.guardrails import guardrails, with_margin
from paribus.workflow.hypotheses.matching import Support, support
from paribus.workflow.hypotheses.metrics import funnel_of, secondary, success
from paribus.workflow.hypotheses.numbers import dots, measured, rounded
from paribus.workflow.hypotheses.opportunity import detectable, excluded_rise
from paribus.workflow.hypotheses.reporting import (
    choice_of,
    effects,
    evidence_of,
    hypothesis_of,
    ranking_facts,
    support_facts,
    tree_of,
)
from paribus.workflow.hypotheses.words import assumptions_of, checks_of, summary_of
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
    past = learnings.past(learned)
    ideas = _ideas(context, requirement, explore, goal, found)
    beliefs = {
        idea.id: believed(
            idea,
            explore,
            goal,
            config,
            past,
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
        planned_days=config.experiment_config.days,
        seed=context.seed,
    )
    own = beliefs[OWN]
    guards = tuple(
        with_margin(each, excluded_rise(each, own.at, config, len(guards), own.planned_days)) for each in guards
    )
    explaining = secondary(explore, goal, funnel, own.at.event, [goal.name, *(each.name for each in guards)])
    chosen_metrics = (goal, *guards, *explaining)
    in_runtime = detectable(goal, own.at, config, len(guards), config.experiment_config.days)
    worthwhile, smallest, planned, why_planned = effects(context, own, in_runtime)
    prior = own.prior
    order = [OWN, *(each for each in ranking.order if each != OWN)]
    currency = config.economics.currency
    facts = HypothesizeFacts(
        hypotheses=tuple(hypothesis_of(beliefs[each], ranking, currency) for each in order),
        chosen=OWN,
        metrics=tuple(each.definition for each in chosen_metrics),
        smallest_worthwhile=worthwhile,
        detectable=smallest,
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
        support=support_facts(found, requirement),
        ranking=ranking_facts(ranking),
        tree=tree_of(own, currency, priced, planned.value or 0.0),
        prior={
            "mean": rounded(prior.mean),
            "sd": rounded(prior.sd),
            "origin": prior.origin,
            "experiments": prior.count,
            "win_rate": None if prior.win_rate is None else rounded(prior.win_rate),
            "evidence": "prior",
        },
        choices=tuple(choice_of(each) for each in chosen_metrics),
        dots={
            "lift": dots(own.forecast.lift),
            "first_year": dots(own.first_year) if own.priced else (),
            "yearly": dots(own.forecast.worth.yearly) if own.priced else (),
            "evidence": "forecast",
        },
    )
    return context.artifact(
        "hypothesize",
        summary_of(facts, found, own, goal, currency),
        facts,
        evidence=evidence_of(context, found, own, priced),
        assumptions=assumptions_of(facts, own, priced),
        checks=checks_of(facts, found, own, beliefs, goal),
    )


def _ideas(context: Context, requirement: str, explore: ExploreFacts, goal: Chosen, found: Support) -> tuple[Idea, ...]:
    """The requirement's own idea, the feature's before it, those of other bottlenecks, those of a model."""
    taken_up = [each for each in learnings.follow_ups(context) if each.change.strip() == requirement]
    source: Class = "follow_up" if taken_up else "finding" if found.cited else "opinion"
    own = statement_of(requirement, explore, goal, found.bottleneck, found.segment)
    if taken_up:
        own = replace(own, because=taken_up[0].because)
    elif found.bottleneck is None and found.findings:
        said = next(each.statement for each in explore.findings if each.id == found.findings[0])
        own = replace(own, because=said)
    ideas = [Idea(OWN, replace(own, findings=found.cited), source, found.bottleneck, found.segment)]
    for each in learnings.follow_ups(context):
        if each.change.strip() != requirement:
            segment = next((s for s in explore.segments if s.key == each.segment), None)
            there = support(each.change, explore)
            statement = replace(
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


def present(artifact: Artifact) -> list[Block]:
    """Pictures of the forecast first, then the ranking, the metrics, the money."""
    return blocks_of(artifact)
