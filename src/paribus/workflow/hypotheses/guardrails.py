"""What must not get worse, found in the data by what events are called, and by how much at most it may."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import sqrt
from typing import Any

from paribus.experiments.schema import METRIC_TYPES
from paribus.experiments.words import pieces, stem
from paribus.workflow.artifact import Measured
from paribus.workflow.facts.explore import Baseline, EventProfile, ExploreFacts
from paribus.workflow.hypotheses.chosen import Chosen, Json, checked

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
