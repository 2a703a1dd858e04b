"""Rows of the landing queue's file, read in order and summed up; by any process."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from paribus.lake.queue_schema import connect_reader, storage_error
from paribus.lake.record import LandingRow


@dataclass(frozen=True, slots=True)
class Span:
    """Rows that follow each other: first and last id; rows, events and bytes of bodies in all."""

    first: int
    last: int
    rows: int
    events: int
    bytes: int

    @classmethod
    def of(cls, rows: Sequence[LandingRow]) -> Span:
        """The span of rows in order of id."""
        if not rows:
            return cls(0, -1, 0, 0, 0)
        events, size = sum(len(row.verdicts) for row in rows), sum(len(row.body) for row in rows)
        return cls(rows[0].id, rows[-1].id, len(rows), events, size)


def checkpoint(path: Path) -> None:
    """Copies what is in the queue's log to its file, in the caller's time, so that a commit has little to copy."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=0)
    try:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    except sqlite3.Error as failure:
        raise storage_error(failure, path) from failure
    finally:
        connection.close()


def read_rows(path: Path, after: int, max_events: int, max_bytes: int) -> list[LandingRow]:
    """The oldest rows with an id above `after`, in order of id: at least one if there is any, within the limits.

    Any process may read; what is read costs the queue's owner nothing.
    """
    rows: list[LandingRow] = []
    events = size = 0
    reader = connect_reader(path)
    try:
        found = reader.execute(
            "SELECT id, received_time, dialect, key_id, plan_revision, verdicts, body FROM landing "
            "WHERE id > ? ORDER BY id",
            (after,),
        )
        for fields in found:
            row = LandingRow(*fields)
            events += len(row.verdicts)
            size += len(row.body)
            if rows and (events > max_events or size > max_bytes):
                break
            rows.append(row)
    except sqlite3.Error as failure:
        raise storage_error(failure, path) from failure
    finally:
        reader.close()
    return rows
