"""The store: one door to documents and records, whatever database is behind it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from paribus.clock import Clock
from paribus.errors import InputError
from paribus.store.address import Address, Change, Revision
from paribus.store.canonical import instant_text
from paribus.store.chain import Anchor, ChainReport
from paribus.store.glance import REDACTION, SQLITE_NAME, Glance, open_glance
from paribus.store.record_type import R, RecordType

if TYPE_CHECKING:
    from paribus.store.bell import Bell
    from paribus.store.database import Database
    from paribus.store.records import Records

Revisions: TypeAlias = list[Revision]  # the class below has a method named list


@dataclass(frozen=True, slots=True)
class Erased:
    """How many records of each type were removed; `overwritten`: whether their bytes have left the files.

    Backups keep what they held. The bytes stay for now when a reader was in the way; a later `erase`, of no one, tries
    again.
    """

    records: Mapping[str, int]
    overwritten: bool


T = TypeVar("T")


class Store:
    """Documents as revisions in one hash chain per project, and records beside them. Safe to share among threads."""

    def __init__(self, database: Database | Callable[[], Database], clock: Clock, glance: Glance | None = None) -> None:
        """A store on a database, or on what opens it when reading at a glance is not enough."""
        self.clock = clock
        self._open_database = database
        self._glance = glance
        self._opened: tuple[Database, Bell] | None = None
        self._opening = threading.Lock()

    @property
    def where(self) -> str:
        """The file, or the database's URL without its password."""
        return self._database.where

    @property
    def _database(self) -> Database:
        return self._whole()[0]

    @property
    def _bell(self) -> Bell:
        return self._whole()[1]

    def _whole(self) -> tuple[Database, Bell]:
        with self._opening:
            if self._opened is None:
                from paribus.store.bell import Bell

                given = self._open_database
                database = given() if callable(given) else given
                self._opened = database, Bell(database)
            return self._opened

    def _at_a_glance(self, read: Callable[[Glance], T], otherwise: Callable[[], T]) -> T:
        if self._glance is not None:
            try:
                return read(self._glance)
            except sqlite3.Error:
                pass  # the whole database says what is wrong, in our words
        return otherwise()

    def put(
        self, address: Address, body: dict[str, Any] | None, *, author: str, reason: str, expected: int
    ) -> Revision:
        """The new revision; body None removes the document (a tombstone).

        Raises:
            StaleWrite: the current revision is not `expected` (0: there is none); a `Conflict`.
            InputError: address, body, author or reason cannot be stored.
            NotFound: what is to be removed does not exist.
        """
        return self.put_all([Change(address, body, expected)], author=author, reason=reason)[0]

    def put_all(self, changes: Sequence[Change], *, author: str, reason: str) -> Revisions:
        """The new revisions of documents of one project, in this order: all of them, or none."""
        if not changes:
            return []
        if any(change.address.kind == REDACTION for change in changes):
            raise InputError("redactions are written by redact only", fix="give the document another kind")
        from paribus.store import documents

        time = instant_text(self.clock())
        with self._database.write() as connection:
            written = documents.append(connection, changes, author=author, reason=reason, time=time)
        self._bell.ring()
        return written

    def get(self, address: Address, revision: int | None = None) -> Revision:
        """The current revision, or the one with that number.

        Raises:
            NotFound: there is none, or (without a number) the document was removed.
        """
        found = self._found(address, revision)
        if found is None or (revision is None and found.is_tombstone):
            from paribus.store import documents

            with self._database.read() as connection:
                raise documents.missing(connection, address, found, revision)
        return found

    def find(self, address: Address) -> Revision | None:
        """The current revision; None when there is none or the document was removed."""
        found = self._found(address)
        return None if found is None or found.is_tombstone else found

    def _found(self, address: Address, number: int | None = None) -> Revision | None:
        def whole() -> Revision | None:
            from paribus.store import documents

            with self._database.read() as connection:
                return documents.find(connection, address, number)

        return self._at_a_glance(lambda glance: glance.find(address, number), whole)

    def list(self, project: str, kind: str, *, after: str = "", limit: int = 100) -> Revisions:
        """The current documents of a kind in the order of their keys, those after the key `after`."""

        def whole() -> Revisions:
            from paribus.store import documents

            with self._database.read() as connection:
                return documents.page(connection, project, kind, after, limit)

        return self._at_a_glance(lambda glance: glance.list(project, kind, after, limit), whole)

    def history(self, address: Address) -> Revisions:
        """Every revision of a document, the first one first; empty when there never was one."""

        def whole() -> Revisions:
            from paribus.store import documents

            with self._database.read() as connection:
                return documents.history(connection, address)

        return self._at_a_glance(lambda glance: glance.history(address), whole)

    def changes(self, project: str, since: int, limit: int = 1000) -> Revisions:
        """The project's revisions after sequence `since`, in order."""

        def whole() -> Revisions:
            from paribus.store import documents

            with self._database.read() as connection:
                return documents.since(connection, project, since, limit)

        return self._at_a_glance(lambda glance: glance.since(project, since, limit), whole)

    def projects(self) -> Sequence[str]:
        """The projects that hold documents, by name."""
        import sqlalchemy as sa

        from paribus.store.tables import HEADS

        with self._database.read() as connection:
            return connection.scalars(sa.select(HEADS.c.project).order_by(HEADS.c.project)).all()

    def position(self, project: str) -> int:
        """The sequence of the project's last revision; 0 for an empty project."""
        return self._at_a_glance(lambda glance: glance.position(project), lambda: self._database.position(project))

    def wait(self, project: str, since: int, timeout: float) -> int:
        """The position as soon as it is beyond `since`, or after `timeout` seconds whatever it is then."""
        return self._bell.wait(lambda: self.position(project), since, timeout)

    def redact(self, address: Address, number: int, *, author: str, reason: str) -> Revision:
        """Takes the body out of an old revision; its hash stays, the chain holds, and the act is on record.

        Raises:
            InputError: the revision is the current one, or has no body to take out.
            NotFound: there is no such revision.
        """
        from paribus.store import documents
        from paribus.store.tables import REVISIONS

        time = instant_text(self.clock())
        with self._database.write() as connection:
            documents.redact(connection, address, number, author=author, reason=reason, time=time)
        self._database.overwrite_deleted(REVISIONS)
        self._bell.ring()
        return self.get(address, number)

    def verify_chain(self, project: str, *, anchor: Anchor | None = None) -> ChainReport:
        """Reads the project's whole chain; with an anchor it also finds a cut-off end or a rewritten history."""
        from paribus.store.audit import report

        with self._database.read(snapshot=True) as connection:
            return report(connection, project, anchor)

    def records(self, kind: RecordType[R]) -> Records[R]:
        """The records of a type."""
        from paribus.store.records import Records

        return Records(self._database, self.clock, kind)

    def erase(self, units: Iterable[str]) -> Erased:
        """Removes every record about these units, of every type, and overwrites their bytes.

        On PostgreSQL the tables are rewritten (VACUUM FULL); what its write-ahead log archive holds is the operator's.
        """
        from paribus.store import records
        from paribus.store.tables import RECORDS, UNITS

        with self._database.write() as connection:
            counts = records.erase(connection, sorted(set(units)))
        return Erased(counts, self._database.overwrite_deleted(RECORDS, UNITS))

    def backup(self, path: str | Path) -> Path:
        """Writes everything to one file at one consistent moment while others go on writing; returns the path.

        A name that ends in .sqlite makes a copy of a SQLite store, any other name JSON lines for either database.
        """
        from paribus.store import backup
        from paribus.store.migration import copy_sqlite

        target = Path(path)
        if target.suffix == ".sqlite" and self._database.path is not None:
            copy_sqlite(self._database.path, target)
        else:
            with self._database.read(snapshot=True) as connection:
                backup.write_lines(connection, target, time=instant_text(self.clock()))
        return target

    def close(self) -> None:
        """Sends waiters home and lets go of the database."""
        with self._opening:
            opened, self._opened = self._opened, None
        if opened is not None:
            opened[1].close()
            opened[0].close()
        if self._glance is not None:
            self._glance.close()


def open_store(url_or_path: str | Path, *, clock: Clock, create: bool = True) -> Store:
    """The store in a SQLite file (a folder means its definitions.sqlite) or in the PostgreSQL database of a URL.

    Raises:
        NotFound: there is none, and it is not to be created.
        StorageError: unreadable, or written by a newer Paribus.
        InputError: a URL of another database.
    """

    def whole() -> Database:
        from paribus.store.database import open_database
        from paribus.store.migration import bring_up

        database = open_database(url_or_path, create=create)
        try:
            bring_up(database, create=create)
        except BaseException:
            database.close()
            raise
        return database

    glance = _glance_at(str(url_or_path))
    return Store(whole() if glance is None else whole, clock, glance)


def _glance_at(text: str) -> Glance | None:
    """A look at the SQLite file of a path or URL, where there is one that needs no migration."""
    scheme = text.partition("://")[0].lower() if "://" in text else ""
    if scheme not in {"", "sqlite"}:
        return None
    path = Path(text.removeprefix("sqlite:///"))
    if path.is_dir():
        path = path / SQLITE_NAME
    return open_glance(path) if path.is_file() else None
