"""What the writer notes in the queue's file: durable versions and running counts."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass


def note_version(connection: sqlite3.Connection, table: str, version: int) -> None:
    """Notes that the table is on the disk up to the version; only rises."""
    connection.execute(
        "INSERT INTO state (name, value) VALUES (?, ?) "
        "ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
        (f"durable:{table}", version),
    )


def note_versions(connection: sqlite3.Connection, versions: Mapping[str, int]) -> None:
    """Notes several tables' versions."""
    for table, version in versions.items():
        note_version(connection, table, version)


def durable_version(connection: sqlite3.Connection, table: str) -> int:
    """The version up to which the table was noted to be on the disk; -1 before the first."""
    found = connection.execute("SELECT value FROM state WHERE name = ?", (f"durable:{table}",)).fetchall()
    return int(found[0][0]) if found else -1


def reset_version(connection: sqlite3.Connection, table: str, version: int) -> None:
    """Notes the version even when it is lower; for a table that was restored or repaired."""
    connection.execute("INSERT OR REPLACE INTO state (name, value) VALUES (?, ?)", (f"durable:{table}", version))


def count(connection: sqlite3.Connection, counts: Mapping[tuple[str, str], int]) -> None:
    """Adds to the running counts by (dialect, kind)."""
    connection.executemany(
        "INSERT INTO tally (dialect, kind, events) VALUES (?, ?, ?) "
        "ON CONFLICT (dialect, kind) DO UPDATE SET events = events + excluded.events",
        [(*key, events) for key, events in counts.items() if events],
    )


def counts(connection: sqlite3.Connection) -> dict[tuple[str, str], int]:
    """The running counts by (dialect, kind)."""
    found = connection.execute("SELECT dialect, kind, events FROM tally").fetchall()
    return {(dialect, kind): events for dialect, kind, events in found}


def note_watermark(connection: sqlite3.Connection, version: int, watermark: int) -> None:
    """Notes up to which acknowledgement time the version of the events is complete."""
    connection.execute("INSERT OR REPLACE INTO flush (version, watermark) VALUES (?, ?)", (version, watermark))


def cut_watermarks(connection: sqlite3.Connection, received: int) -> None:
    """Takes back what versions so far were noted to hold beyond a time at which something else was received.

    A clock that was set back makes such times.
    """
    still_true = connection.execute(
        "SELECT version FROM flush WHERE watermark <= ? ORDER BY version DESC LIMIT 1", (received,)
    ).fetchall()
    connection.execute(
        "UPDATE flush SET watermark = ? WHERE version > ?", (received, still_true[0][0] if still_true else -1)
    )


def note_remote(connection: sqlite3.Connection, is_remote: bool) -> None:
    """Notes whether rows wait elsewhere than in this file."""
    connection.execute("INSERT OR REPLACE INTO state (name, value) VALUES ('remote', ?)", (int(is_remote),))


def is_remote(connection: sqlite3.Connection) -> bool:
    """Whether rows wait elsewhere than in this file."""
    return connection.execute("SELECT value FROM state WHERE name = 'remote'").fetchall() == [(1,)]


@dataclass(frozen=True, slots=True)
class FlushNote:
    """What a flush writes into the queue's file in the transaction that takes its rows away.

    Attributes:
        versions: the tables' versions that are on the disk.
        counts: events by (dialect, kind).
        lateness: events by (received day, bucket).
        received: the earliest received time of the rows; None without any.
        began: when the flush began.
    """

    versions: Mapping[str, int]
    counts: Mapping[tuple[str, str], int]
    lateness: Mapping[tuple[int, int], int]
    received: int | None
    began: int

    def __call__(self, connection: sqlite3.Connection, oldest: int | None) -> None:
        """Writes it; `oldest` is the received time that no row which still waits is earlier than."""
        if self.received is not None:
            note_versions(connection, self.versions)
            count(connection, self.counts)
            connection.executemany(
                "INSERT INTO lateness VALUES (?, ?, ?) "
                "ON CONFLICT (received_day, bucket) DO UPDATE SET events = events + excluded.events",
                [(*key, events) for key, events in self.lateness.items()],
            )
            cut_watermarks(connection, self.received)
        watermark = self.began if oldest is None or self.received is None else min(self.began, oldest)
        note_watermark(connection, self.versions["events"], watermark)
