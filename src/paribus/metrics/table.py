"""The unit level of a table of units: one row per unit, its variant and metric columns.

Decisions: a row without unit or variant is left out; rows that repeat a unit identically are one row; a unit with
several variants is left out; a unit whose metric is NULL (or NaN, or infinite) is left out of that metric alone; a
missing covariate is 0 with an indicator (statistics.md, mistake 4).
"""

from __future__ import annotations

from collections.abc import Sequence

from paribus.errors import InputError
from paribus.metrics.definition import Metric, MetricType, UnitTable
from paribus.metrics.level import Care, Columns, MetricColumns, Scope, UnitLevel, Variable
from paribus.metrics.source import Source, present
from paribus.warehouse.sql import build as sql


def unit_level(
    source: Source, units: UnitTable, metrics: Sequence[Metric], scope: Scope, care: Care, time_zone: str
) -> UnitLevel:
    """One row per unit from a table of units."""
    statement = sql.Statement()
    unit = source.unit(units.unit, "unit")
    columns = Columns("zw")
    keys = {"variant": columns.add(source.as_text(units.variant, "variant"), "zw_v")}
    if units.epoch:
        keys["epoch"] = columns.add(source.as_text(units.epoch, "epoch"), "zw_e")
    if units.stratum:
        keys["stratum"] = columns.add(source.as_text(units.stratum, "stratum"), "zw_s")
    if scope.by_day and units.exposed_at:
        time = source.instant(units.exposed_at, "exposed_at")
        keys["day"] = columns.add(source.hooks.day(time, time_zone), "zw_day")
    if units.cluster:
        keys["cluster"] = columns.add(source.as_text(units.cluster, "cluster"), "zw_k")
    for i, segment in enumerate(scope.segments):
        keys[f"segment {i}"] = columns.add(source.as_text(segment, "segments"), f"zw_g{i + 1}")
    if scope.by_unit:
        keys["unit"] = columns.add(unit, "zw_u")
    described = {metric.name: _columns(metric, source, columns, care) for metric in metrics}
    conditions = [source.condition(units.filter, "filter")]
    if scope.until is not None and units.exposed_at:
        time = source.instant(units.exposed_at, "exposed_at")
        conditions.append(sql.either([sql.is_null(time), sql.less(time, source.hooks.literal(scope.until))]))
    if not care.trusted:
        conditions += _usable(source, units, scope.variants)
    where = sql.every(conditions)
    if not (care.repeated or care.rows):
        relation = statement.level("zw", sql.Select(columns.by_alias, source.text, where=where))
        return UnitLevel(statement, relation, keys, described)
    rows = statement.level("zd", sql.Select({"zd_u": unit, **_prefixed(columns, "zd")}, source.text, where=where))
    if care.rows:
        spread = sql.Select(
            {"zn_u": sql.own("zd_u"), "zn_a": sql.smallest(sql.own("zd_v")), "zn_b": sql.largest(sql.own("zd_v"))},
            rows,
            group=[sql.own("zd_u")],
        )
        single = statement.level("zn", spread)
        join = sql.Join(single, sql.own("zd_u"), sql.own("zn_u"))
        up = {alias: sql.own(_inner(alias, "zd")) for alias in columns.by_alias}
        relation = statement.level(
            "zw", sql.Select(up, rows, joins=[join], where=sql.equal(sql.own("zn_a"), sql.own("zn_b")))
        )
        return UnitLevel(statement, relation, keys, described)
    merged = {f"zt_{alias}": sql.smallest(sql.own(_inner(alias, "zd"))) for alias in columns.by_alias}
    merged["zt_last"] = sql.largest(sql.own("zd_v"))
    one = statement.level("zt", sql.Select(merged, rows, group=[sql.own("zd_u")]))
    up = {alias: sql.own(f"zt_{alias}") for alias in columns.by_alias}
    relation = statement.level("zw", sql.Select(up, one, where=sql.equal(sql.own("zt_zw_v"), sql.own("zt_last"))))
    return UnitLevel(statement, relation, keys, described)


def repeats(source: Source, units: UnitTable, metrics: Sequence[Metric], variants: Sequence[str] | None) -> str:
    """The statement that describes units with several rows: how many, in several variants, with different values.

    Of a unit in several variants `z_v` is the one that it met first, NULL in a table that does not say when.
    """
    statement = sql.Statement()
    columns = Columns("zd")
    for metric in metrics:
        _columns(metric, source, columns, Care())
    unit = source.unit(units.unit, "unit")
    variant = source.as_text(units.variant, "variant")
    values = list(columns.by_alias)
    where = sql.every([source.condition(units.filter, "filter"), *_usable(source, units, variants)])
    met = {"zd_u": unit, "zd_v": variant, **columns.by_alias}
    if units.exposed_at:
        met["zd_t"] = source.instant(units.exposed_at, "exposed_at")
    rows = statement.level("zd", sql.Select(met, source.text, where=where))
    joins, first = _first_met(statement, rows) if units.exposed_at else ([], sql.null_text())
    differing = [
        condition
        for alias in values
        for condition in (
            sql.differ(sql.smallest(sql.own(alias)), sql.largest(sql.own(alias))),
            sql.every(
                [
                    sql.greater(sql.known(sql.own(alias)), sql.integer(0)),
                    sql.less(sql.known(sql.own(alias)), sql.rows()),
                ]
            ),
        )
    ]
    conflict = sql.either(differing)
    flag = sql.integer(0) if conflict is None else sql.case((conflict, sql.integer(1)), otherwise=sql.integer(0))
    mixed = sql.differ(sql.smallest(sql.own("zd_v")), sql.largest(sql.own("zd_v")))
    grouped = statement.level(
        "zo",
        sql.Select(
            {
                "zo_v": first,
                "zo_n": sql.rows(),
                "zo_m": sql.case((mixed, sql.integer(1)), otherwise=sql.integer(0)),
                "zo_c": flag,
            },
            rows,
            joins=joins,
            group=[sql.own("zd_u")],
        ),
    )
    last = sql.Select(
        {
            "z_v": sql.own("zo_v"),
            "z_m": sql.own("zo_m"),
            "z_c": sql.own("zo_c"),
            "z_units": sql.rows(),
            "z_rows": sql.total(sql.own("zo_n")),
        },
        grouped,
        group=[sql.own("zo_v"), sql.own("zo_m"), sql.own("zo_c")],
    )
    return statement.sql(last, source.hooks.name)


def _first_met(statement: sql.Statement, rows: sql.Expr) -> tuple[list[sql.Join], sql.Expr]:
    """The variant of a unit's earliest row, NULL where rows of several variants share that time, and what it needs."""
    earliest = {"zq_u": sql.own("zd_u"), "zq_t": sql.smallest(sql.own("zd_t"))}
    start = statement.level("zq", sql.Select(earliest, rows, group=[sql.own("zd_u")]))
    then = sql.case((sql.equal(sql.own("zd_t"), sql.own("zq_t")), sql.own("zd_v")))
    alone = sql.equal(sql.smallest(then), sql.largest(then))
    return [sql.Join(start, sql.own("zd_u"), sql.own("zq_u"))], sql.case((alone, sql.smallest(then)))


def missing(source: Source, units: UnitTable, metrics: Sequence[Metric], variants: Sequence[str] | None) -> str:
    """The statement that counts, metric by metric, NULL and not finite values and missing covariates."""
    columns: dict[str, sql.Expr] = {"z_rows": sql.rows()}
    for i, metric in enumerate(metrics):
        outcomes = _outcomes(metric, source)
        null = sql.either([sql.is_null(value) for value, _ in outcomes])
        odd = sql.either([sql.every([sql.is_known(v), sql.negate(sql.finite(v))]) for v, _ in outcomes])
        for suffix, condition in (("n", null), ("f", odd)):
            columns[f"z_m{i + 1}{suffix}"] = sql.known(sql.case((condition, sql.integer(1))))
        for j, covariate in enumerate(_covariates(metric, source)):
            gap = sql.either([sql.is_null(covariate), sql.negate(sql.finite(covariate))])
            columns[f"z_m{i + 1}x{j + 1}"] = sql.known(sql.case((gap, sql.integer(1))))
    where = sql.every([source.condition(units.filter, "filter"), *_usable(source, units, variants)])
    return sql.Statement().sql(sql.Select(columns, source.text, where=where), source.hooks.name)


def _usable(source: Source, units: UnitTable, variants: Sequence[str] | None) -> list[sql.Expr]:
    """The conditions of a row with a unit and a known variant."""
    variant = source.as_text(units.variant, "variant")
    known = sql.is_known(variant) if variants is None else sql.one_of(variant, variants)
    return [known, present(source.unit(units.unit, "unit"), source.kind(units.unit) in {"text", None})]


def _prefixed(columns: Columns, prefix: str) -> dict[str, sql.Expr]:
    return {_inner(alias, prefix): expression for alias, expression in columns.by_alias.items()}


def _inner(alias: str, prefix: str) -> str:
    return f"{prefix}{alias.removeprefix('zw')}"


def _columns(metric: Metric, source: Source, columns: Columns, care: Care) -> MetricColumns:
    """Adds a metric's variables to the level."""
    outcomes = _outcomes(metric, source)
    covariates = _covariates(metric, source)
    conditions: list[sql.Expr] = []
    if metric.name in care.nullable and (len(outcomes) > 1 or covariates):
        conditions += [sql.is_known(value) for value, _ in outcomes]
    if metric.name in care.not_finite:
        conditions += [sql.finite(value) for value, _ in outcomes]
    mask = sql.every(conditions)
    variables = [
        Variable(name, columns.add(sql.case((mask, value))), zero_one)
        for name, (value, zero_one) in zip(("y", "d"), outcomes, strict=False)
    ]
    indicators = []
    for j, value in enumerate(covariates):
        if (metric.name, j) in care.gaps:
            usable = sql.finite(value)  # NULL is not true either
            one, zero = sql.number(1), sql.number(0)
            indicator = sql.case((usable, one), otherwise=zero)
            indicators.append(Variable(f"h{j + 1}", columns.add(sql.case((mask, indicator))), zero_one=True))
            value = sql.case((usable, value), otherwise=zero)  # noqa: PLW2901
        variables.append(Variable(f"x{j + 1}", columns.add(sql.case((mask, value)))))
    own_units = metric.name in care.nullable or metric.name in care.not_finite
    return MetricColumns(metric, (*variables, *indicators), own_units)


def _outcomes(metric: Metric, source: Source) -> list[tuple[sql.Expr, bool]]:
    """y, and d for a ratio, each with whether it holds 0 and 1 only."""
    where = f"metrics.{metric.name}"
    condition = source.condition(metric.filter, f"{where}.filter")
    if metric.type in {MetricType.FUNNEL, MetricType.RETENTION}:
        raise InputError(
            f"a {metric.type} metric needs exposures and events",
            where=where,
            rule="a table of units has no times of events",
            fix="give exposures and an events source, or a 0/1 column as a proportion",
        )
    one, zero = sql.number(1), sql.number(0)
    if metric.value is None:
        if metric.type in {MetricType.MEAN, MetricType.QUANTILE, MetricType.RATIO}:
            raise InputError(f"a {metric.type} metric needs a value", where=where, fix="value: a column or expression")
        if condition is None:
            raise InputError(
                f"the {metric.type} metric says neither value nor filter", where=where, fix="value: a 0/1 column"
            )
        return [(sql.case((condition, one), otherwise=zero), True)]
    value = source.number(metric.value, f"{where}.value")
    is_proportion = metric.type == MetricType.PROPORTION
    if is_proportion:
        value = sql.case((sql.equal(value, zero), zero), (sql.finite(value), one))  # NaN is neither
    if condition is not None:
        value = sql.case((condition, value), otherwise=zero)
    if metric.type != MetricType.RATIO:
        return [(value, is_proportion)]
    if metric.denominator is None:
        raise InputError("a ratio needs a denominator", where=where, fix="denominator: a column or expression")
    below = source.number(metric.denominator, f"{where}.denominator")
    other = source.condition(metric.denominator_filter, f"{where}.denominator_filter") or condition
    if other is not None:
        below = sql.case((other, below), otherwise=zero)
    return [(value, False), (below, False)]


def _covariates(metric: Metric, source: Source) -> list[sql.Expr]:
    found = []
    for j, covariate in enumerate(metric.covariates):
        where = f"metrics.{metric.name}.covariates[{j}]"
        if covariate.value is None:
            raise InputError(
                "the covariate of a table of units names no column",
                where=where,
                rule="a table of units has no time before exposure to compute it from",
                fix="value: the column with the value before exposure",
            )
        value = source.number(covariate.value, where)
        condition = source.condition(covariate.filter, where)
        found.append(value if condition is None else sql.case((condition, value), otherwise=sql.number(0)))
    return found
