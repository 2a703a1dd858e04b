"""A copy of the lake that is whole in itself, made while the writer goes on, and put back elsewhere.

The queue is copied first. It notes up to which version each table was durable, and holds every row that came after; so
a table is copied at that version, and queue and tables fit together to the row.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from paribus.errors import StorageError
from paribus.lake.durability import sync_file
from paribus.lake.notes import durable_version
from paribus.lake.queue_schema import QUEUE_FILE, connect_reader, storage_error
from paribus.lake.reading import EVENTS_TABLE, QUARANTINE_TABLE
from paribus.lake.record import microseconds
from paribus.lake.table import LOG_FOLDER, data_files, open_table

PARTITIONS = {EVENTS_TABLE: "event_date", QUARANTINE_TABLE: "received_date"}
_LOGGED = re.compile(r"^(\d{20})\.(json|checkpoint\.parquet)$")


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy holds: files, bytes, and the version of each table."""

    files: int
    bytes: int
    versions: dict[str, int]


def copy_lake(folder: Path, to: Path) -> Copied:
    """Copies queue and tables of a data folder into an empty folder.

    Raises:
        StorageError: the disk refused, or there is no lake.
    """
    try:
        to.mkdir(parents=True, exist_ok=True)
        versions = _copy_queue(folder / QUEUE_FILE, to / QUEUE_FILE)
        files, size = 1, (to / QUEUE_FILE).stat().st_size
        for table, version in versions.items():
            for path in _table_files(folder / table, version, PARTITIONS[table]):
                target = to / table / path.relative_to(folder / table)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
                sync_file(target)
                files, size = files + 1, size + target.stat().st_size
    except OSError as error:
        raise StorageError(f"the copy failed: {error.strerror or error}", where=str(to)) from error
    return Copied(files, size, versions)


def _copy_queue(source: Path, target: Path) -> dict[str, int]:
    try:
        reader = connect_reader(source)
        copy = sqlite3.connect(target)
        try:
            reader.backup(copy)
            noted = {table: durable_version(copy, Path(table).name) for table in PARTITIONS}
        finally:
            copy.close()
            reader.close()
    except sqlite3.Error as error:
        raise storage_error(error, source) from error
    sync_file(target)
    return {table: version for table, version in noted.items() if version >= 0}


def _table_files(root: Path, version: int, partition: str) -> Iterator[Path]:
    for each in sorted((root / LOG_FOLDER).iterdir()):
        logged = _LOGGED.match(each.name)
        if logged and int(logged[1]) <= version:
            yield each
    yield from (root / file.path for file in data_files(open_table(root, version), partition))


def waiting_in_queue(folder: Path, now: datetime) -> str:
    """What waits for the lake, in words."""
    try:
        reader = connect_reader(folder / QUEUE_FILE)
        try:
            rows, oldest = reader.execute("SELECT count(*), min(received_time) FROM landing").fetchall()[0]
        finally:
            reader.close()
    except sqlite3.Error as error:
        raise storage_error(error, folder / QUEUE_FILE) from error
    if not rows:
        return "empty"
    return f"{rows:,} requests wait, the oldest for {(microseconds(now) - oldest) / 1e6:,.0f} s"
