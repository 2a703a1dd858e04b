"""The moments statement: shifted sums per cell over the unit level, and their reading into `Cells`.

Shifted sums (statistics.md, decision 2) cost what naive sums cost and do not cancel. A 0/1 variable needs no square
and no cube: they are the variable itself.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import numpy as np

from paribus.metrics.cells import CellKey, Cells
from paribus.metrics.level import Columns, MetricColumns, Scope, UnitLevel, Variable
from paribus.stats.moments import Moments
from paribus.warehouse.sql import build as sql

Caps = Mapping[str, tuple[float | None, float | None]]


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
    for source, alias in level.matched.items():
        put(("matched", source), sql.total(carry(value(alias))))
        put(("early", source), sql.total(carry(value(level.early[source]))))
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
            put((name, "n"), sql.known(y))
        for variable in described.variables:
            put((name, variable.name), sql.total(deviation[variable.name]))
        for variable, other in products(described):
            if variable is not other or not variable.zero_one:
                put((name, variable.name, other.name), sql.total(sql.times(deviation[variable.name], deviation[other.name])))
        for variable in described.outcomes:
            if not variable.zero_one:
                d = deviation[variable.name]
                put((name, variable.name, "cube"), sql.total(sql.times(d, d, d)))
        if not described.y.zero_one:
            put((name, "largest"), sql.largest(sql.absolute(y)))
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


@dataclass(frozen=True, slots=True)
class Reading:
    """What the moments statement said."""

    cells: dict[str, Cells]
    keys: tuple[CellKey, ...]
    units: tuple[int, ...]  # units of each key, immature ones included
    mixed: int
    matched: dict[str, int]
    early: dict[str, dict[str, int]]
    maxima: dict[str, float]
    totals: dict[str, float]
    is_complete: bool
    not_finite: tuple[str, ...]  # metrics whose sums are not finite


def read(
    plan: Sums,
    records: Sequence[Mapping[str, Any]],
    scope: Scope,
    shifts: Mapping[str, float],
    caps: Caps,
) -> Reading:
    """Cells from the statement's rows."""
    whole = [row for row in records if not row.get(plan.keys.get("attribute", "")) or int(row["z_attribute"]) == 0]
    mixed_alias = plan.keys.get("mixed")
    count = plan.aliases["rows",]
    mixed = sum(int(row[count]) for row in whole if mixed_alias and int(row[mixed_alias]))
    used = [row for row in records if not (mixed_alias and int(row[mixed_alias]))]
    used = [row for row in used if row[plan.keys["variant"]] is not None and int(row[count])]
    keyed = sorted(((_key(plan, row, scope), row) for row in used), key=lambda pair: _order(pair[0]))
    keys = tuple(key for key, _ in keyed)
    rows = [row for _, row in keyed]
    units = tuple(int(row[count]) for row in rows)
    total = {name[1]: sum(int(row[a] or 0) for row in whole) for name, a in plan.aliases.items() if name[0] == "matched"}
    early: dict[str, dict[str, int]] = {}
    for name, alias in plan.aliases.items():
        if name[0] == "early":
            by_variant: dict[str, int] = {}
            for key, row in keyed:
                if key.attribute is None:
                    by_variant[key.variant] = by_variant.get(key.variant, 0) + int(row[alias] or 0)
            early[name[1]] = by_variant
    complete = all(int(row[plan.aliases["complete",]]) == int(row[count]) for row in rows) if (
        ("complete",) in plan.aliases
    ) else True
    cells, maxima, totals, odd = {}, {}, {}, []
    for name, described in plan.metrics.items():
        cells[name], is_finite = _cells(plan, name, described, keys, rows, units, shifts, caps)
        if not is_finite:
            odd.append(name)
        if (name, "largest") in plan.aliases:
            ends = [_float(row[plan.aliases[name, "largest"]]) for key, row in keyed if key.attribute is None]
            maxima[name] = max((end for end in ends if not math.isnan(end)), default=0.0)
        else:
            maxima[name] = 1.0
        whole_cells = [i for i, key in enumerate(keys) if key.attribute is None]
        moments_of_y = cells[name].uncapped or cells[name].moments
        sums = moments_of_y.n[whole_cells] * moments_of_y.mean[whole_cells, 0]
        totals[name] = float(np.nansum(np.abs(sums)))
    return Reading(cells, keys, units, mixed, total, early, maxima, totals, complete, tuple(odd))


def _cells(
    plan: Sums,
    name: str,
    described: MetricColumns,
    keys: tuple[CellKey, ...],
    rows: Sequence[Mapping[str, Any]],
    units: tuple[int, ...],
    shifts: Mapping[str, float],
    caps: Caps,
) -> tuple[Cells, bool]:
    def column(*key: str) -> np.ndarray:
        alias = plan.aliases[(name, *key)]
        return np.array([_float(row[alias]) for row in rows])

    n = column("n") if described.has_own_units else np.array(units, dtype=np.float64)
    k = len(described.variables)
    shift = np.array([shifts.get(f"{name}/{v}", 0.0) for v in described.names])
    s1, s2, s3 = np.zeros((len(rows), k)), np.full((len(rows), k, k), np.nan), np.full((len(rows), k), np.nan)
    empty = n == 0
    for i, variable in enumerate(described.variables):
        s1[:, i] = np.where(empty, 0.0, column(variable.name))
        if variable.zero_one:
            s2[:, i, i] = s1[:, i]
            s3[:, i] = s1[:, i]
        elif (name, variable.name, "cube") in plan.aliases:
            s3[:, i] = np.where(empty, 0.0, column(variable.name, "cube"))
        for j in range(i, k):
            other = described.variables[j]
            if (name, variable.name, other.name) in plan.aliases:
                s2[:, i, j] = s2[:, j, i] = np.where(empty, 0.0, column(variable.name, other.name))
    covered = tuple(frozenset([key]) for key in keys)
    built = Moments.from_shifted_sums(described.names, n, shift, s1, s2, s3, covered)
    uncapped, beyond = None, None
    if (name, "beyond") in plan.aliases:
        beyond = tuple(int(row[plan.aliases[name, "beyond"]]) for row in rows)
        uncapped = _uncapped(plan, name, described, column, n, s1, s2, s3, shift, covered)
    immature = tuple(u - int(m) for u, m in zip(units, n, strict=True)) if described.has_own_units else None
    cells = Cells(name, keys, built, uncapped, beyond, immature)
    finite = bool(np.isfinite(s1).all() and np.isfinite(np.einsum("...ii->...i", s2)).all())
    if uncapped is not None:
        finite = finite and bool(np.isfinite(uncapped.mean[~empty]).all())
    return cells, finite


def _uncapped(
    plan: Sums,
    name: str,
    described: MetricColumns,
    column: Any,
    n: np.ndarray,
    s1: np.ndarray,
    s2: np.ndarray,
    s3: np.ndarray,
    shift: np.ndarray,
    covered: tuple[frozenset[CellKey], ...],
) -> Moments:
    """Moments of y (and d) without the cap."""
    names = tuple(v.name for v in described.outcomes)
    k = len(names)
    a1, a2, a3 = s1[:, :k].copy(), s2[:, :k, :k].copy(), s3[:, :k].copy()
    a1[:, 0], a2[:, 0, 0], a3[:, 0] = column("raw"), column("raw", "raw"), column("raw", "cube")
    if k == 2:
        a2[:, 0, 1] = a2[:, 1, 0] = column("raw", "d")
    empty = n == 0
    a1[empty], a2[empty], a3[empty] = 0.0, 0.0, 0.0
    return Moments.from_shifted_sums(names, n, shift[:k], a1, a2, a3, covered)


def _float(value: Any) -> float:
    return math.nan if value is None else float(value)


def _key(plan: Sums, row: Mapping[str, Any], scope: Scope) -> CellKey:
    def text(key: str) -> str | None:
        found = row.get(plan.keys[key]) if key in plan.keys else None
        return None if found is None else str(found)

    attribute = int(row[plan.keys["attribute"]]) if "attribute" in plan.keys else 0
    return CellKey(
        variant=str(row[plan.keys["variant"]]),
        epoch=text("epoch"),
        stratum=text("stratum"),
        day=as_date(row.get(plan.keys["day"])) if "day" in plan.keys else None,
        attribute=scope.segments[attribute - 1] if attribute else None,
        level=text("level") if attribute else None,
    )


def as_date(value: Any) -> date | None:
    """The date that an engine returned: a date, a timestamp, or ISO text."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else date.fromisoformat(str(value)[:10])


def _order(key: CellKey) -> tuple[str, ...]:
    parts = (key.attribute, key.level, key.variant, key.epoch, key.stratum, key.day)
    return tuple("" if part is None else f" {part}" for part in parts)
