"""Compiles metrics to the statements that return their cells, for an engine or only to be shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath

from paribus.errors import InputError, did_you_mean
from paribus.metrics import clusters, cutoffs, exposed, limits, probe, ranks, repeats, sums, table
from paribus.metrics.cells import StatementText
from paribus.metrics.definition import Covariate, DataModel, Exposures, Metric, MetricType, UnitTable
from paribus.metrics.demand import Demand, demands, reach
from paribus.metrics.level import Care, Scope, UnitLevel
from paribus.metrics.rows import row_bounds
from paribus.metrics.source import Source
from paribus.warehouse.engine import ColumnKind
from paribus.warehouse.sql.dialects import Hooks, hooks

PRE_PERIOD_DAYS = 28  # for a percentile cap of a metric that has neither a window nor a covariate


@dataclass(slots=True)
class Compiler:
    """One data model with metrics, ready to be written as SQL.

    `text_of` gives the text that stands in FROM for a relation, `columns_of` its columns (None where unknown).
    """

    model: DataModel
    metrics: tuple[Metric, ...]
    scope: Scope
    dialect: str
    text_of: Callable[[str], str]
    columns_of: Callable[[str], Mapping[str, ColumnKind] | None]
    fragment_dialect: str
    _sources: dict[str, Source] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.model.units is None) == (self.model.exposures is None):
            raise InputError(
                "the data model needs a table of units or exposures, and not both",
                where="data",
                rule="one row per unit in a table, or exposures with event sources",
            )
        names = [metric.name for metric in self.metrics]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InputError(f"two metrics are named {twice[0]!r}", where="metrics", rule="names are unique")
        for segment in self.scope.segments:
            if segment not in self.model.segments and self.model.segments:
                raise InputError(
                    f"{segment!r} is not a declared segment",
                    where="segments",
                    fix=did_you_mean(segment, self.model.segments),
                )

    @property
    def hooks(self) -> Hooks:
        return hooks(self.dialect)

    @property
    def is_table(self) -> bool:
        return self.model.units is not None

    @property
    def units(self) -> UnitTable:
        if self.model.units is None:
            raise InputError("the data model has no table of units", where="data")
        return self.model.units

    @property
    def exposures(self) -> Exposures:
        if self.model.exposures is None:
            raise InputError("the data model has no exposures", where="data")
        return self.model.exposures

    @property
    def main(self) -> Source:
        """The table of units, or the exposures."""
        return self._source(self.units.relation if self.is_table else self.exposures.relation)

    @property
    def has_cluster(self) -> bool:
        return (self.units.cluster if self.is_table else self.exposures.cluster) is not None

    def event_source(self, name: str) -> Source:
        return self._source(self.model.events[name].relation)

    def event_sources(self) -> dict[str, Source]:
        return {name: self.event_source(name) for name in self.used_events()}

    def used_events(self) -> list[str]:
        """Names of the events sources that any metric reads."""
        used: dict[str, None] = {}
        for metric in () if self.is_table else self.metrics:
            for name in [step.source for step in metric.steps] + [demand.source for demand in _all(metric, self.model)]:
                used[name] = None
        return list(used)

    def outcomes(self, metric: Metric) -> tuple[Demand, ...]:
        """What the metric's outcome variables ask of event sources."""
        return demands(metric, self.model.events).outcomes

    def level(self, care: Care, metrics: Sequence[Metric] | None = None, scope: Scope | None = None) -> UnitLevel:
        """The unit level of the metrics (all unless given)."""
        chosen = self.metrics if metrics is None else tuple(metrics)
        within = scope or self.scope
        if self.is_table:
            return table.unit_level(self.main, self.units, chosen, within, care, self.model.time_zone)
        return exposed.unit_level(
            self.main,
            self.exposures,
            self.event_sources(),
            self.model.events,
            chosen,
            within,
            care,
            self.model.time_zone,
        )

    def event_probes(self) -> dict[str, probe.EventProbe]:
        """The probe of each events source in use."""
        listed: dict[str, list[Demand]] = {name: [] for name in self.used_events()}
        for metric in self.metrics:
            for demand in demands(metric, self.model.events).outcomes:
                listed[demand.source].append(demand)
        reached = reach(self.metrics, self.model.events)
        return {
            name: probe.event_probe(
                self.event_source(name), self.model.events[name], name, found, self.scope, reached[name]
            )
            for name, found in listed.items()
        }

    def event_bounds(self) -> dict[str, tuple[datetime | None, datetime | None]]:
        """From when and before when rows of each events source are read."""
        return {name: row_bounds(self.scope, of) for name, of in reach(self.metrics, self.model.events).items()}

    def cap_level(self, metric: Metric, care: Care) -> tuple[UnitLevel, str]:
        """The unit level that a percentile cap is taken from, and the column: y itself, or y before exposure."""
        plain = replace(self.scope, by_day=False, segments=())
        if metric.cap is not None and metric.cap.over == "pooled":
            level = self.level(care, [replace(metric, covariates=(), cap=None)], plain)
            return level, level.metrics[metric.name].y.alias
        if self.is_table and not metric.covariates:
            raise InputError(
                f"the cap of {metric.name} is a percentile of the pre-period, and a table of units has none",
                where=f"metrics.{metric.name}.cap",
                rule="a percentile cap is taken before exposure, so that the experiment cannot move it",
                fix="give numbers, a covariate with the value before exposure, or over: pooled (fixed horizon only)",
            )
        if self.is_table:
            before = replace(metric, covariates=metric.covariates[:1], cap=None)
        else:
            days = metric.window_days or next((c.days for c in metric.covariates if c.days), PRE_PERIOD_DAYS)
            before = replace(metric, covariates=(Covariate(days=days),), cap=None)
        level = self.level(care, [before], plain)
        covariate = level.metrics[metric.name].variable("x1")
        if covariate is None:
            raise InputError(f"{metric.name} has no value before exposure", where=f"metrics.{metric.name}.cap")
        return level, covariate.alias

    def _source(self, relation: str) -> Source:
        if relation not in self._sources:
            from paribus.warehouse.sql import build as sql

            self._sources[relation] = Source(
                relation,
                sql.verbatim(self.text_of(relation)),
                self.columns_of(relation),
                self.hooks,
                self.fragment_dialect,
            )
        return self._sources[relation]


def _all(metric: Metric, model: DataModel) -> list[Demand]:
    asked = demands(metric, model.events)
    return [*asked.outcomes, *(demand for _, demand in asked.covariates), *asked.history]


def statements(
    model: DataModel,
    metrics: Sequence[Metric],
    dialect: str,
    *,
    columns: Mapping[str, Mapping[str, ColumnKind]] | None = None,
    fragment_dialect: str | None = None,
    variants: Sequence[str] | None = None,
    as_of: datetime | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    by_day: bool = False,
    segments: Sequence[str] = (),
    tolerance: float = 5.0,
    cut_at: Sequence[datetime] = (),
) -> list[StatementText]:
    """The statements in the order in which they would run, `:name` where an earlier one computes the value.

    Args:
        model: the table of units, or exposures and event sources.
        metrics: what to measure.
        dialect: sqlglot's name of the target ("bigquery", "snowflake", …).
        columns: kinds of the columns of each relation, where known; unknown columns are taken as numbers and text.
        fragment_dialect: the dialect in which the fragments are written (default: the target's).
        variants: as for `measure`, like all that follows.
        as_of: only rows before this time.
        start: enrolment from this time on.
        end: enrolment before this time.
        by_day: cells by cohort day.
        segments: attributes whose margins are measured.
        tolerance: seconds before exposure within which event rows are counted.
        cut_at: times, in order, at which metrics without a window are read as they were known then.

    Raises:
        InputError: an unknown dialect, source or column, or a metric that its data cannot answer.
        FragmentError: a fragment that is not a scalar expression.
    """
    known = columns or {}
    named = hooks(dialect)
    scope = make_scope(
        variants=variants, as_of=as_of, start=start, end=end, by_day=by_day, segments=segments, tolerance=tolerance
    )
    compiler = Compiler(
        model,
        tuple(metrics),
        scope,
        named.name,
        lambda relation: named.table(table_name(relation)).sql(dialect=named.name),
        known.get,
        fragment_dialect or named.name,
    )
    care = Care()
    shown: list[StatementText] = []

    def show(name: str, text: str) -> None:
        if text:
            shown.append(StatementText(name, named.name, text))

    if compiler.is_table:
        bounds = repeats.is_read_twice(compiler.main, compiler.units, None)
        show("probe", probe.table_probe(compiler.main, compiler.units, bounds=bounds))
        show("probe:distinct", repeats.shown(compiler.main, compiler.units) if bounds else "")
        if variants is not None:
            show("probe:variants", probe.table_variants(compiler.main, compiler.units))
        filtered = compiler.main.condition(compiler.units.filter, "filter")
        show("probe:filtered", "" if filtered is None else probe.filtered_rows(compiler.main, filtered))
        show("probe:shifts", probe.shift_sample(compiler.level(care), named.name)[0])
    else:
        show("probe", probe.exposure_probe(compiler.main, compiler.exposures, scope))
        filtered = compiler.main.condition(compiler.exposures.filter, "filter")
        show("probe:filtered", "" if filtered is None else probe.filtered_rows(compiler.main, filtered))
        own_unit = compiler.exposures.own_unit
        if own_unit is not None:
            show("probe:identity", exposed.joined_units(compiler.main, compiler.exposures, own_unit, scope))
        for name, found in compiler.event_probes().items():
            show(f"probe:{name}", found.text)
        care = Care(repeated_events=frozenset(n for n in compiler.used_events() if model.events[n].event_id))
    caps: dict[str, tuple[float | str | None, float | str | None]] = {}
    for metric in metrics:
        if metric.cap is None:
            continue
        asked = limits.wanted(metric)
        if asked:
            level, alias = compiler.cap_level(metric, care)
            show(f"cap:{metric.name}", limits.percentile(level, alias, asked, named.name))
        caps[metric.name] = (
            f"{_slug(metric.name)}_lower" if "lower" in asked else metric.cap.lower,
            f"{_slug(metric.name)}_upper" if "upper" in asked else metric.cap.upper,
        )
    level = compiler.level(care)
    shifts: dict[str, float | str] = {}
    if compiler.is_table:
        shifts = {
            f"{name}/{variable.name}": f"{_slug(name)}_{variable.name}"
            for name, described in level.metrics.items()
            for variable in described.variables
            if not variable.zero_one
        }
    plan = sums.moments(level, scope, named.name, shifts, caps, look_for_missing=compiler.is_table)
    show("moments", plan.text)
    growing = [m for m in metrics if m.is_open and m.type != MetricType.QUANTILE]
    if cut_at and growing and not compiler.is_table and not compiler.has_cluster:
        times = [time for time in map(_utc, cut_at) if time is not None]
        show("cutoffs", cutoffs.statement(compiler, care, growing, times, shifts, caps).sums.text)
    if compiler.has_cluster:
        show("clusters", clusters.statement(compiler.level(care), caps, named.name).text)
    for metric in metrics:
        if metric.type == MetricType.QUANTILE:
            for name, text in ranks.shown(compiler, metric, care):
                show(name, text)
    return shown


def make_scope(
    *,
    variants: Sequence[str] | None,
    as_of: datetime | None,
    start: datetime | None,
    end: datetime | None,
    by_day: bool,
    segments: Sequence[str],
    tolerance: float,
) -> Scope:
    """The scope with its times in UTC."""
    if tolerance < 0:
        raise InputError(f"the tolerance is {tolerance}", where="tolerance", rule="a tolerance is not negative")
    return Scope(
        tuple(variants) if variants is not None else None,
        _utc(start),
        _utc(end),
        _utc(as_of),
        _utc(as_of),
        by_day,
        tuple(segments),
        -int(-tolerance // 1),
    )


def table_name(relation: str) -> str:
    """A relation as a table's name: a file's stem where the relation is a path.

    >>> table_name("data/orders-2026.parquet"), table_name("shop.orders")
    ('orders-2026', 'shop.orders')
    """
    is_path = "/" in relation or relation.endswith((".csv", ".parquet", ".json", ".jsonl", ".ndjson", ".gz", ".tsv"))
    return PurePosixPath(relation).name.split(".")[0] if is_path else relation


def _slug(name: str) -> str:
    return re.sub(r"\W", "_", name)


def _utc(time: datetime | None) -> datetime | None:
    if time is None:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
