"""The metrics of a feature: what must move, what must not get worse and by how much at most, and what explains.

Everything is chosen from baselines and events that are there; a name says what an event means only where nothing else
does. Definitions are those of an experiment document, so the analysis runs the same ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, sqrt
from typing import Any

from paribus.errors import InputError
from paribus.experiments.schema import METRIC_TYPES
from paribus.experiments.words import pieces, stem, subjects
from paribus.workflow.artifact import Measured
from paribus.workflow.facts.explore import Baseline, Bottleneck, EventProfile, ExploreFacts, Funnel

Json = dict[str, Any]
MONEY = ("revenue", "value", "amount", "total", "gmv", "sales", "price", "spend", "payment", "income")
_ERROR = frozenset({"error", "exception", "crash", "failur", "fail", "timeout", "rage"})
_HARM = frozenset(
    {"refund", "cancel", "cancell", "complaint", "complain", "ticket", "disput", "chargeback", "unsubscrib", "churn"}
)
_LATENCY = frozenset({"latenci", "duration", "ms", "elaps", "second", "millisecond"})
_REQUEST = frozenset({"request", "response", "api", "load", "http", "rpc", "query"})
MOST_HARMS = 2
_NUMERIC = ("number", "integer", "float", "double", "real", "decimal", "bigint")
QUANTILE = 0.95
LATENCY_MARGIN = 0.10
SHARE_MARGIN = 0.10
ROOM = 1.15  # the level where units meet the change is known only about


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
    """What must not get worse: errors, latency, and harms that the events tell of; margins are set later.

    Every guardrail costs power, so there is one for latency, one for errors and at most `MOST_HARMS` for harms: those
    that history has a baseline for, else the events that most units meet.
    """
    found: dict[str, list[Chosen]] = {"error": [], "harm": [], "latency": []}
    for baseline in explore.baselines:
        definition = dict(baseline.definition)
        kind = harm_kind(definition) if definition.get("type") in METRIC_TYPES else ""
        if not kind or definition.get("event") == chosen.definition.get("event"):
            continue
        definition |= {"role": "guardrail", "direction": "decrease"}
        if kind == "latency":
            busiest = _busiest(explore, str(definition.get("value") or ""))
            if busiest and busiest != definition.get("event"):
                found[kind].append(Chosen({**definition, "event": busiest}, _why(kind)))
                continue
        found[kind].append(Chosen(definition, _why(kind), baseline))
    for event in sorted(explore.events, key=lambda e: (-e.units, e.name)):
        kind = harm_kind({"event": event.name})
        known = kind and any(each.definition.get("event") == event.name for each in found[kind])
        if kind in ("error", "harm") and not known and event.name != chosen.definition.get("event"):
            found[kind].append(Chosen(_share_of(event.name), _why(kind), counted(explore, event)))
        if (value := latency_of(event)) and not found["latency"]:
            found["latency"].append(Chosen(_latency(event.name, value), _why("latency")))
    return (*found["error"][:1], *found["harm"][:MOST_HARMS], *found["latency"][:1])


def counted(explore: ExploreFacts, event: EventProfile) -> Baseline | None:
    """The share of units with an event, from its profile: what stands in for a baseline that nobody measured."""
    units = explore.units.value or 0.0
    if units <= 0 or event.units <= 0:
        return None
    share = min(event.units / units, 1.0)
    return Baseline(
        metric=event.name,
        definition=_share_of(event.name),
        mean=Measured(value=share, unit="share", evidence=event.evidence),
        sd=sqrt(share * (1 - share)),
        units=round(units),
        evidence=event.evidence,
    )


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
    shown = wanted if detectable is None else ROOM * detectable
    margin = max(wanted, shown)
    if shown <= wanted:
        why = f"at most {SHARE_MARGIN:.0%} more than in control, which the runtime can show"
    else:
        why = f"the smallest rise that the planned days can rule out, {_significant(margin / base)} times its level"
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
    """The property that tells how long an answer took; empty without one, or where the event is no request."""
    if not {stem(word) for word in pieces(event.name)} & _REQUEST:
        return ""
    for name, kind in event.properties.items():
        if {stem(w) for w in pieces(name)} & _LATENCY and kind.lower().startswith(_NUMERIC):
            return name
    return ""


def _busiest(explore: ExploreFacts, value: str) -> str:
    """The event with this property that most units meet: errors alone would say how slow errors are."""
    having = [each for each in explore.events if value in each.properties]
    return max(having, key=lambda e: (e.units, e.count, e.name)).name if having else ""


def _latency(event: str, value: str) -> Json:
    return {
        "name": f"p95_{'_'.join(pieces(value))}",
        "type": "quantile",
        "role": "guardrail",
        "direction": "decrease",
        "event": event,
        "value": value,
        "quantile": QUANTILE,
        "level_of_rows": "row",
    }


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
