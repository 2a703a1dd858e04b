"""Counting the rows that compaction, retention and erasure took out of the table of events.

A commit carries its counts; they are added to the queue's running counts once, also when the process died between.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.lake.notes import count
from paribus.lake.table import LOG_FOLDER

if TYPE_CHECKING:
    from paribus.lake.flusher import Queue

KINDS = {"paribus.deduplicated": "deduplicated", "paribus.erased": "erased", "paribus.expired": "expired"}
_TALLIED = "tallied:events"


def tally_removed(landing: Queue, table: Path, newest: int) -> None:
    """Adds the counts of commits up to `newest`, which is on the disk, that have not been added yet."""
    landing.run(partial(_add_removed, table=table, newest=newest))


def _add_removed(connection: sqlite3.Connection, table: Path, newest: int) -> None:
    count(connection, removed_since(connection, table, newest))
    connection.execute(
        "INSERT INTO state (name, value) VALUES (?, ?) "
        "ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
        (_TALLIED, newest),
    )


def reset_tally(connection: sqlite3.Connection, version: int) -> None:
    """Notes that commits above the version have not been added; for a table that was restored or repaired."""
    connection.execute("INSERT OR REPLACE INTO state (name, value) VALUES (?, ?)", (_TALLIED, version))


def removed_since(queue: sqlite3.Connection, table: Path, newest: int) -> Counter[tuple[str, str]]:
    """The counts by (dialect, kind) of commits up to `newest` that the queue's running counts do not hold yet."""
    found = queue.execute("SELECT value FROM state WHERE name = ?", (_TALLIED,)).fetchall()
    tallied = int(found[0][0]) if found else 0
    counts: Counter[tuple[str, str]] = Counter()
    for version in range(tallied + 1, newest + 1):
        file = table / LOG_FOLDER / f"{version:020d}.json"
        if file.exists():
            counts.update(_counts(file.read_text()))
    return counts


def _counts(log: str) -> Counter[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    for line in log.splitlines():
        if '"commitInfo"' not in line:
            continue
        info: Mapping[str, Any] = json.loads(line).get("commitInfo", {})
        for key, kind in KINDS.items():
            for dialect, events in (info.get(key) or {}).items():
                counts[dialect, kind] += events
    return counts
