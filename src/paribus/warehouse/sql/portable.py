"""Statements that are written once, in DuckDB's words, and run on any engine; and times as microseconds everywhere."""

from __future__ import annotations

from collections.abc import Mapping

import sqlglot
from sqlglot import exp

from paribus.errors import InputError
from paribus.warehouse.sql.build import Expr, as_text
from paribus.warehouse.sql.dialects import hooks as hooks_of

# Microseconds since 1970-01-01 UTC of the dialect's instant (see `Hooks.instant`), as a 64-bit integer.
_MICROSECONDS = {
    "duckdb": "epoch_us({})",
    "postgres": "CAST(ROUND(EXTRACT(EPOCH FROM {}) * 1000000) AS BIGINT)",
    "redshift": "CAST(ROUND(EXTRACT(EPOCH FROM {}) * 1000000) AS BIGINT)",
    "mysql": "TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', {})",
    "sqlite": "CAST(ROUND((JULIANDAY({}) - 2440587.5) * 86400000.0) AS INTEGER) * 1000",
    "clickhouse": "toUnixTimestamp64Micro(toDateTime64({}, 6, 'UTC'))",
    "snowflake": "DATE_PART(EPOCH_MICROSECOND, {})",
    "bigquery": "UNIX_MICROS({})",
    "spark": "UNIX_MICROS({})",
    "databricks": "UNIX_MICROS({})",
    "trino": "CAST(ROUND(TO_UNIXTIME({}) * 1000000) AS BIGINT)",
    "athena": "CAST(ROUND(TO_UNIXTIME({}) * 1000000) AS BIGINT)",
    "tsql": "DATEDIFF_BIG(MICROSECOND, '1970-01-01', {})",
}


def microseconds(column: str, kind: str | None, dialect: str, unit: str = "") -> str:
    """SQL of a time column as microseconds since 1970, UTC.

    Args:
        column: its name.
        kind: its kind; numbers count from 1970 in `unit`.
        dialect: of the engine.
        unit: "s", "ms" or "us" for a column of numbers.

    Raises:
        InputError: times cannot be computed with on this engine.
    """
    hooks = hooks_of(dialect)
    name = hooks.column(column)
    if kind in {"integer", "number"}:
        factor = {"s": 1_000_000, "ms": 1_000, "us": 1}[unit or "s"]
        return f"CAST({name.sql(dialect)} * {factor} AS {'SIGNED' if dialect == 'mysql' else 'BIGINT'})"
    if hooks.name not in _MICROSECONDS:
        raise InputError(
            f"Paribus does not explore events on {dialect}",
            where="source",
            rule=f"engines: {', '.join(sorted(_MICROSECONDS))}",
            fix="export the events to Parquet or CSV files",
        )
    return _MICROSECONDS[hooks.name].format(hooks.instant(name, kind).sql(dialect))


def identifier(name: str, dialect: str) -> str:
    """A column's or table's name as the dialect writes it."""
    return hooks_of(dialect).identify(name).sql(dialect)


def text_column(name: str, kind: str | None, dialect: str) -> str:
    """A column as text."""
    column = hooks_of(dialect).column(name)
    shown: Expr = column if kind == "text" else as_text(column)
    return shown.sql(dialect)


def ported(statement: str, dialect: str, levels: Mapping[str, str] | None = None) -> str:
    """A statement in DuckDB's words as the dialect writes it, after `levels` (its own SQL by name) as WITH parts.

    >>> ported("SELECT count(*) AS n FROM events", "postgres", {"events": "SELECT 1 AS a"})
    'WITH events AS (SELECT 1 AS a) SELECT COUNT(*) AS n FROM events'
    """
    if dialect == "duckdb":
        written = statement
    else:
        tree = sqlglot.parse_one(statement, read="duckdb")
        for ordered in tree.find_all(exp.Ordered):
            ordered.set("nulls_first", None)  # nothing that is ordered here may be NULL
        written = tree.sql(dialect=dialect, comments=False)
    if not levels:
        return written
    before = ", ".join(f"{name} AS ({select})" for name, select in levels.items())
    return f"WITH {before}, {written[5:]}" if written[:5].upper() == "WITH " else f"WITH {before} {written}"


def renamed(statement: str, names: Mapping[str, str]) -> str:
    """A statement in DuckDB's words with other names for these relations, as a table of that name may be there too.

    >>> renamed("SELECT events.unit FROM events", {"events": "pb_events"})
    'SELECT pb_events.unit FROM pb_events'
    """
    tree = sqlglot.parse_one(statement, read="duckdb")
    for table in tree.find_all(exp.Table):
        if table.name in names and not table.db:
            table.set("this", exp.to_identifier(names[table.name]))
    for column in tree.find_all(exp.Column):
        if column.table in names:
            column.set("table", exp.to_identifier(names[column.table]))
    return tree.sql(dialect="duckdb")
