"""Where on the users' way the decision stands: the funnel, the event before it, the events after it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from paribus.workflow.facts.explore import ExploreFacts, Funnel
from paribus.workflow.facts.hypothesize import Hypothesis, HypothesizeFacts


@dataclass(frozen=True, slots=True)
class Journey:
    """The funnel around the decision.

    funnel   its name; empty without one
    events   its living events in order
    dead     its events that no unit reached
    before   the event directly before the decision; empty when nothing is known
    after    living events behind it
    measured the events of the success metrics
    why      in words, why the decision stands there
    """

    funnel: str
    events: tuple[str, ...]
    dead: tuple[str, ...]
    before: str
    after: tuple[str, ...]
    measured: tuple[str, ...]
    why: str


def chosen(facts: HypothesizeFacts) -> Hypothesis:
    """The hypothesis that is tested."""
    return next(each for each in facts.hypotheses if each.id == facts.chosen)


def journey_of(explore: ExploreFacts | None, hypothesis: Hypothesis, metrics: Iterable[Mapping[str, Any]]) -> Journey:
    """The journey of a hypothesis: the decision stands where the bottleneck begins that it wants to open.

    Without a bottleneck it stands before the success metric's event in the longest funnel that holds it, and without
    that at the first event that most units have.
    """
    success = tuple(
        dict.fromkeys(e for m in metrics if m.get("role", "success") == "success" for e in metric_events(m))
    )
    if explore is None:
        return Journey(
            "", success, (), "", success, success, "nothing was explored: the decision stands where the call is"
        )
    bottleneck = next((each for each in explore.bottlenecks if each.id in hypothesis.findings), None)
    funnel = _funnel(explore, success, bottleneck.funnel if bottleneck else "")
    if funnel is None:
        busiest = max(explore.events, key=lambda each: (each.units, each.name), default=None)
        name = busiest.name if busiest is not None and busiest.units else ""
        return Journey("", (), (), name, success, success, "no funnel holds the success metric's event")
    living = tuple(step.event for step in funnel.steps if step.units)
    dead = tuple(step.event for step in funnel.steps if not step.units)
    if bottleneck is not None and bottleneck.from_event in living:
        before = bottleneck.from_event
        why = f"most of those lost between {bottleneck.from_event} and {bottleneck.to_event} are lost right after it"
    elif bottleneck is not None and bottleneck.from_event in dead:
        names = [step.event for step in funnel.steps]
        earlier = [each for each in names[: names.index(bottleneck.from_event)] if each in living]
        before = earlier[-1] if earlier else (living[0] if living else "")
        why = f"{bottleneck.from_event} is dead: no unit reached it; this is the last living event before it"
    else:
        reached = [each for each in living if each not in success]
        ends = [index for index, each in enumerate(living) if each in success]
        before = living[ends[0] - 1] if ends and ends[0] else (reached[-1] if reached else "")
        why = "it is the last event before what the success metric counts"
    at = living.index(before) if before in living else -1
    return Journey(funnel.name, living, dead, before, living[at + 1 :], success, why)


def metric_events(metric: Mapping[str, Any]) -> tuple[str, ...]:
    """The events that a metric of an experiment document reads, in order."""
    steps = [step.get("event", step.get("source")) for step in metric.get("steps") or ()]
    named = [metric.get(part) for part in ("event", "source", "denominator_event", "denominator_source")]
    return tuple(dict.fromkeys(str(each) for each in [*named, *steps] if each))


def _funnel(explore: ExploreFacts, success: tuple[str, ...], name: str) -> Funnel | None:
    named = next((each for each in explore.funnels if each.name == name), None)
    if named is not None:
        return named
    holding = [f for f in explore.funnels if any(step.event in success for step in f.steps)]
    return max(holding, key=lambda each: len(each.steps), default=None)
