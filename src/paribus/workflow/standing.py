"""Where a feature stands, in one line and one paragraph: the verdict, or the step that is next or in the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from paribus.charts.numbers import day
from paribus.workflow.artifact import Artifact
from paribus.workflow.dossier import State, StepState
from paribus.workflow.facts.conclude import AnalyzeFacts, ImpactFacts


@dataclass(frozen=True, slots=True)
class Standing:
    """What a reader wants to know first.

    headline  verdict and recommendation, or how far the feature is
    said      why, in the words of the step that says it; empty where nothing more is known
    step      the slug of that step
    """

    headline: str
    said: str
    step: str


def standing(states: Sequence[StepState], artifacts: Mapping[str, Artifact]) -> Standing | None:
    """Where the feature stands; None before its first step."""
    impact, analyze = artifacts.get("impact"), artifacts.get("analyze")
    blocked = next((each for each in states if each.state is State.BLOCKED), None)
    if blocked is not None:
        failed = artifacts[blocked.step.slug].blocked if blocked.step.slug in artifacts else ()
        said = " ".join(f"{each.name}: {each.message}." for each in failed) or blocked.reason
        return Standing(f"Stopped at step {blocked.step.number}, {blocked.step.title}", said, blocked.step.slug)
    if analyze is not None:
        facts = AnalyzeFacts.model_validate(analyze.facts)
        headline = f"Verdict: {facts.verdict.replace('_', ' ')}"
        decided = f", decided {day(datetime.fromisoformat(facts.decided_at))}" if facts.decided_at else ""
        if impact is None:
            return Standing(headline + decided, analyze.summary, "analyze")
        recommended = ImpactFacts.model_validate(impact.facts).recommendation
        return Standing(f"{headline}; recommended: {recommended}{decided}", impact.summary, "impact")
    made = [each for each in states if each.step.slug in artifacts]
    if not made:
        return None
    last = made[-1].step
    done = f"Step {last.number} of {len(states)} made: {last.title}"
    return Standing(done, artifacts[last.slug].summary, last.slug)
