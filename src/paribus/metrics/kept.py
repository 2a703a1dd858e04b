"""The unit level over a maintained table: one row per enrolled unit whose sums are worked out already.

The columns of the relation are those of `MaintainedTables.units_sql`; what a metric asks of the events stands in one
column each. The cells are those that the statement over exposures and events gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from paribus.metrics import sums
from paribus.metrics.definition import DataModel, EventSource, Metric
from paribus.metrics.demand import Demand, demands
from paribus.metrics.level import Columns, MetricColumns, Scope, UnitLevel, Variable
from paribus.metrics.reading import Reading, read
from paribus.metrics.source import Source
from paribus.warehouse.engine import ColumnKind, Engine
from paribus.warehouse.sql import build as sql
from paribus.warehouse.sql.dialects import hooks

_UNITS = '"the units"'  # in a statement that is shared, the place of the relation
_EXPERIMENT = "experiment"

Bounds = Mapping[str, tuple[datetime | None, datetime | None]]


@dataclass(frozen=True, slots=True)
class KeptEvents:
    """How many distinct events a source has, and how many of these are of enrolled units."""

    events: int
    matched: int


@dataclass(frozen=True, slots=True)
class KeptUnits:
    """The units of one experiment in a maintained table.

    engine, relation  where they are
    column_of         the column of what a metric asks
    early             events source -> column with the number of its rows within the tolerance before exposure
    segments          attribute -> column of its value at first exposure
    counted           by source, its events from a time on and before a time; both by source as well
    """

    engine: Engine
    relation: str
    column_of: Callable[[Demand], str]
    early: Mapping[str, str]
    segments: Mapping[str, str]
    counted: Callable[[Bounds], Mapping[str, KeptEvents]]

    def read(
        self,
        metrics: Sequence[Metric],
        model: DataModel,
        scope: Scope,
        *,
        caps: Mapping[str, tuple[float | None, float | None]] | None = None,
        shifts: Mapping[str, float] | None = None,
    ) -> Reading:
        """The cells of the metrics; how many events are of enrolled units is asked of `counted`.

        Args:
            metrics, model: as for `measure`; what a metric asks must be additive (no funnel, no number of sessions).
            scope: the grain of the cells.
            caps: winsorizing limits by metric.
            shifts: constants by "metric/variable".

        Raises:
            EngineError: the engine failed.
        """
        question = self._question(metrics, model, scope, caps, shifts)
        plan = _statement(question)
        return read(plan, self._records(plan), scope, dict(shifts or {}))

    def read_each(
        self,
        metrics: Sequence[Metric],
        model: DataModel,
        scope: Scope,
        *,
        caps: Mapping[str, tuple[float | None, float | None]] | None = None,
    ) -> Callable[[int], Reading]:
        """As `read`, for a relation of several experiments that ask the same: the cells by the number of each.

        Raises:
            EngineError: the engine failed.
        """
        plan = _statement(replace(self._question(metrics, model, scope, caps, None), by_experiment=True))
        found: dict[int, list[dict[str, Any]]] = {}
        for row in self._records(plan):
            found.setdefault(int(row[plan.keys[_EXPERIMENT]]), []).append(row)
        return lambda number: read(plan, found.get(number, []), scope, {})

    def _records(self, plan: sums.Sums) -> list[dict[str, Any]]:
        return self.engine.query(plan.text.replace(_UNITS, self.engine.relation_sql(self.relation))).records()

    def _question(
        self,
        metrics: Sequence[Metric],
        model: DataModel,
        scope: Scope,
        caps: Mapping[str, tuple[float | None, float | None]] | None,
        shifts: Mapping[str, float] | None,
    ) -> _Question:
        columns = {demand: self.column_of(demand) for metric in metrics for demand in _asked(metric, model.events)}
        given, limits = dict(shifts or {}), dict(caps or {})
        return _Question(
            tuple(self.engine.columns(self.relation).items()),
            self.engine.dialect,
            tuple(metrics),
            tuple(model.events.items()),
            model.time_zone,
            scope,
            tuple(columns.items()),
            tuple(self.early.items()),
            tuple(self.segments.items()),
            tuple(sorted(given.items())),
            tuple(sorted(limits.items())),
        )

    def mixed(self) -> dict[str, int]:
        """Units that met several variants, by the variant of their first exposure."""
        source = self._source()
        select = sql.Select(
            {"z_v": source.column("variant", "variant"), "z_n": sql.rows()},
            source.text,
            where=source.column("is_mixed", "is_mixed"),
            group=[source.column("variant", "variant")],
        )
        records = self.engine.query(sql.Statement().sql(select, source.hooks.name)).records()
        return {str(row["z_v"]): int(row["z_n"]) for row in records}

    def _source(self) -> Source:
        text = sql.verbatim(self.engine.relation_sql(self.relation))
        columns = self.engine.columns(self.relation)
        return Source(self.relation, text, columns, hooks(self.engine.dialect), self.engine.dialect)


@dataclass(frozen=True, slots=True)
class _Question:
    """What a statement is written from. Experiments that ask the same of tables of the same form share its text."""

    kinds: tuple[tuple[str, ColumnKind], ...]
    dialect: str
    metrics: tuple[Metric, ...]
    events: tuple[tuple[str, EventSource], ...]
    time_zone: str
    scope: Scope
    column_of: tuple[tuple[Demand, str], ...]
    early: tuple[tuple[str, str], ...]
    segments: tuple[tuple[str, str], ...]
    shifts: tuple[tuple[str, float], ...]
    caps: tuple[tuple[str, tuple[float | None, float | None]], ...]
    by_experiment: bool = False


def _asked(metric: Metric, events: Mapping[str, EventSource]) -> tuple[Demand, ...]:
    found = demands(metric, events)
    return (*found.outcomes, *(demand for _, demand in found.covariates), *found.history)


@lru_cache(maxsize=64)
def _statement(question: _Question) -> sums.Sums:
    source = Source("the units", sql.verbatim(_UNITS), dict(question.kinds), hooks(question.dialect), question.dialect)
    level = _level(source, question)
    return sums.moments(level, question.scope, source.hooks.name, dict(question.shifts), dict(question.caps))


def _level(source: Source, question: _Question) -> UnitLevel:
    statement = sql.Statement()
    columns = Columns("zw")
    events, scope, segments = dict(question.events), question.scope, dict(question.segments)
    start = source.instant("t0", "t0")
    one, zero = sql.integer(1), sql.integer(0)
    keys = {
        "variant": columns.add(source.column("variant", "variant"), "zw_v"),
        "mixed": columns.add(sql.case((source.column("is_mixed", "is_mixed"), one), otherwise=zero), "zw_m"),
        "epoch": columns.add(source.column("epoch", "epoch"), "zw_e"),
    }
    if question.by_experiment:
        keys[_EXPERIMENT] = columns.add(source.column("x", "x"), "zw_x")
    if scope.by_day:
        keys["day"] = columns.add(source.hooks.day(start, question.time_zone), "zw_day")
    for i, name in enumerate(scope.segments):
        keys[f"segment {i}"] = columns.add(source.column(segments[name], "segments"), f"zw_g{i + 1}")
    column_of = dict(question.column_of)
    described: dict[str, MetricColumns] = {}
    matured_by: dict[int | None, str] = {}  # a value is NULL exactly where the window has not closed
    for metric in question.metrics:
        found = _columns(source, metric, events, scope, column_of, columns)
        known_by = matured_by.setdefault(demands(metric, events).matured_days, found.y.alias)
        described[metric.name] = replace(found, known_by=known_by)
    used = {demand.source: None for metric in question.metrics for demand in _asked(metric, events)}
    early = {name: columns.add(source.column(dict(question.early)[name], "early")) for name in used}
    relation = statement.level("zw", sql.Select(columns.by_alias, source.text))
    return UnitLevel(statement, relation, keys, described, early=early)


def _columns(
    source: Source,
    metric: Metric,
    events: Mapping[str, EventSource],
    scope: Scope,
    column_of: Mapping[Demand, str],
    columns: Columns,
) -> MetricColumns:
    asked = demands(metric, events)
    mask = None
    if asked.matured_days is not None and scope.closed is not None:
        closed = source.hooks.literal(scope.closed - timedelta(days=asked.matured_days))
        mask = sql.at_most(source.instant("t0", "t0"), closed)
    listed = [*zip(("y", "d"), asked.outcomes, strict=False), *asked.covariates]
    listed += [(f"h{j + 1}", demand) for j, demand in enumerate(asked.history)]
    variables, own = [], []
    for name, demand in listed:
        value: sql.Expr = sql.double(source.column(column_of[demand], demand.where))
        if demand.how == "any":
            value = sql.case((sql.greater(value, sql.number(0)), sql.number(1)), otherwise=sql.number(0))
        variables.append(Variable(name, columns.add(sql.case((mask, value))), demand.zero_one))
        if name.startswith("x") and not name.endswith("d") and demand.value == metric.value:
            own.append(variables[-1].alias)
    return MetricColumns(metric, tuple(variables), mask is not None, tuple(own))
