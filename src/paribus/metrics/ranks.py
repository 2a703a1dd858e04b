"""The ranks statement of a quantile metric: order statistics by variant (and segment), no rows.

At most six order statistics leave per cell: those around (n - 1) q (type 7), and those that enclose the quantile with
the stated confidence by binomial ranks (Hutson 1999; Schultzberg, Ankargren 2022). With rows clustered by unit a
second statement returns, per cell, the moments per unit of (rows at or below the quantile, rows): the variance of that
ratio of sums over the density is the variance of the quantile (Deng, Knoblich, Lu 2018, section 4.1).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from paribus.errors import InputError
from paribus.metrics.cells import CellKey, Ranks
from paribus.metrics.definition import Metric
from paribus.metrics.demand import demands
from paribus.metrics.exposed import first_exposures
from paribus.metrics.level import Care
from paribus.metrics.rows import inside, joins_as_text, matured, row_conditions
from paribus.stats.moments import Moments
from paribus.stats.quantile import quantile_ranks
from paribus.warehouse.sql import build as sql

if TYPE_CHECKING:
    from paribus.metrics.compile import Compiler
    from paribus.warehouse.engine import Engine


@dataclass(frozen=True, slots=True)
class _Values:
    """The values whose quantile is asked, as a level: `zv_y`, variant `zv_v`, attribute `zv_a` and level `zv_l`."""

    statement: sql.Statement
    relation: sql.Expr
    by_row: bool


def _values(compiler: Compiler, metric: Metric, care: Care) -> _Values:
    if metric.quantile is None or not 0 < metric.quantile < 1:
        raise InputError(
            f"the quantile is {metric.quantile}", where=f"metrics.{metric.name}.quantile", rule="0 < quantile < 1"
        )
    scope = replace(compiler.scope, by_day=False)
    by_row = metric.level_of_rows == "row" and not compiler.is_table
    if by_row:
        statement, relation, keys = _rows(compiler, metric, care)
        columns = {"zv_u": sql.own("zt_u"), "zv_y": sql.own("zt_y"), "zv_v": sql.own("zt_v")}
        where = sql.is_known(sql.own("zt_y"))
    else:
        level = compiler.level(care, [replace(metric, covariates=(), cap=None)], scope)
        statement, relation, keys = level.statement, level.relation, level.keys
        columns = {"zv_y": sql.own(level.metrics[metric.name].y.alias), "zv_v": sql.own(keys["variant"])}
        known = [sql.is_known(sql.own(level.metrics[metric.name].y.alias))]
        if "mixed" in keys:
            known.append(sql.equal(sql.own(keys["mixed"]), sql.integer(0)))
        where = sql.always(sql.every(known))
    cross = None
    columns |= {"zv_a": sql.integer(0), "zv_l": sql.null_text()}
    if scope.segments:
        cross = statement.level("zb", sql.constant_rows("zb_1", len(scope.segments) + 1))
        attribute = sql.own("zb_1")
        branches = [
            (sql.equal(attribute, sql.integer(i + 1)), sql.own(keys[f"segment {i}"]))
            for i in range(len(scope.segments))
        ]
        columns |= {"zv_a": attribute, "zv_l": sql.case(*branches)}
    made = statement.level("zv", sql.Select(columns, relation, where=where, cross=cross))
    return _Values(statement, made, by_row)


def _rows(compiler: Compiler, metric: Metric, care: Care) -> tuple[sql.Statement, sql.Expr, dict[str, str]]:
    """Rows of the metric's source inside each unit's window, with the unit's key."""
    statement = sql.Statement()
    sources, events = compiler.event_sources(), compiler.model.events
    as_text = joins_as_text(compiler.main, compiler.exposures, sources, events)
    scope = replace(compiler.scope, by_day=False)
    units, keys = first_exposures(
        statement, compiler.main, compiler.exposures, scope, compiler.model.time_zone, as_text
    )
    asked = demands(metric, events)
    demand = asked.outcomes[0]
    source, event = sources[demand.source], events[demand.source]
    value = source.number(demand.value or "1", f"{demand.where}.value")
    if metric.name in care.not_finite:
        value = sql.case((sql.finite(value), value))
    where = [
        *row_conditions(source, event, scope, demand.source, demand.window),
        source.condition(demand.filter, demand.where),
    ]
    columns = {
        "zr_u": source.unit(event.unit, f"events.{demand.source}.unit", text=as_text),
        "zr_t": source.instant(event.time, f"events.{demand.source}.time"),
        "zr_y": value,
    }
    if demand.source in care.repeated_events and event.event_id:
        columns["zr_id"] = source.unit(event.event_id, f"events.{demand.source}.event_id")
    rows = statement.level("zr", sql.Select(columns, source.text, where=sql.every(where)))
    p = "zr"
    if "zr_id" in columns:
        ranked = {alias.replace("zr", "zq"): sql.own(alias) for alias in columns}
        ranked["zq_rank"] = sql.rank([sql.own("zr_t"), sql.own("zr_u")], [sql.own("zr_id")])
        rows, p = statement.level("zq", sql.Select(ranked, rows)), "zq"
    conditions = [
        inside(sql.own(f"{p}_t"), demand.window, source.hooks),
        matured(asked.matured_days, scope, source.hooks),
        sql.equal(sql.own("zu_m"), sql.integer(0)),
    ]
    if p == "zq":
        first = sql.equal(sql.own("zq_rank"), sql.integer(1))
        conditions.append(sql.either([first, sql.is_null(sql.own("zq_id"))]))
    selected = {"zt_u": sql.own("zu_u"), "zt_y": sql.own(f"{p}_y"), "zt_v": sql.own("zu_v")}
    renamed = {}
    for key, alias in keys.items():
        if key.startswith("segment"):
            renamed[key] = f"zt_g{key.removeprefix('segment ')}"
            selected[renamed[key]] = sql.own(alias)
    select = sql.Select(
        selected, rows, joins=[sql.Join(units, sql.own(f"{p}_u"), sql.own("zu_u"))], where=sql.every(conditions)
    )
    return statement, statement.level("zt", select), renamed


_GROUP = ("zv_v", "zv_a", "zv_l")


def _count(values: _Values, dialect: str) -> str:
    columns = {f"z_{name[3:]}": sql.own(name) for name in _GROUP}
    select = sql.Select({**columns, "z_n": sql.rows()}, values.relation, group=[sql.own(name) for name in _GROUP])
    return values.statement.sql(select, dialect)


def _numbered(values: _Values) -> sql.Expr:
    columns = {f"zo_{name[3:]}": sql.own(name) for name in (*_GROUP, "zv_y")}
    columns["zo_rank"] = sql.rank([sql.own("zv_y")], [sql.own(name) for name in _GROUP])
    return values.statement.level("zo", sql.Select(columns, values.relation))


def _of_cell(key: CellKey, segments: Sequence[str], prefix: str) -> sql.Expr:
    number = 0 if key.attribute is None else segments.index(key.attribute) + 1
    level = sql.own(f"{prefix}_l")
    conditions = [
        sql.equal(sql.own(f"{prefix}_v"), sql.text(key.variant)),
        sql.equal(sql.own(f"{prefix}_a"), sql.integer(number)),
    ]
    if number:
        conditions.append(sql.is_null(level) if key.level is None else sql.equal(level, sql.text(key.level)))
    return sql.always(sql.every(conditions))


def _pick(values: _Values, wanted: Mapping[CellKey, set[int]], segments: Sequence[str], dialect: str) -> str:
    relation = _numbered(values)
    chosen = []
    for key, found in wanted.items():
        ranks = sql.in_numbers(sql.own("zo_rank"), sorted(found))
        chosen.append(sql.every([_of_cell(key, segments, "zo"), ranks]))
    columns = {f"z_{name}": sql.own(f"zo_{name}") for name in ("v", "a", "l", "rank", "y")}
    return values.statement.sql(sql.Select(columns, relation, where=sql.either(chosen)), dialect)


def _indicators(values: _Values, at: Mapping[CellKey, float], segments: Sequence[str], dialect: str) -> str:
    """Per cell, sums over units of s (rows at or below the cell's quantile), n (rows), and their products."""
    branches = [(_of_cell(key, segments, "zv"), sql.number(q)) for key, q in at.items()]
    below = sql.at_most(sql.own("zv_y"), sql.case(*branches))
    one, zero = sql.number(1), sql.number(0)
    per_unit = values.statement.level(
        "zi",
        sql.Select(
            {
                **{f"zi_{name[3:]}": sql.own(name) for name in _GROUP},
                "zi_u": sql.own("zv_u"),
                "zi_s": sql.total(sql.case((below, one), otherwise=zero)),
                "zi_n": sql.total(one),
            },
            values.relation,
            group=[*(sql.own(name) for name in _GROUP), sql.own("zv_u")],
        ),
    )
    s, n = sql.own("zi_s"), sql.own("zi_n")
    columns = {
        "z_v": sql.own("zi_v"),
        "z_a": sql.own("zi_a"),
        "z_l": sql.own("zi_l"),
        "z_units": sql.rows(),
        "z_s": sql.total(s),
        "z_n": sql.total(n),
        "z_ss": sql.total(sql.times(s, s)),
        "z_sn": sql.total(sql.times(s, n)),
        "z_nn": sql.total(sql.times(n, n)),
    }
    group = [sql.own("zi_v"), sql.own("zi_a"), sql.own("zi_l")]
    return values.statement.sql(sql.Select(columns, per_unit, group=group), dialect)


def shown(compiler: Compiler, metric: Metric, care: Care) -> Iterator[tuple[str, str]]:
    """The statements of a quantile metric as they are shown; the ranks to pick depend on the counts."""
    dialect = compiler.dialect
    yield f"ranks:{metric.name}:count", _count(_values(compiler, metric, care), dialect)
    values = _values(compiler, metric, care)
    ranks = [sql.placeholder_rank(f"{name}_rank") for name in ("below", "above", "lower", "upper")]
    columns = {f"z_{name}": sql.own(f"zo_{name}") for name in ("v", "a", "l", "rank", "y")}
    relation = _numbered(values)
    chosen = sql.in_values(sql.own("zo_rank"), ranks)
    yield f"ranks:{metric.name}", values.statement.sql(sql.Select(columns, relation, where=chosen), dialect)


def measure(
    compiler: Compiler, engine: Engine, metric: Metric, care: Care, confidence_level: float, run: list[tuple[str, str]]
) -> Ranks:
    """Runs the statements of one quantile metric; appends (name, text) of each to `run`."""
    q = float(metric.quantile or math.nan)
    dialect, segments = compiler.dialect, compiler.scope.segments

    def ask(name: str, text: str) -> list[dict[str, Any]]:
        run.append((name, text))
        return engine.query(text).records()

    values = _values(compiler, metric, care)
    counted = ask(f"ranks:{metric.name}:count", _count(values, dialect))
    n = {_cell(row, segments): int(row["z_n"]) for row in counted}
    wanted = {key: _ranks(count, q, confidence_level) for key, count in n.items() if count}
    if not wanted:
        return Ranks(metric.name, (), (), {})
    picked = ask(
        f"ranks:{metric.name}",
        _pick(
            _values(compiler, metric, care),
            {key: {k for k in found.values() if k is not None} for key, found in wanted.items()},
            segments,
            dialect,
        ),
    )
    at = {(_cell(row, segments), int(row["z_rank"])): float(row["z_y"]) for row in picked}
    keys = tuple(sorted(wanted, key=lambda key: (key.attribute or "", key.level or "", key.variant)))
    points: dict[str, list[float]] = {label: [] for label in ("q", "lower", "upper", "lower_rank", "upper_rank")}
    for key in keys:
        found, h = wanted[key], (n[key] - 1) * q
        low, high = at[key, found["below"] or 1], at[key, found["above"] or 1]
        points["q"].append(low + (h - math.floor(h)) * (high - low))
        for label in ("lower", "upper"):
            rank = found[label]
            points[label].append(math.nan if rank is None else at[key, rank])
            points[f"{label}_rank"].append(math.nan if rank is None else float(rank))
    clustered = None
    if values.by_row:
        quantile = dict(zip(keys, points["q"], strict=True))
        rows = ask(
            f"ranks:{metric.name}:rows",
            _indicators(_values(compiler, metric, care), quantile, segments, dialect),
        )
        clustered = _moments({_cell(row, segments): row for row in rows}, keys)
    return Ranks(
        metric.name,
        keys,
        tuple(n[key] for key in keys),
        {label: tuple(found) for label, found in points.items()},
        clustered,
    )


def _cell(row: Mapping[str, Any], segments: Sequence[str]) -> CellKey:
    number = int(row["z_a"])
    if not number:
        return CellKey(str(row["z_v"]))
    level = None if row["z_l"] is None else str(row["z_l"])
    return CellKey(str(row["z_v"]), attribute=segments[number - 1], level=level)


def _ranks(n: int, q: float, level: float) -> dict[str, int | None]:
    """Ranks (from 1) of the order statistics: around type 7, and the binomial interval, None beyond the sample."""
    h = (n - 1) * q
    enclosing = quantile_ranks(n, q, level=level)
    lower, upper = int(enclosing.lower), int(enclosing.upper)
    return {
        "below": math.floor(h) + 1,
        "above": math.ceil(h) + 1,
        "lower": lower if lower >= 1 else None,
        "upper": upper if upper <= n else None,
    }


def _moments(rows: Mapping[CellKey, Mapping[str, Any]], keys: Sequence[CellKey]) -> Moments:
    found = [rows[key] for key in keys]
    n = np.array([float(row["z_units"]) for row in found])
    s1 = np.array([[float(row["z_s"]), float(row["z_n"])] for row in found])
    s2 = np.array([[[float(r["z_ss"]), float(r["z_sn"])], [float(r["z_sn"]), float(r["z_nn"])]] for r in found])
    return Moments.from_shifted_sums(("s", "n"), n, np.zeros(2), s1, s2)
