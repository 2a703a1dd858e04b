"""The unit level over a maintained table: one row per enrolled unit whose sums are worked out already.

The columns of the relation are those of `MaintainedTables.units_sql`; what a metric asks of the events stands in one
column each. The cells are those that the statement over exposures and events gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from paribus.metrics import sums
from paribus.metrics.definition import EventSource, Metric
from paribus.metrics.demand import Demand, demands
from paribus.metrics.level import Columns, MetricColumns, Scope, UnitLevel, Variable
from paribus.metrics.reading import Reading, read
from paribus.metrics.source import Source
from paribus.warehouse.engine import Engine
from paribus.warehouse.sql import build as sql
from paribus.warehouse.sql.dialects import hooks

ColumnOf = Callable[[Demand], str]


def read_kept(
    engine: Engine,
    relation: str,
    metrics: Sequence[Metric],
    events: Mapping[str, EventSource],
    column_of: ColumnOf,
    scope: Scope,
    *,
    time_zone: str = "UTC",
    caps: Mapping[str, tuple[float | None, float | None]] | None = None,
) -> Reading:
    """The cells of the metrics over a maintained table.

    Args:
        engine, relation: where the table is.
        metrics, events: as for `measure`; what a metric asks must be additive (no funnel, no number of sessions).
        column_of: the column of what a metric asks.
        scope: the grain of the cells; segments are columns a1 … in their order.
        time_zone: of cohort days.
        caps: winsorizing limits by metric.

    Raises:
        EngineError: the engine failed.
    """
    named = hooks(engine.dialect)
    text = sql.verbatim(engine.relation_sql(relation))
    source = Source(relation, text, engine.columns(relation), named, engine.dialect)
    level = _unit_level(source, metrics, events, column_of, scope, time_zone)
    plan = sums.moments(level, scope, named.name, {}, dict(caps or {}))
    return read(plan, engine.query(plan.text).records(), scope, {})


def _unit_level(
    source: Source,
    metrics: Sequence[Metric],
    events: Mapping[str, EventSource],
    column_of: ColumnOf,
    scope: Scope,
    time_zone: str,
) -> UnitLevel:
    statement = sql.Statement()
    columns = Columns("zw")
    start = source.instant("t0", "t0")
    one, zero = sql.integer(1), sql.integer(0)
    keys = {
        "variant": columns.add(source.column("variant", "variant"), "zw_v"),
        "mixed": columns.add(sql.case((source.column("is_mixed", "is_mixed"), one), otherwise=zero), "zw_m"),
        "epoch": columns.add(source.column("epoch", "epoch"), "zw_e"),
    }
    if scope.by_day:
        keys["day"] = columns.add(source.hooks.day(start, time_zone), "zw_day")
    for i in range(len(scope.segments)):
        keys[f"segment {i}"] = columns.add(source.column(f"a{i + 1}", "segments"), f"zw_g{i + 1}")
    described = {}
    for metric in metrics:
        asked = demands(metric, events)
        mask = None
        if asked.matured_days is not None and scope.closed is not None:
            mask = sql.at_most(start, source.hooks.literal(scope.closed - timedelta(days=asked.matured_days)))
        listed = [*zip(("y", "d"), asked.outcomes, strict=False), *asked.covariates]
        listed += [(f"h{j + 1}", demand) for j, demand in enumerate(asked.history)]
        variables, own = [], []
        for name, demand in listed:
            value: sql.Expr = sql.double(source.column(column_of(demand), demand.where))
            if demand.how == "any":
                value = sql.case((sql.greater(value, sql.number(0)), sql.number(1)), otherwise=sql.number(0))
            variables.append(Variable(name, columns.add(sql.case((mask, value))), demand.zero_one))
            if name.startswith("x") and not name.endswith("d") and demand.value == metric.value:
                own.append(variables[-1].alias)
        described[metric.name] = MetricColumns(metric, tuple(variables), mask is not None, tuple(own))
    relation = statement.level("zw", sql.Select(columns.by_alias, source.text))
    return UnitLevel(statement, relation, keys, described)
