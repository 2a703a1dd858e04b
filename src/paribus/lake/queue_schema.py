"""The landing queue's tables, and the connections to them."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import quote

from paribus.errors import StorageError

QUEUE_FILE = "landing.sqlite"
FORMAT = 1
_CHECKPOINT_PAGES = 4_000
"""Of the write-ahead log, before a commit copies them to the file itself; the flush has copied most by then."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS landing (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    received_time INTEGER NOT NULL,
    dialect TEXT NOT NULL,
    key_id TEXT NOT NULL,
    plan_revision INTEGER NOT NULL,
    verdicts BLOB NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS landing_received ON landing (received_time);
CREATE TABLE IF NOT EXISTS tally (
    dialect TEXT NOT NULL, kind TEXT NOT NULL, events INTEGER NOT NULL,
    PRIMARY KEY (dialect, kind)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lateness (
    received_day INTEGER NOT NULL, bucket INTEGER NOT NULL, events INTEGER NOT NULL,
    PRIMARY KEY (received_day, bucket)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS flush (
    version INTEGER PRIMARY KEY, watermark INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""


def connect(path: Path) -> sqlite3.Connection:
    """The writing connection: write-ahead log, every commit synced, deleted bytes overwritten where it is free.

    Raises:
        StorageError: not a queue of this format, or damaged.
    """
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = FAST")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        found = connection.execute("PRAGMA user_version").fetchall()[0][0]
        if found > FORMAT:
            raise StorageError(
                f"the landing queue has format {found}, this version knows up to {FORMAT}",
                where=str(path),
                fix="run the newer version of paribus that wrote it",
            )
        connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {FORMAT}; COMMIT;")
    except sqlite3.Error as failure:
        raise storage_error(failure, path) from failure
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that only reads; any process may hold one.

    Raises:
        StorageError: there is no queue, or it is damaged.
    """
    try:
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode=rw", uri=True, isolation_level=None, check_same_thread=False, timeout=10
        )
        connection.execute("PRAGMA query_only = ON")
        connection.execute("SELECT 1 FROM state LIMIT 1").fetchall()
    except sqlite3.Error as failure:
        raise storage_error(failure, path) from failure
    return connection


def storage_error(failure: Exception, path: Path) -> StorageError:
    """The error for the user that a failure of SQLite or of the disk stands for."""
    text = str(failure)
    if "full" in text or "I/O" in text or "too large" in text:
        what, fix = "the disk is full or refuses writes", "free disk space; senders keep what was not acknowledged"
    elif "malformed" in text or "not a database" in text:
        what, fix = "the landing queue is damaged", "restore a backup, or move the file away to start an empty queue"
    else:
        what, fix = "the landing queue cannot be used", None
    return StorageError(
        f"{what} ({text})", where=str(path), rule="an event is acknowledged once it is on disk", fix=fix
    )
