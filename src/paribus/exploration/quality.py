"""What is wrong with the rows: missing values, repeats, mixed types, late events, units that are programs."""

from __future__ import annotations

from dataclasses import dataclass

from paribus.exploration.days import Days
from paribus.exploration.event_log import EventLog
from paribus.warehouse.event_views import literal

FEWEST_OF_A_BOT = 100
"""Events on one day, below which no unit is taken for a program."""
NEARLY_EVERY_DAY = 0.8
FAR_OUT = 3.0  # times the distance between the quartiles, on a log scale (Tukey 1977)


@dataclass(frozen=True, slots=True)
class Bots:
    """Units that are programs, left out of `events`: how many, their events, and what gave them away.

    Attributes:
        per_day: events on one day from which a unit counts as one.
        in_all: events in all from which a unit that came nearly every day and never converted counts as one.
        statement: the SQL that names them.
    """

    units: int
    events: int
    per_day: int
    in_all: int
    statement: str


@dataclass(frozen=True, slots=True)
class Quality:
    """Counts of flaws.

    Attributes:
        rows, unread, copies: of the source; without unit, name or time; with the id of another row.
        repeated: rows with unit, name and time of another row.
        bots: units that are programs.
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
    bots: Bots
    mixed: tuple[str, ...]
    rare: tuple[str, ...]
    late_hour: float | None
    late_day: float | None
    statements: dict[str, str]


def leave_out_bots(log: EventLog, conversion: str | None = None) -> Bots:
    """Takes units that are programs out of `events`."""
    goal = f"event = {literal(conversion)}" if conversion else "1 = 0"
    by_day = (
        f"SELECT unit, day, COUNT(*) AS n, SUM(CASE WHEN {goal} THEN 1 ELSE 0 END) AS goals FROM raw_events WHERE "
        "event IN "
        f"({log.names(log.actions)}) GROUP BY unit, day"
    )
    counted = (
        "SELECT unit, MAX(n) AS busiest, SUM(n) AS total, COUNT(*) AS days, SUM(goals) AS goals FROM "
        f"({by_day}) AS unit_days GROUP BY unit"
    )
    per_day = max(_far_out(log, counted, "busiest"), FEWEST_OF_A_BOT)
    in_all = max(_far_out(log, counted, "total"), FEWEST_OF_A_BOT)
    often = NEARLY_EVERY_DAY * (log.last_day - log.first_day + 1)
    heavy = (
        f"SELECT unit FROM ({counted}) AS counted WHERE busiest > {per_day} OR (total > {in_all} AND days >= "
        f"{often:.2f} "
        "AND days >= 5 AND goals = 0)"
    )
    units, events = log.query(
        f"SELECT COUNT(DISTINCT unit) AS units, COUNT(*) AS n FROM raw_events WHERE unit IN ({heavy})"
    ).rows[0]
    if units:
        log.leave_out_units(heavy)
    return Bots(int(units), int(events), per_day, in_all, heavy)


def _far_out(log: EventLog, counted: str, column: str) -> int:
    """Three times the distance of the quartiles above the upper one, on a log scale."""
    low, high = log.query(
        f"SELECT MAX(CASE WHEN nth <= 0.25 * n + 1 THEN {column} END) AS q1, MAX(CASE WHEN nth <= 0.75 * n + 1 THEN "
        f"{column} "
        f"END) AS q3 FROM (SELECT {column}, ROW_NUMBER() OVER (ORDER BY {column}) AS nth, COUNT(*) OVER () AS n FROM "
        f"({counted}) AS counted) AS ranked"
    ).rows[0]
    low, high = max(float(low or 1), 1.0), max(float(high or 1), 1.0)
    return int(high * max(high / low, 2.0) ** FAR_OUT)


def measure_quality(log: EventLog, days: Days, bots: Bots) -> Quality:
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
        bots,
        tuple(f"{p.event}.{p.name}" for p in log.properties if p.mixed),
        tuple(f"{p.event}.{p.name}" for p in log.properties if p.present < 0.5 and p.place == "properties"),
        late_hour,
        late_day,
        {"bots": bots.statement, "late": late_sql},
    )
