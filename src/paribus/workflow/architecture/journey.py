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


def journey_of(explore: ExploreFacts | None, entry: str, metrics: Iterable[Mapping[str, Any]]) -> Journey:
    """The journey around the decision, which stands directly after the plan's entry event.

    Where no unit reaches the entry event any more, the decision stands after the last living event before it, and
    without an entry event before the first event that a success metric counts.

    Args:
        explore: the exploration, with its funnels.
        entry: the event that the sealed plan names; empty when it names none.
        metrics: definitions as an experiment document holds them.
    """
    success = tuple(
        dict.fromkeys(e for m in metrics if m.get("role", "success") == "success" for e in metric_events(m))
    )
    if explore is None:
        return Journey("", (), (), entry, success, success, "the sealed plan names it")
    funnel = _funnel(explore, success, entry)
    if funnel is None:
        return Journey("", (), (), entry, success, success, "the sealed plan names it, and no funnel holds it")
    names = [step.event for step in funnel.steps]
    living = tuple(step.event for step in funnel.steps if step.units)
    dead = tuple(step.event for step in funnel.steps if not step.units)
    if entry in dead:
        earlier = [each for each in names[: names.index(entry)] if each in living]
        before = earlier[-1] if earlier else ""
        why = f"no unit reached {entry}, so the last living event before it"
    elif entry:
        before, why = entry, _loss(explore, funnel.name, entry)
    else:
        ends = [index for index, each in enumerate(living) if each in success]
        before = living[ends[0] - 1] if ends and ends[0] else ""
        why = "it is the last event before what the success metric counts"
    at = living.index(before) if before in living else -1
    return Journey(funnel.name, living, dead, before, living[at + 1 :], success, why)


def _loss(explore: ExploreFacts, funnel: str, entry: str) -> str:
    found = next((each for each in explore.bottlenecks if each.funnel == funnel and each.from_event == entry), None)
    if found is None:
        return "the sealed plan names it"
    return f"the loss between {found.from_event} and {found.to_event} begins there"


def metric_events(metric: Mapping[str, Any]) -> tuple[str, ...]:
    """The events that a metric of an experiment document reads, in order."""
    steps = [step.get("event", step.get("source")) for step in metric.get("steps") or ()]
    named = [metric.get(part) for part in ("event", "source", "denominator_event", "denominator_source")]
    return tuple(dict.fromkeys(str(each) for each in [*named, *steps] if each))


def _funnel(explore: ExploreFacts, success: tuple[str, ...], entry: str) -> Funnel | None:
    """The longest funnel that holds both the entry and a success metric's event, else one of them."""

    def holds(funnel: Funnel) -> tuple[int, int]:
        events = {step.event for step in funnel.steps}
        return (entry in events) + any(each in events for each in success), len(events)

    best = max(explore.funnels, key=holds, default=None)
    return best if best is not None and holds(best)[0] else None
