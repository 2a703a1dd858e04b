"""Small questions to the lake, answered as rows: for checks and health, where no experiment's statement applies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paribus.lake.fresh import read_fresh
from paribus.lake.reading import LakeReader

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
        answer = connection.execute(statement.replace(EVENTS, events), dict(values or {}))
        found = [each[0] for each in answer.description or ()]
        return [dict(zip(found, row, strict=True)) for row in answer.fetchall()]
