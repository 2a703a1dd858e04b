"""Brings a database's tables to the schema that this version of the code reads."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from paribus.errors import NotFound, StorageError
from paribus.store.database import Database
from paribus.store.glance import SCHEMA

_LOCK = 0x70617269  # PostgreSQL's advisory locks are numbers; "pari"


def bring_up(database: Database, *, create: bool, to: str = SCHEMA) -> None:
    """Makes or upgrades the tables in one transaction; an older SQLite file is copied to backups/ first.

    Raises:
        StorageError: a newer Paribus wrote the tables, or something else did.
        NotFound: there are no tables, and they are not to be created.
    """
    found = schema_of(database)
    if found == to:
        return
    if found is None and not create:
        raise NotFound("there are no definitions here", where=database.where, fix="paribus serve makes them")
    _refuse_newer(database, found)
    if found is not None and database.path is not None:
        copy_sqlite(database.path, database.path.parent / "backups" / f"{database.path.stem}-schema-{found}.sqlite")
    with database.write() as connection:
        if not database.is_sqlite:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        found = _schema(connection)  # another process may have been quicker
        _refuse_newer(database, found)
        if found != to:
            _walk(connection, to)


def schema_of(database: Database) -> str | None:
    """The number of the schema that the tables follow; None when there are none."""
    with database.read(snapshot=True) as connection:
        return _schema(connection)


def copy_sqlite(source: Path, target: Path) -> None:
    """Copies a SQLite database at one consistent moment, while others go on writing (SQLite's backup interface)."""
    partial = target.with_name(target.name + ".partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        partial.touch(mode=0o600)
        with closing(sqlite3.connect(source)) as reading, closing(sqlite3.connect(partial)) as writing:
            reading.backup(writing)
            writing.execute("PRAGMA journal_mode = DELETE")  # a single file
        partial.replace(target)
    except (OSError, sqlite3.Error) as error:
        raise StorageError(
            f"the copy cannot be written: {error}", where=str(target), fix="choose a place with space"
        ) from error


def _schema(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("paribus_store_version"):
        return None
    return str(connection.scalar(sa.text("SELECT version_num FROM paribus_store_version")) or "") or None


def _refuse_newer(database: Database, found: str | None) -> None:
    if found is None or (found.isdigit() and int(found) <= int(SCHEMA)):
        return
    raise StorageError(
        f"these definitions were written by a newer Paribus (their schema is {found}, this version reads {SCHEMA})",
        where=database.where,
        rule="an older Paribus leaves newer data alone",
        fix="pip install --upgrade paribus",
    )


def _walk(connection: sa.Connection, to: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, to)
