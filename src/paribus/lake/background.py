"""The writer's threads: flush what has gathered, compact and clean up."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from paribus.errors import ParibusError
from paribus.lake.queue_rows import checkpoint

if TYPE_CHECKING:
    from paribus.lake.table_writer import Writing

_log = logging.getLogger(__name__)

FLUSH_SECONDS = 2.0
UPKEEP_SECONDS = 60.0
_LONGEST_PAUSE = 60.0


@dataclass(frozen=True, slots=True)
class Health:
    """How the writer does: threads alive, the last error in words (None once it is over), flushes, events moved."""

    is_alive: bool
    last_error: str | None
    flushes: int
    events: int


class Arrivals(Protocol):
    """What the threads ask of the queue."""

    @property
    def path(self) -> Path:
        """Its file."""

    @property
    def is_alive(self) -> bool:
        """Whether it takes and gives."""

    @property
    def arrived(self) -> threading.Event:
        """Set when something is there to be flushed."""

    @property
    def events_waiting(self) -> int:
        """Events that no flush has taken away yet."""


class Background:
    """Runs flush and upkeep in two threads until `stop`. A failure is logged and tried again, more slowly."""

    def __init__(
        self, writer: Writing, landing: Arrivals, flush_seconds: float, upkeep_seconds: float, max_events: int
    ) -> None:
        self._writer = writer
        self._landing = landing
        self._flush_seconds = flush_seconds
        self._max_events = max_events
        self._stopping = threading.Event()
        self._errors: dict[str, str] = {}
        self._flushes = self._events = 0
        self._threads = [
            threading.Thread(target=self._flush_loop, name="paribus-flush", daemon=True),
            threading.Thread(target=self._upkeep_loop, args=(upkeep_seconds,), name="paribus-upkeep", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def health(self) -> Health:
        """How the threads do."""
        is_alive = self._landing.is_alive and all(thread.is_alive() for thread in self._threads)
        return Health(is_alive, next(iter(self._errors.values()), None), self._flushes, self._events)

    def stop(self) -> None:
        """Ends both threads; what they are doing is finished first."""
        self._stopping.set()
        self._landing.arrived.set()
        for thread in self._threads:
            thread.join()

    def _flush_loop(self) -> None:
        arrived = self._landing.arrived
        pause = self._flush_seconds
        if self._landing.events_waiting:
            arrived.set()
        while not self._stopping.is_set():
            arrived.wait()
            arrived.clear()
            self._gather()
            if self._stopping.is_set():
                return
            if self._try("flush", self._flush):
                pause = self._flush_seconds
            else:
                self._stopping.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            if self._landing.events_waiting:
                arrived.set()

    def _gather(self) -> None:
        """Waits until a flush is full or its time has come."""
        end = time.monotonic() + self._flush_seconds
        while time.monotonic() < end and self._landing.events_waiting < self._max_events:
            if self._stopping.wait(self._flush_seconds / 20):
                return

    def _flush(self) -> None:
        moved = self._writer.flush()
        if moved.rows:
            checkpoint(self._landing.path)
        self._flushes += 1
        self._events += moved.events

    def _upkeep_loop(self, seconds: float) -> None:
        while not self._stopping.wait(seconds):
            self._try("upkeep", self._writer.maintain)

    def _try(self, name: str, work: Callable[[], object]) -> bool:
        try:
            work()
        except Exception as failure:  # noqa: BLE001 - intake and the other thread go on
            self._errors[name] = str(failure)
            is_known = isinstance(failure, ParibusError)
            said = "%s failed; it is tried again, nothing is lost meanwhile: %s"
            _log.error(said, name, failure, exc_info=None if is_known else failure)
            return False
        self._errors.pop(name, None)
        return True
