"""What the guardrails say of a running experiment, read from the lake once everything that arrived is in it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from paribus.errors import EngineError, InputError
from paribus.experiments.decision import UNDERPOWERED
from paribus.experiments.result import EarlyIndicator
from paribus.lake.reading import LakeReader
from paribus.lake.recent import waiting
from paribus.monitoring import error_budget
from paribus.monitoring.finding import Finding, Severity
from paribus.monitoring.rebuild import rebuild, requests_by_arm
from paribus.monitoring.watch import Watch
from paribus.monitoring.watched import Watched
from paribus.rollout.state import Evidence
from paribus.workflow.context import Context
from paribus.workflow.facts.design import DesignFacts
from paribus.workflow.launching.alerts import service_levels
from paribus.workflow.launching.indicators import held_by, indicator_facts

Json = dict[str, Any]
PATIENCE_SECONDS = 20.0
STOPPING = {"roll_back", "ship", "neutral", "iterate"}


@dataclass(frozen=True, slots=True)
class Health:
    """The guardrails at one time; `state` is None while nothing has arrived."""

    as_of: datetime | None
    state: Watched | None
    findings: tuple[Finding, ...]
    verdict: str = ""
    sentence: str = ""
    is_open: bool = False
    """The verdict waits for a guardrail only, and the plan's end, which may settle it, is still to come."""
    early_indicators: tuple[EarlyIndicator, ...] = ()

    @property
    def units(self) -> int:
        """Units of the smallest arm."""
        return min(self.state.tally.units().values(), default=0) if self.state is not None else 0

    def evidence(self, *, acts: bool) -> Evidence:
        """As the rollout's rule reads it; without automatic rollback harm only holds traffic."""
        harm = next((each.message for each in self.findings if each.severity is Severity.CONVICTS), "")
        if self.verdict == "roll_back":
            harm = harm or f"the sealed rule says roll back: {self.sentence}"
        ratio = next((each for each in self.findings if each.what == "sample_ratio" and not each.is_well), None)
        concern = next(
            (
                each.message
                for each in self.findings
                if each.severity is Severity.PAUSES and each.what != "sample_ratio"
            ),
            "",
        )
        concern = concern or held_by(self.early_indicators)
        if self.verdict == "invalid":
            concern = concern or f"the analysis is invalid now: {self.sentence}"
        decided = (
            f"the sealed rule has decided: {self.sentence}" if self.verdict in STOPPING and not self.is_open else ""
        )
        return Evidence(
            self.as_of,
            self.units,
            harm=harm if acts else "",
            invalid=ratio.message if ratio is not None else "",
            concern=("" if acts else harm) or concern,
            decided="" if harm else decided,
        )

    def to_dict(self) -> Json:
        """Plain values of what was read."""
        return {
            "as_of": self.as_of.isoformat() if self.as_of else None,
            "units": self.state.tally.units() if self.state is not None else {},
            "findings": [each.to_dict() for each in self.findings],
            "verdict": self.verdict,
            "early_indicators": [dict(each) for each in indicator_facts(self.early_indicators, "indicators")],
        }


def settled(context: Context) -> None:
    """Waits until the queue is in the lake, so that evidence is complete up to now."""
    end = time.monotonic() + PATIENCE_SECONDS
    while context.endpoint is not None and waiting(context.folder) and time.monotonic() < end:
        time.sleep(0.05)


def read(context: Context, watch: Watch, *, judge: bool = True, until: datetime | None = None) -> Health:
    """The guardrails now, or as of a time; with `judge` the sealed rule's verdict too."""
    reader = context.operations.lake()
    if reader is None:
        return Health(until or context.clock(), None, ())
    settled(context)
    now = until or context.clock()
    state = rebuild(reader, watch, until=until + timedelta(microseconds=1) if until else None)
    verdict = sentence = ""
    is_open = False
    early: tuple[EarlyIndicator, ...] = ()
    if judge and min(state.tally.units().values(), default=0) > 0:
        try:
            result = context.operations.analyze(watch.experiment)
            verdict, sentence = str(result.verdict.value), result.verdict.sentence
            end = context.facts("design", DesignFacts).ends(first_exposure(state))
            is_open = result.verdict.rule == UNDERPOWERED and end is not None and now < end
            early = result.early_indicators
        except (InputError, EngineError) as error:  # an event that a metric reads has not come yet
            sentence = f"not yet analyzed: {error.what}"
    findings = (*state.findings(), *_budgets(context, reader, watch, now))
    return Health(now, state, findings, verdict, sentence, is_open, early)


def _budgets(context: Context, reader: LakeReader, watch: Watch, now: datetime) -> list[Finding]:
    """The error budget of each arm's requests; it is only told unless the configuration has it hold traffic."""
    level = service_levels(None)[0]
    traffic = {each.arm: each.windows for each in requests_by_arm(reader, watch, now=now, days=level.window_days)}
    holds = context.config.monitoring.error_budget_holds
    return error_budget.read(level, traffic, watch.control, holds=holds)


def first_exposure(state: Watched | None) -> datetime | None:
    """When the first unit met the difference; None before."""
    from paribus.events.timing import to_datetime

    first = state.tally.first if state is not None else None
    return None if first is None else to_datetime(first)
