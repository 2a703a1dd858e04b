"""The tables' writer in a process of its own, as that process sees itself."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cached_property
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from paribus.clock import Clock
from paribus.lake.background import UPKEEP_SECONDS, Background
from paribus.lake.link import Link, LinkLost
from paribus.lake.notes import FlushNote
from paribus.lake.queue_rows import Span, read_rows
from paribus.lake.record import Decode, LandingRow
from paribus.lake.supervisor import State
from paribus.lake.table_writer import TableWriter

_log = logging.getLogger(__name__)

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_STATE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Rooms:
    """What other rooms give to the writer of the tables.

    Attributes:
        decode: makes records of landing rows; other rooms may listen through it.
        erase_also: called with erased ids.
        start, stop: called once the tables are open, and after the last flush.
        gauges: numbers of those who listen.
    """

    decode: Decode
    erase_also: Sequence[Callable[[Sequence[str]], object]]
    start: Callable[[], object]
    stop: Callable[[], object]
    gauges: Callable[[], Mapping[str, float]]


class LandingAcross:
    """The landing queue of the parent: rows are read from the file, everything else is asked for."""

    is_remote = False
    is_alive = True

    def __init__(self, link: Link) -> None:
        self.arrived = threading.Event()
        self.events_waiting = 0
        self._link = link

    @cached_property
    def path(self) -> Path:
        """The queue's file."""
        return Path(self._link.call("path"))

    @property
    def last_id(self) -> int:
        """The id of the newest row ever appended."""
        return int(self._link.call("last_id"))

    def read(self, *, after: int, max_events: int, max_bytes: int = 256 << 20) -> list[LandingRow]:
        """The oldest rows with an id above `after`; see `Landing.read`."""
        return read_rows(self.path, after, max_events, max_bytes)

    def remove(self, rows: Sequence[LandingRow], note: FlushNote) -> None:
        """Has rows deleted that the lake holds durably; see `Landing.remove`."""
        self.events_waiting = self._link.call("remove", Span.of(rows), note)

    def run(self, work: Callable[[Any], Any]) -> Any:
        """What `work` returns, run by the parent in a transaction; a function of a module with plain values."""
        return self._link.call("run", work)

    def raise_ids(self, last_id: int) -> None:
        """See `Landing.raise_ids`."""
        self._link.call("raise_ids", last_id)

    def scrub(self) -> None:
        """See `Landing.scrub`."""
        self._link.call("scrub")


@dataclass(frozen=True, slots=True)
class _Work:
    writer: TableWriter
    background: Background
    rooms: Rooms


class WriterBeside:
    """The process: made by `main` of some room from what its parent passed, it runs until the parent is done or gone.

    Args:
        arguments: descriptors of the connection and of the lock, and the parent's id, as `WriterProcess` gave them.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        descriptor, self._lock, parent = map(int, arguments)
        for number in (signal.SIGINT, signal.SIGTERM):  # of a terminal or a supervisor: the parent ends this process
            signal.signal(number, signal.SIG_IGN)
        _die_with(parent)
        connection = Connection(descriptor)
        self.setup: Any = connection.recv()
        self._opened: Future[_Work] = Future()
        self._stopping = threading.Event()
        self._link = Link(connection, {"write": self._write, "stop": self._stop, "arrived": self._arrived})
        self.landing = LandingAcross(self._link)
        """The queue of the parent."""
        threading.Thread(target=self._listen, name="paribus-link", daemon=True).start()

    def run(self, folder: Path, rooms: Rooms, *, clock: Clock, flush_seconds: float, max_events: int) -> None:
        """Opens the tables, flushes and keeps them up; returns after `stop`.

        Raises:
            StorageError: a table cannot be used.
        """
        logging.getLogger().addHandler(_Told(self._link))
        writer = TableWriter(
            folder,
            self.landing,
            clock=clock,
            decode=rooms.decode,
            erase_also=[*rooms.erase_also, lambda ids: self._link.call("erase_also", ids)],
            max_events=max_events,
        )
        for table, repaired in writer.repairs.items():
            if repaired.reason:
                _log.warning("repaired %s: %s", table, repaired.reason)
        rooms.start()
        background = Background(writer, self.landing, flush_seconds, UPKEEP_SECONDS, max_events)
        self._opened.set_result(_Work(writer, background, rooms))
        said: State | None = None
        while not self._stopping.is_set():
            state = State(background.health, writer.untyped.copy(), rooms.gauges())
            if state != said:
                self._link.tell("state", state)
                said = state
            self._stopping.wait(_STATE_SECONDS)

    def _write(self, name: str, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """What a method of `Writing` returns, once the tables are open."""
        return getattr(self._opened.result().writer, name)(*given, **named)

    def _arrived(self, events_waiting: int) -> None:
        self.landing.events_waiting = events_waiting
        if events_waiting:
            self.landing.arrived.set()

    def _stop(self, drain: bool) -> None:
        work = self._opened.result()
        work.background.stop()
        if drain:
            work.writer.drain()
        work.rooms.stop()
        self._stopping.set()

    def _listen(self) -> None:
        self._link.listen()
        if not self._stopping.is_set():
            os._exit(1)  # the parent is gone: every moment is as good as any to end


class _Told(logging.Handler):
    """Sends what is logged to the parent, which has the log."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link

    def emit(self, record: logging.LogRecord) -> None:
        """Sends one line."""
        try:
            self._link.tell("log", record.name, record.levelno, self.format(record))
        except LinkLost:
            return


def _die_with(parent: int) -> None:
    """Has the system end this process when its parent dies, where it can; the closed connection does it elsewhere."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
