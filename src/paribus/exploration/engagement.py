"""How often units come back: daily, weekly and monthly units, stickiness, length of sessions, retention of cohorts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paribus.exploration.days import Days
from paribus.exploration.event_log import EventLog, date_of

WEEK, MONTH = 7, 28


@dataclass(frozen=True, slots=True)
class Engagement:
    """Activity of units over the days read.

    Attributes:
        daily: mean units per day, without the days left out.
        weekly: units in the last whole seven days.
        monthly: units in the last whole 28 days; None when the data are shorter.
        stickiness: mean daily units of those 28 days over monthly units.
        active_days: distribution over units of the number of days they were active: share with 1, 2 to 3, 4 to 7, more.
        session_seconds: median and mean length of visits with more than one event; None without any.
        session_events: mean events of a visit.
        visits: how many.
        statements: the SQL by name.
    """

    daily: float
    weekly: int | None
    monthly: int | None
    stickiness: float | None
    active_days: tuple[float, ...]
    session_median: float | None
    session_mean: float | None
    session_events: float
    visits: int
    bounced: float
    """Share of visits with one event only."""
    statements: dict[str, str]


def measure_engagement(log: EventLog, days: Days, bad: Sequence[int] = ()) -> Engagement:
    """Daily, weekly and monthly units, and visits."""
    did = log.names(log.actions)
    good = [t for t in range(days.count) if days.first + t not in set(bad)]

    def units(since: int) -> tuple[int, str]:
        statement = (
            f"SELECT COUNT(DISTINCT unit) AS n FROM events WHERE event IN ({did}) AND day >= {since} "
            f"AND day < {days.until}"
        )
        return int(log.query(statement).rows[0][0]), statement

    weekly, weekly_sql = units(days.until - WEEK) if days.count >= WEEK else (None, "")
    monthly, monthly_sql = units(days.until - MONTH) if days.count >= MONTH else (None, "")
    last = [t for t in good if t >= days.count - MONTH]
    daily_of_month = float(days.active[last].mean()) if last else 0.0
    spread_sql = (
        "SELECT SUM(CASE WHEN n = 1 THEN 1 ELSE 0 END) AS a, SUM(CASE WHEN n BETWEEN 2 AND 3 THEN 1 ELSE 0 END) AS b, "
        "SUM(CASE WHEN n BETWEEN 4 AND 7 THEN 1 ELSE 0 END) AS c, SUM(CASE WHEN n > 7 THEN 1 ELSE 0 END) AS d FROM "
        f"(SELECT unit, COUNT(DISTINCT day) AS n FROM events WHERE event IN ({did}) AND day >= {days.first} AND day < "
        f"{days.until} GROUP BY unit) AS counted"
    )
    spread = [float(x or 0) for x in log.query(spread_sql).rows[0]]
    whole = max(sum(spread), 1.0)
    visits_sql = (
        f"SELECT unit, visit, COUNT(*) AS n, MAX(at_us) - MIN(at_us) AS lasted FROM {log.visits()} WHERE day >= "
        f"{days.first} AND day < {days.until} GROUP BY unit, visit"
    )
    kept = log.keep("visit_lengths", visits_sql)
    count, events, long, mean = log.query(
        "SELECT COUNT(*) AS visits, AVG(n * 1.0) AS events, SUM(CASE WHEN n > 1 THEN 1 ELSE 0 END) AS several, "
        f"AVG(CASE WHEN n > 1 THEN lasted * 1.0 END) AS mean FROM {kept}"
    ).rows[0]
    median = None
    if long:
        median = log.query(
            "SELECT AVG(lasted * 1.0) AS m FROM (SELECT lasted, ROW_NUMBER() OVER (ORDER BY lasted) AS nth, COUNT(*) "
            "OVER "
            f"() AS n FROM {kept} WHERE n > 1) AS ranked WHERE 2 * nth BETWEEN n AND n + 2"
        ).rows[0][0]
    return Engagement(
        float(days.active[good].mean()) if good else 0.0,
        weekly,
        monthly,
        daily_of_month / monthly if monthly else None,
        tuple(x / whole for x in spread),
        None if median is None else float(median) / 1e6,
        None if mean is None else float(mean) / 1e6,
        float(events or 0),
        int(count),
        1 - float(long or 0) / count if count else 0.0,
        {"weekly": weekly_sql, "monthly": monthly_sql, "active_days": spread_sql, "visits": visits_sql},
    )


@dataclass(frozen=True, slots=True)
class Retention:
    """Share of each cohort that was active k periods after its first day.

    Attributes:
        period_days: 1 or 7.
        cohorts: first date of each cohort.
        sizes: units of each cohort.
        active: units active in period k after their own first day, by cohort and k; None where the data end before
            every unit of the cohort could have been seen for the whole period.
        statement: the SQL.
        is_first_seen: the first cohort holds everyone who came before the data began too.
    """

    period_days: int
    cohorts: tuple[str, ...]
    sizes: tuple[int, ...]
    active: tuple[tuple[int | None, ...], ...]
    statement: str

    def share(self, cohort: int, k: int) -> float | None:
        """Retention of a cell; None where it cannot be observed."""
        n = self.active[cohort][k]
        return None if n is None or not self.sizes[cohort] else n / self.sizes[cohort]

    def overall(self, k: int, *, but_first: bool = True) -> float | None:
        """Over all cohorts that can be observed for k periods, without the first: it is not of new units."""
        begin = 1 if but_first and len(self.cohorts) > 1 else 0
        cells = [
            (n, self.sizes[c])
            for c, row in enumerate(self.active)
            if c >= begin and k < len(row) and (n := row[k]) is not None
        ]
        whole = sum(size for _, size in cells)
        return sum(n for n, _ in cells) / whole if whole else None


def measure_retention(log: EventLog, days: Days, *, period_days: int | None = None) -> Retention:
    """The retention grid, by weeks when there are at least three of them, else by days."""
    period = period_days or (WEEK if days.count >= 3 * WEEK else 1)
    did = f"event IN ({log.names(log.actions)}) AND day >= {days.first} AND day < {days.until}"
    cohort = f"CAST(FLOOR((first_day - {days.first}) / {period}.0) AS INTEGER)"
    later = f"CAST(FLOOR((day - first_day) / {period}.0) AS INTEGER)"
    statement = (
        "WITH firsts AS (SELECT unit AS first_unit, MIN(day) AS first_day FROM events WHERE "
        f"{did} GROUP BY unit), active AS (SELECT DISTINCT unit, {cohort} AS cohort, {later} AS later FROM events "
        "INNER "
        f"JOIN firsts ON firsts.first_unit = events.unit WHERE {did}) SELECT cohort, later, COUNT(*) AS n FROM active "
        "GROUP BY cohort, later"
    )
    cohorts = -(-days.count // period)
    grid = np.zeros((cohorts, cohorts))
    for c, k, n in log.query(statement).rows:
        grid[int(c), int(k)] = float(n)
    active: list[tuple[int | None, ...]] = []
    for c in range(cohorts):
        last_first = min((c + 1) * period, days.count) - 1  # the cohort's latest first day
        row = [
            int(grid[c, k]) if last_first + (k + 1) * period <= days.count or k == 0 else None
            for k in range(cohorts - c)
        ]
        active.append(tuple(row))
    return Retention(
        period,
        tuple(date_of(days.first + c * period).isoformat() for c in range(cohorts)),
        tuple(int(grid[c, 0]) for c in range(cohorts)),
        tuple(active),
        statement,
    )
