"""Rows of units for methods that moments cannot feed: a sample of stated size, without the units' ids.

Every k-th unit in the order of the ids is drawn, k and the first from the number of units and a seed: the same units at
every reading. Only matured units with a value take part; units of two variants never do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from paribus.errors import InputError
from paribus.metrics.compile import Compiler, make_scope
from paribus.metrics.definition import SHARES, DataModel, Metric, MetricType
from paribus.metrics.level import Care
from paribus.stats.estimate import Floats
from paribus.warehouse.sql import build as sql

if TYPE_CHECKING:
    from paribus.warehouse.engine import Engine

MOST = 20_000
"""Rows that leave the warehouse unless told otherwise."""
TYPES = frozenset({MetricType.MEAN, MetricType.COUNT, *SHARES})


@dataclass(frozen=True)
class UnitRows:
    """A sample of an experiment's units.

    variants    assigned variant of each
    outcome     value of the metric
    attributes  level at first exposure by attribute; None where unknown
    covariates  values before exposure, by name; with the metric's cap where its sums have it
    epochs      epoch of each; empty where there are none
    total       units that could be drawn
    statement   the SQL that drew them
    history     1 where the unit has a value before exposure, by name; only what the metric's sums tell apart
    """

    metric: str
    variants: tuple[str, ...]
    outcome: Floats
    attributes: Mapping[str, tuple[str | None, ...]]
    covariates: Mapping[str, Floats]
    epochs: tuple[str | None, ...]
    total: int
    statement: str
    history: Mapping[str, Floats] = field(default_factory=dict)


def unit_rows(
    engine: Engine,
    model: DataModel,
    metric: Metric,
    variants: Sequence[str],
    attributes: Sequence[str],
    *,
    most: int = MOST,
    seed: int = 0,
    as_of: datetime | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    until: datetime | None = None,
    tolerance: float = 5.0,
    cap: tuple[float | None, float | None] | None = None,
    fragment_dialect: str | None = None,
) -> UnitRows:
    """At most `most` units with their outcome and attributes; the last two queries of an engine.

    Args:
        engine, model, metric, variants: as for `measure`.
        attributes: read at first exposure.
        most: rows that may leave.
        seed: of the first unit that is drawn.
        as_of: only rows before this time; windows must have closed by it.
        start, end: enrolment in between.
        until: the look that is read: events before it, windows that had closed by it, and of a table of units with
            exposure times those exposed before it. None: all.
        tolerance: seconds before exposure within which event rows are counted.
        cap: winsorizing limits of the metric; None: the definition's own numbers.
        fragment_dialect: dialect of the fragments.

    Raises:
        InputError: a ratio or quantile, or randomized clusters; a column that is not there.
        EngineError: the engine failed.
    """
    if metric.type not in TYPES:
        raise InputError(
            f"{metric.name} is a {metric.type.value}, which has no value for each unit",
            where=f"metrics.{metric.name}",
            rule="effects of single units are those of a mean, count, share, funnel or retention",
            fix="name another metric",
        )
    if until is not None and (as_of is None or until < _aware(as_of)):
        as_of = until
    scope = make_scope(
        variants=variants, as_of=as_of, start=start, end=end, by_day=False, segments=attributes, tolerance=tolerance
    )
    compiler = Compiler(
        model,
        (metric,),
        replace(scope, by_unit=True, until=None if until is None else until.astimezone(UTC)),
        engine.dialect,
        engine.relation_sql,
        engine.columns,
        fragment_dialect or engine.dialect,
    )
    compiler.dialect = compiler.hooks.name
    if compiler.has_cluster:
        raise InputError(
            "clusters were randomized, and units within one are not independent",
            where="cluster",
            rule="units are read one by one where they were randomized themselves",
        )
    care = Care(
        nullable=frozenset({metric.name}),
        not_finite=frozenset({metric.name}),
        gaps=frozenset((metric.name, j) for j in range(len(metric.covariates))) if compiler.is_table else frozenset(),
        repeated=compiler.is_table,
        repeated_events=frozenset(n for n in compiler.used_events() if model.events[n].event_id),
    )
    total = int(engine.query(_counted(compiler, care, metric)).rows[0][0])
    step = -(-total // most) or 1
    statement, names, capped = _drawn(compiler, care, metric, step, seed % step)
    rows = engine.query(statement).rows
    columns = dict(zip(names, zip(*rows, strict=True) if rows else [()] * len(names), strict=True))
    low, high = cap if cap is not None else (metric.cap.lower, metric.cap.upper) if metric.cap else (None, None)

    def before(kind: str) -> dict[str, Floats]:
        own = {name: values for name, values in columns.items() if name.startswith(f"{kind}:")}
        read = {name[2:]: np.array([0.0 if v is None else float(v) for v in own[name]]) for name in own}
        return {name: np.clip(x, low, high) if name in capped and x.size else x for name, x in read.items()}

    return UnitRows(
        metric.name,
        tuple(str(v) for v in columns["variant"]),
        np.clip(np.array(columns["y"], dtype=np.float64), low, high) if rows else np.zeros(0),
        {name: tuple(None if v is None else str(v) for v in columns[f"a:{name}"]) for name in attributes},
        before("x"),
        tuple(None if v is None else str(v) for v in columns.get("epoch", ())),
        total,
        statement,
        before("h"),
    )


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _units(
    compiler: Compiler, care: Care, metric: Metric
) -> tuple[sql.Statement, sql.Expr, dict[str, str], frozenset[str]]:
    """The level of units that can be drawn, its columns by what they are, and the covariates that are capped."""
    level = compiler.level(care)
    described = level.metrics[metric.name]
    own = {"unit": level.keys["unit"], "variant": level.keys["variant"], "y": described.y.alias}
    own |= {f"a:{name}": level.keys[f"segment {i}"] for i, name in enumerate(compiler.scope.segments)}
    own |= {f"{v.name[0]}:{v.name}": v.alias for v in described.variables if v.name[0] in "xh"}
    if "epoch" in level.keys:
        own["epoch"] = level.keys["epoch"]
    known = [sql.is_known(sql.own(described.y.alias))]
    if "mixed" in level.keys:
        known.append(sql.equal(sql.own(level.keys["mixed"]), sql.integer(0)))
    names = {name: f"zk_{i + 1}" for i, name in enumerate(own)}
    columns = {names[name]: sql.own(alias) for name, alias in own.items()}
    where = sql.every(known)
    capped = frozenset(v.name for v in described.variables if v.alias in described.capped_covariates)
    return level.statement, level.statement.level("zk", sql.Select(columns, level.relation, where=where)), names, capped


def _counted(compiler: Compiler, care: Care, metric: Metric) -> str:
    statement, units, _, _ = _units(compiler, care, metric)
    return statement.sql(sql.Select({"z_n": sql.rows()}, units), compiler.hooks.name)


def _drawn(
    compiler: Compiler, care: Care, metric: Metric, step: int, first: int
) -> tuple[str, tuple[str, ...], frozenset[str]]:
    """The statement that draws, what its columns are, and the covariates that are capped."""
    statement, units, names, capped = _units(compiler, care, metric)
    kept = {alias.replace("zk", "zr"): sql.own(alias) for name, alias in names.items() if name != "unit"}
    numbered = {**kept, "zr_n": sql.rank([sql.own(names["unit"])])}
    ranked = statement.level("zr", sql.Select(numbered, units))
    last = sql.Select(
        {alias.replace("zr", "z"): sql.own(alias) for alias in kept},
        ranked,
        where=sql.equal(sql.remainder(sql.own("zr_n"), step), sql.integer(first)) if step > 1 else None,
        order=[sql.own("zr_n")],
    )
    return statement.sql(last, compiler.hooks.name), tuple(name for name in names if name != "unit"), capped
