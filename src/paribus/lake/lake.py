"""The lake of a data folder, opened by the one process that writes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from pathlib import Path

from paribus.clock import Clock
from paribus.errors import InputError, ParibusError
from paribus.lake.background import FLUSH_SECONDS, UPKEEP_SECONDS, Background, Health
from paribus.lake.compaction import Compacted
from paribus.lake.erasure import Erased
from paribus.lake.flusher import Flushed
from paribus.lake.landing import Landing, open_landing
from paribus.lake.notes import note_remote
from paribus.lake.queue_schema import QUEUE_FILE
from paribus.lake.reading import LakeReader
from paribus.lake.record import Decode
from paribus.lake.repair import Repair
from paribus.lake.retention import Expired
from paribus.lake.table_writer import READER_RETENTION_HOURS, TableWriter, Writing
from paribus.lake.writer_lock import WriterLock
from paribus.lake.writer_process import WriterProcess

_UNREADABLE = frozenset("[]^|\\")


class Lake(LakeReader):
    """The lake, held for writing: flush, compaction, retention, erasure; reading as `LakeReader`.

    Every way to open it takes the folder's writer lock first, then repairs what a loss of power left behind. The tables
    are written by this process, until `start_beside` gives them to a process of their own.
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
        max_events: int,
    ) -> None:
        self.landing = landing
        self.erase_also: list[Callable[[Sequence[str]], object]] = []
        self._lock = lock
        self._max_events = max_events
        self._owns_lock = owns_lock
        self._write_here = partial(
            TableWriter,
            folder,
            landing,
            clock=clock,
            decode=decode,
            erase_also=self.erase_also,
            max_events=max_events,
        )
        here = self._write_here()
        self.repairs: dict[str, Repair] = here.repairs
        self._writer: Writing = here
        self._background: Background | None = None
        self._beside: WriterProcess | None = None
        super().__init__(folder, clock=clock)

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
            landing = open_landing(
                landing_url or folder / QUEUE_FILE,
                clock=clock,
                notes=folder / QUEUE_FILE,
                max_bytes=max_queue_bytes,
                min_free_bytes=min_free_bytes,
            )
            landing.run(partial(note_remote, is_remote=landing.is_remote))
            return cls(
                folder,
                clock=clock,
                decode=decode,
                lock=held,
                owns_lock=lock is None,
                landing=landing,
                max_events=max_events,
            )
        except BaseException:
            if landing is not None:
                landing.close()
            if lock is None:
                held.release()
            raise

    def flush(self) -> Flushed:
        """Moves the oldest waiting events to the table; see `Flusher.flush`."""
        return self._writer.flush()

    def drain(self) -> int:
        """Moves all events that wait now; the table's version after it."""
        return self._writer.drain()

    def compact(self, day: date | None = None, *, is_full: bool = False, min_files: int = 2) -> Compacted:
        """Sorts and joins a day's small files (or all its files), of every day by default; counts the events'."""
        return self._writer.compact(day, is_full=is_full, min_files=min_files)

    def vacuum(self, *, retention_hours: int = READER_RETENTION_HOURS) -> int:
        """The number of files deleted: those that no version of the last hours reads."""
        return self._writer.vacuum(retention_hours=retention_hours)

    def expire(self, before: date) -> Expired:
        """Drops the days before the date, of events by event date and of quarantine by received date."""
        return self._writer.expire(before)

    def erase(self, ids: list[str], *, request: str = "") -> Erased:
        """Removes everything of the given unit ids, from the tables of `erase_also` too; see `Erasure`."""
        return self._writer.erase(ids, request=request)

    def maintain(self) -> None:
        """The upkeep that is due; see `TableWriter.maintain`."""
        self._writer.maintain()

    def start(self, *, flush_seconds: float = FLUSH_SECONDS, upkeep_seconds: float = UPKEEP_SECONDS) -> None:
        """Runs flush and upkeep in threads of their own until `close`."""
        self._background = Background(self._writer, self.landing, flush_seconds, upkeep_seconds, self._max_events)

    def start_beside(self, command: Sequence[str], setup: object) -> None:
        """Gives the tables to a process of their own, which flushes and keeps them up until `close`; returns at once.

        Args:
            command: what runs it; ends in `paribus.lake.beside.WriterBeside`.
            setup: told to it when it begins; any value that can be pickled.
        """
        self._beside = WriterProcess(command, setup, landing=self.landing, lock=self._lock, erase_also=self.erase_also)
        self._writer = self._beside

    @property
    def untyped(self) -> Counter[str]:
        """Values left out of their typed column since the start, by property: of another type than the column."""
        return self._writer.untyped

    @property
    def health(self) -> Health:
        """How the writer does; it counts as alive before it was started."""
        if self._beside is not None:
            return self._beside.health
        if self._background is not None:
            return self._background.health
        return Health(self.landing.is_alive, None, 0, 0)

    @property
    def beside(self) -> WriterProcess | None:
        """The process that has the tables; None while this one writes them."""
        return self._beside

    def close(self, *, drain: bool = True) -> None:
        """Stops the flush, moves what waits to the table, closes the queue and gives the lock back."""
        if self._background is not None:
            self._background.stop()
            self._background = None
        try:
            self._stop_beside(drain=drain)
            if drain and self.landing.is_alive and self._beside is None:
                self.drain()
        finally:
            self.landing.close()
            if self._owns_lock:
                self._lock.release()

    def __enter__(self) -> Lake:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _stop_beside(self, *, drain: bool) -> None:
        """Ends the process; what it could not flush is left to this one."""
        if self._beside is None:
            return
        try:
            self._beside.stop(drain=drain)
        except ParibusError:
            self._beside = None
            self._writer = self._write_here()
