"""Data quality as steps show it: measured, kept as a time series, and drawn by day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from paribus.charts.series import day_series
from paribus.governance.quality import METRICS, QualityPoint, keep, measured_days
from paribus.workflow.artifact import Evidence
from paribus.workflow.block import Block, Paragraph, Picture, Table
from paribus.workflow.context import Context

Json = dict[str, Any]
PER = 1000
EVIDENCE = "quality"
_FLAWS = {
    "completeness": "planned events that did not arrive",
    "validity": "events held back",
    "uniqueness": "events sent twice",
    "timeliness": "late events",
    "planned": "unplanned events",
}


def history_of(context: Context, planned: Iterable[str], until: datetime) -> tuple[Json, ...]:
    """The quality of the events of each day up to a time, which are kept in the store; empty without a lake."""
    reader = context.operations.lake() if context.feature.source == "lake" else None
    if reader is None:
        return ()
    end = until if until.tzinfo else until.replace(tzinfo=UTC)
    points = [each for each in measured_days(reader, context.feature.environment, planned, end) if each.is_whole_day]
    keep(context.store, points)
    return tuple(shown(each, EVIDENCE) for each in points)


def shown(point: QualityPoint, evidence: str) -> Json:
    """A point as facts hold it."""
    return {
        "time": point.time,
        "metric": point.metric,
        "step": point.step,
        "value": point.value,
        "good": point.good,
        "of": point.of,
        "evidence": evidence,
    }


def evidence() -> Evidence:
    """Where a day's points come from."""
    return Evidence(
        kind="sql",
        title="The events of the lake by day of arrival, and those held back; the metrics are "
        + "; ".join(f"{name}: {said}" for name, said in METRICS.items()),
        statement="paribus events quality --history",
        data="days that are over",
    )


def blocks(points: Sequence[Mapping[str, Any]]) -> list[Block]:
    """A picture for each kind of flaw that occurred, in events of a thousand by day; a sentence for the others."""
    made: list[Block] = []
    spotless = []
    for metric, flaw in _FLAWS.items():
        series = [each for each in points if each["metric"] == metric and each["of"]]
        if not series:
            continue
        bad = [PER * (each["of"] - each["good"]) / each["of"] for each in series]
        if not any(bad):
            spotless.append(metric)
            continue
        figure = day_series([str(each["time"])[:10] for each in series], bad, title=f"{flaw}, of 1,000")
        good, of = sum(each["good"] for each in series), sum(each["of"] for each in series)
        made.append(Picture(figure, f"{metric}: {good:,} of {of:,}", f"quality-{metric}"))
    if spotless:
        made.append(Paragraph(f"Without a flaw on every day: {', '.join(spotless)}."))
    return made


def run_table(points: Sequence[Mapping[str, Any]]) -> list[Block]:
    """The runs of checks one after another, a column for each metric."""
    times = sorted({str(each["time"]) for each in points})
    metrics = [name for name in METRICS if any(each["metric"] == name for each in points)]
    if not times:
        return []
    value = {(str(each["time"]), each["metric"]): each["value"] for each in points}

    def cell(time: str, metric: str) -> str:
        found = value.get((time, metric))
        return "–" if found is None else f"{found:.1%}"

    rows = [(time[:16].replace("T", " "), *(cell(time, metric) for metric in metrics)) for time in times]
    return [Table(("run (UTC)", *metrics), rows, "Each run of these checks, as kept.", tuple(metrics))]
