"""What is wrong with the rows: missing values, repeats, mixed types, late events, units that are programs."""

from __future__ import annotations

from dataclasses import dataclass

from paribus.exploration.days import Days
from paribus.exploration.event_log import EventLog

FEWEST_OF_A_BOT = 100
"""Events on one day, below which no unit is taken for a program."""
FAR_OUT = 3.0  # times the distance between the quartiles, on a log scale (Tukey 1977)


@dataclass(frozen=True, slots=True)
class Quality:
    """Counts of flaws.

    Attributes:
        rows, unread, copies: of the source; without unit, name or time; with the id of another row.
        repeated: rows with unit, name and time of another row.
        heavy_units, heavy_events: units that did more on a day than any person, and their events; left out.
        heavy_limit: events on one day from which a unit counts as such.
        mixed: properties of several types, event.property.
        rare: properties that fewer than half of their event's rows have.
        late_hour, late_day: share of events that were received more than an hour, a day after they happened; None
            when the source does not say.
        statements: SQL by name.
    """

    rows: int
    unread: int
    copies: int
    repeated: int
    heavy_units: int
    heavy_events: int
    heavy_limit: int
    mixed: tuple[str, ...]
    rare: tuple[str, ...]
    late_hour: float | None
    late_day: float | None
    statements: dict[str, str]


BUSIEST = (
    "SELECT unit, MAX(n) AS busiest FROM (SELECT unit, day, COUNT(*) AS n FROM raw_events WHERE event IN ({}) "
    "GROUP BY unit, day) AS unit_days GROUP BY unit"
)


def leave_out_bots(log: EventLog) -> tuple[int, int, int, str]:
    """Takes units that are programs out of `events`: how many, their events, the limit on one day, the SQL."""
    busiest = BUSIEST.format(log.names(log.actions))
    statement = (
        "SELECT MAX(CASE WHEN nth <= 0.25 * n THEN busiest END) AS q1, MAX(CASE WHEN nth <= 0.75 * n THEN busiest "
        "END) AS "
        "q3 FROM (SELECT busiest, ROW_NUMBER() OVER (ORDER BY busiest) AS nth, COUNT(*) OVER () AS n FROM "
        f"({busiest}) AS "
        "b) AS ranked"
    )
    low, high = (max(float(x or 1), 1.0) for x in log.query(statement).rows[0])
    limit = max(int(high * max(high / low, 2.0) ** FAR_OUT), FEWEST_OF_A_BOT)
    heavy = f"SELECT unit FROM ({busiest}) AS b WHERE busiest > {limit}"
    units, events = log.query(
        f"SELECT COUNT(DISTINCT unit) AS units, COUNT(*) AS n FROM raw_events WHERE unit IN ({heavy})"
    ).rows[0]
    if units:
        log.leave_out_units(heavy)
    return int(units), int(events), limit, heavy


def measure_quality(log: EventLog, days: Days, bots: tuple[int, int, int, str]) -> Quality:
    """Counts of flaws of the whole source."""
    late_hour = late_day = None
    late_sql = ""
    if log.has_received:
        late_sql = (
            "SELECT AVG(CASE WHEN late > 3600000000 THEN 1.0 ELSE 0.0 END) AS hour, AVG(CASE WHEN late > 86400000000 "
            "THEN "
            "1.0 ELSE 0.0 END) AS day FROM raw_events WHERE late IS NOT NULL"
        )
        hour, day = log.query(late_sql).rows[0]
        late_hour, late_day = (None if x is None else float(x) for x in (hour, day))
    return Quality(
        log.rows,
        log.unread,
        log.copies,
        int(days.repeated.sum()),
        bots[0],
        bots[1],
        bots[2],
        tuple(f"{p.event}.{p.name}" for p in log.properties if p.mixed),
        tuple(f"{p.event}.{p.name}" for p in log.properties if p.present < 0.5 and p.place == "properties"),
        late_hour,
        late_day,
        {"bots": bots[3], "late": late_sql},
    )
