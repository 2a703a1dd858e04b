"""Data quality as a time series: five shares of each day's events, kept where they were measured.

A point of a day that is over is written once and stays what it is; a run of checks adds points of its own time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from paribus.store import RecordType, Store

if TYPE_CHECKING:
    from paribus.lake import LakeReader
    from paribus.lake.quality import DayOfEvents

METRICS = {
    "completeness": "of the events of the tracking plan, those that arrived at all",
    "validity": "of the events, those that kept the tracking plan",
    "uniqueness": "of the events, those that are no copy of another with another id",
    "timeliness": "of the events, those received within a day of happening",
    "planned": "of the events, those that the tracking plan knows",
}
"""Each metric, as the share that it is."""
EVENTS = "events"
DAILY = "day"
"""`step` of points that are of a whole day, whoever measured them."""


@dataclass(frozen=True, slots=True)
class QualityPoint:
    """One metric of one table at one time.

    Attributes:
        table: events, or another table that checks run on.
        time: RFC 3339: the end of the day, or the time of the run.
        step: slug of the step whose checks ran; `day` for a whole day's events.
        good, of: rows (or events of the plan) that are as they should be, of so many.
        feature: whose run it was; empty for a day.
    """

    project: str
    environment: str
    table: str
    metric: str
    time: str
    step: str
    good: int
    of: int
    feature: str = ""

    @property
    def value(self) -> float | None:
        """The share that is good; None where there was nothing to judge."""
        return self.good / self.of if self.of else None

    @property
    def is_whole_day(self) -> bool:
        """Whether the point is of a day that was over when it was measured."""
        return self.step == DAILY and self.time.endswith("T00:00:00+00:00")

    def plain(self) -> dict[str, Any]:
        """The point as JSON."""
        return {
            "time": self.time,
            "environment": self.environment,
            "table": self.table,
            "metric": self.metric,
            "step": self.step,
            "value": self.value,
            "good": self.good,
            "of": self.of,
            "feature": self.feature or None,
        }


QUALITY = RecordType(
    QualityPoint, "quality_point", key=("project", "environment", "table", "metric", "time", "step", "feature")
)


def measured_days(
    reader: LakeReader, environment: str, planned: Iterable[str], until: datetime, *, project: str = "default"
) -> list[QualityPoint]:
    """The points of every day on which events arrived, up to a time; an unfinished last day ends at that time.

    Args:
        reader: of the lake.
        environment: of the events.
        planned: events of the tracking plan that should arrive.
        until: with its zone; what was received from then on is left out.
        project: of the installation.
    """
    from paribus.lake.quality import days_of_events

    wanted = frozenset(planned)
    points = []
    for day in days_of_events(reader, environment, until):
        end = datetime.combine(day.day, time(), UTC) + timedelta(days=1)
        stamp = min(end, until).astimezone(UTC).isoformat(timespec="seconds")
        points += [
            QualityPoint(project, environment, EVENTS, metric, stamp, DAILY, good, of)
            for metric, (good, of) in _shares(day, wanted).items()
            if of
        ]
    return points


def _shares(day: DayOfEvents, planned: frozenset[str]) -> dict[str, tuple[int, int]]:
    return {
        "completeness": (len(planned & set(day.names)), len(planned)),
        "validity": (day.events, day.events + day.held),
        "uniqueness": (day.events - day.doubled, day.events),
        "timeliness": (day.events - day.late, day.events),
        "planned": (day.events - day.unplanned, day.events),
    }


def keep(store: Store, points: Sequence[QualityPoint]) -> int:
    """Keeps the points that are not kept yet; how many these were.

    A day is kept when it is over, and stays as it was measured first: erasing a person later does not rewrite it.
    """
    records = store.records(QUALITY)
    ended = [point for point in points if point.step != DAILY or point.is_whole_day]
    kept = {_key(each) for each in records.scan_each(sorted({_key(point)[:4] for point in ended}))}
    new = [point for point in ended if _key(point) not in kept]
    records.upsert(*new)
    return len(new)


def history(
    store: Store,
    environment: str,
    *,
    table: str = EVENTS,
    step: str = "",
    feature: str = "",
    project: str = "default",
) -> list[QualityPoint]:
    """The points that are kept, oldest first; of one step or feature where they are named."""
    prefixes = [(project, environment, table, metric) for metric in METRICS]
    found = [
        each
        for each in store.records(QUALITY).scan_each(prefixes)
        if (not step or each.step == step) and (not feature or each.feature in {"", feature})
    ]
    order = list(METRICS)
    return sorted(found, key=lambda each: (each.time, order.index(each.metric), each.step, each.feature))


def _key(point: QualityPoint) -> tuple[str, str, str, str, str, str, str]:
    return (point.project, point.environment, point.table, point.metric, point.time, point.step, point.feature)
