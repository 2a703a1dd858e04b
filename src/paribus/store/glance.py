"""Documents read from a SQLite file as it stands: what most commands do, without SQLAlchemy, which takes half a second.

The tables are those of `tables`, and must follow the schema that this version reads; whatever goes wrong here is tried
again by `database`, which says in our words what it was.
"""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any, TypeAlias

from paribus.store.address import Address, Revision
from paribus.store.canonical import body_of, instant_of

SCHEMA = "0002"
SQLITE_NAME = "definitions.sqlite"
REDACTION = "redaction"  # the kind under which each redaction is itself a document
TOMBSTONE = "null"  # the body text of a removed document
WAIT_SECONDS = 30

Revisions: TypeAlias = list[Revision]  # the class below has a method named list

_CURRENT = (
    "SELECT r.* FROM paribus_revisions AS r JOIN paribus_documents AS d "
    "ON r.project = d.project AND r.sequence = d.sequence WHERE d.project = ? AND d.kind = ?"
)
_ONE = "SELECT * FROM paribus_revisions WHERE project = ? AND kind = ? AND key = ?"
_SINCE = "SELECT * FROM paribus_revisions WHERE project = ? AND sequence > ? ORDER BY sequence LIMIT ?"


def revision_of(row: Any) -> Revision:
    """A revision from its row, whose columns are read by name."""
    text = row["body"]
    return Revision(
        address=Address(row["project"], row["kind"], row["key"]),
        number=row["number"],
        sequence=row["sequence"],
        body=None if text is None else body_of(text),
        body_hash=row["body_hash"],
        chain=row["chain"],
        author=row["author"],
        time=instant_of(row["time"]),
        reason=row["reason"],
        redacted=text is None,
    )


def open_glance(path: Path) -> Glance | None:
    """The file's documents; None where it cannot be read so, or follows another schema."""
    try:
        connection = sqlite3.connect(path, timeout=WAIT_SECONDS, check_same_thread=False)
        try:
            connection.execute("PRAGMA query_only = ON")
            found = connection.execute("SELECT version_num FROM paribus_store_version").fetchall()
            if found == [(SCHEMA,)]:
                return Glance(connection)
        except BaseException:
            connection.close()
            raise
        connection.close()
    except sqlite3.Error:
        pass
    return None


class Glance:
    """Reads documents over one connection; safe to share among threads. Its methods raise sqlite3.Error."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._connection.row_factory = sqlite3.Row
        self._lock = threading.Lock()

    def find(self, address: Address, number: int | None = None) -> Revision | None:
        """The current revision, a tombstone included, or the one with this number."""
        place = (address.project, address.kind, address.key)
        if number is None:
            rows = self._rows(f"{_CURRENT} AND d.key = ?", *place)
        else:
            rows = self._rows(f"{_ONE} AND number = ?", *place, number)
        return rows[0] if rows else None

    def list(self, project: str, kind: str, after: str, limit: int) -> Revisions:
        """The live documents of a kind after a key, in the order of keys."""
        return self._rows(f"{_CURRENT} AND d.live AND d.key > ? ORDER BY d.key LIMIT ?", project, kind, after, limit)

    def history(self, address: Address) -> Revisions:
        """Every revision of one document, in order."""
        return self._rows(f"{_ONE} ORDER BY number", address.project, address.kind, address.key)

    def since(self, project: str, sequence: int, limit: int) -> Revisions:
        """The project's revisions after a sequence, in order."""
        return self._rows(_SINCE, project, sequence, limit)

    def position(self, project: str) -> int:
        """The sequence at the head of the project's chain."""
        with self._lock:
            found = self._connection.execute("SELECT sequence FROM paribus_heads WHERE project = ?", (project,))
            rows = found.fetchall()
        return int(rows[0][0]) if rows else 0

    def close(self) -> None:
        """Lets go of the file."""
        with self._lock:
            self._connection.close()

    def _rows(self, statement: str, *values: str | int) -> Revisions:
        with self._lock:
            rows = self._connection.execute(statement, values).fetchall()
        return [revision_of(row) for row in rows]
