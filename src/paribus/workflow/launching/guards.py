"""Which guards watch an experiment: errors always, and each guardrail that is a share of units with an event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paribus.monitoring.watch import Watch, guards_of
from paribus.workflow.launching.configuration import shares

Json = dict[str, Any]
OWN = {"$error", "$request"}


def watch_of(
    experiment: str,
    flag: str,
    environment: str,
    document: Mapping[str, Any],
    plan: Mapping[str, Any] | None,
    *,
    control: str,
    acts: bool,
) -> tuple[Watch, tuple[str, ...]]:
    """The watch over an experiment, and the guardrails that only the analysis judges, each with its reason."""
    errors = error_events(plan)
    watched, left = watchable(document.get("metrics", ()), errors)
    errors = tuple(dict.fromkeys((*errors, *watched.pop("errors", ()))))
    weights = shares(document)
    return (
        Watch(
            experiment=experiment,
            flag=flag,
            environment=environment,
            control=control,
            weights=weights,
            unit_type=str(document.get("unit_type") or "user"),
            guards=guards_of(errors, watched, arms=len(weights)),
            automatic_rollback=acts,
        ),
        left,
    )


def error_events(plan: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Events that the tracking plan calls errors."""
    events = (plan or {}).get("events", {})
    return tuple(name for name, each in events.items() if each.get("semantics") == "error")


def watchable(
    metrics: Sequence[Mapping[str, Any]], errors: Sequence[str]
) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Events by guardrail that a watch can count live, and sentences on those it cannot.

    Guardrails on errors join the one guard `errors`.
    """
    watched: dict[str, tuple[str, ...]] = {}
    left = []
    for metric in metrics:
        if metric.get("role") != "guardrail":
            continue
        name, event = str(metric["name"]), metric.get("event")
        if metric.get("type") not in {"proportion", "count"} or metric.get("direction") != "decrease" or not event:
            left.append(f"{name} is judged by the analysis: it is no share of units that should have fewer events")
        elif event in {*errors, *OWN, "error", "request"}:
            own = f"${event}" if f"${event}" in OWN else str(event)
            watched["errors"] = tuple(dict.fromkeys((*watched.get("errors", ()), own)))
        elif metric.get("filter") or metric.get("value"):
            left.append(f"{name} is judged by the analysis: it has a condition of its own")
        else:
            watched[name] = (str(event),)
    return watched, tuple(left)
