"""The metrics of a feature: what must move, and what explains; `guardrails` has what must not get worse.

Everything is chosen from baselines and events that are there; a name says what an event means only where nothing else
does. Definitions are those of an experiment document, so the analysis runs the same ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil

from paribus.errors import InputError
from paribus.experiments.schema import METRIC_TYPES
from paribus.experiments.words import pieces
from paribus.workflow.facts.explore import Baseline, Bottleneck, ExploreFacts, Funnel
from paribus.workflow.hypotheses.chosen import Chosen, Json, checked
from paribus.workflow.hypotheses.guardrails import is_harm

MONEY = ("revenue", "value", "amount", "total", "gmv", "sales", "price", "spend", "payment", "income")


def funnel_of(explore: ExploreFacts, bottleneck: Bottleneck | None, events: Sequence[str]) -> Funnel | None:
    """The funnel that a feature lies in: the bottleneck's, else the one that most of its events are in."""
    if bottleneck is not None:
        return next((each for each in explore.funnels if each.name == bottleneck.funnel), None)
    touched = [(sum(s.event in events for s in each.steps), each) for each in explore.funnels]
    best = max(touched, key=lambda pair: pair[0], default=(0, None))
    return best[1] if best[0] or len(touched) == 1 else (explore.funnels[0] if explore.funnels else None)


def success(explore: ExploreFacts, funnel: Funnel | None) -> Chosen:
    """What must rise: the share of units that end the funnel, else the best that history has a baseline for.

    Raises:
        InputError: no baseline can carry a success metric.
    """
    last = funnel.steps[-1].event if funnel else ""
    usable = [b for b in explore.baselines if (b.mean.value or 0) > 0 and b.definition.get("type") in METRIC_TYPES]
    ranked = sorted(
        (b for b in usable if not is_harm(b.definition) and b.definition["type"] != "quantile"),
        key=lambda b: (
            b.definition.get("event") != last,
            b.definition["type"] not in ("proportion", "funnel"),
            b.definition.get("role") != "success",
            explore.baselines.index(b),
        ),
    )
    if not ranked:
        raise InputError(
            "no metric can be the success of this feature",
            where="explore.baselines",
            rule="a success metric needs a baseline above zero in the history",
            fix="track the event that a success ends in, or import more history",
        )
    best = ranked[0]
    definition = {**best.definition, "role": "success", "direction": "increase"}
    definition.pop("margin", None)
    if funnel and definition.get("event") == last and definition["type"] == "proportion":
        definition.setdefault("window_days", max(1, ceil(funnel.window_hours / 24)))
        why = f"it ends the funnel {funnel.name}, counted {definition['window_days']} days from exposure on"
    else:
        why = "no funnel ends in it, but it is the first outcome that history has a baseline for"
    return Chosen(checked(definition), why, best)


def secondary(
    explore: ExploreFacts, chosen: Chosen, funnel: Funnel | None, entry: str, taken: Iterable[str]
) -> tuple[Chosen, ...]:
    """What explains: money per unit, how often success comes again, and each step between `entry` and success."""
    names, events, found = set(taken), {str(chosen.definition.get("event"))}, []

    def add(definition: Json, why: str, baseline: Baseline | None) -> None:
        if definition["name"] not in names:
            names.add(definition["name"])
            found.append(Chosen(checked(definition), why, baseline))

    money = money_of(explore, chosen)
    if money is not None:
        add({**money.definition, "role": "secondary"}, "money per unit: what the success is worth", money)
    if chosen.kind == "proportion" and (event := chosen.definition.get("event")):
        name = f"{'_'.join(pieces(str(event)))}_count"
        add(
            {"name": name, "type": "count", "role": "secondary", "direction": "increase", "event": event},
            "how often it comes again: followed by days since exposure, it shows whether the effect fades",
            None,
        )
    order = [step.event for step in funnel.steps] if funnel else []
    after = order.index(entry) + 1 if entry in order else 1
    for step in funnel.steps[after:-1] if funnel else ():
        if step.event not in events:
            add(
                {
                    "name": f"reached_{'_'.join(pieces(step.event))}",
                    "type": "proportion",
                    "role": "secondary",
                    "direction": "increase",
                    "event": step.event,
                },
                "a step of the funnel: where units are lost, by arm",
                None,
            )
    for baseline in explore.baselines:
        role = baseline.definition.get("role")
        if baseline.definition.get("type") in METRIC_TYPES and role == "secondary":
            add({**baseline.definition}, "asked for by the exploration", baseline)
    return tuple(found)


def money_of(explore: ExploreFacts, chosen: Chosen) -> Baseline | None:
    """The baseline of money per unit: an amount that comes with the success event, else any amount of money."""
    amounts = [
        b
        for b in explore.baselines
        if b.definition.get("type") == "mean"
        and set(pieces(str(b.definition.get("value") or b.metric))) & set(MONEY)
        and not is_harm(b.definition)
        and (b.mean.value or 0) > 0
    ]
    event = chosen.definition.get("event")
    return next((b for b in amounts if b.definition.get("event") == event), amounts[0] if amounts else None)
