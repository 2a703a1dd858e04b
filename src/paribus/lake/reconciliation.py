"""Whether the counts add up: from the door through the queue to the rows of the table."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paribus.lake.notes import counts, durable_version
from paribus.lake.record import REJECTED
from paribus.lake.removal import removed_since
from paribus.lake.table import data_files, open_table

EVENTS = "events"


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The counts of one dialect since the folder was made, in events.

    Attributes:
        accepted, quarantined, rejected: at the door.
        waiting: accepted or quarantined at the door, still in the landing queue.
        landed: written to the table of events. held: to quarantine (also for their time). unreadable: events of
            requests that could not be decoded, beyond the one row that keeps each request.
        deduplicated, erased, expired: rows that compaction, erasure and retention took away.
        present, distinct: rows in the table now, and distinct events among them.
    """

    dialect: str
    accepted: int = 0
    quarantined: int = 0
    rejected: int = 0
    waiting: int = 0
    landed: int = 0
    held: int = 0
    unreadable: int = 0
    deduplicated: int = 0
    erased: int = 0
    expired: int = 0
    present: int = 0
    distinct: int = 0

    @property
    def received(self) -> int:
        """Events that came to the door."""
        return self.accepted + self.quarantined + self.rejected

    @property
    def duplicates(self) -> int:
        """Rows landed beyond the first of each event, removed already or not."""
        return self.deduplicated + self.present - self.distinct

    @property
    def missing(self) -> int:
        """Events taken at the door that are in no place where they should be; 0 when nothing is lost or doubled."""
        return self.accepted + self.quarantined - self.waiting - self.landed - self.held - self.unreadable

    @property
    def unexplained_rows(self) -> int:
        """Rows of the table more or less than landed and not taken away since; 0 when nothing is lost or doubled."""
        return self.present - (self.landed - self.deduplicated - self.erased - self.expired)


def reconcile(queue: sqlite3.Connection, events_table: Path) -> list[Reconciliation]:
    """The counts by dialect, all as of one moment; reads source and event_id of the whole table."""
    queue.execute("BEGIN")
    try:
        version = durable_version(queue, EVENTS)
        tally: Counter[tuple[str, str]] = Counter(counts(queue))
        tally.update(removed_since(queue, events_table, version))
        for dialect, verdicts in queue.execute("SELECT dialect, verdicts FROM landing"):
            tally[dialect, "waiting"] += len(verdicts) - verdicts.count(REJECTED)
    finally:
        queue.execute("COMMIT")
    for dialect, present, distinct in _stored(events_table, version):
        tally[dialect, "present"] = present
        tally[dialect, "distinct"] = distinct
    dialects = sorted({dialect for dialect, _ in tally})
    kinds = [name for name in Reconciliation.__slots__ if name != "dialect"]
    return [Reconciliation(each, **{kind: tally[each, kind] for kind in kinds}) for each in dialects]


def _stored(events_table: Path, version: int) -> list[tuple[Any, ...]]:
    import duckdb

    files = data_files(open_table(events_table, version), "event_date")
    if not files:
        return []
    listed = ", ".join("'" + str(events_table / file.path).replace("'", "''") + "'" for file in files)
    with duckdb.connect(config={"threads": 1}) as connection:
        return connection.execute(
            "SELECT split_part(source, ':', 1), count(*), count(DISTINCT (source, event_id)) "
            f"FROM read_parquet([{listed}], union_by_name = true) GROUP BY 1"
        ).fetchall()
