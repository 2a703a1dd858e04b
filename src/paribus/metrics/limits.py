"""Winsorizing limits from percentiles, exact (type 7), by the rank form: no engine's own quantile function is asked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from paribus.errors import InputError
from paribus.metrics.definition import Metric
from paribus.metrics.level import UnitLevel
from paribus.warehouse.sql import build as sql
from paribus.warehouse.sql.dialects import hooks


def percentile(level: UnitLevel, alias: str, qs: Mapping[str, float], dialect: str) -> str:
    """Values around each percentile of one unit-level column over all units in the analysis, with their number.

    Row `z_n`; for each label `z_<label>_below` and `z_<label>_above`: the order statistics that enclose (n - 1) q.
    """
    statement = level.statement
    value = sql.own(alias)
    conditions = [sql.is_known(value)]
    if "mixed" in level.keys:
        conditions.append(sql.equal(sql.own(level.keys["mixed"]), sql.integer(0)))
    named = hooks(dialect)
    if named.percentile is not None:
        columns = {"z_n": sql.rows()}
        for label, q in qs.items():
            columns[f"z_{label}_below"] = columns[f"z_{label}_above"] = named.percentile(value, q)
        return statement.sql(sql.Select(columns, level.relation, where=sql.every(conditions)), dialect)
    kept = statement.level("zv", sql.Select({"zv_y": value}, level.relation, where=sql.every(conditions)))
    ranked = statement.level(
        "zo",
        sql.Select({"zo_y": sql.own("zv_y"), "zo_rank": sql.rank([sql.own("zv_y")]), "zo_n": sql.rows_within()}, kept),
    )
    columns = {"z_n": sql.rows()}
    for label, q in qs.items():
        columns |= around(sql.own("zo_y"), sql.own("zo_rank"), sql.own("zo_n"), q, label)
    return statement.sql(sql.Select(columns, ranked), dialect)


def around(value: sql.Expr, rank: sql.Expr, count: sql.Expr, q: float, label: str) -> dict[str, sql.Expr]:
    """The order statistics just below and just above position h = (n - 1) q (Hyndman, Fan 1996, type 7)."""
    position = sql.times(sql.double(sql.minus(count, sql.integer(1))), sql.number(q))
    place = sql.double(sql.minus(rank, sql.integer(1)))
    return {
        f"z_{label}_below": sql.largest(sql.case((sql.at_most(place, position), value))),
        f"z_{label}_above": sql.smallest(sql.case((sql.at_least(place, position), value))),
    }


def interpolate(row: Mapping[str, Any], label: str, q: float, n: int) -> float | None:
    """Type 7: linear between the order statistics at floor(h) and ceil(h).

    >>> interpolate({"z_q_below": 3.0, "z_q_above": 5.0}, "q", 0.5, 4)
    4.0
    """
    below, above = row[f"z_{label}_below"], row[f"z_{label}_above"]
    if below is None or above is None:
        return None
    h = (n - 1) * q
    return float(below) + (h - math.floor(h)) * (float(above) - float(below))


def wanted(metric: Metric) -> dict[str, float]:
    """The percentiles that a metric's cap asks for, as fractions, by "lower" and "upper"."""
    if metric.cap is None:
        return {}
    asked = {"lower": metric.cap.lower_percentile, "upper": metric.cap.upper_percentile}
    for label, q in asked.items():
        if q is not None and not 0 < q < 1:
            raise InputError(
                f"{label}_percentile is {q}",
                where=f"metrics.{metric.name}.cap",
                rule="a percentile is a fraction between 0 and 1",
                fix=f"write {q / 100:g}" if 1 < q < 100 else None,
            )
    return {label: q for label, q in asked.items() if q is not None}


def checked(metric: Metric, low: float | None, high: float | None) -> tuple[float | None, float | None]:
    """The limits, refused when they leave the metric nothing to vary in."""
    if low is not None and high is not None and low >= high:
        raise InputError(
            f"the cap of {metric.name} is [{low:g}, {high:g}]: every unit would have the same value",
            where=f"metrics.{metric.name}.cap",
            rule="the lower limit is below the upper",
            fix="use a percentile further out, or numbers",
        )
    return low, high
