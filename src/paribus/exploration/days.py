"""Events and units by day, and the stretch of whole days that analyses read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paribus.exploration.event_log import DAY, EventLog, date_of

HALF = 0.5
STRAY = 0.0005  # share of events that may lie far before, or far after, all others
FAR = 7  # days
EVENING = 20 * 3_600_000_000


@dataclass(frozen=True, slots=True)
class Days:
    """Counts by day.

    Attributes:
        first: the first day, in days since 1970; `count` days follow each other.
        events: names; rows of `counts` and `units`.
        counts: events by name and day.
        units: units with the event, by name and day.
        active: units with any action, by day.
        new: units with their first event of the data, by day.
        repeated: rows that have unit, name and time of another row, by day.
        partial: why the first and last days of the data are no whole days and are not read; by date.
        outside: events on days that are not read.
        statement: the SQL of the counts.
    """

    first: int
    events: tuple[str, ...]
    counts: NDArray[np.float64]
    units: NDArray[np.float64]
    active: NDArray[np.float64]
    new: NDArray[np.float64]
    repeated: NDArray[np.float64]
    partial: dict[str, str]
    statement: str
    outside: int = 0

    @property
    def count(self) -> int:
        """How many days."""
        return int(self.counts.shape[1])

    @property
    def until(self) -> int:
        """The day after the last."""
        return self.first + self.count

    @property
    def start(self) -> str:
        """The first day's date."""
        return date_of(self.first).isoformat()

    @property
    def end(self) -> str:
        """The date after the last day's."""
        return date_of(self.until).isoformat()

    def weekday(self) -> NDArray[np.int64]:
        """0 Monday to 6 Sunday, of every day."""
        return (np.arange(self.first, self.until) + 3) % 7

    def of(self, event: str) -> NDArray[np.float64]:
        """The counts of an event."""
        found: NDArray[np.float64] = self.counts[self.events.index(event)]
        return found


COUNTS = "SELECT day, event, COUNT(*) AS n, COUNT(DISTINCT unit) AS units FROM events GROUP BY day, event"
ACTIVE = "SELECT day, COUNT(DISTINCT unit) AS units FROM events WHERE event IN ({}) GROUP BY day"
NEW = (
    "SELECT first_day AS day, COUNT(*) AS units FROM (SELECT unit, MIN(day) AS first_day FROM events "
    "WHERE event IN ({}) GROUP BY unit) AS firsts GROUP BY first_day"
)
REPEATED = (
    "SELECT day, SUM(n - 1) AS repeated FROM (SELECT day, unit, event, at_us, COUNT(*) AS n FROM events "
    "GROUP BY day, unit, event, at_us HAVING COUNT(*) > 1) AS copies GROUP BY day"
)


def measure_days(log: EventLog) -> Days:
    """Counts by day, the first and last days left out where they are not whole."""
    table = log.query(COUNTS)
    rows = np.array([[row[0], row[2], row[3]] for row in table.rows], dtype=np.float64).reshape(-1, 3)
    names = [str(row[1]) for row in table.rows]
    place = {name: i for i, name in enumerate(log.events)}
    first, until = _bulk(rows[:, 0], rows[:, 1])
    counts = np.zeros((len(place), until - first))
    units = np.zeros_like(counts)
    for (day, n, u), name in zip(rows, names, strict=True):
        if first <= day < until:
            counts[place[name], int(day) - first] = n
            units[place[name], int(day) - first] = u
    did = log.names(log.actions)
    active = _by_day(log, ACTIVE.format(did), first, until)
    new = _by_day(log, NEW.format(did), first, until)
    repeated = _by_day(log, REPEATED, first, until)
    partial: dict[str, str] = {}
    begin, end = 0, until - first
    if end - begin > 2:
        totals = counts.sum(axis=0)
        usual = float(np.median(totals[1:-1]))
        if totals[0] < HALF * usual and log.first_day == first and log.first % DAY > DAY - EVENING:
            partial[date_of(first).isoformat()] = "the data begin during this day"
            begin = 1
        is_open = log.watermark is not None and log.watermark < until * DAY
        if is_open or (totals[-1] < HALF * usual and log.last_day == until - 1 and log.last % DAY < EVENING):
            partial[date_of(until - 1).isoformat()] = "the data end during this day"
            end -= 1
    kept = slice(begin, end)
    return Days(
        first + begin,
        log.events,
        counts[:, kept],
        units[:, kept],
        active[kept],
        new[kept],
        repeated[kept],
        partial,
        COUNTS,
        int(rows[:, 1].sum() - counts[:, kept].sum()),
    )


def arrivals(log: EventLog, first: int, until: int, event: str | None = None) -> tuple[tuple[float, ...], str]:
    """Units by the day of their first action (or first `event`) since `first`, and the SQL.

    That is what an experiment started then would get.
    """
    did = log.names([event] if event else log.actions)
    statement = (
        "SELECT first_day AS day, COUNT(*) AS units FROM (SELECT unit, MIN(day) AS first_day FROM events WHERE event "
        "IN "
        f"({did}) AND day >= {first} AND day < {until} GROUP BY unit) AS firsts GROUP BY first_day"
    )
    return tuple(float(n) for n in _by_day(log, statement, first, until)), statement


def _bulk(day: NDArray[np.float64], n: NDArray[np.float64]) -> tuple[int, int]:
    """The stretch of days that holds the events, without a few far from all others: those are wrong clocks."""
    order = np.argsort(day, kind="stable")
    day, share = day[order], np.cumsum(n[order]) / n.sum()
    first, last = int(day[0]), int(day[-1])
    low, high = int(day[np.searchsorted(share, STRAY)]), int(day[np.searchsorted(share, 1 - STRAY)])
    return (low if low - first > FAR else first), (high if last - high > FAR else last) + 1


def _by_day(log: EventLog, statement: str, first: int, until: int) -> NDArray[np.float64]:
    found = np.zeros(until - first)
    for day, n in log.query(statement).rows:
        if first <= day < until:
            found[int(day) - first] = float(n)
    return found
