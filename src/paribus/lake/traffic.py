"""How much arrives: events, their busiest hour, and how large they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from paribus.errors import StorageError

if TYPE_CHECKING:
    from paribus.lake.reading import Snapshot


@dataclass(frozen=True, slots=True)
class Traffic:
    """Events of a stretch of days.

    events         distinct events
    busiest_hour   events of the hour that has most
    mean_bytes     characters of properties and context of an event, on average; None without events
    """

    events: int
    busiest_hour: int
    mean_bytes: float | None


def traffic(snapshot: Snapshot, start: date, end: date, *, threads: int | None = None) -> Traffic:
    """The traffic of the days from `start` up to, and without, `end`.

    Raises:
        StorageError: the files cannot be read.
    """
    import duckdb

    if not snapshot.files:
        return Traffic(0, 0, None)
    days = f"event_date >= DATE '{start:%Y-%m-%d}' AND event_date < DATE '{end:%Y-%m-%d}'"
    read = snapshot.events_sql(columns=["corrected_time", "event_date", "properties", "context"])
    hours = (
        "SELECT date_trunc('hour', corrected_time) AS hour, count(*) AS n, "
        f"sum(length(properties) + length(context)) AS characters FROM ({read}) WHERE {days} GROUP BY hour"
    )
    try:
        connection = duckdb.connect(config={"threads": threads} if threads else {})
        try:
            rows = connection.execute(f"SELECT sum(n), max(n), sum(characters) FROM ({hours})").fetchall()
        finally:
            connection.close()
    except duckdb.Error as error:
        raise StorageError(f"the lake cannot be read: {str(error).partition(chr(10))[0][:300]}") from error
    events, busiest, characters = rows[0]
    if not events:
        return Traffic(0, 0, None)
    return Traffic(int(events), int(busiest), float(characters or 0) / int(events))
