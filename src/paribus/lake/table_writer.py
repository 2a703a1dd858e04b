"""The hand that writes the tables: flush, compaction, retention, erasure, upkeep; in whatever process it lives."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Protocol

from paribus.clock import Clock
from paribus.lake.columns import EVENT_COLUMNS, EVENT_STATISTICS, QUARANTINE_COLUMNS, QUARANTINE_STATISTICS
from paribus.lake.compaction import Compacted, Rewriter, compact
from paribus.lake.erasure import Erased, Erasure
from paribus.lake.flusher import Flushed, Flusher, Queue
from paribus.lake.notes import durable_version, note_versions, reset_version
from paribus.lake.reading import EVENTS_TABLE, QUARANTINE_TABLE
from paribus.lake.record import Decode
from paribus.lake.removal import reset_tally, tally_removed
from paribus.lake.repair import Repair, repair
from paribus.lake.retention import Expired, expire
from paribus.lake.table import Table

READER_RETENTION_HOURS = 1
COMPACT_FILES = 150
COMPACT_BYTES = 256 << 20
SETTLE_SECONDS = 6 * 3600.0
VACUUM_SECONDS = 1800.0


class Writing(Protocol):
    """What can be done to the tables, here or in a process beside."""

    @property
    def untyped(self) -> Counter[str]:
        """Values left out of their typed column since the start, by property."""

    def flush(self) -> Flushed:
        """Moves the oldest waiting events to the table."""

    def drain(self) -> int:
        """Moves all events that wait now; the table's version after it."""

    def compact(self, day: date | None = None, *, is_full: bool = False, min_files: int = 2) -> Compacted:
        """Sorts and joins a day's small files."""

    def vacuum(self, *, retention_hours: int = READER_RETENTION_HOURS) -> int:
        """The number of files deleted."""

    def expire(self, before: date) -> Expired:
        """Drops the days before the date."""

    def erase(self, ids: list[str], *, request: str = "") -> Erased:
        """Removes everything of the given unit ids."""

    def maintain(self) -> None:
        """The upkeep that is due."""


class TableWriter:
    """Both tables of a folder, opened for writing by the holder of its writer lock, and repaired first.

    Args:
        landing: the queue that is flushed.
        erase_also: called with erased ids, for tables derived from the events.

    Raises:
        StorageError: a table cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        landing: Queue,
        *,
        clock: Clock,
        decode: Decode,
        erase_also: Sequence[Callable[[Sequence[str]], object]],
        max_events: int,
    ) -> None:
        self.landing = landing
        self.erase_also = erase_also
        self.max_events = max_events
        self.repairs: dict[str, Repair] = {}
        self._folder = folder
        self._clock = clock
        shutil.rmtree(folder / "lake" / "spill", ignore_errors=True)
        self.events = self._open(EVENTS_TABLE, EVENT_COLUMNS, "event_date", EVENT_STATISTICS)
        self.quarantine = self._open(QUARANTINE_TABLE, QUARANTINE_COLUMNS, "received_date", QUARANTINE_STATISTICS)
        spill = folder / "lake" / "spill"
        self.rewriters = tuple(Rewriter(table, spill=spill) for table in (self.events, self.quarantine))
        self.flusher = Flusher(landing, self.events, self.quarantine, decode=decode, clock=clock, max_events=max_events)
        self._next_settling = self._next_vacuum = 0.0
        self._settle()

    @property
    def untyped(self) -> Counter[str]:
        """Values left out of their typed column since the start, by property: of another type than the column."""
        return self.flusher.untyped

    def flush(self) -> Flushed:
        """Moves the oldest waiting events to the table; see `Flusher.flush`."""
        return self.flusher.flush()

    def drain(self) -> int:
        """Moves all events that wait now; the table's version after it."""
        return self.flusher.drain()

    def compact(self, day: date | None = None, *, is_full: bool = False, min_files: int = 2) -> Compacted:
        """Sorts and joins a day's small files (or all its files), of every day by default; counts the events'."""
        least, most = (1, None) if is_full else (min_files, COMPACT_BYTES)
        events, quarantine = self.rewriters
        done = compact(events, day=day, min_files=least, max_bytes=most)
        compact(quarantine, day=day, min_files=min_files, max_bytes=COMPACT_BYTES)
        self._settle()
        self.events.checkpoint()
        self.quarantine.checkpoint()
        return done

    def vacuum(self, *, retention_hours: int = READER_RETENTION_HOURS) -> int:
        """The number of files deleted: those that no version of the last hours reads."""
        with self.rewriters[0].exclusive, self.rewriters[1].exclusive:
            deleted = sum(
                len(table.vacuum(retention_hours=retention_hours)) for table in (self.events, self.quarantine)
            )
        self._settle()
        return deleted

    def expire(self, before: date) -> Expired:
        """Drops the days before the date, of events by event date and of quarantine by received date."""
        expired = expire(self.rewriters, before=before)
        self._settle()
        return expired

    def erase(self, ids: list[str], *, request: str = "") -> Erased:
        """Removes everything of the given unit ids, from the tables of `erase_also` too; see `Erasure`."""
        erasure = Erasure(self._folder, self.flusher, self.landing, self.rewriters, self._clock, tuple(self.erase_also))
        erased = erasure.erase(ids, request)
        self._settle()
        return erased

    def maintain(self) -> None:
        """Compacts what has gathered, deletes files that nobody reads, shortens the logs; cheap when nothing is due.

        A day is compacted when it has gathered many files, and days that are over also when they have more than one
        small file, once in a few hours.
        """
        now = time.monotonic()
        settle_days = now >= self._next_settling
        today = self._clock().date()
        small: Counter[date] = Counter()
        for table in (self.events, self.quarantine):
            small |= Counter(file.day for file in table.files() if file.size < COMPACT_BYTES)
        for day, files in small.items():
            if files >= COMPACT_FILES or (settle_days and day < today and files > 1):
                self.compact(day)
        if settle_days:
            self._next_settling = now + SETTLE_SECONDS
        if now >= self._next_vacuum:
            self.vacuum()
            self._next_vacuum = now + VACUUM_SECONDS
        self.events.checkpoint()
        self.quarantine.checkpoint()

    def _settle(self) -> None:
        """Notes durable versions and the rows that maintenance removed."""
        versions = {"events": self.events.settle(), "quarantine": self.quarantine.settle()}
        tally_removed(self.landing, self.events.path, versions["events"])
        self.landing.run(partial(note_versions, versions=versions))

    def _open(self, name: str, columns: dict[str, str], partition: str, statistics: tuple[str, ...]) -> Table:
        path = self._folder / name
        durable = self.landing.run(partial(durable_version, table=path.name))
        self.repairs[path.name] = repair(path, durable, self._folder / "lake" / "damaged")
        table = Table(path, columns=columns, partition=partition, statistics=statistics, synced=durable)
        if table.version < durable:
            self.landing.run(partial(reset_version, table=path.name, version=table.version))
            if name == EVENTS_TABLE:
                self.landing.run(partial(reset_tally, version=table.version))
        return table
