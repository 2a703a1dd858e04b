"""Small questions to the lake, answered as rows: for checks and health, where no experiment's statement applies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from paribus.lake.batch import EventBatch
from paribus.lake.fresh import read_fresh
from paribus.lake.reading import LakeReader
from paribus.lake.record import Record
from paribus.settings import SMALL_TABLE_BYTES

Row = dict[str, Any]
Ask = Callable[..., list[Row]]
"""A question: a SELECT on `{events}`, and the values of its `$name`s."""
EVENTS = "{events}"
_KEPT = '"$kept"'


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

    def asked() -> list[Row]:
        with asking(reader, names=names, columns=columns, once=True) as put:
            return put(statement, values)

    return read_fresh(asked)


@contextmanager
def asking(
    reader: LakeReader,
    *,
    names: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    once: bool = False,
) -> Iterator[Ask]:
    """Questions to the same events, which are kept in memory where the table is small and it is not asked just once.

    The caller sees to it that a file that went meanwhile is listed anew (`read_fresh`).
    """
    import duckdb

    version, files = reader.files()
    sizes = [path.stat().st_size for path in map(Path, files) if path.is_file()]  # one may be gone: reading it says so
    is_kept = not once and sum(sizes) <= SMALL_TABLE_BYTES
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET parquet_metadata_cache = true")  # each file is read for copies, then for the events
        text = reader.events_sql(version, names=names, columns=columns)
        connection.execute(f"CREATE TEMP {'TABLE' if is_kept else 'VIEW'} {_KEPT} AS {text}")

        def put(statement: str, values: Mapping[str, Any] | None = None) -> list[Row]:
            answer = connection.execute(statement.replace(EVENTS, _KEPT), dict(values or {}))
            found = [each[0] for each in answer.description or ()]
            return [dict(zip(found, row, strict=True)) for row in answer.fetchall()]

        yield put


def write_records(records: Sequence[Record], path: Path) -> Path:
    """A file beside the lake with these records, in the columns of its table: to ask "what if" without storing it.

    Args:
        records: what the file holds.
        path: of the file, which must not exist.
    """
    import duckdb

    batch = EventBatch()
    batch.add(records, 0, range(len(records)))
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("made", batch.table({}, Counter()))
        target = str(path).replace("'", "''")
        connection.execute(f"COPY made TO '{target}' (FORMAT parquet)")
    return path
