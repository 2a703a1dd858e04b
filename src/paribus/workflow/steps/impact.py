"""Step 15, by the business analyst: what it is worth against what was expected, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paribus.experiments.prior import effect_prior, family_of
from paribus.experiments.result import Result, VerdictValue
from paribus.impact.recommendation import recommendation, withheld
from paribus.impact.value import worth
from paribus.workflow.artifact import Artifact
from paribus.workflow.block import Block
from paribus.workflow.facts.conclude import AnalyzeFacts
from paribus.workflow.facts.design import DesignFacts
from paribus.workflow.facts.explore import ExploreFacts
from paribus.workflow.facts.hypothesize import HypothesizeFacts
from paribus.workflow.hypotheses import learnings
from paribus.workflow.hypotheses.economics import costs
from paribus.workflow.valuing.blocks import blocks_of
from paribus.workflow.valuing.case import case_of, found
from paribus.workflow.valuing.learning import calibrated, card, fared
from paribus.workflow.valuing.reporting import evidence_of, facts_of
from paribus.workflow.valuing.words import assumptions_of, checks_of, summary_of

if TYPE_CHECKING:
    from paribus.workflow.context import Context


def run(context: Context) -> Artifact:
    """The business impact report: recommendation by the registered rule, money where it may be stated."""
    explore = context.facts("explore", ExploreFacts)
    hypotheses = context.facts("hypothesize", HypothesizeFacts)
    design = context.facts("design", DesignFacts)
    analyze = context.facts("analyze", AnalyzeFacts)
    result = Result.from_dict(analyze.result)
    verdict = VerdictValue(analyze.verdict)
    chosen = next(each for each in hypotheses.hypotheses if each.id == hypotheses.chosen)
    definition = next(m for m in hypotheses.metrics if m["name"] == chosen.measured_by)
    learned = learnings.cards(context)
    prior = effect_prior(learnings.past(learned), family_of(definition))
    readable = not analyze.hidden and verdict not in (VerdictValue.INVALID, VerdictValue.NOT_YET)
    of = found(result, hypotheses, prior) if readable else None
    case = case_of(of, hypotheses, design, costs(context.config)) if of else None
    reason = withheld(
        verdict,
        hidden=analyze.hidden,
        interference=analyze.interference or design.interference,
        money=bool(hypotheses.economics.get("known")),
    )
    if not reason and case is None:
        reason = "The effect on the success metric could not be determined, so neither can its value."
    valued = worth(case, seed=context.seed) if case is not None and not reason else None
    shipped = verdict is VerdictValue.SHIP
    yearly = None if valued is None else float(valued.yearly.mean()) if shipped else 0.0
    own = fared(chosen, verdict, of, yearly)
    recommended = recommendation(verdict, analyze.rule, analyze.reason)
    facts = facts_of(
        context,
        explore,
        hypotheses,
        chosen,
        analyze,
        recommended,
        of,
        case,
        valued,
        withheld=reason,
        fared=own,
        calibration=calibrated(learnings.scored(learned), context.feature.key, own),
        card=card(
            context.feature.key,
            context.feature.requirement,
            chosen,
            definition,
            result,
            recommended,
            of,
            own,
            hidden=not readable,
            decided_at=analyze.decided_at,
            harm=analyze.reason if verdict is VerdictValue.ROLL_BACK and result.verdict.value is not verdict else "",
        ),
    )
    return context.artifact(
        "impact",
        summary_of(facts, hypotheses, chosen),
        facts,
        evidence=evidence_of(context, design, of, case, prior),
        assumptions=assumptions_of(facts, hypotheses, design, of, case, prior),
        checks=checks_of(facts, analyze, context.config.approvals),
    )


def present(artifact: Artifact) -> list[Block]:
    """Forecast and measured value on one axis, the tornado, costs, the forecast's score, the learning."""
    return blocks_of(artifact)
