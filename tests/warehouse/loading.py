"""The same tables loaded into every engine, for suites that hold all engines to one contract."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from paribus.warehouse import Engine, open_engine

ENGINES = ("duckdb", "duckdb_file", "parquet", "csv", "jsonl", "sqlite", "chdb", "postgres", "mariadb")

_KEPT_OPEN: list[Any] = []

Columns = Mapping[str, Sequence[Any]]
Rows = Sequence[Mapping[str, Any]]

_TYPES = {
    "boolean": {"sql": "BOOLEAN", "clickhouse": "Bool"},
    "integer": {"sql": "BIGINT", "clickhouse": "Int64"},
    "number": {"sql": "DOUBLE PRECISION", "clickhouse": "Float64"},
    "date": {"sql": "DATE", "clickhouse": "Date32"},
    "timestamp": {"sql": "TIMESTAMP", "mysql": "DATETIME(6)", "clickhouse": "DateTime64(6, 'UTC')"},
    "timestamp_tz": {
        "sql": "TIMESTAMP WITH TIME ZONE",
        "mysql": "DATETIME(6)",
        "sqlite": "TIMESTAMP",
        "clickhouse": "DateTime64(6, 'UTC')",
    },
    "text": {"sql": "TEXT", "mysql": "VARCHAR(191)", "clickhouse": "String"},
}


def load(
    engine_name: str,
    tables: Mapping[str, Columns | Rows],
    *,
    folder: Path,
    url: str | None = None,
    indexes: Mapping[str, Sequence[str]] | None = None,
) -> Engine:
    """An open engine that holds the tables, each under its own name, whatever the engine.

    Args:
        engine_name: one of `ENGINES`. `parquet`, `csv` and `jsonl` are files that DuckDB reads: the table `orders` is
            then the file `orders.parquet`; `relation(engine_name, "orders")` gives the name to use.
        tables: by name, as columns of values or rows of dicts; None is NULL. Types are those of the values: bool, int,
            float, str, date, datetime (naive in UTC, or with a zone).
        folder: where files may be written, new for each call.
        url: `postgres_url` or `mariadb_url` for these engines; existing tables of the same names are replaced.
        indexes: columns to index, by table.
    """
    data = {name: _columns(table) for name, table in tables.items()}
    if engine_name == "duckdb":
        return open_engine(None, base_dir=folder, frames=_frames(data, folder))
    if engine_name in {"duckdb_file", "parquet", "csv", "jsonl"}:
        _write_with_duckdb(data, folder, engine_name)
        return open_engine("duckdb:///tables.db" if engine_name == "duckdb_file" else None, base_dir=folder)
    if engine_name == "sqlite":
        _write_sqlite(data, folder / "tables.db", indexes or {})
        return open_engine("sqlite:///tables.db", base_dir=folder)
    if engine_name == "chdb":
        _write_clickhouse(data)
        return open_engine("chdb:", base_dir=folder)
    assert url is not None, f"{engine_name} needs its URL (the fixtures postgres_url and mariadb_url)"
    _write_server(data, url, indexes or {})
    return open_engine(url, base_dir=folder)


def relation(engine_name: str, table: str) -> str:
    """The name of a loaded table on that engine."""
    return f"{table}.{engine_name}" if engine_name in {"parquet", "csv", "jsonl"} else table


def _columns(table: Columns | Rows) -> dict[str, list[Any]]:
    if isinstance(table, Mapping):
        return {name: list(values) for name, values in table.items()}
    names = list(dict.fromkeys(name for row in table for name in row))
    return {name: [row.get(name) for row in table] for name in names}


def kind(values: Sequence[Any]) -> str:
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, bool) for value in known):
        return "boolean"
    if known and all(isinstance(value, int) for value in known):
        return "integer"
    if known and all(isinstance(value, int | float) for value in known):
        return "number"
    if known and all(isinstance(value, datetime) for value in known):
        return "timestamp_tz" if any(value.tzinfo for value in known) else "timestamp"
    if known and all(isinstance(value, date) for value in known):
        return "date"
    return "text"


def _type(values: Sequence[Any], dialect: str) -> str:
    types = _TYPES[kind(values)]
    return types.get(dialect, types["sql"])


def _rows(columns: Mapping[str, list[Any]]) -> list[tuple[Any, ...]]:
    return list(zip(*columns.values(), strict=True))


def _frames(data: Mapping[str, Mapping[str, list[Any]]], folder: Path) -> dict[str, object]:
    """DuckDB relations on another connection, which the engine reads as Arrow streams."""
    _write_with_duckdb(data, folder, "duckdb_file")
    import duckdb

    source = duckdb.connect(str(folder / "tables.db"), read_only=True)
    return {name: source.table(name) for name in data}


def _write_with_duckdb(data: Mapping[str, Mapping[str, list[Any]]], folder: Path, form: str) -> None:
    import duckdb

    connection = duckdb.connect(str(folder / "tables.db"))
    connection.execute("SET TimeZone = 'UTC'")
    for name, columns in data.items():
        declared = ", ".join(f'"{c}" {_type(values, "duckdb")}' for c, values in columns.items())
        connection.execute(f'CREATE OR REPLACE TABLE "{name}" ({declared})')
        _insert_duckdb(connection, name, columns)
        if form == "parquet":
            connection.execute(f"COPY \"{name}\" TO '{folder / name}.parquet' (FORMAT parquet)")
        elif form == "csv":
            connection.execute(f"COPY \"{name}\" TO '{folder / name}.csv' (HEADER)")
        elif form == "jsonl":
            connection.execute(f"COPY \"{name}\" TO '{folder / name}.jsonl' (FORMAT json)")
    connection.close()


def _insert_duckdb(connection: Any, name: str, columns: Mapping[str, list[Any]]) -> None:
    """Through JSON lines of values as text: executemany takes a second per thousand rows."""
    rows = _rows(columns)
    if not rows:
        return
    for start in range(0, len(rows), 20_000):
        chunk = rows[start : start + 20_000]
        arrays = [[None if row[i] is None else _text(row[i]) for row in chunk] for i in range(len(columns))]
        selected = ", ".join(
            f"CAST(unnest(${i + 1}::VARCHAR[]) AS {_type(values, 'duckdb')})"
            for i, values in enumerate(columns.values())
        )
        connection.execute(f'INSERT INTO "{name}" SELECT {selected}', arrays)


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return str(value)


def _write_sqlite(
    data: Mapping[str, Mapping[str, list[Any]]], path: Path, indexes: Mapping[str, Sequence[str]]
) -> None:
    connection = sqlite3.connect(path)
    for name, columns in data.items():
        declared = ", ".join(f'"{c}" {_type(values, "sqlite")}' for c, values in columns.items())
        connection.execute(f'DROP TABLE IF EXISTS "{name}"')
        connection.execute(f'CREATE TABLE "{name}" ({declared})')
        marks = ", ".join("?" * len(columns))
        connection.executemany(
            f'INSERT INTO "{name}" VALUES ({marks})', [tuple(_sqlite_value(v) for v in row) for row in _rows(columns)]
        )
        for column in indexes.get(name, ()):
            connection.execute(f'CREATE INDEX "{name}_{column}" ON "{name}" ("{column}")')
    connection.commit()
    connection.close()


def _sqlite_value(value: Any) -> Any:
    if isinstance(value, datetime):
        utc = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return utc.isoformat(sep=" ", timespec="milliseconds" if utc.microsecond else "seconds")
    return value.isoformat() if isinstance(value, date) else value


def _write_clickhouse(data: Mapping[str, Mapping[str, list[Any]]]) -> None:
    import chdb

    connection = chdb.connect(":memory:")
    _KEPT_OPEN.append(connection)  # chdb in memory ends with its last connection
    for name, columns in data.items():
        declared = []
        for column, values in columns.items():
            declared_type = _type(values, "clickhouse")
            if None in values:
                declared_type = f"Nullable({declared_type})"
            declared.append(f"`{column}` {declared_type}")
        connection.query(f"DROP TABLE IF EXISTS `{name}`")
        connection.query(f"CREATE TABLE `{name}` ({', '.join(declared)}) ENGINE = MergeTree ORDER BY tuple()")
        lines = [json.dumps([_clickhouse_value(v) for v in row]) for row in _rows(columns)]
        for start in range(0, len(lines), 50_000):
            body = "\n".join(lines[start : start + 50_000])
            connection.query(f"INSERT INTO `{name}` FORMAT JSONCompactEachRow\n{body}")


def _clickhouse_value(value: Any) -> Any:
    if isinstance(value, datetime):
        utc = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return utc.isoformat(sep=" ")
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value.isoformat() if isinstance(value, date) else value


def _write_server(data: Mapping[str, Mapping[str, list[Any]]], url: str, indexes: Mapping[str, Sequence[str]]) -> None:
    import sqlalchemy as sa

    engine = sa.create_engine(url)
    dialect = {"postgresql": "postgres"}.get(engine.dialect.name, engine.dialect.name)
    quote = engine.dialect.identifier_preparer.quote_identifier
    with engine.begin() as connection:
        if dialect == "mysql":
            connection.exec_driver_sql("SET time_zone = '+00:00'")
        for name, columns in data.items():
            declared = ", ".join(f"{quote(c)} {_type(values, dialect)}" for c, values in columns.items())
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS {quote(name)}")
            connection.exec_driver_sql(f"CREATE TABLE {quote(name)} ({declared})")
            rows = [tuple(_server_value(v, dialect) for v in row) for row in _rows(columns)]
            _insert_server(connection, dialect, quote(name), len(columns), rows)
            for i, column in enumerate(indexes.get(name, ())):
                connection.exec_driver_sql(f"CREATE INDEX {quote(f'{name}_ix{i}')} ON {quote(name)} ({quote(column)})")
    engine.dispose()


def _insert_server(connection: Any, dialect: str, table: str, width: int, rows: list[tuple[Any, ...]]) -> None:
    if not rows:
        return
    if dialect == "postgres":
        driver = connection.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return
    marks = ", ".join(["%s"] * width)
    for start in range(0, len(rows), 20_000):
        connection.exec_driver_sql(f"INSERT INTO {table} VALUES ({marks})", rows[start : start + 20_000])


def _server_value(value: Any, dialect: str) -> Any:
    if dialect == "mysql" and isinstance(value, datetime) and value.tzinfo:
        return value.astimezone(UTC).replace(tzinfo=None)
    return value
