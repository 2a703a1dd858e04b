"""The moments statement: shifted sums per cell over the unit level. `reading` turns its rows into `Cells`.

Shifted sums (statistics.md, decision 2) cost what naive sums cost and do not cancel. A 0/1 variable needs no square
and no cube: they are the variable itself.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field

from paribus.metrics.level import Columns, MetricColumns, Scope, UnitLevel, Variable
from paribus.warehouse.sql import build as sql


@dataclass(slots=True)
class Sums:
    """The statement's text and where each number stands in its rows."""

    text: str = ""
    keys: dict[str, str] = field(default_factory=dict)
    aliases: dict[tuple[str, ...], str] = field(default_factory=dict)
    metrics: dict[str, MetricColumns] = field(default_factory=dict)


def bound(value: float | str | None) -> sql.Expr | None:
    """A cap or shift: its number, or `:name` in a statement that is only shown."""
    if value is None:
        return None
    return sql.placeholder(value) if isinstance(value, str) else sql.number(value)


def moments(
    level: UnitLevel,
    scope: Scope,
    dialect: str,
    shifts: Mapping[str, float | str],
    caps: Mapping[str, tuple[float | str | None, float | str | None]],
    *,
    look_for_missing: bool = False,
) -> Sums:
    """Builds the statement. `shifts` is by "metric/variable"; a text value is shown as `:text`."""
    plan = Sums(metrics=level.metrics)
    relation, prefix = level.relation, "zw"
    group_keys = {key: alias for key, alias in level.keys.items() if not key.startswith("segment") and key != "cluster"}
    if scope.segments:
        relation, prefix, group_keys = _margins(level, scope, group_keys)
    plan.keys = {key: f"z_{key}" for key in group_keys}
    below, top = Columns("zm"), Columns("z")  # each value less its shift, and the sums of their products
    group = [sql.own(below.add(sql.own(alias), f"zm_{key}")) for key, alias in group_keys.items()]
    for key, column in zip(group_keys, group, strict=True):
        top.add(column, plan.keys[key])

    def value(alias: str) -> sql.Expr:
        return sql.own(f"{prefix}{alias.removeprefix('zw')}")

    def carry(expression: sql.Expr) -> sql.Expr:
        return sql.own(below.add(expression))

    def put(key: tuple[str, ...], expression: sql.Expr) -> None:
        plan.aliases[key] = top.add(expression)

    put(("rows",), sql.rows())
    for source, alias in level.early.items():
        if source in level.matched:
            put(("matched", source), sql.total(carry(value(level.matched[source]))))
        put(("early", source), sql.total(carry(value(alias))))
    everything: dict[str, sql.Expr] = {}
    for name, described in level.metrics.items():
        low, high = (bound(end) for end in caps.get(name, (None, None)))
        y = carry(value(described.y.alias))
        deviation = {}
        for variable in described.variables:
            raw = value(variable.alias)
            if not variable.name.startswith("h"):
                everything.setdefault(variable.alias, raw)
            if variable.name == "y" or variable.alias in described.capped_covariates:
                raw = capped(raw, low, high)
            deviation[variable.name] = carry(_shifted(raw, shifts.get(f"{name}/{variable.name}")))
        if described.has_own_units:
            put((name, "n"), sql.known(carry(value(described.known_by)) if described.known_by else y))
        for variable in described.variables:
            put((name, variable.name), sql.total(deviation[variable.name]))
        for variable, other in products(described):
            if variable is not other or not variable.zero_one:
                put(
                    (name, variable.name, other.name),
                    sql.total(sql.times(deviation[variable.name], deviation[other.name])),
                )
        if not described.y.zero_one:  # third powers of y alone: each costs as much as two other sums
            d = deviation["y"]
            put((name, "y", "cube"), sql.total(sql.times(d, d, d)))
            put((name, "largest"), sql.largest(sql.absolute(y)))
            # A sum, not a count of a CASE without ELSE, which costs DuckDB a mask of NULLs for each metric.
            below_zero = sql.case((sql.less(y, sql.integer(0)), sql.integer(1)), otherwise=sql.integer(0))
            put((name, "negative"), sql.total(below_zero))
        if low is None and high is None:
            continue
        outside = [None if high is None else sql.greater(y, high), None if low is None else sql.less(y, low)]
        put((name, "beyond"), sql.known(sql.case((sql.either(outside), sql.integer(1)))))
        d = carry(_shifted(value(described.y.alias), shifts.get(f"{name}/y")))
        put((name, "raw"), sql.total(d))
        put((name, "raw", "raw"), sql.total(sql.times(d, d)))
        put((name, "raw", "cube"), sql.total(sql.times(d, d, d)))
        if "d" in deviation:
            put((name, "raw", "d"), sql.total(sql.times(d, deviation["d"])))
    if everything and look_for_missing:
        # One aggregate tells whether any value of any metric is missing: their sum is NULL as soon as one of them is.
        put(("complete",), sql.known(carry(functools.reduce(sql.plus, everything.values()))))
    deviations = level.statement.level("zm", sql.Select(below.by_alias, relation))
    plan.text = level.statement.sql(sql.Select(top.by_alias, deviations, group=group), dialect)
    return plan


def _shifted(value: sql.Expr, shift: float | str | None) -> sql.Expr:
    constant = bound(shift)
    return value if constant is None or shift == 0.0 else sql.minus(value, constant)


def products(described: MetricColumns) -> list[tuple[Variable, Variable]]:
    """The pairs whose products are summed: every pair of the metric's variables, each once."""
    listed = described.variables
    return [(a, b) for i, a in enumerate(listed) for b in listed[i:]]


def capped(value: sql.Expr, low: sql.Expr | None, high: sql.Expr | None) -> sql.Expr:
    """The value within its limits, by CASE: LEAST and GREATEST treat NULL differently per engine."""
    branches = []
    if high is not None:
        branches.append((sql.greater(value, high), high))
    if low is not None:
        branches.append((sql.less(value, low), low))
    return sql.case(*branches, otherwise=value) if branches else value


def _margins(level: UnitLevel, scope: Scope, keys: dict[str, str]) -> tuple[sql.Expr, str, dict[str, str]]:
    """A level where each unit stands once for the whole and once for each segment attribute: margins in one pass."""
    attribute = sql.own("zb_1")
    numbers = level.statement.level("zb", sql.constant_rows("zb_1", len(scope.segments) + 1))
    columns: dict[str, sql.Expr] = {"zk_a": attribute}
    branches = [
        (sql.equal(attribute, sql.integer(i + 1)), sql.own(level.keys[f"segment {i}"]))
        for i in range(len(scope.segments))
    ]
    columns["zk_l"] = sql.case(*branches)
    whole = sql.equal(attribute, sql.integer(0))
    renamed = {}
    for key, alias in keys.items():
        up = f"zk{alias.removeprefix('zw')}"
        renamed[key] = up
        columns[up] = sql.case((whole, sql.own(alias))) if key == "day" else sql.own(alias)
    needed = {v.alias for described in level.metrics.values() for v in described.variables}
    counts = set(level.matched.values()) | set(level.early.values())
    for alias in [*sorted(needed), *sorted(counts)]:
        own: sql.Expr = sql.own(alias)
        columns[f"zk{alias.removeprefix('zw')}"] = own
    relation = level.statement.level("zk", sql.Select(columns, level.relation, cross=numbers))
    return relation, "zk", {**renamed, "attribute": "zk_a", "level": "zk_l"}
