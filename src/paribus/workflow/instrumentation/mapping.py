"""From metrics to the events and properties they are made of, and from events to who sends them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from paribus.events.plan import PlanDoc
from paribus.events.reserved import RESERVED
from paribus.events.taxonomy import verb_of
from paribus.warehouse.event_views import RECORD_COLUMNS
from paribus.warehouse.event_views import RESERVED as SHORT_NAMES
from paribus.warehouse.sql.fragments import parse_fragment
from paribus.workflow.architecture.journey import metric_events
from paribus.workflow.facts.explore import EventProfile
from paribus.workflow.facts.instrument import MetricEvents

BACKEND, FRONTEND, SDK = "backend", "frontend", "sdk"
_ON_SERVER = frozenset({"conversion", "error", "system", "performance"})


def mapped(
    metrics: Iterable[Mapping[str, Any]], plan: PlanDoc, profiles: Sequence[EventProfile]
) -> tuple[tuple[MetricEvents, ...], tuple[str, ...]]:
    """Each metric with its events, and in words what cannot be mapped: no such event, nobody sends it, no property."""
    found, missing = [], []
    seen = {profile.name: profile for profile in profiles}
    for metric in metrics:
        events = tuple(resolved(name, plan) for name in metric_events(metric))
        properties = tuple(sorted(properties_of(metric)))
        for name in events:
            profile = seen.get(name)
            if name not in plan.events and name not in RESERVED:
                missing.append(f"{metric['name']}: there is no event {name}")
            elif name in plan.events and (profile is None or not profile.count):
                missing.append(f"{metric['name']}: no unit had {name} in the history, so nobody sends it")
        if not events:
            missing.append(f"{metric['name']}: it names no event")
        known = {key for name in events for key in _properties(name, plan, seen)}
        open_ended = any(name in RESERVED and not seen.get(name) for name in events)
        lost = [key for key in properties if key not in known and key not in RECORD_COLUMNS]
        if events and lost and not open_ended:
            missing.append(f"{metric['name']}: {', '.join(events)} has no property {', '.join(lost)}")
        sender = {sender_of(name, plan) for name in events}
        found.append(
            MetricEvents(
                metric=str(metric["name"]),
                role=str(metric.get("role", "success")),
                events=events,
                sent_by=next((each for each in (BACKEND, SDK, FRONTEND) if each in sender), BACKEND),
                properties=properties,
            )
        )
    return tuple(found), tuple(missing)


def resolved(name: str, plan: PlanDoc) -> str:
    """The event that a metric means: `error` is also the SDK's `$error`, unless the plan has one of that name."""
    return f"${name}" if name not in plan.events and f"${name}" in SHORT_NAMES else name


def properties_of(metric: Mapping[str, Any]) -> set[str]:
    """The properties that the SQL fragments of a metric read."""
    texts = [metric.get(part) for part in ("value", "filter", "denominator", "denominator_filter")]
    texts += [step.get("where") for step in metric.get("steps") or ()]
    return {
        column
        for text in texts
        if text is not None and not isinstance(text, int | float)
        for column in parse_fragment(str(text), dialect="duckdb", columns=None).columns
    }


def needed(metrics: Iterable[Mapping[str, Any]]) -> dict[str, set[str]]:
    """The properties that metrics read, by event."""
    found: dict[str, set[str]] = {}
    for metric in metrics:
        for name in metric_events(metric):
            found.setdefault(name, set()).update(properties_of(metric))
    return found


def sender_of(name: str, plan: PlanDoc) -> str:
    """Who sends an event: the SDK its own, the backend what it decides or completes, the page what users do."""
    if name.startswith("$"):
        return SDK
    event = plan.events.get(name)
    return BACKEND if event is not None and event.semantics in _ON_SERVER else FRONTEND


def interactions(plan: PlanDoc, funnel: Sequence[str]) -> dict[str, str]:
    """What users do on the page: element ids, and the route of the first step; outcomes have no element of their own.

    An element is called by verb and object: `submit-payment` for payment_submitted.
    """
    found: dict[str, str] = {}
    if funnel and funnel[0] in plan.events:
        found["GET /"] = funnel[0]
    for name, event in plan.events.items():
        if name in found.values() or event.semantics in _ON_SERVER or event.deprecated:
            continue
        *object_words, action = [word for word in name.replace("-", "_").split("_") if word] or [name]
        found["-".join([verb_of(action.lower()), *(word.lower() for word in object_words)])] = name
    return dict(sorted(found.items()))


def _properties(name: str, plan: PlanDoc, seen: Mapping[str, EventProfile]) -> set[str]:
    declared = plan.events.get(name) or RESERVED.get(name)
    return {*(declared.properties if declared else ()), *(seen[name].properties if name in seen else ())}
