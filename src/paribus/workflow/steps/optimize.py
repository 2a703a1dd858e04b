"""Step 16, by the data scientist: for whom it worked, where it still hurts, and what comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paribus.experiments.result import Result
from paribus.workflow.artifact import Artifact
from paribus.workflow.block import Block
from paribus.workflow.facts.conclude import AnalyzeFacts, ImpactFacts, OptimizeFacts
from paribus.workflow.facts.design import DesignFacts
from paribus.workflow.facts.explore import ExploreFacts
from paribus.workflow.facts.hypothesize import HypothesizeFacts
from paribus.workflow.improving.blocks import blocks_of
from paribus.workflow.improving.followups import follow_ups
from paribus.workflow.improving.forest import forest_facts
from paribus.workflow.improving.observed import observe
from paribus.workflow.improving.reporting import (
    behavior_facts,
    cohort_facts,
    decay_facts,
    evidence_of,
    feedback_facts,
    friction_facts,
    heterogeneity_facts,
    rage_facts,
    time_facts,
)
from paribus.workflow.improving.words import assumptions_of, checks_of, summary_of
from paribus.workflow.valuing.case import yearly_units

if TYPE_CHECKING:
    from paribus.workflow.context import Context


def run(context: Context) -> Artifact:
    """Segments, friction, behavior, feedback and cohorts of the experiment, and follow-ups with their power."""
    explore = context.facts("explore", ExploreFacts)
    hypotheses = context.facts("hypothesize", HypothesizeFacts)
    design = context.facts("design", DesignFacts)
    analyze = context.facts("analyze", AnalyzeFacts)
    impact = context.facts("impact", ImpactFacts)
    chosen = next(each for each in hypotheses.hypotheses if each.id == hypotheses.chosen)
    observed = observe(context, explore, hypotheses, design, analyze, chosen)
    drafted = follow_ups(
        Result.from_dict(analyze.result),
        observed,
        explore,
        hypotheses,
        analyze,
        chosen,
        context.config,
        yearly_units=yearly_units(design, hypotheses).value,
    )
    facts = OptimizeFacts(
        heterogeneity=heterogeneity_facts(observed),
        friction=friction_facts(observed),
        step_times=time_facts(observed),
        rage_clicks=rage_facts(observed),
        decay=decay_facts(observed),
        follow_ups=drafted,
        behavior=behavior_facts(observed),
        feedback=feedback_facts(observed),
        cohorts=cohort_facts(observed),
        forest=forest_facts(observed.forest, observed.no_forest),
        learned=str(impact.learning.get("takeaway", "")),
    )
    return context.artifact(
        "optimize",
        summary_of(facts, observed, analyze),
        facts,
        evidence=evidence_of(context, observed),
        assumptions=assumptions_of(observed, analyze),
        checks=checks_of(facts, observed, analyze),
    )


def present(artifact: Artifact) -> list[Block]:
    """Effects by segment, the way through the funnel by arm, decay, feedback, and the follow-ups."""
    return blocks_of(artifact)
