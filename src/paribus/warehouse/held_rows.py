"""Rows of an event table that stay in memory for a few statements: their files are decoded once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from paribus.warehouse.csv_types import quote

if TYPE_CHECKING:
    import duckdb

MOST_VALUES = 10_000_000  # rows times columns of all that is held at a time: about 200 MB, of which texts are the most
_HELD, _ASIDE = "held:", "aside:"


@contextmanager
def held_rows(connection: duckdb.DuckDBPyConnection, columns: Mapping[str, Sequence[str]]) -> Iterator[None]:
    """Tables with the named columns stand in the place of views until the end, which opens no file.

    Views take their turn, and one that is too large for what is left stays as it is.

    Args:
        connection: where the views are; still open at the end.
        columns: by view, the columns that statements name.
    """
    held: list[str] = []
    left = MOST_VALUES
    try:
        for view, names in columns.items():
            rows = int(connection.execute(f"SELECT count(*) FROM {quote(view)}").fetchall()[0][0])
            if not names or rows * len(names) > left:
                continue
            left -= rows * len(names)
            held.append(view)
            text = f"SELECT {', '.join(map(quote, names))} FROM {quote(view)}"
            connection.execute(f"CREATE TEMP TABLE {quote(_HELD + view)} AS {text}")
            connection.execute(f"ALTER VIEW {quote(view)} RENAME TO {quote(_ASIDE + view)}")
            connection.execute(f"CREATE TEMP VIEW {quote(view)} AS SELECT * FROM {quote(_HELD + view)}")
        yield
    finally:
        for view in held:
            aside = connection.execute("SELECT 1 FROM duckdb_views() WHERE view_name = $1", [_ASIDE + view])
            if aside.fetchall():
                connection.execute(f"DROP VIEW IF EXISTS {quote(view)}")
                connection.execute(f"ALTER VIEW {quote(_ASIDE + view)} RENAME TO {quote(view)}")
            connection.execute(f"DROP TABLE IF EXISTS {quote(_HELD + view)}")
