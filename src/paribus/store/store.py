"""The store: one door to documents and records, whatever database is behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paribus.clock import Clock
from paribus.store.address import Address, Change, Revision
from paribus.store.chain import Anchor, ChainReport
from paribus.store.records import R, Records, RecordType


@dataclass(frozen=True, slots=True)
class Erased:
    """How many records of each type were removed; `overwritten`: whether their bytes left the files already."""

    records: Mapping[str, int]
    overwritten: bool


class Store:
    """Documents as revisions in one hash chain per project, and records beside them."""

    def put(
        self, address: Address, body: dict[str, Any] | None, *, author: str, reason: str, expected: int
    ) -> Revision:
        """The new revision; body None removes the document (a tombstone).

        Raises:
            StaleWrite: the current revision is not `expected` (0: there is none).
            InputError: address, body, author or reason cannot be stored.
        """
        raise NotImplementedError

    def put_all(self, changes: Sequence[Change], *, author: str, reason: str) -> list[Revision]:
        """The new revisions, written in this order: all of them, or none."""
        raise NotImplementedError

    def get(self, address: Address, revision: int | None = None) -> Revision:
        """The current revision, or the one with that number.

        Raises:
            NotFound: there is none, or (without a number) the document was removed.
        """
        raise NotImplementedError

    def find(self, address: Address) -> Revision | None:
        """The current revision; None when there is none or the document was removed."""
        raise NotImplementedError

    def list(self, project: str, kind: str, *, after: str = "", limit: int = 100) -> list[Revision]:
        """The current documents of a kind in the order of their keys, those after the key `after`."""
        raise NotImplementedError

    def history(self, address: Address) -> list[Revision]:
        """Every revision of a document, the first one first; empty when there never was one."""
        raise NotImplementedError

    def changes(self, project: str, since: int, limit: int = 1000) -> list[Revision]:
        """The project's revisions after sequence `since`, in order."""
        raise NotImplementedError

    def position(self, project: str) -> int:
        """The sequence of the project's last revision; 0 for an empty project."""
        raise NotImplementedError

    def wait(self, project: str, since: int, timeout: float) -> int:
        """The position as soon as it is beyond `since`, or after `timeout` seconds whatever it is then."""
        raise NotImplementedError

    def redact(self, address: Address, number: int, *, author: str, reason: str) -> Revision:
        """Takes the body out of an old revision; its hash stays, the chain holds, and the act is on record."""
        raise NotImplementedError

    def verify_chain(self, project: str, *, anchor: Anchor | None = None) -> ChainReport:
        """Reads the project's whole chain; with an anchor it also finds a cut-off end or a rewritten history."""
        raise NotImplementedError

    def projects(self) -> Sequence[str]:
        """The projects that hold documents."""
        raise NotImplementedError

    def records(self, kind: RecordType[R]) -> Records[R]:
        """The records of a type."""
        return Records(self, kind)

    def erase(self, units: Iterable[str]) -> Erased:
        """Removes every record about these units, of every type."""
        raise NotImplementedError

    def backup(self, path: str | Path) -> Path:
        """Writes everything to one file, a consistent moment while others go on writing."""
        raise NotImplementedError

    def close(self) -> None:
        """Lets go of the database."""
        raise NotImplementedError


def open_store(url_or_path: str | Path, *, clock: Clock, create: bool = True) -> Store:
    """The store in a SQLite file, or in the PostgreSQL database of a URL."""
    raise NotImplementedError


def restore(path: str | Path, url_or_path: str | Path, *, clock: Clock) -> Store:
    """A new store with everything from a backup, its chain verified."""
    raise NotImplementedError
