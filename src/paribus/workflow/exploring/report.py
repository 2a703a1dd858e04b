"""An exploration as an artifact of step 1: the same whether a feature asked for it or a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from paribus.exploration.event_log import EventLog
from paribus.exploration.exploration import explore
from paribus.exploration.funnel_choice import WINDOW_HOURS
from paribus.workflow.artifact import Artifact, Evidence, Outcome
from paribus.workflow.exploring.evidence import evidence_of
from paribus.workflow.exploring.facts import facts_of
from paribus.workflow.exploring.words import assumptions_of, checks_of, summary_of
from paribus.workflow.facts.explore import ExploreFacts
from paribus.workflow.step import BY_SLUG

QUESTION = "How is the product used?"


def parts_of(
    log: EventLog,
    *,
    plan: dict[str, Any] | None = None,
    funnel: Sequence[str] = (),
    window_hours: float = WINDOW_HOURS,
    exclude: Sequence[str] = (),
    level: float = 0.95,
    seed: int = 1,
    requirement: str = "",
    progress: Callable[[float, str], None] = lambda share, word: None,
) -> tuple[str, ExploreFacts, dict[str, Evidence], tuple[str, ...], tuple[Outcome, ...]]:
    """Summary, facts, evidence, assumptions and checks of an exploration of the log."""
    found = explore(
        log,
        plan=plan,
        funnel=funnel,
        window_hours=window_hours,
        exclude=exclude,
        level=level,
        seed=seed,
        progress=progress,
    )
    facts = facts_of(found, level, requirement)
    return summary_of(found, facts), facts, evidence_of(found), assumptions_of(found), checks_of(found)


def report(log: EventLog, *, name: str = "exploration", simulated: bool = False, **asked: Any) -> Artifact:
    """The artifact of an exploration outside of any feature; `asked` as for `parts_of`."""
    summary, facts, evidence, assumptions, checks = parts_of(log, **asked)
    return Artifact(
        step="explore",
        role=BY_SLUG["explore"].role,
        feature=name,
        requirement=QUESTION,
        summary=summary,
        assumptions=assumptions,
        facts=facts.model_dump(mode="json"),
        evidence=evidence,
        checks=checks,
        simulated=simulated,
    )
