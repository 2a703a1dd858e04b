"""Metrics as an experiment would have measured them in the past: mean, spread, skew, what the days before say.

Every unit that acted in the entry days is followed from its first action there for the metric's window, as if it had
been exposed then, and looked back at for the covariate of CUPED. Days with holes or doubled events take no part.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paribus.exploration.days import Days
from paribus.exploration.event_log import DAY, EventLog
from paribus.warehouse.event_views import literal

WEEK = 7


@dataclass(frozen=True, slots=True)
class Stretch:
    """Days of history read as an experiment: entry in [entry, entry_end), `window` days after, `before` days before."""

    entry: int
    entry_end: int
    window: int
    before: int


@dataclass(frozen=True, slots=True)
class MetricBaseline:
    """A metric on history.

    Attributes:
        definition: as an experiment document holds it.
        units: that entered.
        mean, se, sd, skew: over units; for a quantile, of the rows.
        pre_period_correlation: between a unit's value and the same in the days before entry.
        intra_unit_correlation: between two days of the same unit (ANOVA estimator).
        autocorrelation: between a day and the next, of the daily level without its weekday.
        weekly: level per weekday against the mean, Monday first.
        statement: the SQL.
    """

    definition: dict[str, Any]
    units: int
    mean: float
    se: float
    sd: float
    skew: float | None
    pre_period_correlation: float | None
    intra_unit_correlation: float | None
    autocorrelation: float | None
    weekly: tuple[float, ...]
    statement: str
    daily: tuple[float | None, ...] = field(default=())


def stretch_of(days: Days, bad: Sequence[int] = ()) -> Stretch | None:
    """The longest run of days without a bad one, divided; None when no run has three days."""
    best: tuple[int, int] = (days.first, days.first)
    start = days.first
    for day in [*sorted(set(bad)), days.until]:
        if day - start > best[1] - best[0]:
            best = (start, day)
        start = day + 1
    length = best[1] - best[0]
    if length < 3:
        return None
    window = WEEK if length >= 2 * WEEK else max(1, length // 3)
    before = min(WEEK, (length - window) // 3) if length - window >= 2 else 0
    return Stretch(best[0] + before, best[1] - window + 1, window, before)


def measure_baselines(
    log: EventLog,
    days: Days,
    stretch: Stretch,
    definitions: Sequence[dict[str, Any]],
    *,
    bad: Sequence[int] = (),
    entry: str | None = None,
) -> tuple[MetricBaseline, ...]:
    """Each metric over the units that entered; `entry` names the event that a unit enters by, default any action."""
    by_unit = [each for each in definitions if each["type"] in {"proportion", "mean", "count"}]
    statement = _statement(log, stretch, by_unit, entry)
    row = log.query(statement).rows[0] if by_unit else ()
    units = int(row[0]) if row else 0
    found: dict[str, MetricBaseline] = {}
    for i, definition in enumerate(by_unit):
        if not units:
            break
        s1, s2, s3, p1, p2, sp = (float(v or 0) for v in row[1 + 6 * i : 7 + 6 * i])
        mean = s1 / units
        variance = max(s2 / units - mean**2, 0.0)
        sd = math.sqrt(variance * units / (units - 1)) if units > 1 else 0.0
        third = s3 / units - 3 * mean * s2 / units + 2 * mean**3
        covariance = sp / units - mean * p1 / units
        before = max(p2 / units - (p1 / units) ** 2, 0.0)
        correlated = covariance / math.sqrt(variance * before) if stretch.before and variance * before > 0 else None
        daily = _daily(log, days, definition, bad)
        found[definition["name"]] = MetricBaseline(
            definition,
            units,
            mean,
            sd / math.sqrt(units),
            sd,
            third / variance**1.5 if variance > 0 else None,
            correlated,
            _intra_unit(log, days, definition) if entry is None else None,
            _autocorrelation(daily, days),
            _weekly(daily, days),
            statement,
            tuple(None if math.isnan(x) else float(x) for x in daily),
        )
    for definition in definitions:
        if definition["type"] == "quantile":
            timed = _quantile(log, stretch, definition)
            if timed is not None:
                found[definition["name"]] = timed
    return tuple(found[each["name"]] for each in definitions if each["name"] in found)


def _value(log: EventLog, definition: Mapping[str, Any]) -> str:
    """What a row adds to the unit's metric."""
    is_event = f"event = {literal(definition['event'])}"
    if definition["type"] == "mean":
        number = log.number(definition["value"])
        column = number.column if number else "0"
        return f"CASE WHEN {is_event} THEN {column} ELSE 0 END"
    return f"CASE WHEN {is_event} THEN 1 ELSE 0 END"


def _statement(log: EventLog, stretch: Stretch, definitions: Sequence[Mapping[str, Any]], entry: str | None) -> str:
    did = f"event = {literal(entry)}" if entry else f"event IN ({log.names(log.actions)})"
    names = sorted({each["event"] for each in definitions})
    inside: list[str] = []
    moments: list[str] = []
    for i, each in enumerate(definitions):
        gather = "MAX" if each["type"] == "proportion" else "SUM"
        value = _value(log, each)
        inside += [
            f"COALESCE({gather}(CASE WHEN at_us >= t0 AND at_us < t0 + {stretch.window * DAY} THEN {value} END), 0) "
            f"AS x{i}",
            f"COALESCE({gather}(CASE WHEN at_us < t0 AND at_us >= t0 - {stretch.before * DAY} THEN {value} END), 0) "
            f"AS p{i}",
        ]
        x, p = f"CAST(x{i} AS DOUBLE)", f"CAST(p{i} AS DOUBLE)"
        moments += [
            f"SUM({x})",
            f"SUM({x} * {x})",
            f"SUM({x} * {x} * {x})",
            f"SUM({p})",
            f"SUM({p} * {p})",
            f"SUM({x} * {p})",
        ]
    listed = ", ".join(f"{moment} AS m{k}" for k, moment in enumerate(moments))
    return (
        f"WITH entered AS (SELECT unit AS entered_unit, MIN(at_us) AS t0 FROM events WHERE {did} AND day >= "
        f"{stretch.entry} AND day < {stretch.entry_end} GROUP BY unit), facts AS (SELECT * FROM events WHERE event IN "
        f"({log.names(names)}) AND day >= {stretch.entry - stretch.before} AND day <= "
        f"{stretch.entry_end + stretch.window}), "
        f"valued AS (SELECT entered_unit, {', '.join(inside)} FROM entered LEFT JOIN facts ON facts.unit = "
        f"entered.entered_unit GROUP BY entered_unit) SELECT COUNT(*) AS n, {listed} FROM valued"
    )


def _daily(log: EventLog, days: Days, definition: Mapping[str, Any], bad: Sequence[int]) -> NDArray[np.float64]:
    """The metric per active unit and day; NaN on bad days."""
    event = days.events.index(definition["event"])
    if definition["type"] == "mean":
        total = np.zeros(days.count)
        for day, amount in log.query(
            f"SELECT day, SUM({_value(log, definition)}) AS total FROM events GROUP BY day"
        ).rows:
            if days.first <= day < days.until:
                total[int(day) - days.first] = float(amount or 0)
    else:
        total = days.units[event] if definition["type"] == "proportion" else days.counts[event]
    with np.errstate(divide="ignore", invalid="ignore"):
        level = np.where(days.active > 0, total / days.active, np.nan)
    for day in bad:
        if days.first <= day < days.until:
            level[day - days.first] = np.nan
    return level


def _weekly(daily: NDArray[np.float64], days: Days) -> tuple[float, ...]:
    """Mean per weekday over the mean; empty when a weekday was not seen twice, so that no season can be told."""
    weekday, known = days.weekday(), ~np.isnan(daily)
    of_day = [daily[known & (weekday == d)] for d in range(WEEK)]
    if min(len(each) for each in of_day) < 2:
        return ()
    means = np.array([each.mean() for each in of_day])
    return tuple(float(x) for x in means / means.mean()) if means.mean() > 0 else ()


def _autocorrelation(daily: NDArray[np.float64], days: Days) -> float | None:
    """Of neighbors in time, each level without its weekday's mean; None with fewer than ten pairs."""
    weekday, known = days.weekday(), ~np.isnan(daily)
    rest = daily.copy()
    for d in range(WEEK):
        if (known & (weekday == d)).sum() >= 2:
            rest[weekday == d] -= np.nanmean(daily[weekday == d])
        else:
            rest[weekday == d] -= np.nanmean(daily)
    pairs = known[1:] & known[:-1]
    a, b = rest[:-1][pairs], rest[1:][pairs]
    if len(a) < 10 or a.std() == 0 or b.std() == 0:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def _intra_unit(log: EventLog, days: Days, definition: Mapping[str, Any]) -> float | None:
    """The intraclass correlation of unit-days on which the unit was active (one-way ANOVA, unequal sizes)."""
    value = _value(log, definition)
    gather = "MAX" if definition["type"] == "proportion" else "SUM"
    row = log.query(
        f"WITH unit_days AS (SELECT unit, day, CAST({gather}({value}) AS DOUBLE) AS x FROM events WHERE day >= "
        f"{days.first} "
        f"AND day < {days.until} GROUP BY unit, day), of_units AS (SELECT unit, COUNT(*) AS n, SUM(x) AS s, SUM(x * "
        "x) AS q "
        "FROM unit_days GROUP BY unit) SELECT COUNT(*) AS k, SUM(n) AS n, SUM(CAST(n AS DOUBLE) * n) AS nn, SUM(s) AS "
        "s, "
        "SUM(q) AS q, SUM(s * s / n) AS b FROM of_units"
    ).rows[0]
    k, n, squared, total, squares, between = (float(v or 0) for v in row)
    if k < 2 or n <= k:
        return None
    within = (squares - between) / (n - k)
    among = (between - total * total / n) / (k - 1)
    size = (n - squared / n) / (k - 1)
    scale = among + (size - 1) * within
    return (among - within) / scale if scale > 0 else None


def _quantile(log: EventLog, stretch: Stretch, definition: Mapping[str, Any]) -> MetricBaseline | None:
    """A quantile over rows (type 7), its standard error from the spacing of the order statistics (Woodruff 1952)."""
    number = log.number(definition["value"])
    if number is None:
        return None
    q = float(definition["quantile"])
    rows = (
        f"SELECT {number.column} AS v, unit FROM events WHERE event = {literal(definition['event'])} AND "
        f"{number.column} "
        f"IS NOT NULL AND day >= {stretch.entry} AND day < {stretch.entry_end + stretch.window - 1}"
    )
    n, units, mean, square = log.query(
        f"SELECT COUNT(*) AS n, COUNT(DISTINCT unit) AS units, AVG(v) AS m, AVG(v * v) AS q FROM ({rows}) AS timed"
    ).rows[0]
    if not n or n < 20:
        return None
    half = math.sqrt(q * (1 - q) / n)
    ranks = [min(max(round(1 + (n - 1) * p), 1), n) for p in (q, q - half, q + half)]
    ordered = f"SELECT v, ROW_NUMBER() OVER (ORDER BY v) AS place FROM ({rows}) AS timed"
    statement = f"SELECT place, v FROM ({ordered}) AS ranked WHERE place IN ({', '.join(map(str, sorted(set(ranks))))})"
    values = {int(place): float(v) for place, v in log.query(statement).rows}
    at, low, high = (values[rank] for rank in ranks)
    sd = math.sqrt(max(float(square) - float(mean) ** 2, 0.0))
    return MetricBaseline(dict(definition), int(units), at, (high - low) / 2, sd, None, None, None, None, (), statement)
