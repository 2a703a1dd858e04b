"""The unit level of exposures and events: who was first exposed when, and what each unit's events add up to.

Decisions: the first exposure is the earliest in the enrolment window with a randomized reason (SPLIT); a unit with two
variants in one epoch is mixed and left out, counted; variant, epoch, stratum and segments are those of the first
exposure (of exposures at the same instant, the smallest value); windows are half-open, [t0, t0 + days), and start at
t0 exactly (an event within the tolerance before t0 is counted, and moves nothing); a unit without events has 0, and
stays in a ratio; a metric with a window counts only units whose window has closed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from paribus.metrics import funnel
from paribus.metrics.definition import EventSource, Exposures, Metric, MetricType
from paribus.metrics.demand import Demands, demands, reach
from paribus.metrics.level import Care, Columns, MetricColumns, Scope, UnitLevel, Variable
from paribus.metrics.rows import SourceRows, joins_as_text, matured
from paribus.metrics.source import Source, present
from paribus.warehouse.sql import build as sql

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
    conditions.append(present(source.unit(exposures.unit, "unit"), source.kind(exposures.unit) in {"text", None}))
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
    rows = statement.level(
        "zx",
        sql.Select(
            {
                "zx_u": source.unit(exposures.unit, "unit", text=unit_text),
                "zx_v": source.as_text(exposures.variant, "variant"),
                "zx_t": source.instant(exposures.time, "time"),
                **{aliases[key]: value for key, value in attributes.items()},
            },
            source.text,
            where=enrolment(source, exposures, scope),
        ),
    )
    one, zero = sql.integer(1), sql.integer(0)
    mixed = sql.case((sql.differ(sql.smallest(sql.own("zx_v")), sql.largest(sql.own("zx_v"))), one), otherwise=zero)
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


def joined_units(source: Source, exposures: Exposures, own_unit: str, scope: Scope) -> str:
    """Units that several ids were joined to, and those of them that are mixed though none of their ids is alone."""
    statement = sql.Statement()
    columns = {
        "zx_u": source.unit(exposures.unit, "unit"),
        "zx_o": source.unit(own_unit, "own_unit"),
        "zx_v": source.as_text(exposures.variant, "variant"),
        "zx_e": source.as_text(exposures.epoch, "epoch") if exposures.epoch else sql.null_text(),
    }
    rows = statement.level("zx", sql.Select(columns, source.text, where=enrolment(source, exposures, scope)))
    one, zero = sql.integer(1), sql.integer(0)

    def flag(condition: sql.Expr) -> sql.Expr:
        return sql.case((condition, one), otherwise=zero)

    by_id = {
        "zp_u": sql.own("zx_u"),
        "zp_o": sql.own("zx_o"),
        "zp_e": sql.own("zx_e"),
        "zp_low": sql.smallest(sql.own("zx_v")),
        "zp_high": sql.largest(sql.own("zx_v")),
    }
    ids = statement.level("zp", sql.Select(by_id, rows, group=[sql.own(f"zx_{key}") for key in "uoe"]))
    by_epoch = {
        "zq_u": sql.own("zp_u"),
        "zq_low": sql.smallest(sql.own("zp_o")),
        "zq_high": sql.largest(sql.own("zp_o")),
        "zq_m": flag(sql.differ(sql.smallest(sql.own("zp_low")), sql.largest(sql.own("zp_high")))),
        "zq_own": sql.largest(flag(sql.differ(sql.own("zp_low"), sql.own("zp_high")))),
    }
    epochs = statement.level("zq", sql.Select(by_epoch, ids, group=[sql.own("zp_u"), sql.own("zp_e")]))
    by_unit = {
        "zu_u": sql.own("zq_u"),
        "zu_joined": flag(sql.differ(sql.smallest(sql.own("zq_low")), sql.largest(sql.own("zq_high")))),
        "zu_m": sql.largest(sql.own("zq_m")),
        "zu_own": sql.largest(sql.own("zq_own")),
    }
    units = statement.level("zu", sql.Select(by_unit, epochs, group=[sql.own("zq_u")]))
    only_joined = sql.every([sql.equal(sql.own("zu_m"), one), sql.equal(sql.own("zu_own"), zero)])
    counted = {
        "z_joined": sql.known(sql.case((sql.equal(sql.own("zu_joined"), one), one))),
        "z_mixed": sql.known(sql.case((only_joined, one))),
    }
    return statement.sql(sql.Select(counted, units), source.hooks.name)


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
    reached = reach(metrics, events)
    books = {
        name: SourceRows(sources[name], events[name], name, i + 1, scope, care, unit_text, reached[name])
        for i, name in enumerate(used_sources(asked))
    }
    for metric in metrics:
        wanted = asked[metric.name]
        for demand in (*wanted.outcomes, *(d for _, d in wanted.covariates), *wanted.history):
            books[demand.source].ask(demand, guarded=metric.name in care.not_finite)
    columns = Columns("zw")
    keys = {}
    for key, alias in unit_keys.items():
        value = hooks.day(sql.own("zu_t"), time_zone) if key == "day" else sql.own(alias)
        keys[key] = columns.add(value, f"zw_{_SHORT.get(key, key.replace('segment ', 'g'))}")
    if scope.by_unit:
        keys["unit"] = columns.add(sql.own("zu_u"), "zw_u")
    joins = [
        sql.Join(book.add_levels(statement, units), sql.own("zu_u"), sql.own(f"za{book.number}_u"), outer=True)
        for book in books.values()
    ]
    level = UnitLevel(statement, sql.relation("zw"), keys, {})
    described = {}
    matured_by: dict[int | None, str] = {}  # a value is NULL exactly where the window has not closed
    for i, metric in enumerate(metrics):
        wanted = asked[metric.name]
        mask = matured(wanted.matured_days, scope, hooks)
        variables: list[Variable] = []
        if metric.type == MetricType.FUNNEL:
            ends = funnel.add_levels(metric, i + 1, statement, units, sources, events, scope, unit_text)
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
        known_by = matured_by.setdefault(wanted.matured_days, variables[0].alias)
        described[metric.name] = MetricColumns(metric, tuple(variables), mask is not None, tuple(own), known_by)
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
