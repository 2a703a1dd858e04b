"""The probe: what is counted about the data before any metric, and the shifts.

Every row of a source ends in exactly one count: used, or the first reason in the order of `EXPOSURE_REASONS` why not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from paribus.errors import EngineError
from paribus.metrics import repeats
from paribus.metrics.definition import EventSource, Exposures, UnitTable
from paribus.metrics.demand import Demand, Window
from paribus.metrics.level import Scope, UnitLevel
from paribus.metrics.rows import row_conditions
from paribus.metrics.source import Source, blank, present
from paribus.warehouse.engine import Table
from paribus.warehouse.sql import build as sql

SAMPLE_ROWS = 20_000


def table_probe(source: Source, units: UnitTable, *, bounds: bool = False) -> str:
    """Counts of a table of units that tell whether all is well: rows, known and blank units, variants.

    With them the distinct units, or the `bounds` of their ids, from which `repeats.found` goes on.
    """
    unit, variant = source.unit(units.unit, "unit"), source.column(units.variant, "variant")
    is_text = source.kind(units.unit) in {"text", None}
    columns = {
        "z_rows": sql.rows(),
        "z_known": sql.known(unit),
        "z_blank": sql.known(sql.case((blank(unit), sql.integer(1)))) if is_text else sql.integer(0),
        "z_variants": sql.known(variant),
    }
    if bounds:
        columns |= {"z_low": sql.smallest(unit), "z_high": sql.largest(unit)}
    else:
        columns["z_distinct"] = repeats.distinct(source, units, unit)
    if units.exposed_at:
        time = source.instant(units.exposed_at, "exposed_at")
        columns |= {"z_first": sql.smallest(time), "z_last": sql.largest(time), "z_timed": sql.known(time)}
    select = sql.Select(columns, source.text, where=source.condition(units.filter, "filter"))
    return sql.Statement().sql(select, source.hooks.name)


def filtered_rows(source: Source, condition: sql.Expr) -> str:
    """Rows that a filter leaves out, those for which it is NULL included."""
    passed = sql.known(sql.case((condition, sql.integer(1))))
    return sql.Statement().sql(sql.Select({"z_all": sql.rows(), "z_passed": passed}, source.text), source.hooks.name)


def table_gaps(source: Source, units: UnitTable) -> str:
    """Where the probe found missing units or variants: each row in one count, and the repeats among the rest."""
    unit, variant = source.unit(units.unit, "unit"), source.column(units.variant, "variant")
    good = present(unit, source.kind(units.unit) in {"text", None})
    used = sql.case((sql.every([good, sql.is_known(variant)]), unit))
    columns = {
        "z_null_variant": sql.known(sql.case((sql.every([good, sql.is_null(variant)]), sql.integer(1)))),
        "z_used": sql.known(used),
        "z_units": repeats.distinct(source, units, used),
    }
    select = sql.Select(columns, source.text, where=source.condition(units.filter, "filter"))
    return sql.Statement().sql(select, source.hooks.name)


def table_variants(source: Source, units: UnitTable, *, every_unit_known: bool = False) -> str:
    """Rows with a unit by variant, unknown variants included."""
    unit = present(source.unit(units.unit, "unit"), source.kind(units.unit) in {"text", None})
    where = sql.every([source.condition(units.filter, "filter"), None if every_unit_known else unit])
    statement = sql.Statement()
    rows = statement.level(
        "zx", sql.Select({"zx_v": source.as_text(units.variant, "variant")}, source.text, where=where)
    )
    select = sql.Select({"z_v": sql.own("zx_v"), "z_n": sql.rows()}, rows, group=[sql.own("zx_v")])
    return statement.sql(select, source.hooks.name)


def exposure_probe(source: Source, exposures: Exposures, scope: Scope) -> str:
    """Counts of exposure rows by variant and reason; by epoch too, with the probabilities that they were drawn with."""
    hooks = source.hooks
    unit = source.unit(exposures.unit, "unit")
    is_text = source.kind(exposures.unit) in {"text", None}
    time = source.instant(exposures.time, "time")
    statement = sql.Statement()
    columns = {
        "zx_v": source.as_text(exposures.variant, "variant"),
        "zx_r": source.as_text(exposures.reason, "reason") if exposures.reason else sql.null_text(),
        "zx_u": unit,
        "zx_t": time,
    }
    if exposures.served:
        columns["zx_s"] = source.as_text(exposures.served, "served")
    if exposures.probability:
        columns["zx_p"] = sql.double(source.column(exposures.probability, "probability"))
        columns["zx_e"] = source.as_text(exposures.epoch, "epoch") if exposures.epoch else sql.null_text()
    # A row from after the as-of time is not known yet, so it is no row; one without a time is counted.
    known = None if scope.as_of is None else sql.either([sql.is_null(time), sql.less(time, hooks.literal(scope.as_of))])
    where = sql.every([source.condition(exposures.filter, "filter"), known])
    rows = statement.level("zx", sql.Select(columns, source.text, where=where))
    one, own_unit, own_time = sql.integer(1), sql.own("zx_u"), sql.own("zx_t")
    good = present(own_unit, is_text)
    early = None if scope.start is None else sql.less(own_time, hooks.literal(scope.start))
    late = None if scope.end is None else sql.at_least(own_time, hooks.literal(scope.end))
    outside = sql.either([early, late, sql.is_null(own_time)])
    last = {
        "z_v": sql.own("zx_v"),
        "z_r": sql.own("zx_r"),
        "z_rows": sql.rows(),
        "z_null_unit": sql.known(sql.case((sql.is_null(own_unit), one))),
        "z_blank_unit": sql.known(sql.case((blank(own_unit), one))) if is_text else sql.integer(0),
        "z_outside": sql.known(sql.case((sql.every([good, outside]), one))),
        "z_served": sql.known(sql.case((sql.differ(sql.own("zx_s"), sql.own("zx_v")), one)))
        if exposures.served
        else sql.integer(0),
        "z_first": sql.smallest(own_time),
        "z_last": sql.largest(own_time),
    }
    group = [sql.own("zx_v"), sql.own("zx_r")]
    if exposures.probability:
        inside = sql.case((sql.negate(sql.always(outside)), sql.own("zx_p")))
        last |= {"z_e": sql.own("zx_e"), "z_low": sql.smallest(inside), "z_high": sql.largest(inside)}
        group.append(sql.own("zx_e"))
    select = sql.Select(last, rows, group=group)
    return statement.sql(select, hooks.name)


@dataclass(frozen=True, slots=True)
class EventProbe:
    """The statement about one events source, and where the counts of each value stand in it.

    light  the same without the ids, which cost the most
    units  the number of rows that name a unit
    """

    text: str
    light: Callable[[], str]
    units: Callable[[], str]
    values: Mapping[Demand, tuple[str, str]]  # demand -> aliases of the known and the finite values


def event_probe(
    source: Source, event: EventSource, name: str, demands: Sequence[Demand], scope: Scope, reach: Window
) -> EventProbe:
    """Counts of event rows: all, first and last time, distinct ids, and how many values are missing or not finite."""
    columns = {"zr_t": source.instant(event.time, f"events.{name}.time")}
    if event.event_id:
        columns["zr_id"] = source.unit(event.event_id, f"events.{name}.event_id")
    values: dict[Demand, str] = {}
    conditions: dict[Demand, str] = {}
    for demand in demands:
        if demand.how != "sum" or demand.value is None or demand in values:
            continue
        number = source.number(demand.value, f"{demand.where}.value")
        condition = source.condition(demand.filter, f"{demand.where}.filter")
        values[demand] = f"zr_{len(values) + 1}"
        columns[values[demand]] = sql.case((condition, number))
        if condition is not None:
            conditions[demand] = f"zr_c{len(values)}"
            columns[conditions[demand]] = sql.case((condition, sql.integer(1)))
    where = sql.every(row_conditions(source, event, scope, name, reach))
    last = {"z_rows": sql.rows(), "z_first": sql.smallest(sql.own("zr_t")), "z_last": sql.largest(sql.own("zr_t"))}
    if event.event_id:
        last["z_ids"] = sql.known(sql.own("zr_id"))
        last["z_distinct"] = sql.distinct(sql.own("zr_id"))
    light = {key: value for key, value in last.items() if key not in {"z_ids", "z_distinct"}}
    described = {}
    for demand, alias in values.items():
        stem = alias.replace("zr", "z")
        whole = sql.rows() if demand not in conditions else sql.known(sql.own(conditions[demand]))
        odd = sql.case((sql.negate(sql.finite(sql.own(alias))), sql.integer(1)))
        counted = {f"{stem}_missing": sql.minus(whole, sql.known(sql.own(alias))), f"{stem}_odd": sql.known(odd)}
        last |= counted
        light |= counted
        described[demand] = (f"{stem}_missing", f"{stem}_odd")

    def text(inner: Mapping[str, sql.Expr], outer: Mapping[str, sql.Expr]) -> str:
        statement = sql.Statement()
        rows = statement.level("zr", sql.Select(inner, source.text, where=where))
        return statement.sql(sql.Select(outer, rows), source.hooks.name)

    unit = {"zr_u": source.unit(event.unit, f"events.{name}.unit")}
    return EventProbe(
        text(columns, last),
        lambda: text({key: value for key, value in columns.items() if key != "zr_id"}, light),
        lambda: text(unit, {"z_units": sql.known(sql.own("zr_u"))}),
        described,
    )


def untimed(source: Source, event: EventSource) -> str:
    """Event rows that pass the source's filter and have no time."""
    missing = sql.is_null(source.column(event.time, "time"))
    where = sql.every([source.condition(event.filter, "filter"), missing])
    return sql.Statement().sql(sql.Select({"z_n": sql.rows()}, source.text, where=where), source.hooks.name)


def column_of_text(source: Source, value: str | None) -> str | None:
    """The column, where a metric's value is the name of a column of text and no more."""
    if value is None or source.columns is None:
        return None
    found = [name for name in source.columns if name.lower() == value.strip().strip('"').lower()]
    return found[0] if len(found) == 1 and source.kind(found[0]) == "text" else None


def text_without_number(source: Source, column: str) -> str:
    """How many values of a column of text are given and are no numbers, and one of them."""
    value = source.column(column, "value")
    odd = sql.every([sql.is_known(value), sql.is_null(source.hooks.parse(value)), sql.negate(blank(value))])
    columns = {
        "z_n": sql.known(sql.case((odd, sql.integer(1)))),
        "z_example": sql.smallest(sql.case((odd, value))),
    }
    return sql.Statement().sql(sql.Select(columns, source.text), source.hooks.name)


def mixed_units(level_statement: sql.Statement, units: str, source: Source) -> str:
    """Mixed units by the variant of their first exposure."""
    rows = sql.relation("zx")
    first = sql.Select(
        {"zy_u": sql.own("zu_u"), "zy_v": sql.smallest(sql.own("zx_v"))},
        rows,
        joins=[sql.Join(sql.relation(units), sql.own("zx_u"), sql.own("zu_u"))],
        where=sql.every([sql.equal(sql.own("zx_t"), sql.own("zu_t")), sql.equal(sql.own("zu_m"), sql.integer(1))]),
        group=[sql.own("zu_u")],
    )
    earliest = level_statement.level("zy", first)
    select = sql.Select({"z_v": sql.own("zy_v"), "z_n": sql.rows()}, earliest, group=[sql.own("zy_v")])
    return level_statement.sql(select, source.hooks.name)


def shift_sample(level: UnitLevel, dialect: str) -> tuple[str, dict[str, str]]:
    """Means of the first 20,000 units: constants near the true means, so that no sum cancels.

    Returns the statement and, by "metric/variable", the alias of its mean.
    """
    wanted: dict[str, str] = {}
    alias_of: dict[str, str] = {}
    for name, described in level.metrics.items():
        for variable in described.variables:
            if not variable.zero_one:
                alias_of.setdefault(variable.alias, f"z_{len(alias_of) + 1}")
                wanted[f"{name}/{variable.name}"] = alias_of[variable.alias]
    if not wanted:
        return "", {}
    sample = level.statement.level(
        "zs",
        sql.Select(
            {f"zs{alias.removeprefix('zw')}": sql.own(alias) for alias in alias_of}, level.relation, limit=SAMPLE_ROWS
        ),
    )
    means = {
        target: sql.average(sql.case((sql.finite(sql.own(column)), sql.own(column))))
        for alias, target in alias_of.items()
        for column in [f"zs{alias.removeprefix('zw')}"]
    }
    return level.statement.sql(sql.Select(means, sample), dialect), wanted


def single(table: Table) -> dict[str, Any]:
    """The one row of a statement without GROUP BY."""
    records = table.records()
    if len(records) != 1:
        raise EngineError(f"a statement that answers with one row gave {len(records)}")
    return records[0]


def as_time(value: Any) -> datetime | None:
    """The instant that an engine returned, in UTC."""
    if value is None:
        return None
    if isinstance(value, str):
        text = value.strip().replace("Z", "+00:00")
        value = datetime.fromisoformat(text)
    elif isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    return _utc(value)


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
