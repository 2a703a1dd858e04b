"""A SQLite file or a PostgreSQL database: connections, transactions, and failures in our own words."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

from paribus.errors import Conflict, EngineError, InputError, MissingExtra, NotFound, StorageError, TransientError
from paribus.store.glance import SQLITE_NAME
from paribus.store.tables import HEADS

BUSY_SECONDS = 30
REWRITE_SECONDS = 2
_POSTGRES = {"postgresql", "postgres", "postgresql+psycopg"}
_FULL = ("disk is full", "disk full", "no space left", "disk i/o error")
_DAMAGED = ("not a database", "malformed", "readonly", "read-only", "unable to open")


class Database:
    """An opened database; every failure leaves it as a Paribus error that names the place without its password."""

    def __init__(self, url: URL) -> None:
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self.path = Path(url.database or "") if self.is_sqlite else None
        self.where = str(self.path) if self.is_sqlite else url.render_as_string(hide_password=True)
        self.engine = sa.create_engine(url, pool_pre_ping=not self.is_sqlite)
        self._writing = self.engine.execution_options(paribus_write=True)
        self._look: sqlite3.Connection | None = None
        self._look_lock = threading.Lock()
        if self.is_sqlite:
            sa.event.listen(self.engine, "connect", _prepare_sqlite)
            sa.event.listen(self.engine, "begin", _begin_sqlite)
        else:
            self._autocommit = self.engine.execution_options(isolation_level="AUTOCOMMIT")
            self._snapshot = self.engine.execution_options(isolation_level="REPEATABLE READ")

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that writes: it commits when the block ends, and on SQLite waits for its turn first."""
        with self.translated(), self._writing.begin() as connection:
            yield connection

    @contextmanager
    def read(self, *, snapshot: bool = False) -> Iterator[sa.Connection]:
        """A connection to read from; with `snapshot` every statement sees the same moment."""
        engine = self.engine if self.is_sqlite else self._snapshot if snapshot else self._autocommit
        with self.translated(), engine.connect() as connection:
            yield connection

    def position(self, project: str) -> int:
        """The sequence at the head of the project's chain; a few microseconds on SQLite."""
        if not self.is_sqlite:
            with self.read() as connection:
                found = connection.scalar(sa.select(HEADS.c.sequence).where(HEADS.c.project == project))
            return int(found or 0)
        try:
            with self._look_lock:
                if self._look is None:
                    self._look = sqlite3.connect(str(self.path), timeout=BUSY_SECONDS, check_same_thread=False)
                rows = self._look.execute("SELECT sequence FROM paribus_heads WHERE project = ?", (project,)).fetchall()
        except sqlite3.Error as error:
            raise self.explained(error) from error
        return int(rows[0][0]) if rows else 0

    def overwrite_deleted(self, *tables: sa.Table) -> bool:
        """Whether the bytes of deleted rows left the files: SQLite's log is folded in, PostgreSQL's tables rewritten.

        False when readers stood in the way for too long.
        """
        if self.is_sqlite:
            with self.translated(), self.engine.connect() as connection:
                raw: Any = connection.connection.driver_connection
                raw.execute(f"PRAGMA busy_timeout = {REWRITE_SECONDS * 1000}")  # writers wait as long as this does
                busy, _, _ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                raw.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
                return not busy
        with self.read() as connection:
            try:
                connection.exec_driver_sql(f"SET lock_timeout = '{REWRITE_SECONDS}s'")
                for table in tables:
                    connection.exec_driver_sql(f"VACUUM FULL {table.name}")
            except sa.exc.OperationalError as error:
                if getattr(error.orig, "sqlstate", None) != "55P03":  # lock_not_available
                    raise
                return False
            finally:
                connection.exec_driver_sql("RESET lock_timeout")
        return True

    def close(self) -> None:
        """Closes every connection."""
        with self._look_lock:
            if self._look is not None:
                self._look.close()
                self._look = None
        self.engine.dispose()

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turns the driver's failures into ours."""
        try:
            yield
        except sa.exc.DBAPIError as error:
            raise self.explained(error.orig or error) from error
        except sa.exc.TimeoutError as error:
            raise TransientError(
                "all connections to the database are in use", where=self.where, fix="try again"
            ) from error

    def explained(self, error: BaseException) -> EngineError | StorageError | Conflict:
        """The driver's failure in our words."""
        said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        low = said.lower()
        if any(word in low for word in _FULL) or getattr(error, "sqlstate", None) == "53100":
            return StorageError(
                f"the disk refused: {said}", where=self.where, rule="nothing was written", fix="free space, try again"
            )
        if any(word in low for word in _DAMAGED):
            return StorageError(
                f"the definitions cannot be read or written: {said}",
                where=self.where,
                fix="check that the file belongs to you, or put a backup in its place: paribus restore",
            )
        if "locked" in low or "busy" in low:
            return TransientError(
                f"another process held the definitions for more than {BUSY_SECONDS} s",
                where=self.where,
                fix="try again",
            )
        kind = type(error).__name__
        if kind in {"IntegrityError", "UniqueViolation"}:
            return Conflict("someone else wrote the same entry at the same moment", where=self.where, fix="try again")
        if not self.is_sqlite and (kind == "OperationalError" or isinstance(error, ConnectionError)):
            return TransientError(f"the database does not answer: {said}", where=self.where, fix="try again")
        return EngineError(f"the database failed: {said}", where=self.where)


def open_database(url_or_path: str | Path, *, create: bool) -> Database:
    """The database of a path (a file, or a folder that holds definitions.sqlite) or of a PostgreSQL URL.

    Raises:
        NotFound: there is no such file, and it is not to be created.
        InputError: a URL of another database.
        MissingExtra: PostgreSQL's driver is not installed.
    """
    text = str(url_or_path)
    scheme = text.partition("://")[0].lower() if "://" in text else ""
    if scheme in _POSTGRES:
        try:
            import psycopg  # noqa: F401
        except ImportError as error:
            raise MissingExtra("psycopg", "postgres", "keeping definitions in PostgreSQL") from error
        return Database(make_url(text).set(drivername="postgresql+psycopg"))
    if scheme not in {"", "sqlite"}:
        raise InputError(
            f"definitions cannot be kept in {scheme}",
            rule="a file path, or a URL that begins with postgresql://",
            fix="for example ./paribus-data, or postgresql://user:password@host/database",
        )
    path = Path(text.removeprefix("sqlite:///") if scheme else url_or_path)
    if path.is_dir():
        path = path / SQLITE_NAME
    if not path.exists():
        if not create:
            raise NotFound("there are no definitions here", where=str(path), fix="paribus serve makes them")
        _make_private(path)
    return Database(URL.create("sqlite", database=str(path)))


def _make_private(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    except OSError as error:
        raise StorageError(
            f"the definitions cannot be made: {error.strerror}", where=str(path), fix="choose a folder you may write to"
        ) from error


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions begin in `_begin_sqlite`, not by the driver's guess
    connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
            break
        except sqlite3.OperationalError as error:  # switching to WAL ignores the busy timeout
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("paribus_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
