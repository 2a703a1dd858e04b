"""A store made anew from a backup."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import sqlalchemy as sa

from paribus.clock import Clock
from paribus.errors import Conflict, NotFound, StorageError
from paribus.store import backup
from paribus.store.audit import report
from paribus.store.database import open_database
from paribus.store.migration import bring_up
from paribus.store.store import Store, open_store
from paribus.store.tables import HEADS, RECORDS


def restore(path: str | Path, url_or_path: str | Path, *, clock: Clock) -> Store:
    """A store with everything from a backup, in an empty place, each project's chain verified.

    Records erased since the backup was made come back with it: erase those units again.

    Raises:
        Conflict: the place holds definitions already.
        NotFound: there is no such backup.
        StorageError: the backup is damaged, newer, or its chain is broken; nothing was restored.
    """
    source = Path(path)
    if not source.is_file():
        raise NotFound("there is no such backup", where=str(source))
    with tempfile.TemporaryDirectory(prefix="paribus-restore-") as folder:
        lines = _as_lines(source, Path(folder), clock)
        database = open_database(url_or_path, create=True)
        try:
            bring_up(database, create=True)
            with database.write() as connection:
                _refuse_full(connection, database.where)
                backup.read_lines(connection, lines)
                for project in connection.scalars(sa.select(HEADS.c.project)).all():
                    if not (found := report(connection, project, None)).is_intact:
                        raise StorageError(found.sentences[0], where=str(source), rule="nothing was restored")
        except BaseException:
            database.close()
            raise
    return Store(database, clock)


def _refuse_full(connection: sa.Connection, where: str) -> None:
    for table in (HEADS, RECORDS):
        if connection.scalar(sa.select(sa.func.count()).select_from(table)):
            raise Conflict(
                "definitions stand here already",
                where=where,
                rule="nothing was restored",
                fix="restore into an empty folder or database",
            )


def _as_lines(source: Path, folder: Path, clock: Clock) -> Path:
    with source.open("rb") as file:
        if file.read(16) != b"SQLite format 3\0":
            return source
    copy = folder / "copy.sqlite"
    shutil.copyfile(source, copy)
    original = open_store(copy, clock=clock)
    try:
        return original.backup(folder / "copy.jsonl")
    finally:
        original.close()
