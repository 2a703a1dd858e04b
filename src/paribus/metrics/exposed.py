"""The unit level of exposures and events: who was first exposed when, and what each unit's events add up to.

Decisions: the first exposure is the earliest in the enrolment window with a randomized reason (SPLIT); a unit with two
variants in one epoch is mixed and left out, counted; variant, epoch, stratum and segments are those of the first
exposure (of exposures at the same instant, the smallest value); windows are half-open, [t0, t0 + days), and start at
t0 exactly (an event within the tolerance before t0 is counted, and moves nothing); a unit without events has 0, and
stays in a ratio; a metric with a window counts only units whose window has closed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from paribus.metrics.definition import EventSource, Exposures, Metric, MetricType
from paribus.metrics.demand import Demand, Demands, Window, demands
from paribus.metrics.level import Care, Columns, MetricColumns, Scope, UnitLevel, Variable
from paribus.metrics.source import Source, present
from paribus.warehouse.sql import build as sql
from paribus.warehouse.sql.dialects import Hooks

RANDOMIZED = "SPLIT"


def enrolment(source: Source, exposures: Exposures, scope: Scope) -> sql.Expr | None:
    """The condition of an exposure row that can enrol a unit."""
    variant = source.as_text(exposures.variant, "variant")
    time = source.instant(exposures.time, "time")
    conditions = [source.condition(exposures.filter, "filter")]
    if scope.variants is None:
        conditions.append(sql.is_known(variant))
    else:
        conditions.append(sql.one_of(variant, scope.variants))
    conditions.append(present(source.column(exposures.unit, "unit"), source.kind(exposures.unit) in {"text", None}))
    if exposures.reason:
        conditions.append(sql.equal(source.as_text(exposures.reason, "reason"), sql.text(RANDOMIZED)))
    conditions.append(sql.is_known(time))
    if scope.start is not None:
        conditions.append(sql.at_least(time, source.hooks.literal(scope.start)))
    if scope.end is not None:
        conditions.append(sql.less(time, source.hooks.literal(scope.end)))
    if scope.as_of is not None:
        conditions.append(sql.less(time, source.hooks.literal(scope.as_of)))
    return sql.every(conditions)


def first_exposures(
    statement: sql.Statement, source: Source, exposures: Exposures, scope: Scope, time_zone: str, unit_text: bool
) -> tuple[sql.Expr, dict[str, str]]:
    """Adds the level `zu`: one row per unit with t0 (`zu_t`), unit (`zu_u`), variant (`zu_v`), mixed (`zu_m`)."""
    attributes: dict[str, sql.Expr] = {}
    if exposures.epoch:
        attributes["epoch"] = source.as_text(exposures.epoch, "epoch")
    if exposures.stratum:
        attributes["stratum"] = source.as_text(exposures.stratum, "stratum")
    if exposures.cluster:
        attributes["cluster"] = source.as_text(exposures.cluster, "cluster")
    for i, segment in enumerate(scope.segments):
        attributes[f"segment {i}"] = source.as_text(segment, "segments")
    aliases = {key: f"zx_{i + 1}" for i, key in enumerate(attributes)}
    unit = source.column(exposures.unit, "unit")
    rows = statement.level(
        "zx",
        sql.Select(
            {
                "zx_u": sql.as_text(unit) if unit_text else unit,
                "zx_v": source.as_text(exposures.variant, "variant"),
                "zx_t": source.instant(exposures.time, "time"),
                **{aliases[key]: value for key, value in attributes.items()},
            },
            source.text,
            where=enrolment(source, exposures, scope),
        ),
    )
    one, zero = sql.integer(1), sql.integer(0)
    mixed = sql.case(
        (sql.differ(sql.smallest(sql.own("zx_v")), sql.largest(sql.own("zx_v"))), one), otherwise=zero
    )
    day = source.hooks.day(sql.own("zu_t"), time_zone) if scope.by_day else None
    keys = {"variant": "zu_v", "mixed": "zu_m"}
    if day is not None:
        keys["day"] = "zu_day"
    if not attributes:
        first = {
            "zu_u": sql.own("zx_u"),
            "zu_t": sql.smallest(sql.own("zx_t")),
            "zu_v": sql.smallest(sql.own("zx_v")),
            "zu_m": mixed,
        }
        return statement.level("zu", sql.Select(first, rows, group=[sql.own("zx_u")])), keys
    group = [sql.own("zx_u"), *([sql.own(aliases["epoch"])] if exposures.epoch else [])]
    spread = {"zp_u": sql.own("zx_u"), "zp_t": sql.smallest(sql.own("zx_t")), "zp_m": mixed}
    first_rows = statement.level("zp", sql.Select(spread, rows, group=group))
    if exposures.epoch:
        earliest = {
            "zf_u": sql.own("zp_u"),
            "zf_t": sql.smallest(sql.own("zp_t")),
            "zf_m": sql.largest(sql.own("zp_m")),
        }
        first_rows = statement.level("zf", sql.Select(earliest, first_rows, group=[sql.own("zp_u")]))
    p = "zf" if exposures.epoch else "zp"
    columns = {
        "zu_u": sql.own(f"{p}_u"),
        "zu_t": sql.own(f"{p}_t"),
        "zu_m": sql.own(f"{p}_m"),
        "zu_v": sql.smallest(sql.own("zx_v")),
    }
    for key, alias in aliases.items():
        keys[key] = f"zu_{alias.removeprefix('zx_')}"
        columns[keys[key]] = sql.smallest(sql.own(alias))
    select = sql.Select(
        columns,
        rows,
        joins=[sql.Join(first_rows, sql.own("zx_u"), sql.own(f"{p}_u"))],
        where=sql.equal(sql.own("zx_t"), sql.own(f"{p}_t")),
        group=[sql.own(f"{p}_u"), sql.own(f"{p}_t"), sql.own(f"{p}_m")],
    )
    return statement.level("zu", select), keys


def unit_level(
    exposures_source: Source,
    exposures: Exposures,
    sources: Mapping[str, Source],
    events: Mapping[str, EventSource],
    metrics: Sequence[Metric],
    scope: Scope,
    care: Care,
    time_zone: str,
) -> UnitLevel:
    """One row per exposed unit, mixed ones marked, with the sums of its events."""
    hooks = exposures_source.hooks
    statement = sql.Statement()
    asked = {metric.name: demands(metric, events) for metric in metrics}
    unit_text = joins_as_text(exposures_source, exposures, sources, events)
    units, unit_keys = first_exposures(statement, exposures_source, exposures, scope, time_zone, unit_text)
    books = {name: _Rows(sources[name], events[name], name, i + 1, scope, care, unit_text)
             for i, name in enumerate(used_sources(asked))}
    for metric in metrics:
        wanted = asked[metric.name]
        for demand in (*wanted.outcomes, *(d for _, d in wanted.covariates), *wanted.history):
            books[demand.source].ask(demand, guarded=metric.name in care.not_finite)
    columns = Columns("zw")
    keys = {}
    for key, alias in unit_keys.items():
        value = hooks.day(sql.own("zu_t"), time_zone) if key == "day" else sql.own(alias)
        keys[key] = columns.add(value, f"zw_{_SHORT.get(key, key.replace('segment ', 'g'))}")
    joins = [
        sql.Join(book.add_levels(statement, units), sql.own("zu_u"), sql.own(f"za{book.number}_u"), outer=True)
        for book in books.values()
    ]
    level = UnitLevel(statement, sql.relation("zw"), keys, {})
    described = {}
    for i, metric in enumerate(metrics):
        wanted = asked[metric.name]
        mask = matured(wanted.matured_days, scope, hooks)
        variables: list[Variable] = []
        if metric.type == MetricType.FUNNEL:
            ends = _funnel(metric, i + 1, statement, units, sources, events, scope, unit_text)
            for name, (relation, prefix) in zip(("y", "d"), ends, strict=False):
                joins.append(sql.Join(relation, sql.own("zu_u"), sql.own(f"{prefix}_u"), outer=True))
                done = sql.or_else(sql.own(f"{prefix}_1"), sql.number(0))
                variables.append(Variable(name, columns.add(sql.case((mask, done))), zero_one=True))
        listed = [*zip(("y", "d"), wanted.outcomes, strict=False), *wanted.covariates]
        listed += [(f"h{j + 1}", demand) for j, demand in enumerate(wanted.history)]
        own = []
        for name, demand in listed:
            summed = books[demand.source].alias(demand, guarded=metric.name in care.not_finite)
            value = sql.case((mask, sql.or_else(sql.own(summed), sql.number(0))))
            variables.append(Variable(name, columns.add(value), demand.zero_one))
            if name.startswith("x") and not name.endswith("d") and demand.value == metric.value:
                own.append(variables[-1].alias)
        described[metric.name] = MetricColumns(metric, tuple(variables), mask is not None, tuple(own))
    for name, book in books.items():
        level.matched[name] = columns.add(sql.or_else(sql.own(book.rows_alias), sql.integer(0)))
        level.early[name] = columns.add(sql.or_else(sql.own(book.early_alias), sql.integer(0)))
    statement.level("zw", sql.Select(columns.by_alias, units, joins=joins))
    level.metrics = described
    return level


_SHORT = {"variant": "v", "mixed": "m", "epoch": "e", "stratum": "s", "cluster": "k", "day": "day"}


def used_sources(asked: Mapping[str, Demands]) -> list[str]:
    """The events sources that sums read, in order of first use."""
    named: dict[str, None] = {}
    for wanted in asked.values():
        for demand in (*wanted.outcomes, *(d for _, d in wanted.covariates), *wanted.history):
            named[demand.source] = None
    return list(named)


def matured(days: int | None, scope: Scope, hooks: Hooks) -> sql.Expr | None:
    """The condition that a unit's window has closed: t0 + days <= the time up to which there are data."""
    if days is None or scope.closed is None:
        return None
    return sql.at_most(sql.own("zu_t"), hooks.literal(scope.closed - timedelta(days=days)))


def joins_as_text(
    exposures_source: Source, exposures: Exposures, sources: Mapping[str, Source], events: Mapping[str, EventSource]
) -> bool:
    """Unit ids of different kinds in exposures and events are compared as text."""
    kinds = {exposures_source.kind(exposures.unit)}
    kinds |= {sources[name].kind(events[name].unit) for name in sources}
    return len(kinds) > 1


def inside(time: sql.Expr, window: Window, hooks: Hooks) -> sql.Expr:
    """time in [t0 + first, t0 + last) of the unit's own t0."""
    start = sql.own("zu_t")
    conditions = []
    if window.first is not None:
        low = start if window.first == 0 else hooks.add(start, window.first, "DAY")
        conditions.append(sql.at_least(time, low))
    if window.last is not None:
        high = start if window.last == 0 else hooks.add(start, window.last, "DAY")
        conditions.append(sql.less(time, high))
    return sql.always(sql.every(conditions))


def row_conditions(source: Source, event: EventSource, scope: Scope, name: str) -> list[sql.Expr | None]:
    """What every row read of a source must pass: its filter, a unit, a time before `as_of`."""
    time = source.instant(event.time, f"events.{name}.time")
    before = None if scope.as_of is None else sql.less(time, source.hooks.literal(scope.as_of))
    return [source.condition(event.filter, f"events.{name}.filter"), before]


class _Rows:
    """One events source in one statement: the columns its rows carry, and the sums asked per unit."""

    def __init__(
        self, source: Source, event: EventSource, name: str, number: int, scope: Scope, care: Care, unit_text: bool
    ) -> None:
        self.source, self.event, self.name, self.number = source, event, name, number
        self.scope, self.unit_text = scope, unit_text
        self.deduplicated = name in care.repeated_events
        self.rows_alias, self.early_alias = f"za{number}_n", f"za{number}_early"
        self._values = Columns(f"zr{number}")
        self._sums = Columns(f"za{number}")
        self._alias: dict[tuple[Demand, bool], str] = {}

    def ask(self, demand: Demand, *, guarded: bool) -> None:
        key = (demand, guarded)
        if key not in self._alias:
            self._alias[key] = self._sums.add(self._sum(demand, guarded))

    def alias(self, demand: Demand, *, guarded: bool) -> str:
        return self._alias[demand, guarded]

    def add_levels(self, statement: sql.Statement, units: sql.Expr) -> sql.Expr:
        """Adds the rows of the source and their sums per unit; returns the latter."""
        n, event = self.number, self.event
        unit = self.source.column(event.unit, f"events.{self.name}.unit")
        columns = {
            f"zr{n}_u": sql.as_text(unit) if self.unit_text else unit,
            f"zr{n}_t": self.source.instant(event.time, f"events.{self.name}.time"),
            **self._values.by_alias,
        }
        where = sql.every(row_conditions(self.source, event, self.scope, self.name))
        if self.deduplicated and event.event_id:
            columns[f"zr{n}_id"] = self.source.column(event.event_id, f"events.{self.name}.event_id")
            rows = _distinct_events(statement, sql.Select(columns, self.source.text, where=where), n)
        else:
            rows = statement.level(f"zr{n}", sql.Select(columns, self.source.text, where=where))
        time, start = sql.own(f"zr{n}_t"), sql.own("zu_t")
        tolerance = self.source.hooks.add(start, -self.scope.tolerance_seconds, "SECOND")
        early = sql.every([sql.less(time, start), sql.at_least(time, tolerance)])
        sums = {
            f"za{n}_u": sql.own("zu_u"),
            **self._sums.by_alias,
            self.rows_alias: sql.rows(),
            self.early_alias: sql.known(sql.case((early, sql.integer(1)))),
        }
        join = sql.Join(units, sql.own(f"zr{n}_u"), sql.own("zu_u"))
        return statement.level(f"za{n}", sql.Select(sums, rows, joins=[join], group=[sql.own("zu_u")]))

    def _sum(self, demand: Demand, guarded: bool) -> sql.Expr:
        window = inside(sql.own(f"zr{self.number}_t"), demand.window, self.source.hooks)
        condition = self.source.condition(demand.filter, f"{demand.where}.filter")
        one = sql.number(1)
        if demand.how == "sum":
            value = self.source.number(demand.value or "1", f"{demand.where}.value")
            guard = sql.finite(value) if guarded else None
            alias = self._values.add(sql.case((sql.every([condition, guard]), value)))
            return sql.total(sql.case((window, sql.own(alias))))
        if demand.how == "sessions":
            session = self.source.column(demand.value or "", demand.where)
            alias = self._values.add(sql.case((condition, session)))
            return sql.double(sql.distinct(sql.case((window, sql.own(alias)))))
        if demand.value is not None:  # a proportion of a value: the row counts when the value is true
            value = self.source.number(demand.value, f"{demand.where}.value")
            condition = sql.every([condition, sql.differ(value, sql.number(0)), sql.finite(value)])
        if condition is None:
            chosen = sql.case((window, one))
        else:
            alias = self._values.add(sql.case((condition, one)))
            chosen = sql.case((window, sql.own(alias)))
        return sql.largest(chosen) if demand.how == "any" else sql.total(chosen)


def _distinct_events(statement: sql.Statement, rows: sql.Select, n: int) -> sql.Expr:
    """One row per event id: its earliest; rows without an id are events of their own."""
    identity, time = sql.own(f"zr{n}_id"), sql.own(f"zr{n}_t")
    read = statement.level(f"zr{n}", rows)
    ranked = {
        **{alias.replace("zr", "zq", 1): sql.own(alias) for alias in rows.columns},
        f"zq{n}_rank": sql.rank([time, sql.own(f"zr{n}_u")], [identity]),
    }
    numbered = statement.level(f"zq{n}", sql.Select(ranked, read))
    first = sql.either(
        [sql.equal(sql.own(f"zq{n}_rank"), sql.integer(1)), sql.is_null(sql.own(f"zq{n}_id"))]
    )
    # The columns take back the names that the sums read: `zr` cannot be in scope here any more.
    kept = {alias: sql.own(alias.replace("zr", "zq", 1)) for alias in rows.columns}
    return statement.level(f"zd{n}", sql.Select(kept, numbered, where=first))


def _funnel(
    metric: Metric,
    number: int,
    statement: sql.Statement,
    units: sql.Expr,
    sources: Mapping[str, Source],
    events: Mapping[str, EventSource],
    scope: Scope,
    unit_text: bool,
) -> list[tuple[sql.Expr, str]]:
    """Levels with the units that completed the last step (and the given one), each with a 1.

    Step k is the earliest row at or after step k - 1's earliest time, inside the window; rows at the same instant may
    follow each other, and a row that passes two steps may serve both.
    """
    ends = {}
    before, prefix = units, "zu"
    for k, step in enumerate(metric.steps, start=1):
        source, event = sources[step.source], events[step.source]
        rows_prefix, step_prefix = f"zs{number}_{k}", f"zf{number}_{k}"
        unit = source.column(event.unit, f"events.{step.source}.unit")
        where = [*row_conditions(source, event, scope, step.source)]
        where.append(source.condition(step.where, f"metrics.{metric.name}.steps[{k - 1}].where"))
        rows = statement.level(
            rows_prefix,
            sql.Select(
                {
                    f"{rows_prefix}_u": sql.as_text(unit) if unit_text else unit,
                    f"{rows_prefix}_t": source.instant(event.time, f"events.{step.source}.time"),
                },
                source.text,
                where=sql.every(where),
            ),
        )
        time, start = sql.own(f"{rows_prefix}_t"), sql.own(f"{prefix}_0" if k > 1 else "zu_t")
        conditions = [sql.at_least(time, sql.own(f"{prefix}_t"))]
        if metric.window_days is not None:
            conditions.append(sql.less(time, source.hooks.add(start, metric.window_days, "DAY")))
        select = sql.Select(
            {
                f"{step_prefix}_u": sql.own(f"{prefix}_u"),
                f"{step_prefix}_0": sql.smallest(start),
                f"{step_prefix}_t": sql.smallest(time),
                f"{step_prefix}_1": sql.largest(sql.number(1)),
            },
            rows,
            joins=[sql.Join(before, sql.own(f"{rows_prefix}_u"), sql.own(f"{prefix}_u"))],
            where=sql.every(conditions),
            group=[sql.own(f"{prefix}_u")],
        )
        before, prefix = statement.level(step_prefix, select), step_prefix
        ends[k] = (before, prefix)
    last = [ends[len(metric.steps)]]
    return [*last, ends[metric.given]] if metric.given else last
