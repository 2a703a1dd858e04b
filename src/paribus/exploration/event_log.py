"""A table of events, wherever it is, as one relation that every analysis reads.

The relation `events` has unit, event, at_us (microseconds since 1970, UTC), day (days since 1970, UTC) and session,
and a column for each attribute and number that analyses may ask for. Files and the lake are read once into a working
copy on disk; tables of a database stay where they are and the statements go to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

from paribus.exploration.roles import Columns
from paribus.exploration.shape import Attribute, Number, Property
from paribus.warehouse.engine import Table
from paribus.warehouse.event_views import literal
from paribus.warehouse.working_copy import WorkingCopy

DAY = 86_400_000_000  # microseconds
GAP_MINUTES = 30
"""Without an id, a session ends after this long without an event."""
EPOCH = date(1970, 1, 1)
PREFIX = "pb_"
OTHER = "other"
NONE = "(none)"


class Answers(Protocol):
    """An engine, as far as an event log needs it."""

    @property
    def dialect(self) -> str: ...

    def query(self, sql: str) -> Table: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class EventLog:
    """The events of one source, ready to be asked.

    Attributes:
        source: how people call it: the lake, a file's name, a table.
        version: what identifies the data: the lake's version, files by name and size.
        reading: the SELECT that made `events` of the source, as shown to people.
        columns: which column has which role.
        events: every event's name, most frequent first.
        attributes, numbers, properties: what can be asked beside (see `shape`).
        first, last: the earliest and latest time, microseconds.
        watermark: everything before it is there (microseconds); None when the source does not say.
        rows: rows of the source; `unread` of them lack unit, name or time and are left out.
        copies: rows that repeat an event's id, left out too.
        exact: whether the profile of properties read all rows, not a sample.
    """

    engine: Answers
    source: str
    version: str
    reading: str
    columns: Columns
    events: tuple[str, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    numbers: tuple[Number, ...] = ()
    properties: tuple[Property, ...] = ()
    first: int = 0
    last: int = 0
    watermark: int | None = None
    rows: int = 0
    unread: int = 0
    copies: int = 0
    exact: bool = True
    has_sessions: bool = False
    has_received: bool = False
    unit_names: str = ""
    """The relation that gives a unit's own id (unit, name), where one was asked for and `unit` is a hash of it."""
    levels: dict[str, str] = field(default_factory=dict)
    """Relations of statements on a database, by name, in its own SQL."""
    system: frozenset[str] = frozenset()
    """Events that nobody did: exposures, requests, what SDKs report."""
    _has_visits: bool = False

    def query(self, select: str) -> Table:
        """The answer of a SELECT in DuckDB's words over `events` and what was kept."""
        return self.engine.query(self.sql(select))

    def sql(self, select: str) -> str:
        """The statement as the engine is sent it."""
        if isinstance(self.engine, WorkingCopy):
            return select
        from paribus.warehouse.sql.portable import ported, renamed

        return ported(renamed(select, self._names), self.engine.dialect, self.levels)

    def keep(self, name: str, select: str) -> str:
        """Gives a SELECT a name for later statements: kept on disk in a working copy, repeated on a database."""
        if isinstance(self.engine, WorkingCopy):
            self.engine.keep(name, select)
        else:
            from paribus.warehouse.sql.portable import ported, renamed

            self.levels[PREFIX + name] = ported(renamed(select, self._names), self.engine.dialect)
        return name

    @property
    def _names(self) -> dict[str, str]:
        """Names on a database, where a table may have ours: all start with a prefix there."""
        return {name.removeprefix(PREFIX): name for name in self.levels}

    def leave_out_units(self, heavy: str) -> None:
        """From now on `events` has no event of the units that `heavy`, a SELECT of unit over `raw_events`, names."""
        if isinstance(self.engine, WorkingCopy):
            self.engine.keep("heavy_units", heavy)
            rest = "SELECT * FROM raw_events WHERE unit NOT IN (SELECT unit FROM heavy_units)"
            self.engine.keep("events", rest, as_view=True)
        else:
            self.keep("events", f"SELECT * FROM raw_events WHERE unit NOT IN (SELECT unit FROM ({heavy}) AS heavy)")

    @property
    def actions(self) -> tuple[str, ...]:
        """The events that a person or a program did, most frequent first: no exposures, no requests."""
        return tuple(name for name in self.events if name not in self.system)

    def names(self, events: Iterable[str]) -> str:
        """Event names as the inside of IN (…)."""
        return ", ".join(literal(name) for name in events) or "NULL"

    @property
    def first_day(self) -> int:
        """Days since 1970 of the first event."""
        return self.first // DAY

    @property
    def last_day(self) -> int:
        """Days since 1970 of the last event."""
        return self.last // DAY

    def visits(self) -> str:
        """The relation `visits`: events with `visit`, the session's id or a stretch without a gap of 30 minutes."""
        if self._has_visits:
            return "visits"
        self._has_visits = True
        did = f"event IN ({self.names(self.actions)})"
        if self.has_sessions:
            return self.keep(
                "visits",
                f"SELECT unit, event, at_us, day, session AS visit FROM events WHERE {did} AND session IS NOT NULL",
            )
        gap = GAP_MINUTES * 60_000_000
        return self.keep(
            "visits",
            "SELECT unit, event, at_us, day, SUM(CASE WHEN gap IS NULL OR gap > "
            f"{gap} THEN 1 ELSE 0 END) OVER (PARTITION BY unit ORDER BY at_us, event ROWS BETWEEN UNBOUNDED PRECEDING "
            "AND "
            "CURRENT ROW) AS visit FROM (SELECT unit, event, at_us, day, at_us - LAG(at_us) OVER (PARTITION BY unit "
            "ORDER BY at_us, "
            f"event) AS gap FROM events WHERE {did}) AS spaced",
        )

    def attribute(self, name: str) -> Attribute | None:
        """The attribute of that name."""
        return next((each for each in self.attributes if each.name == name), None)

    def number(self, name: str) -> Number | None:
        """The number of that name."""
        return next((each for each in self.numbers if each.name == name), None)

    def close(self) -> None:
        """Closes the engine and removes the working copy."""
        self.engine.close()

    def __enter__(self) -> EventLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def date_of(day: int) -> date:
    """The date of a number of days since 1970.

    >>> date_of(20000).isoformat()
    '2024-10-04'
    """
    return EPOCH + timedelta(days=int(day))


def time_of(at: int) -> datetime:
    """The time of a number of microseconds since 1970."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(at))


def other_than(values: Mapping[str, int], most: int) -> tuple[str, ...]:
    """The most frequent values, ties in the order of the alphabet."""
    return tuple(name for name, _ in sorted(values.items(), key=lambda item: (-item[1], item[0]))[:most])
