"""Ordered steps within a window: for each step the earliest time at which a unit can have completed it."""

from __future__ import annotations

from collections.abc import Mapping

from paribus.metrics.definition import EventSource, Metric
from paribus.metrics.demand import Window
from paribus.metrics.level import Scope
from paribus.metrics.rows import row_conditions
from paribus.metrics.source import Source
from paribus.warehouse.sql import build as sql


def add_levels(
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
        where = row_conditions(source, event, scope, step.source, Window(0, metric.window_days))
        where.append(source.condition(step.where, f"metrics.{metric.name}.steps[{k - 1}].where"))
        rows = statement.level(
            rows_prefix,
            sql.Select(
                {
                    f"{rows_prefix}_u": source.unit(event.unit, f"events.{step.source}.unit", text=unit_text),
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
