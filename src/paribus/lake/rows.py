"""Small questions to the lake, answered as rows: for checks and health, where no experiment's statement applies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paribus.lake.batch import EventBatch
from paribus.lake.fresh import read_fresh
from paribus.lake.reading import LakeReader
from paribus.lake.record import Record

Row = dict[str, Any]
EVENTS = "{events}"


def ask(
    reader: LakeReader,
    statement: str,
    *,
    names: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    values: Mapping[str, Any] | None = None,
) -> list[Row]:
    """The rows that a SELECT gives, as mappings; times as microseconds where the statement says `epoch_us`.

    Args:
        reader: of the lake.
        statement: a SELECT in DuckDB's words; `{events}` stands for the distinct events.
        names: only events of these names; all by default.
        columns: only these columns of the events.
        values: for `$name` in the statement.
    """
    return read_fresh(lambda: _asked(reader, statement, names, columns, values))


def _asked(
    reader: LakeReader,
    statement: str,
    names: Sequence[str] | None,
    columns: Sequence[str] | None,
    values: Mapping[str, Any] | None,
) -> list[Row]:
    import duckdb

    events = f"({reader.events_sql(names=names, columns=columns)})"
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET parquet_metadata_cache = true")  # each file is read for copies, then for the events
        answer = connection.execute(statement.replace(EVENTS, events), dict(values or {}))
        found = [each[0] for each in answer.description or ()]
        return [dict(zip(found, row, strict=True)) for row in answer.fetchall()]


def write_records(records: Sequence[Record], types: Mapping[str, str], path: Path) -> Path:
    """A file beside the lake with these records, in the columns of its table: to ask "what if" without storing it.

    Args:
        records: what the file holds.
        types: the table's columns, name → DuckDB type, as `Snapshot.columns`.
        path: of the file, which must not exist.
    """
    import duckdb

    batch = EventBatch()
    batch.add(records, 0, range(len(records)))
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("made", batch.table({}, Counter()))
        have = {row[0] for row in connection.execute("DESCRIBE made").fetchall()}
        missing = ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in types.items() if name not in have)
        text = f"SELECT *{', ' + missing if missing else ''} FROM made"
        target = str(path).replace("'", "''")
        connection.execute(f"COPY ({text}) TO '{target}' (FORMAT parquet)")
    return path
