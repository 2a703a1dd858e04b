"""The lake's events as Parquet files for other tools, each event once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from paribus.errors import StorageError

if TYPE_CHECKING:
    from paribus.lake.reading import Snapshot

FILE = "events.parquet"


def export_events(snapshot: Snapshot, folder: str | Path, *, threads: int | None = None) -> Path:
    """One file with every event of the version; a file of that name is replaced in one step.

    Raises:
        StorageError: the lake cannot be read, or the folder cannot be written.
    """
    import duckdb

    target = Path(folder) / FILE
    draft = target.with_name(f"{uuid4().hex}.draft")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        connection = duckdb.connect(config={"threads": threads} if threads else {})
        try:
            connection.execute("SET TimeZone = 'UTC'")
            where = str(draft).replace("'", "''")
            connection.execute(f"COPY ({snapshot.events_sql()}) TO '{where}' (FORMAT parquet, COMPRESSION zstd)")
        finally:
            connection.close()
        draft.replace(target)
    except (duckdb.Error, OSError) as error:
        raise StorageError(
            f"the events cannot be exported: {str(error).partition(chr(10))[0][:300]}", where=str(target)
        ) from error
    finally:
        draft.unlink(missing_ok=True)
    return target
