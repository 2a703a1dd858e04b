"""The rows of an events source: which are read, which fall inside a unit's window, what they add up to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from paribus.metrics.definition import EventSource, Exposures
from paribus.metrics.demand import Demand, Window
from paribus.metrics.level import Care, Columns, Scope
from paribus.metrics.source import Source
from paribus.warehouse.sql import build as sql
from paribus.warehouse.sql.dialects import Hooks


def joins_as_text(
    exposures_source: Source, exposures: Exposures, sources: Mapping[str, Source], events: Mapping[str, EventSource]
) -> bool:
    """Unit ids of different kinds in exposures and events are compared as text."""
    kinds = {exposures_source.kind(exposures.unit)}
    kinds |= {sources[name].kind(events[name].unit) for name in sources}
    return len(kinds) > 1


def matured(days: int | None, scope: Scope, hooks: Hooks) -> sql.Expr | None:
    """The condition that a unit's window has closed: t0 + days <= the time up to which there are data."""
    if days is None or scope.closed is None:
        return None
    return sql.at_most(sql.own("zu_t"), hooks.literal(scope.closed - timedelta(days=days)))


def inside(time: sql.Expr, window: Window, hooks: Hooks) -> sql.Expr:
    """Time in [t0 + first, t0 + last) of the unit's own t0."""
    start = sql.own("zu_t")
    conditions = []
    if window.first is not None:
        low = start if window.first == 0 else hooks.add(start, window.first, "DAY")
        conditions.append(sql.at_least(time, low))
    if window.last is not None:
        high = start if window.last == 0 else hooks.add(start, window.last, "DAY")
        conditions.append(sql.less(time, high))
    return sql.always(sql.every(conditions))


def row_conditions(source: Source, event: EventSource, scope: Scope, name: str, reach: Window) -> list[sql.Expr | None]:
    """What every row read of a source must pass: its filter, and a time that some unit's window can reach."""
    time = source.instant(event.time, f"events.{name}.time")
    low, high = row_bounds(scope, reach)
    return [
        source.condition(event.filter, f"events.{name}.filter"),
        None if low is None else sql.at_least(time, source.hooks.literal(low)),
        None if high is None else sql.less(time, source.hooks.literal(high)),
    ]


def row_bounds(scope: Scope, reach: Window) -> tuple[datetime | None, datetime | None]:
    """From when and before when a row can lie in some unit's window; None where nothing bounds it."""
    low = None if scope.start is None or reach.first is None else scope.start + timedelta(days=reach.first)
    if low is not None and reach.first == 0:
        low -= timedelta(seconds=scope.tolerance_seconds)
    highs = [scope.as_of] if scope.as_of is not None else []
    if scope.end is not None and reach.last is not None:
        highs.append(scope.end + timedelta(days=reach.last))
    return low, min(highs, default=None)


class SourceRows:
    """One events source in one statement: the columns its rows carry, and the sums asked per unit."""

    def __init__(
        self,
        source: Source,
        event: EventSource,
        name: str,
        number: int,
        scope: Scope,
        care: Care,
        unit_text: bool,
        reach: Window,
    ) -> None:
        self.source, self.event, self.name, self.number = source, event, name, number
        self.scope, self.unit_text, self.reach = scope, unit_text, reach
        self.deduplicated = name in care.repeated_events
        self.relation = source.text
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

    def session(self, demand: Demand) -> str:
        """The alias of the session of each row that a number of sessions counts, for a statement that groups by it."""
        condition = self.source.condition(demand.filter, f"{demand.where}.filter")
        return self._values.add(sql.case((condition, self.source.unit(demand.value or "", demand.where))))

    def add_levels(
        self, statement: sql.Statement, units: sql.Expr, *, cut: Callable[[sql.Expr], sql.Expr] | None = None
    ) -> sql.Expr:
        """Adds the rows of the source (`relation`) and their sums per unit; returns the latter.

        With `cut`, which numbers times, the sums are by unit and number (`za…_k`, beside the unit's own, `za…_k0`).
        """
        n, event = self.number, self.event
        columns = {
            f"zr{n}_u": self.source.unit(event.unit, f"events.{self.name}.unit", text=self.unit_text),
            f"zr{n}_t": self.source.instant(event.time, f"events.{self.name}.time"),
            **self._values.by_alias,
        }
        if cut is not None:
            columns[f"zr{n}_k"] = cut(columns[f"zr{n}_t"])
        where = sql.every(row_conditions(self.source, event, self.scope, self.name, self.reach))
        if self.deduplicated and event.event_id:
            columns[f"zr{n}_id"] = self.source.unit(event.event_id, f"events.{self.name}.event_id")
            rows = _distinct_events(statement, sql.Select(columns, self.source.text, where=where), n)
        else:
            rows = statement.level(f"zr{n}", sql.Select(columns, self.source.text, where=where))
        self.relation = rows
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
        if cut is not None:
            sums |= {f"za{n}_k": sql.own(f"zr{n}_k"), f"za{n}_k0": sql.smallest(sql.own("zu_k"))}
            group = [sql.own("zu_u"), sql.own(f"zr{n}_k")]
            return statement.level(f"za{n}", sql.Select(sums, rows, joins=[join], group=group))
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
            session = self.source.unit(demand.value or "", demand.where)
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
    first = sql.either([sql.equal(sql.own(f"zq{n}_rank"), sql.integer(1)), sql.is_null(sql.own(f"zq{n}_id"))])
    # The columns take back the names that the sums read: `zr` cannot be in scope here any more.
    kept = {alias: sql.own(alias.replace("zr", "zq", 1)) for alias in rows.columns}
    return statement.level(f"zd{n}", sql.Select(kept, numbered, where=first))
