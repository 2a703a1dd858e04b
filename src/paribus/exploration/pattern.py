"""Habits: what goes together in a visit, the hours and weekdays of use, where levels changed for good."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from paribus.exploration.change_point import ChangePoint, find_change
from paribus.exploration.days import Days
from paribus.exploration.event_log import EventLog
from paribus.warehouse.event_views import literal

MOST_EVENTS = 25
FEWEST = 50  # visits with both


@dataclass(frozen=True, slots=True)
class Together:
    """Two events that visits share more often than chance: lift = share of both / product of the shares.

    `low` is the lower end of the lift's 95% interval, corrected for all pairs.
    """

    a: str
    b: str
    both: int
    lift: float
    low: float


@dataclass(frozen=True, slots=True)
class Sign:
    """An event before which, or without which, units convert more or less: rates of units with and without it.

    Only units that had the event before their first conversion, or never converted, can be compared; observational.
    """

    event: str
    units: int
    rate_with: float
    rate_without: float
    z: float


@dataclass(frozen=True, slots=True)
class Patterns:
    """Habits found, the strongest first.

    Attributes:
        together: pairs of events.
        signs: events that go with conversion.
        hours: share of actions by hour of the day (UTC).
        weekdays: level by weekday against the mean, Monday first; empty when there are not two weeks.
        weekly_p_value: of no difference between weekdays (analysis of variance).
        changes: series and where its level changed.
        statements: SQL by name.
    """

    together: tuple[Together, ...]
    signs: tuple[Sign, ...]
    hours: tuple[float, ...]
    weekdays: tuple[float, ...]
    weekly_p_value: float
    changes: tuple[tuple[str, ChangePoint], ...]
    statements: dict[str, str]


def measure_patterns(
    log: EventLog, days: Days, *, bad: tuple[int, ...] = (), conversion: str | None = None, funnel: tuple[str, ...] = ()
) -> Patterns:
    """All habits of the days read."""
    together, together_sql = _together(log, days, funnel)
    signs, signs_sql = _signs(log, days, conversion, funnel) if conversion else ((), "")
    hours_sql = (
        "SELECT hour, COUNT(*) AS n FROM (SELECT CAST(FLOOR((at_us - day * 86400000000) / 3600000000.0) AS INTEGER) AS "
        f"hour FROM events WHERE event IN ({log.names(log.actions)}) AND day >= {days.first} AND day < {days.until}) "
        "AS h "
        "GROUP BY hour"
    )
    hours = np.zeros(24)
    for hour, n in log.query(hours_sql).rows:
        hours[min(max(int(hour), 0), 23)] += float(n)
    hours = hours / max(hours.sum(), 1)
    good = np.array([days.first + t not in set(bad) for t in range(days.count)])
    weekday = days.weekday()
    levels = [days.active[good & (weekday == d)] for d in range(7)]
    weekdays: tuple[float, ...] = ()
    weekly = 1.0
    if min(len(each) for each in levels) >= 2:
        means = np.array([each.mean() for each in levels])
        weekdays = tuple(float(x) for x in means / means.mean()) if means.mean() else ()
        weekly = _variance_ratio(levels)
    changes = _changes(days, good, conversion, log.system)
    return Patterns(
        together, signs, tuple(float(x) for x in hours), weekdays, weekly, changes,
        {"together": together_sql, "signs": signs_sql, "hours": hours_sql},
    )  # fmt: skip


def _together(log: EventLog, days: Days, funnel: tuple[str, ...]) -> tuple[tuple[Together, ...], str]:
    """Pairs in visits, without those of the funnel itself: that its steps go together is what makes it one."""
    names = log.actions[:MOST_EVENTS]
    present = (
        f"SELECT DISTINCT unit, visit, event FROM {log.visits()} WHERE event IN ({log.names(names)}) AND day >= "
        f"{days.first} AND day < {days.until}"
    )
    kept = log.keep("visit_events", present)
    statement = (
        f"SELECT a.event AS a, b.event AS b, COUNT(*) AS n FROM {kept} AS a INNER JOIN {kept} AS b ON a.unit = b.unit "
        "AND "
        "a.visit = b.visit WHERE a.event <= b.event GROUP BY a.event, b.event"
    )
    counts = {(str(a), str(b)): int(n) for a, b, n in log.query(statement).rows}
    visits = int(log.query(f"SELECT COUNT(*) AS n FROM (SELECT DISTINCT unit, visit FROM {kept}) AS v").rows[0][0])
    single = {a: n for (a, b), n in counts.items() if a == b}
    pairs = [(a, b, n) for (a, b), n in counts.items() if a != b and n >= FEWEST and not {a, b} <= set(funnel)]
    z = _z(0.05 / max(len(pairs), 1))
    found = []
    for a, b, n in pairs:
        x, y = single[a], single[b]
        lift = n * visits / (x * y)
        if max(x, y) > 0.98 * visits:
            continue  # what every visit has goes with everything
        error = math.sqrt(max(1 / n - 1 / visits, 0) + max(1 / x - 1 / visits, 0) + max(1 / y - 1 / visits, 0))
        found.append(Together(a, b, n, lift, lift * math.exp(-z * error)))
    found.sort(key=lambda each: (-each.low, each.a, each.b))
    return tuple(each for each in found if each.low > 1)[:10], statement


def _signs(log: EventLog, days: Days, conversion: str, funnel: tuple[str, ...]) -> tuple[tuple[Sign, ...], str]:
    """Events outside the funnel that units who convert do more, or less, before."""
    others = [name for name in log.actions[:MOST_EVENTS] if name != conversion and name not in funnel]
    if not others:
        return (), ""
    goal = literal(conversion)
    inside = f"day >= {days.first} AND day < {days.until}"
    flags = ", ".join(
        f"MAX(CASE WHEN event = {literal(name)} AND (goal_at IS NULL OR at_us < goal_at) THEN 1 ELSE 0 END) AS e{i}"
        for i, name in enumerate(others)
    )
    sums = ", ".join(f"SUM(e{i}) AS n{i}, SUM(e{i} * converted) AS c{i}" for i in range(len(others)))
    statement = (
        f"WITH goals AS (SELECT unit AS goal_unit, MIN(at_us) AS goal_at FROM events WHERE event = {goal} AND {inside} "
        f"GROUP BY unit), marked AS (SELECT unit, {flags}, MAX(CASE WHEN goal_at IS NULL THEN 0 ELSE 1 END) AS "
        "converted "
        f"FROM events LEFT JOIN goals ON goals.goal_unit = events.unit WHERE event IN ({log.names(log.actions)}) AND "
        f"{inside} GROUP BY unit) SELECT COUNT(*) AS n, SUM(converted) AS c, {sums} FROM marked"
    )
    row = [float(x or 0) for x in log.query(statement).rows[0]]
    n, c = row[0], row[1]
    limit = _z(0.05 / len(others))
    found = []
    for i, name in enumerate(others):
        with_it, converted = row[2 + 2 * i], row[3 + 2 * i]
        rest = n - with_it
        if min(with_it, rest) < FEWEST:
            continue
        p1, p0, p = converted / with_it, (c - converted) / rest, c / n
        error = math.sqrt(max(p * (1 - p), 1e-12) * (1 / with_it + 1 / rest))
        z = (p1 - p0) / error
        if abs(z) > limit:
            found.append(Sign(name, int(with_it), p1, p0, z))
    return tuple(sorted(found, key=lambda each: (-abs(each.z), each.event)))[:5], statement


def _changes(
    days: Days, good: np.ndarray[tuple[int], np.dtype[np.bool_]], conversion: str | None, system: frozenset[str]
) -> tuple[tuple[str, ChangePoint], ...]:
    """Where daily units, or an event's units per active unit, moved to another level."""
    series: dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]] = {
        "daily users": np.where(good, days.active, np.nan)
    }
    for i, name in enumerate(days.events[:MOST_EVENTS]):
        if name not in system and np.median(days.units[i]) >= 20:
            with np.errstate(divide="ignore", invalid="ignore"):
                series[name] = np.where(good & (days.active > 0), days.units[i] / days.active, np.nan)
    found = []
    for name, values in series.items():
        change = find_change(values, days.weekday(), alpha=0.01 / len(series), permutations=max(999, 150 * len(series)))
        if change is not None and abs(change.after - change.before) > 0.1 * abs(change.before):
            found.append((name, change))
    return tuple(sorted(found, key=lambda each: each[1].p_value))


def _variance_ratio(groups: list[np.ndarray[tuple[int], np.dtype[np.float64]]]) -> float:
    """The p-value of equal means (Fisher's analysis of variance)."""
    from scipy.special import fdtrc

    n, k = sum(len(g) for g in groups), len(groups)
    mean = sum(float(g.sum()) for g in groups) / n
    between = sum(len(g) * (float(g.mean()) - mean) ** 2 for g in groups) / (k - 1)
    within = sum(float(((g - g.mean()) ** 2).sum()) for g in groups) / (n - k)
    return float(fdtrc(k - 1, n - k, between / within)) if within > 0 else 0.0 if between > 0 else 1.0


def _z(p: float) -> float:
    from scipy.special import ndtri

    return float(-ndtri(p / 2))
