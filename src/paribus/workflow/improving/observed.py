"""What is observed of a finished experiment beside its verdict: segments, steps, behavior, feedback, cohorts, decay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from paribus.errors import EngineError, InputError
from paribus.experiments.proof import read_proof
from paribus.experiments.result import Comparison, Result
from paribus.experiments.words import pieces, stem
from paribus.impact.after_exposure import AfterExposure, Asked, after_exposure
from paribus.impact.causal_forest import Forest
from paribus.impact.cohort import Cohorts, cohorts
from paribus.impact.friction import Contrast, Share, Transition, contrasts, transitions
from paribus.impact.heterogeneity import Attribute, by_attribute
from paribus.impact.persistence import Decay, fades, fit
from paribus.impact.step_time import Pace, pace
from paribus.metrics.definition import MetricType, Role
from paribus.workflow.facts.conclude import AnalyzeFacts
from paribus.workflow.facts.design import DesignFacts
from paribus.workflow.facts.explore import EventProfile, ExploreFacts
from paribus.workflow.facts.hypothesize import Hypothesis, HypothesizeFacts
from paribus.workflow.hypotheses.guardrails import harm_kind
from paribus.workflow.improving.forest import forest_of
from paribus.workflow.valuing.case import novelty_of

if TYPE_CHECKING:
    from paribus.workflow.context import Context

_FEEDBACK = frozenset({"survey", "feedback", "ticket", "support", "review", "nps", "complaint", "rat", "csat"})
_THEMES = ("theme", "topic", "reason", "category", "subject", "kind", "type", "code", "route")
_ELEMENTS = ("element", "selector", "target", "button", "control", "component", "widget")
_CLICKS = frozenset({"click", "tap", "press", "clik"})
_TEXT = ("string", "text", "varchar", "str")


@dataclass(frozen=True)
class Observed:
    """Everything that follow-ups are drafted from; empty where the effects are hidden."""

    control: str
    treatment: str
    units: Mapping[str, int]
    success: Comparison | None = None
    attributes: tuple[Attribute, ...] = ()
    transitions: tuple[Transition, ...] = ()
    from_lake: bool = False
    behavior: tuple[Contrast, ...] = ()
    feedback: tuple[Contrast, ...] = ()
    errors: tuple[Contrast, ...] = ()
    counted: AfterExposure | None = None
    cohorts: Cohorts = field(default_factory=lambda: Cohorts((), None))
    decay: Decay | None = None
    novelty: str = ""
    pace: Pace = field(default_factory=Pace)
    forest: Forest | None = None
    no_forest: str = ""


def observe(
    context: Context,
    explore: ExploreFacts,
    hypotheses: HypothesizeFacts,
    design: DesignFacts,
    analyze: AnalyzeFacts,
    chosen: Hypothesis,
) -> Observed:
    """What the result, its proof and the lake say beyond the verdict."""
    result = Result.from_dict(analyze.result)
    treatment = result.verdict.arm or next((arm for arm in result.units if arm != result.control), "")
    bare = Observed(result.control, treatment, result.units)
    if analyze.hidden or not treatment or analyze.verdict in ("not_yet", "invalid"):
        return bare
    success = next(
        (c for c in result.comparisons if c.metric == chosen.measured_by and c.treatment.variant == treatment), None
    )
    counted = _counted(context, explore, design, analyze)
    novelty = novelty_of(result, success, hypotheses) if success else None
    steps = _steps(explore, hypotheses, design, result, counted, treatment)
    exposed = counted.exposed if counted else result.units
    forest, no_forest = forest_of(context, result, success)
    return Observed(
        control=result.control,
        treatment=treatment,
        units=result.units,
        success=success,
        attributes=tuple(
            a for a in by_attribute(result.segments, chosen.measured_by) if a.arm == treatment and len(a.levels) > 1
        ),
        transitions=transitions(steps, exposed.get(result.control, 0), exposed.get(treatment, 0)),
        from_lake=counted is not None,
        behavior=_behavior(explore, counted, result.control, treatment),
        feedback=_themes(explore, counted, result.control, treatment, is_feedback),
        errors=_themes(explore, counted, result.control, treatment, is_error),
        counted=counted,
        cohorts=_cohorts(result, chosen.measured_by, treatment),
        decay=fit(novelty) if novelty is not None and fades(novelty) else None,
        novelty=novelty.sentence if novelty is not None else "",
        pace=_pace(context, explore, design, analyze, counted, steps, result.control, treatment),
        forest=forest,
        no_forest=no_forest,
    )


def is_feedback(event: EventProfile) -> bool:
    """Whether an event is what people say: surveys, tickets, reviews."""
    return bool({stem(word) for word in pieces(event.name)} & _FEEDBACK)


def is_error(event: EventProfile) -> bool:
    """Whether an event tells of something that failed, rage clicks included."""
    return harm_kind({"event": event.name}) == "error"


def theme_of(event: EventProfile) -> str:
    """The text property that says what an event is about; empty without one."""
    for name in _THEMES:
        if name in event.properties and event.properties[name].lower().startswith(_TEXT):
            return name
    return ""


def _counted(
    context: Context, explore: ExploreFacts, design: DesignFacts, analyze: AnalyzeFacts
) -> AfterExposure | None:
    """Counts after exposure from the lake; None where there is none, or it cannot answer."""
    reader = context.operations.lake()
    if reader is None:
        return None
    from paribus.experiments.on_lake import snapshot_of

    events = [each for each in explore.events if not each.name.startswith("$exposure")]
    asked = [Asked(each.name) for each in events]
    asked += [Asked(each.name, theme_of(each)) for each in events if theme_of(each) and _speaks(each)]
    try:
        return after_exposure(
            snapshot_of(reader),
            design.flag,
            asked,
            environment=context.feature.environment,
            until=datetime.fromisoformat(analyze.decided_at) if analyze.decided_at else None,
        )
    except (InputError, EngineError):
        return None


def _pace(
    context: Context,
    explore: ExploreFacts,
    design: DesignFacts,
    analyze: AnalyzeFacts,
    counted: AfterExposure | None,
    steps: Sequence[tuple[str, float, float]],
    control: str,
    treatment: str,
) -> Pace:
    """Times from step to step and rage clicks; nothing without the lake, or where it cannot answer."""
    reader = context.operations.lake()
    if reader is None or counted is None:
        return Pace()
    from paribus.experiments.on_lake import snapshot_of

    hours = next((f.window_hours for f in explore.funnels if any(s.event == design.entry_event for s in f.steps)), 24.0)
    known = {each.name for each in explore.events}
    try:
        return pace(
            snapshot_of(reader),
            design.flag,
            [event for i, (event, _, _) in enumerate(steps) if i == 0 or event in known],
            clicks_of(explore),
            control=control,
            treatment=treatment,
            exposed=counted.exposed,
            within_hours=hours,
            environment=context.feature.environment,
            until=datetime.fromisoformat(analyze.decided_at) if analyze.decided_at else None,
        )
    except (InputError, EngineError):
        return Pace()


def clicks_of(explore: ExploreFacts) -> list[Asked]:
    """Events that are clicks, each with the property that names its element where there is one."""
    found = []
    for event in explore.events:
        element = next((name for name in _ELEMENTS if event.properties.get(name, "").lower().startswith(_TEXT)), "")
        if element or {stem(word) for word in pieces(event.name)} & _CLICKS:
            found.append(Asked(event.name, element))
    return found


def _speaks(event: EventProfile) -> bool:
    return is_feedback(event) or is_error(event)


def _steps(
    explore: ExploreFacts,
    hypotheses: HypothesizeFacts,
    design: DesignFacts,
    result: Result,
    counted: AfterExposure | None,
    treatment: str,
) -> list[tuple[str, float, float]]:
    """(event, units of control, units of treatment) from the entry on, in the order of the funnel."""
    funnel = next((f for f in explore.funnels if any(s.event == design.entry_event for s in f.steps)), None)
    order = [step.event for step in funnel.steps] if funnel else []
    after = order[order.index(design.entry_event) + 1 :] if design.entry_event in order else []
    exposed = counted.exposed if counted else result.units
    found = [(design.entry_event, float(exposed.get(result.control, 0)), float(exposed.get(treatment, 0)))]
    for event in after:
        if counted is not None:
            own = next((c for c in counted.counted if c.event == event and not c.theme), None)
            units = own.units if own else {}
            found.append((event, float(units.get(result.control, 0)), float(units.get(treatment, 0))))
            continue
        comparison = _share_of(event, hypotheses, result, treatment)
        if comparison is not None:
            found.append(
                (
                    event,
                    comparison.control.value * result.units.get(result.control, 0),
                    comparison.treatment.value * result.units.get(treatment, 0),
                )
            )
    return found


def _share_of(event: str, hypotheses: HypothesizeFacts, result: Result, treatment: str) -> Comparison | None:
    names = [m["name"] for m in hypotheses.metrics if m.get("event") == event and m["type"] == "proportion"]
    for c in result.comparisons:
        if c.metric in names and c.type is MetricType.PROPORTION and c.treatment.variant == treatment:
            return c
    return None


def _behavior(
    explore: ExploreFacts, counted: AfterExposure | None, control: str, treatment: str
) -> tuple[Contrast, ...]:
    """Every event, its share of exposed units by arm: Benjamini and Hochberg over all events."""
    if counted is None:
        return ()
    named = [(c.event, *_shares(c.units, counted, control, treatment)) for c in counted.counted if not c.theme]
    return contrasts([each for each in named if not each[0].startswith("$exposure")])


def _themes(
    explore: ExploreFacts, counted: AfterExposure | None, control: str, treatment: str, of: Any
) -> tuple[Contrast, ...]:
    if counted is None:
        return ()
    events = {each.name for each in explore.events if of(each)}
    named = [
        (f"{c.event}: {c.theme}", *_shares(c.units, counted, control, treatment))
        for c in counted.counted
        if c.theme and c.event in events
    ]
    return contrasts(named)


def _shares(units: Mapping[str, int], counted: AfterExposure, control: str, treatment: str) -> tuple[Share, Share]:
    return (
        Share(units.get(control, 0), counted.exposed.get(control, 0)),
        Share(units.get(treatment, 0), counted.exposed.get(treatment, 0)),
    )


def _cohorts(result: Result, metric: str, treatment: str) -> Cohorts:
    """By week of first exposure, from the moments in the result's own proof."""
    if not result.proof:
        return Cohorts((), None)
    cells = read_proof(result.proof).measurement.cells.get(metric)
    return cohorts(cells, control=result.control, treatment=treatment) if cells is not None else Cohorts((), None)


def guardrails_not_safe(result: Result, treatment: str) -> Sequence[Comparison]:
    """The guardrails that are shown neither safe nor harmful, with the units that would do."""
    return [
        c
        for c in result.comparisons
        if c.role is Role.GUARDRAIL and c.treatment.variant == treatment and c.conclusion == "not shown safe"
    ]
