"""What a document that names a flag means: its exposures and events stand in the lake, under names that follow."""

from __future__ import annotations

from typing import Any

from paribus.experiments.marked_yaml import KeyPath
from paribus.experiments.problems import Problems
from paribus.experiments.schema import ExperimentDoc, MetricDoc
from paribus.metrics.definition import DataModel, EventSource, Exposures
from paribus.warehouse.event_views import OWN_UNIT, events_of, exposures_of, unit_column

PERSONS = ("user", "anonymous")  # the types of unit that a link joins


def lake_data(doc: ExperimentDoc, flag: str, cluster: str | None, problems: Problems) -> DataModel:
    """The flag's exposures, and the events that metrics name, as the lake holds them."""
    for name in ("source", "units", "exposures", "events"):
        if getattr(doc, name):
            problems.add(
                (name,),
                f"{name} stands beside a flag",
                key=True,
                rule="the exposures of a flag and its events are read from the lake",
                fix=f"remove {name}, or remove flag",
            )
    joins = doc.identity == "first"
    if joins and doc.unit_type not in (None, *PERSONS):
        problems.add(
            ("identity",),
            f"identity is first, and the units are of type {doc.unit_type}",
            rule="a link says that an anonymous id is a user",
            fix=f"write identity: none, or unit_type: {' or '.join(PERSONS)}",
        )
    if joins and doc.environment is None:
        problems.add(
            ("identity",),
            "identity is first, and no environment is named",
            rule="links are kept for each environment",
            fix="write environment: and its name",
        )
    unit = unit_column(doc.unit_type or "user")
    exposures = Exposures(
        exposures_of(flag, doc.environment),
        unit,
        "assigned",
        "time",
        epoch="epoch",
        probability="probability",
        reason="reason",
        served="served",
        cluster=cluster,
        own_unit=OWN_UNIT if joins else None,
    )
    named = {
        name: EventSource(events_of(name), unit, "time", event_id="event_id", session="session_id")
        for name in _events_named(doc)
    }
    return DataModel(None, exposures, named, tuple(doc.segments), doc.time_zone)


def _events_named(doc: ExperimentDoc) -> list[str]:
    """The names of events that metrics read, each once, in the order of the document."""
    found: dict[str, None] = {}
    for metric in doc.metrics:
        steps, covariates = getattr(metric, "steps", ()), getattr(metric, "covariates", ())
        places = (
            metric.event,
            getattr(metric, "denominator_event", None),
            *(each.event for each in (*steps, *covariates)),
        )
        found |= dict.fromkeys(name for name in places if name is not None)
    return list(found)


def check_value(doc: MetricDoc, has: dict[str, Any], at: KeyPath, problems: Problems) -> None:
    """A mean or quantile of events says of what."""
    if has["type"] in ("mean", "quantile") and has.get("value") is None:
        problems.add(
            at,
            f"the metric {doc.name!r} has no value",
            rule=f"a {has['type']} of events needs an expression over their columns",
            fix='write value: "amount", or use type: count or proportion',
        )


def check_events(doc: MetricDoc, has: dict[str, Any], whole: ExperimentDoc, at: KeyPath, problems: Problems) -> None:
    """With a flag, sources are events by name; without one, no event is named."""
    steps, covariates = has.get("steps", ()), has.get("covariates", ())
    named: list[tuple[KeyPath, str, Any]] = [(at, "source", doc.source), (at, "event", doc.event)]
    named += [(at, name, has.get(name)) for name in ("denominator_source", "denominator_event")]
    for holder, parts in (("steps", steps), ("covariates", covariates)):
        named += [
            ((*at, holder, i), name, getattr(p, name)) for i, p in enumerate(parts) for name in ("source", "event")
        ]
    unfit = "event" if whole.flag is None else "source"
    for path, name, value in named:
        if value is not None and name.endswith(unfit):
            other = name.replace(unfit, "source" if unfit == "event" else "event")
            rule = "with a flag, metrics name events" if whole.flag else "events are named by a document with a flag"
            problems.add((*path, name), f"{name} does not fit here", key=True, rule=rule, fix=f"write {other}: {value}")
    if whole.flag is None:
        return
    if doc.event is None and has["type"] != "funnel":
        problems.add(at, f"the metric {doc.name!r} has no event", fix="write event: and the name of the events to read")
    for i, step in enumerate(steps):
        if step.event is None:
            problems.add((*at, "steps", i), f"the step {step.name!r} has no event", fix="write event: NAME")
    check_value(doc, has, at, problems)
