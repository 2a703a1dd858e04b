"""The metrics of a feature: what must move, what must not get worse and by how much at most, and what explains.

Everything is chosen from baselines and events that are there; a name says what an event means only where nothing else
does. Definitions are those of an experiment document, so the analysis runs the same ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from paribus.errors import InputError
from paribus.experiments.schema import METRIC_TYPES
from paribus.experiments.words import pieces, stem, subjects
from paribus.workflow.facts.explore import Baseline, Bottleneck, EventProfile, ExploreFacts, Funnel

Json = dict[str, Any]
MONEY = ("revenue", "value", "amount", "total", "gmv", "sales", "price", "spend", "payment", "income")
_ERROR = frozenset({"error", "exception", "crash", "failur", "fail", "timeout", "rage"})
_HARM = frozenset(
    {"refund", "cancel", "cancell", "complaint", "complain", "ticket", "disput", "chargeback", "unsubscrib", "churn"}
)
_LATENCY = frozenset({"latenci", "duration", "ms", "elaps"})
_NUMERIC = ("number", "integer", "float", "double", "real", "decimal", "bigint")
QUANTILE = 0.95
LATENCY_MARGIN = 0.10
SHARE_MARGIN = 0.10


@dataclass(frozen=True, slots=True)
class Chosen:
    """A metric with its role, why it was chosen, and its baseline where history has one."""

    definition: Json
    why: str
    baseline: Baseline | None = None

    @property
    def name(self) -> str:
        """As in the document."""
        return str(self.definition["name"])

    @property
    def kind(self) -> str:
        """Its type."""
        return str(self.definition["type"])


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
        why = f"it ends the funnel {funnel.name}, within whose window a unit's success is counted"
    else:
        why = "no funnel ends in it, but it is the first outcome that history has a baseline for"
    return Chosen(checked(definition), why, best)


def guardrails(explore: ExploreFacts, chosen: Chosen) -> tuple[Chosen, ...]:
    """What must not get worse: errors, latency, and harms that the events tell of; margins are set later."""
    found: dict[str, Chosen] = {}

    def add(definition: Json, why: str, baseline: Baseline | None) -> None:
        event = str(definition.get("event") or definition["name"])
        if event != chosen.definition.get("event"):
            found.setdefault(f"{event} {definition['type'] == 'quantile'}", Chosen(definition, why, baseline))

    for baseline in explore.baselines:
        definition = dict(baseline.definition)
        if definition.get("type") in METRIC_TYPES and (kind := harm_kind(definition)):
            definition |= {"role": "guardrail", "direction": "decrease"}
            add(definition, _why(kind), baseline)
    for event in explore.events:
        words = {stem(word) for word in pieces(event.name)}
        if words & _ERROR:
            add(_share_of(event.name), _why("error"), None)
        elif words & _HARM:
            add(_share_of(event.name), _why("harm"), None)
        if value := latency_of(event):
            add(
                {
                    "name": f"p95_{'_'.join(pieces(value))}",
                    "type": "quantile",
                    "role": "guardrail",
                    "direction": "decrease",
                    "event": event.name,
                    "value": value,
                    "quantile": QUANTILE,
                    "level_of_rows": "row",
                },
                _why("latency"),
                None,
            )
    return tuple(found.values())


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


def with_margin(of: Chosen, detectable: float | None) -> Chosen:
    """The guardrail with its margin: as small as can be shown in the runtime, for an untestable one never passes.

    Args:
        of: the guardrail.
        detectable: the smallest absolute rise that the runtime can exclude with the plan's power; None: not known.
    """
    definition = dict(of.definition)
    base = of.baseline.mean.value if of.baseline else None
    if definition.get("margin") is not None:
        return replace(of, definition=checked(definition))
    if of.kind == "quantile" or base is None or base <= 0:
        definition["margin"] = LATENCY_MARGIN
        why = f"at most {LATENCY_MARGIN:.0%} more than in control"
        return Chosen(checked(definition), f"{of.why}; {why}", of.baseline)
    wanted = SHARE_MARGIN * base
    margin = max(wanted, detectable or wanted)
    if detectable is None or detectable <= wanted:
        why = f"at most {SHARE_MARGIN:.0%} more than in control, which the runtime can show"
    else:
        why = f"the smallest rise that the planned days can rule out, {_significant(detectable / base)} times its level"
    definition["margin"] = {"absolute": float(f"{margin:.3g}")}
    return Chosen(checked(definition), f"{of.why}; {why}", of.baseline)


def checked(definition: Mapping[str, Any]) -> Json:
    """The definition, if an experiment document may hold it.

    Raises:
        InputError: it breaks the schema of its type.
    """
    from pydantic import ValidationError

    body = dict(definition)
    try:
        METRIC_TYPES[body["type"]].model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f"the metric {body.get('name')!r} is no metric of an experiment: {first['msg']}",
            where=".".join(map(str, first["loc"])),
        ) from error
    return body


def harm_kind(definition: Mapping[str, Any]) -> str:
    """What a metric guards against by what it reads: error, harm or latency; empty for none of them."""
    words = {stem(w) for w in pieces(f"{definition.get('event') or ''} {definition.get('name') or ''}")}
    value = {stem(w) for w in pieces(str(definition.get("value") or ""))}
    if definition.get("type") == "quantile" and (words | value) & _LATENCY:
        return "latency"
    if words & _ERROR:
        return "error"
    return "harm" if words & _HARM else ""


def is_harm(definition: Mapping[str, Any]) -> bool:
    """Whether less of it is better."""
    return bool(harm_kind(definition)) or definition.get("direction") == "decrease"


def latency_of(event: EventProfile) -> str:
    """The property that tells how long something took; empty without one."""
    for name, kind in event.properties.items():
        if {stem(w) for w in pieces(name)} & _LATENCY and kind.lower().startswith(_NUMERIC):
            return name
    return ""


def _share_of(event: str) -> Json:
    return {
        "name": f"{'_'.join(pieces(event))}_share",
        "type": "proportion",
        "role": "guardrail",
        "direction": "decrease",
        "event": event,
    }


def _why(kind: str) -> str:
    return {
        "error": "errors that people see",
        "harm": "a harm that comes after the success",
        "latency": "the slowest twentieth of answers",
    }[kind]


def _significant(x: float) -> str:
    return f"{x:.2g}"


def about(name: str) -> str:
    """What an event or metric is about, in words.

    >>> about("order_completed")
    'order completed'
    """
    return " ".join(pieces(name)) if subjects(name) else name
