"""The lake of a data folder, opened by the one process that writes it."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

from paribus.clock import Clock
from paribus.errors import InputError
from paribus.lake.background import FLUSH_SECONDS, UPKEEP_SECONDS, Background, Health
from paribus.lake.columns import EVENT_COLUMNS, EVENT_STATISTICS, QUARANTINE_COLUMNS, QUARANTINE_STATISTICS
from paribus.lake.compaction import Compacted, Rewriter, compact
from paribus.lake.erasure import Erased, Erasure
from paribus.lake.flusher import Flushed, Flusher
from paribus.lake.landing import QUEUE_FILE, Landing, open_landing
from paribus.lake.notes import durable_version, note_remote, note_version, reset_version
from paribus.lake.reading import EVENTS_TABLE, QUARANTINE_TABLE, LakeReader
from paribus.lake.record import Decode
from paribus.lake.removal import reset_tally, tally_removed
from paribus.lake.repair import Repair, repair
from paribus.lake.retention import Expired, expire
from paribus.lake.table import Table
from paribus.lake.writer_lock import WriterLock

READER_RETENTION_HOURS = 1
_UNREADABLE = frozenset("[]^|\\")
COMPACT_FILES = 150
COMPACT_BYTES = 256 << 20
SETTLE_SECONDS = 6 * 3600.0
VACUUM_SECONDS = 1800.0


class Lake(LakeReader):
    """The lake, held for writing: flush, compaction, retention, erasure; reading as `LakeReader`.

    Every way to open it takes the folder's writer lock first, then repairs what a loss of power left behind.
    """

    def __init__(
        self,
        folder: Path,
        *,
        clock: Clock,
        decode: Decode,
        lock: WriterLock,
        owns_lock: bool,
        landing: Landing,
        events: Table,
        quarantine: Table,
        repairs: dict[str, Repair],
        max_events: int,
    ) -> None:
        super().__init__(folder, clock=clock)
        self.landing = landing
        self.repairs = repairs
        self._lock = lock
        self._owns_lock = owns_lock
        self._events = events
        self._quarantine = quarantine
        spill = folder / "lake" / "spill"
        self._rewriters = tuple(Rewriter(table, spill=spill) for table in (events, quarantine))
        self._flusher = Flusher(landing, events, quarantine, decode=decode, clock=clock, max_events=max_events)
        self._max_events = max_events
        self.erase_also: list[Callable[[Sequence[str]], object]] = []
        self._background: Background | None = None
        self._next_settling = self._next_vacuum = 0.0

    @classmethod
    def open(
        cls,
        folder: str | Path,
        *,
        clock: Clock,
        decode: Decode,
        lock: WriterLock | None = None,
        landing_url: str | None = None,
        max_events: int = 20_000,
        max_queue_bytes: int = 4 << 30,
        min_free_bytes: int = 64 << 20,
    ) -> Lake:
        """The lake of the folder, made when it does not exist.

        Args:
            lock: the folder's writer lock when the caller holds it already; taken here otherwise.
            landing_url: `kafka://host:port/topic` to land there; by default in the folder.
            max_events: events of one flush.
            max_queue_bytes, min_free_bytes: limits of the landing queue.

        Raises:
            InputError: the folder's path has a character that delta-rs cannot read.
            LockedError: another process writes the folder.
            StorageError: the folder cannot be used.
        """
        folder = Path(folder)
        if bad := _UNREADABLE & set(str(folder.resolve())):
            raise InputError(
                f"the path of the data folder has the character {min(bad)!r}, which the table's library cannot read",
                where=str(folder),
                fix="name a folder without any of " + " ".join(sorted(_UNREADABLE)),
            )
        held = lock or WriterLock.acquire(folder, clock=clock)
        landing: Landing | None = None
        try:
            shutil.rmtree(folder / "lake" / "spill", ignore_errors=True)
            landing = open_landing(
                landing_url or folder / QUEUE_FILE,
                clock=clock,
                notes=folder / QUEUE_FILE,
                max_bytes=max_queue_bytes,
                min_free_bytes=min_free_bytes,
            )
            _note_remote(landing)
            repairs: dict[str, Repair] = {}
            events = _open_table(folder, EVENTS_TABLE, landing, repairs, EVENT_COLUMNS, "event_date", EVENT_STATISTICS)
            quarantine = _open_table(
                folder, QUARANTINE_TABLE, landing, repairs, QUARANTINE_COLUMNS, "received_date", QUARANTINE_STATISTICS
            )
            lake = cls(
                folder,
                clock=clock,
                decode=decode,
                lock=held,
                owns_lock=lock is None,
                landing=landing,
                events=events,
                quarantine=quarantine,
                repairs=repairs,
                max_events=max_events,
            )
            lake._settle()
        except BaseException:
            if landing is not None:
                landing.close()
            if lock is None:
                held.release()
            raise
        return lake

    def flush(self) -> Flushed:
        """Moves the oldest waiting events to the table; see `Flusher.flush`."""
        return self._flusher.flush()

    def drain(self) -> int:
        """Moves all events that wait now; the table's version after it."""
        return self._flusher.drain()

    def compact(self, day: date | None = None, *, is_full: bool = False, min_files: int = 2) -> Compacted:
        """Sorts and joins a day's small files (or all its files), of every day by default; counts the events'."""
        least, most = (1, None) if is_full else (min_files, COMPACT_BYTES)
        events, quarantine = self._rewriters
        done = compact(events, day=day, min_files=least, max_bytes=most)
        compact(quarantine, day=day, min_files=min_files, max_bytes=COMPACT_BYTES)
        self._settle()
        self._events.checkpoint()
        self._quarantine.checkpoint()
        return done

    def vacuum(self, *, retention_hours: int = READER_RETENTION_HOURS) -> int:
        """The number of files deleted: those that no version of the last hours reads."""
        with self._rewriters[0].exclusive, self._rewriters[1].exclusive:
            deleted = sum(
                len(table.vacuum(retention_hours=retention_hours)) for table in (self._events, self._quarantine)
            )
        self._settle()
        return deleted

    def expire(self, before: date) -> Expired:
        """Drops the days before the date, of events by event date and of quarantine by received date."""
        expired = expire(self._rewriters, before=before)
        self._settle()
        return expired

    def erase(self, ids: list[str], *, request: str = "") -> Erased:
        """Removes everything of the given unit ids, from the tables of `erase_also` too; see `Erasure`."""
        erasure = Erasure(
            self.folder, self._flusher, self.landing, self._rewriters, self._clock, tuple(self.erase_also)
        )
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
        for table in (self._events, self._quarantine):
            small |= Counter(file.day for file in table.files() if file.size < COMPACT_BYTES)
        for day, files in small.items():
            if files >= COMPACT_FILES or (settle_days and day < today and files > 1):
                self.compact(day)
        if settle_days:
            self._next_settling = now + SETTLE_SECONDS
        if now >= self._next_vacuum:
            self.vacuum()
            self._next_vacuum = now + VACUUM_SECONDS
        self._events.checkpoint()
        self._quarantine.checkpoint()

    def start(self, *, flush_seconds: float = FLUSH_SECONDS, upkeep_seconds: float = UPKEEP_SECONDS) -> None:
        """Runs flush and upkeep in threads of their own until `close`."""
        self._background = Background(
            self, flush_seconds=flush_seconds, upkeep_seconds=upkeep_seconds, max_events=self._max_events
        )

    @property
    def untyped(self) -> Counter[str]:
        """Values left out of their typed column since the start, by property: of another type than the column."""
        return self._flusher.untyped

    @property
    def health(self) -> Health:
        """How the writer does; its threads count as alive before `start`."""
        if self._background is None:
            return Health(self.landing.is_alive, None, 0, 0)
        return self._background.health

    def close(self, *, drain: bool = True) -> None:
        """Stops the threads, moves what waits to the table, closes the queue and gives the lock back."""
        if self._background is not None:
            self._background.stop()
            self._background = None
        try:
            if drain and self.landing.is_alive:
                self.drain()
        finally:
            self.landing.close()
            if self._owns_lock:
                self._lock.release()

    def __enter__(self) -> Lake:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _settle(self) -> None:
        """Notes durable versions and the rows that maintenance removed."""
        versions = {"events": self._events.settle(), "quarantine": self._quarantine.settle()}
        tally_removed(self.landing, self._events.path, versions["events"])

        def note(connection: sqlite3.Connection) -> None:
            for name, version in versions.items():
                note_version(connection, name, version)

        self.landing.run(note)


def _note_remote(landing: Landing) -> None:
    landing.run(lambda connection: note_remote(connection, landing.is_remote))


def _open_table(
    folder: Path,
    name: str,
    landing: Landing,
    repairs: dict[str, Repair],
    columns: dict[str, str],
    partition: str,
    statistics: tuple[str, ...],
) -> Table:
    path = folder / name
    durable = landing.run(lambda connection: durable_version(connection, path.name))
    repairs[path.name] = repair(path, durable, folder / "lake" / "damaged")
    table = Table(path, columns=columns, partition=partition, statistics=statistics, synced=durable)
    if table.version < durable:
        landing.run(lambda connection: reset_version(connection, path.name, table.version))
        landing.run(lambda connection: reset_tally(connection, table.version) if name == EVENTS_TABLE else None)
    return table
