"""The store: one door to documents and records, whatever database is behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import sqlalchemy as sa

from paribus.clock import Clock
from paribus.errors import InputError
from paribus.store import backup, documents, records
from paribus.store.address import Address, Change, Revision
from paribus.store.audit import report
from paribus.store.bell import Bell
from paribus.store.canonical import instant_text
from paribus.store.chain import Anchor, ChainReport
from paribus.store.database import Database, open_database
from paribus.store.migration import bring_up, copy_sqlite
from paribus.store.record_type import R, RecordType
from paribus.store.records import Records
from paribus.store.tables import HEADS, RECORDS, REVISIONS, UNITS

Revisions: TypeAlias = list[Revision]  # the class below has a method named list


@dataclass(frozen=True, slots=True)
class Erased:
    """How many records of each type were removed; `overwritten`: whether their bytes have left the files.

    Backups keep what they held. The bytes stay for now when a reader was in the way; a later `erase`, of no one, tries
    again.
    """

    records: Mapping[str, int]
    overwritten: bool


class Store:
    """Documents as revisions in one hash chain per project, and records beside them. Safe to share among threads."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.clock = clock
        self._database = database
        self._bell = Bell(database)

    @property
    def where(self) -> str:
        """The file, or the database's URL without its password."""
        return self._database.where

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
        if any(change.address.kind == documents.REDACTION for change in changes):
            raise InputError("redactions are written by redact only", fix="give the document another kind")
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
        with self._database.read() as connection:
            found = documents.find(connection, address, revision)
            if found is None or (revision is None and found.is_tombstone):
                raise documents.missing(connection, address, found, revision)
        return found

    def find(self, address: Address) -> Revision | None:
        """The current revision; None when there is none or the document was removed."""
        with self._database.read() as connection:
            found = documents.find(connection, address)
        return None if found is None or found.is_tombstone else found

    def list(self, project: str, kind: str, *, after: str = "", limit: int = 100) -> Revisions:
        """The current documents of a kind in the order of their keys, those after the key `after`."""
        with self._database.read() as connection:
            return documents.page(connection, project, kind, after, limit)

    def history(self, address: Address) -> Revisions:
        """Every revision of a document, the first one first; empty when there never was one."""
        with self._database.read() as connection:
            return documents.history(connection, address)

    def changes(self, project: str, since: int, limit: int = 1000) -> Revisions:
        """The project's revisions after sequence `since`, in order."""
        with self._database.read() as connection:
            return documents.since(connection, project, since, limit)

    def projects(self) -> Sequence[str]:
        """The projects that hold documents, by name."""
        with self._database.read() as connection:
            return connection.scalars(sa.select(HEADS.c.project).order_by(HEADS.c.project)).all()

    def position(self, project: str) -> int:
        """The sequence of the project's last revision; 0 for an empty project."""
        return self._database.position(project)

    def wait(self, project: str, since: int, timeout: float) -> int:
        """The position as soon as it is beyond `since`, or after `timeout` seconds whatever it is then."""
        return self._bell.wait(lambda: self.position(project), since, timeout)

    def redact(self, address: Address, number: int, *, author: str, reason: str) -> Revision:
        """Takes the body out of an old revision; its hash stays, the chain holds, and the act is on record.

        Raises:
            InputError: the revision is the current one, or has no body to take out.
            NotFound: there is no such revision.
        """
        time = instant_text(self.clock())
        with self._database.write() as connection:
            documents.redact(connection, address, number, author=author, reason=reason, time=time)
        self._database.overwrite_deleted(REVISIONS)
        self._bell.ring()
        return self.get(address, number)

    def verify_chain(self, project: str, *, anchor: Anchor | None = None) -> ChainReport:
        """Reads the project's whole chain; with an anchor it also finds a cut-off end or a rewritten history."""
        with self._database.read(snapshot=True) as connection:
            return report(connection, project, anchor)

    def records(self, kind: RecordType[R]) -> Records[R]:
        """The records of a type."""
        return Records(self._database, self.clock, kind)

    def erase(self, units: Iterable[str]) -> Erased:
        """Removes every record about these units, of every type, and overwrites their bytes.

        On PostgreSQL the tables are rewritten (VACUUM FULL); what its write-ahead log archive holds is the operator's.
        """
        with self._database.write() as connection:
            counts = records.erase(connection, sorted(set(units)))
        return Erased(counts, self._database.overwrite_deleted(RECORDS, UNITS))

    def backup(self, path: str | Path) -> Path:
        """Writes everything to one file at one consistent moment while others go on writing; returns the path.

        A name that ends in .sqlite makes a copy of a SQLite store, any other name JSON lines for either database.
        """
        target = Path(path)
        if target.suffix == ".sqlite" and self._database.path is not None:
            copy_sqlite(self._database.path, target)
        else:
            with self._database.read(snapshot=True) as connection:
                backup.write_lines(connection, target, time=instant_text(self.clock()))
        return target

    def close(self) -> None:
        """Sends waiters home and lets go of the database."""
        self._bell.close()
        self._database.close()


def open_store(url_or_path: str | Path, *, clock: Clock, create: bool = True) -> Store:
    """The store in a SQLite file (a folder means its definitions.sqlite) or in the PostgreSQL database of a URL.

    Raises:
        NotFound: there is none, and it is not to be created.
        StorageError: unreadable, or written by a newer Paribus.
        InputError: a URL of another database.
    """
    database = open_database(url_or_path, create=create)
    try:
        bring_up(database, create=create)
    except BaseException:
        database.close()
        raise
    return Store(database, clock)
