"""How good the events were that arrived on each day, counted in the lake.

Days are days of arrival (UTC): what arrived on a day that is over does not change any more, but for erasure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from paribus.lake.fresh import read_fresh
from paribus.lake.reading import LakeReader
from paribus.lake.rows import ask

LATE_SECONDS = 86_400
"""An event is timely that is received within this many seconds of happening; exports come once a day."""
BROKEN = ("contract", "unplanned")
"""Reasons of quarantine that say that an event broke the tracking plan."""
_COLUMNS = (
    *("name", "unit", "user_id", "anonymous_id", "properties", "planned", "corrected_time", "received_time"),
    "environment",
)
_UNIT = "coalesce(unit, user_id, anonymous_id)"
_EVENTS = f"""
SELECT CAST(received_time AS DATE) AS day, count(*) AS events, list_sort(list(DISTINCT name)) AS names,
       count(*) - count(DISTINCT hash(name, {_UNIT}, properties, date_trunc('second', corrected_time))) AS doubled,
       count(*) FILTER (WHERE epoch_us(received_time) - epoch_us(corrected_time) > {LATE_SECONDS}000000) AS late,
       count(*) FILTER (WHERE NOT planned AND NOT starts_with(name, '$')) AS unplanned
FROM {{events}} WHERE environment = $environment AND received_time < $until GROUP BY day ORDER BY day
"""
_HELD = """
SELECT CAST(received_time AS DATE) AS day, count(*) AS held FROM ({quarantine}) AS quarantine
WHERE environment = $environment AND received_time < $until AND list_contains($reasons, reason)
GROUP BY day ORDER BY day
"""


@dataclass(frozen=True, slots=True)
class DayOfEvents:
    """What arrived on one day in one environment.

    Attributes:
        events: accepted, each once.
        names: of events, in order.
        doubled: copies beyond the first: same unit, name and properties within the same second, another id.
        late: received more than a day after they happened.
        unplanned: outside the tracking plan, Paribus's own left out.
        held: in quarantine for breaking the plan.
    """

    day: date
    events: int
    names: tuple[str, ...]
    doubled: int
    late: int
    unplanned: int
    held: int


def days_of_events(
    reader: LakeReader, environment: str, until: datetime, *, reasons: Sequence[str] = BROKEN
) -> list[DayOfEvents]:
    """Each day on which something arrived, in order.

    Args:
        reader: of the lake.
        environment: of the events.
        until: events received from then on are left out.
        reasons: of quarantine that count.
    """
    values = {"environment": environment, "until": until}
    found = {row["day"]: row for row in ask(reader, _EVENTS, columns=_COLUMNS, values=values)}
    held = read_fresh(lambda: _held(reader, environment, until, reasons))
    days = []
    for day in sorted({*found, *held}):
        row = found.get(day, {})
        counts = {name: int(row.get(name, 0)) for name in ("events", "doubled", "late", "unplanned")}
        days.append(DayOfEvents(day, names=tuple(row.get("names", ())), held=held.get(day, 0), **counts))
    return days


def _held(reader: LakeReader, environment: str, until: datetime, reasons: Sequence[str]) -> dict[date, int]:
    import duckdb

    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        rows = connection.execute(
            _HELD.format(quarantine=reader.quarantine_sql()),
            {"environment": environment, "until": until, "reasons": list(reasons)},
        ).fetchall()
    return {day: int(held) for day, held in rows}
