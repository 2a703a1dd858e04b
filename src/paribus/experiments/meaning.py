"""What a well-formed experiment file means: a design and a data model, or the contradictions it holds."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from paribus.errors import DefinitionError, did_you_mean
from paribus.experiments.columns import control_among, fragment_of_column
from paribus.experiments.document import Document
from paribus.experiments.flag_meaning import check_events, check_value, lake_data
from paribus.experiments.marked_yaml import KeyPath, MarkedTree, spelled
from paribus.experiments.plan import Design, Kind, Variant
from paribus.experiments.plan_meaning import plan_of, zone_of
from paribus.experiments.problems import Problems, add_schema_errors
from paribus.experiments.scalars import shown
from paribus.experiments.schema import ExperimentDoc, MetricDoc, RatioDoc
from paribus.metrics.definition import (
    Cap,
    Covariate,
    DataModel,
    EventSource,
    Exposures,
    FunnelStep,
    Metric,
    MetricType,
    Role,
    UnitTable,
)


def document_of(tree: MarkedTree, *, file: Path | None) -> Document:
    """The document that the YAML tree means.

    Raises:
        DefinitionError: it breaks the schema or contradicts itself.
    """
    root = tree.position(())
    problems = Problems(tree, root.file)
    if not isinstance(tree.value, dict):
        raise DefinitionError(
            f"the file holds {shown(tree.value)}",
            where=str(root),
            rule="an experiment is a mapping of keys to values",
            fix="begin with paribus: 1",
        )
    value = {key: item for key, item in tree.value.items() if not key.startswith("x-")}
    try:
        doc = ExperimentDoc.model_validate(value)
    except ValidationError as error:
        add_schema_errors(problems, error, value)
        problems.raise_any()
        raise
    data = _data(doc, problems)
    variants, control, declared = _variants(doc, problems)
    metrics = tuple(_metric(m, doc, ("metrics", i), problems) for i, m in enumerate(doc.metrics))
    _names_once([m.name for m in metrics], "metrics", "name", problems)
    _names_once(doc.segments, "segments", None, problems)
    interference = _interference(doc, problems)
    if (zone := zone_of(doc.time_zone)) is None:
        _unknown_zone(doc.time_zone, problems)
        problems.raise_any()
    plan = plan_of(doc, metrics, len(variants), zone, problems)
    problems.raise_any()
    design = Design(
        key=doc.experiment,
        kind=Kind(doc.kind),
        interference=interference,
        variants=variants,
        control=control,
        metrics=metrics,
        plan=plan,
        segments=tuple(doc.segments),
        time_zone=doc.time_zone,
        tolerance_seconds=doc.tolerance_seconds,
        title=doc.title,
        split_declared=declared,
    )
    places = {spelled(path): str(position) for path, position in tree.values.items() if path}
    folder = file.parent if file is not None else Path()
    return Document(design, data, doc.source.url if doc.source else None, folder, file, places)


def _data(doc: ExperimentDoc, problems: Problems) -> DataModel:
    if doc.flag is not None:
        cluster = _cluster(doc, _cluster_of(doc.interference), problems)
        return lake_data(doc, doc.flag, cluster, problems)
    for name in ("environment", "unit_type", "identity"):
        if getattr(doc, name) not in (None, "none"):
            problems.add((name,), f"{name} stands without a flag", key=True, fix="write flag: KEY, or remove it")
    if (doc.units is None) == (doc.exposures is None):
        both = doc.units is not None
        problems.add(
            ("exposures",) if both else (),
            "units and exposures are both given" if both else "neither units nor exposures is given",
            key=both,
            rule="units is a table with one row per unit; exposures are rows of who met which variant when",
            fix="keep the one that fits"
            if both
            else "write units: {table: results.csv, unit: user_id, variant: group}",
        )
    if doc.units is not None and doc.events:
        problems.add(
            ("events",),
            "events stand beside a table of units",
            key=True,
            rule="a table of units already holds each unit's metric values",
            fix="to count events after exposure, describe the table as exposures: with its time",
        )
    keyed = _cluster_of(doc.interference)
    cluster = _cluster(doc, keyed, problems)
    units = exposures = None
    if doc.units is not None:
        u = doc.units
        units = UnitTable(u.table, u.unit, u.variant, u.exposed_at, u.stratum, u.epoch, cluster, u.filter)
    if doc.exposures is not None:
        e = doc.exposures
        exposures = Exposures(
            e.table, e.unit, e.variant, e.time, e.epoch, e.probability, e.reason, e.served, e.stratum, cluster, e.filter
        )
    events = {n: EventSource(s.table, s.unit, s.time, s.filter, s.event_id, s.session) for n, s in doc.events.items()}
    return DataModel(units, exposures, events, tuple(doc.segments), doc.time_zone)


def _cluster_of(interference: str) -> str | None:
    return interference.removeprefix("cluster:").strip() or None if interference.startswith("cluster:") else None


def _cluster(doc: ExperimentDoc, keyed: str | None, problems: Problems) -> str | None:
    """The cluster column: of the data, or named by interference."""
    holder = "units" if doc.units is not None else "exposures"
    table = doc.units or doc.exposures
    column = table.cluster if table is not None else None
    is_there = table is not None or doc.flag is not None
    if column and keyed and column != keyed:
        problems.add(
            (holder, "cluster"), f"the cluster is {column!r} here and {keyed!r} in interference", fix="name one"
        )
    column = column or keyed
    if column and doc.kind == "ab":
        at: KeyPath = ("interference",) if keyed else (holder, "cluster")
        problems.add(
            at, "a cluster is named, and kind is ab", rule="ab randomizes single units", fix="write kind: cluster"
        )
    if doc.kind == "cluster" and not column and is_there:
        fix = "write interference: {cluster: NAME}" if doc.flag else f"write {holder}: {{…, cluster: COLUMN}}"
        problems.add(("kind",), "kind is cluster, and no cluster is named", fix=fix)
    return column


def _interference(doc: ExperimentDoc, problems: Problems) -> str:
    """The answer in one spelling: 'none because …', 'cluster: KEY', 'switchback' or 'shared_resource'."""
    answer = " ".join(doc.interference.split())
    at = ("interference",)
    if re.match(r"none because \S", answer) or answer == "shared_resource":
        return answer
    if answer == "switchback":
        if doc.kind != "switchback":
            problems.add(at, f"interference is switchback, and kind is {doc.kind}", fix="write kind: switchback")
        return answer
    if answer.startswith("cluster:"):
        if key := _cluster_of(answer):
            return f"cluster: {key}"
        problems.add(at, "the cluster is not named", fix="write interference: {cluster: COLUMN}")
    elif answer.startswith("none"):
        problems.add(
            at,
            "no reason is given",
            rule="a plan says why one unit's variant cannot change another unit's outcome",
            fix="write interference: none because …",
        )
    else:
        forms = ["none because …", "cluster: KEY", "switchback", "shared_resource"]
        problems.add(
            at, f"{shown(answer)} is not an answer", rule=f"one of: {', '.join(forms)}", fix=did_you_mean(answer, forms)
        )
    return answer


def _unknown_zone(name: str, problems: Problems) -> None:
    import zoneinfo

    problems.add(
        ("time_zone",),
        f"{shown(name)} is not a time zone",
        rule="a name of the IANA database",
        fix=did_you_mean(name, zoneinfo.available_timezones() or {"UTC"}),
    )


def _variants(doc: ExperimentDoc, problems: Problems) -> tuple[tuple[Variant, ...], str, bool]:
    """The arms with normalized weights, the control, and whether the split was declared."""
    weights = {name: v.weight for name, v in doc.variants.items()}
    at: KeyPath = ("variants",)
    if len(weights) < 2:
        problems.add(at, "an experiment compares at least two variants", fix="write {control: 50, treatment: 50}")
    missing = [name for name, weight in weights.items() if weight is None]
    if missing and len(missing) < len(weights):
        problems.add(
            at, f"{', '.join(missing)} has no weight, and others have", fix="give every variant a weight, or none"
        )
    for name, weight in weights.items():
        if weight is not None and weight <= 0:
            problems.add(
                (*at, name),
                f"the weight {weight:g} is not above zero",
                fix="leave out a variant that nobody gets",
            )
    total = sum(weight or 0.0 for weight in weights.values())
    declared = not missing
    share = {n: (w / total if declared and total > 0 and w else 1 / len(weights)) for n, w in weights.items()}
    variants = tuple(Variant(name, share[name], doc.variants[name].description) for name in weights)
    if doc.control is not None:
        if doc.control not in weights:
            fix = did_you_mean(doc.control, weights)
            problems.add(("control",), f"{doc.control!r} is not one of the variants", fix=fix)
        return variants, doc.control, declared
    control = control_among(list(weights))
    if control is None and len(weights) >= 2:
        problems.add(
            at,
            "which variant is the control is not clear",
            rule="without control:, the only one named control, ctrl, baseline, a, 0, off or false",
            fix=f"write control: and one of {', '.join(weights)}",
        )
    return variants, control or "", declared


def _names_once(names: list[str], holder: str, field: str | None, problems: Problems) -> None:
    for i, name in enumerate(names):
        if name in names[:i]:
            path: KeyPath = (holder, i, field) if field else (holder, i)
            problems.add(path, f"{name!r} is given twice", rule=f"names in {holder} are different")


def _metric(doc: MetricDoc, whole: ExperimentDoc, at: KeyPath, problems: Problems) -> Metric:
    # The subclasses share no more than MetricDoc; what only some have is read by name, None elsewhere.
    has: dict[str, Any] = {name: getattr(doc, name) for name in type(doc).model_fields}
    type_ = MetricType(has["type"])
    from_units = whole.units is not None
    _check_sources(doc, has, whole, at, problems)
    if doc.role == "guardrail" and doc.margin is None:
        problems.add(
            at,
            f"the guardrail {doc.name!r} has no margin",
            rule="a guardrail is shown safe when it is not worse than its margin",
            fix="write margin: 1%, or margin: {absolute: 20} in the metric's own unit",
        )
    if doc.role != "guardrail" and doc.margin is not None:
        problems.add((*at, "margin"), "a margin is for guardrails", key=True, fix="write role: guardrail, or remove it")
    margin, absolute = _margin(doc, at, problems)
    value = has.get("value")
    if value is None and from_units and type_ in (MetricType.MEAN, MetricType.PROPORTION, MetricType.QUANTILE):
        value = fragment_of_column(doc.name)
    if isinstance(doc, RatioDoc) and from_units and (doc.denominator_source or doc.denominator_filter):
        problems.add(
            at, "with one row per unit a ratio is value / denominator", fix="remove denominator_source and filter"
        )
    steps = tuple(FunnelStep(s.name, s.source or s.event or "", s.where) for s in has.get("steps", ()))
    given = int(has.get("given", 0))
    if type_ is MetricType.FUNNEL and given >= len(steps):
        problems.add((*at, "given"), f"given: {given} is not before the last of {len(steps)} steps")
    days = has.get("retention_days")
    if days is not None and days[0] > days[1]:
        problems.add((*at, "retention_days"), f"day {days[0]} comes after day {days[1]}", fix="write [first, last]")
    return Metric(
        name=doc.name,
        type=type_,
        role=Role(doc.role),
        direction=doc.direction,
        source=doc.source or doc.event,
        value=value,
        filter=doc.filter,
        denominator=has.get("denominator"),
        denominator_source=has.get("denominator_source") or has.get("denominator_event"),
        denominator_filter=has.get("denominator_filter"),
        window_days=doc.window_days,
        quantile=has.get("quantile"),
        level_of_rows=has.get("level_of_rows", "unit"),
        steps=steps,
        given=given,
        retention_days=(days[0], days[1]) if days is not None else None,
        cap=_cap(has.get("cap"), whole, (*at, "cap"), problems),
        covariates=_covariates(has.get("covariates", []), from_units, whole, at, problems),
        margin=margin,
        margin_absolute=absolute,
        description=doc.description,
    )


def _check_sources(doc: MetricDoc, has: dict[str, Any], whole: ExperimentDoc, at: KeyPath, problems: Problems) -> None:
    kind = has["type"]
    check_events(doc, has, whole, at, problems)
    if whole.flag is not None:
        return
    named: list[tuple[KeyPath, str | None]] = [((*at, "source"), doc.source)]
    named.append(((*at, "denominator_source"), has.get("denominator_source")))
    named += [((*at, "steps", i, "source"), step.source) for i, step in enumerate(has.get("steps", ()))]
    for i, step in enumerate(has.get("steps", ())):
        if step.source is None and step.event is None:
            problems.add((*at, "steps", i), f"the step {step.name!r} has no source", fix="write source: NAME")
    if whole.units is not None:
        if kind in ("count", "funnel", "retention"):
            problems.add(
                (*at, "type"),
                f"a {kind} metric reads events, and the data are one row per unit",
                fix="use mean or proportion on a column, or give exposures and events",
            )
        elif doc.source is not None:
            problems.add((*at, "source"), "with one row per unit a metric has no source", key=True, fix="remove it")
        if doc.window_days is not None:
            problems.add(
                (*at, "window_days"),
                "with one row per unit the window is already in the column",
                key=True,
                fix="remove it, or give exposures and events",
            )
        return
    for path, source in named:
        if source is not None and source not in whole.events:
            fix = did_you_mean(source, whole.events) if whole.events else "write events: {…} with this source"
            problems.add(path, f"{source!r} is not one of the events", fix=fix)
    if doc.source is None and kind != "funnel":
        problems.add(
            at, f"the metric {doc.name!r} has no source", fix=f"name one of {', '.join(whole.events) or 'events'}"
        )
    check_value(doc, has, at, problems)


def _margin(doc: MetricDoc, at: KeyPath, problems: Problems) -> tuple[float | None, bool]:
    if doc.margin is None:
        return None, False
    absolute = doc.margin.absolute is not None
    size = doc.margin.absolute if absolute else doc.margin.relative
    if size is None or (absolute and doc.margin.relative is not None):
        problems.add((*at, "margin"), "the margin is either relative or absolute", fix="write 1% or {absolute: 20}")
        return None, False
    if size < 0:
        problems.add(
            (*at, "margin"),
            "the margin is below zero",
            rule="a margin is the size of the harm; direction says which way harm is",
            fix=f"write {-size:g}",
        )
    return size, absolute


def _cap(cap: Any, whole: ExperimentDoc, at: KeyPath, problems: Problems) -> Cap | None:
    if cap is None:
        return None
    for side in ("lower", "upper"):
        if getattr(cap, side) is not None and getattr(cap, f"{side}_percentile") is not None:
            problems.add((*at, side), f"{side} is given as a number and as a percentile", key=True, fix="keep one")
    percentile = cap.lower_percentile is not None or cap.upper_percentile is not None
    if not percentile and cap.lower is None and cap.upper is None:
        problems.add(at, "the cap has no limit", fix="write upper: 500, or upper_percentile: 99.9")
    if cap.lower is not None and cap.upper is not None and cap.lower >= cap.upper:
        problems.add((*at, "lower"), f"the lower cap {cap.lower:g} is not below the upper cap {cap.upper:g}")
    if percentile and cap.over == "pooled" and whole.plan.method != "fixed":
        problems.add(
            at,
            f"a pooled cap stands in a {whole.plan.method} plan",
            rule="a cap that moves with the data changes values already read; pooled caps need method: fixed",
            fix="over: pre_period, or a number",
        )
    if percentile and cap.over == "pre_period" and whole.units is not None:
        problems.add(
            at,
            "a table of units has no pre-period to take the percentile over",
            fix="write a number, or over: pooled with method: fixed",
        )
    return Cap(cap.lower, cap.upper, _fraction(cap.lower_percentile), _fraction(cap.upper_percentile), cap.over)


def _fraction(percentile: float | None) -> float | None:
    """99.9 as 0.999 and not as 0.9990000000000001: the decimal point moves in the decimal text."""
    return None if percentile is None else float(Decimal(str(percentile)) / 100)


def _covariates(
    docs: list[Any], from_units: bool, whole: ExperimentDoc, at: KeyPath, problems: Problems
) -> tuple[Covariate, ...]:
    for i, doc in enumerate(docs):
        path = (*at, "covariates", i)
        if from_units and (doc.value is None or doc.days is not None or doc.source is not None):
            problems.add(
                path,
                "with one row per unit a covariate is an expression over its columns",
                fix='write covariates: ["pre_revenue"]',
            )
        elif not from_units and doc.days is None:
            problems.add(
                path, "the covariate does not say how many days before exposure it reads", fix="write {days: 14}"
            )
        if not from_units and doc.source is not None and doc.source not in whole.events:
            problems.add(
                (*path, "source"),
                f"{doc.source!r} is not one of the events",
                fix=did_you_mean(doc.source, whole.events),
            )
    return tuple(Covariate(doc.days, doc.value, doc.source or doc.event, doc.filter) for doc in docs)
