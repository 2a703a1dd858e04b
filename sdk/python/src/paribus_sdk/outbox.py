"""From the caller's thread to the spool: the hot path appends to a deque, a thread of its own writes it away.

The first event after a pause is on disk within a few milliseconds, others within some hundredths of a second, whether
or not the server can be reached.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from queue import SimpleQueue

from paribus_sdk.counters import Stats
from paribus_sdk.event import Event, encode
from paribus_sdk.spool import Spool

GATHER_SECONDS = 0.02
CHUNK = 500


class Outbox:
    """Events on their way to the spool; at most `limit` of them wait in memory."""

    def __init__(
        self, spool: Spool, stats: Stats, process: str, limit: int, spooled: Callable[[], None] = lambda: None
    ) -> None:
        self.dropped: Counter[str] = Counter()
        """What was dropped since it was last reported, by event name."""
        self._spool = spool
        self._stats = stats
        self._process = process
        self._limit = limit
        self._spooled = spooled
        self._queue: deque[Event] = deque()
        self._wake: SimpleQueue[None] = SimpleQueue()  # (reentrant: an event may be recorded in a signal handler)
        self._awake = False
        self._stopping = False
        self._drain_lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def record(self, event: Event) -> bool:
        """Whether the event was taken; never blocks. False when the queue is full: the event is counted as dropped."""
        queue = self._queue
        if len(queue) >= self._limit:
            self._drop(event.name, 1)
            return False
        queue.append(event)
        if not self._awake:
            self._rouse()
        return True

    def drain(self) -> None:
        """Writes what waits to the spool, in the calling thread."""
        with self._drain_lock:
            queue = self._queue
            while queue:
                events: list[Event] = []
                with contextlib.suppress(IndexError):
                    while len(events) < CHUNK:
                        events.append(queue.popleft())
                self._write(events)

    def close(self) -> None:
        """Writes what waits and ends the thread."""
        self._stopping = True
        self._wake.put(None)
        self.drain()

    def _write(self, events: list[Event]) -> None:
        lines: list[bytes] = []
        names: list[str] = []
        for event in events:
            try:
                lines.append(encode(event, self._process))
                names.append(event.name)
            except Exception as error:  # noqa: BLE001  (properties are the caller's objects: anything may be raised)
                self._drop(str(event.name), 1)
                self._stats.trouble("encoding", f"event {event.name!r} cannot be written as JSON: {error!r}")
        kept = self._spool.append(lines)
        self._stats.recorded += len(events)
        self._stats.spooled += kept
        for name in names[kept:]:
            self._drop(name, 1)
        if kept:
            self._spooled()

    def _drop(self, name: str, count: int) -> None:
        self._stats.dropped += count
        self.dropped[name] += count
        self._stats.trouble("dropped", f"no room for event {name!r}: the spool is full")

    def _rouse(self) -> None:
        self._awake = True
        if self._thread is None and not self._stopping:
            with self._drain_lock:
                if self._thread is None:
                    thread = threading.Thread(target=self._run, name="paribus-outbox", daemon=True)
                    with contextlib.suppress(RuntimeError):  # (the interpreter is ending: `close` drains by itself)
                        thread.start()
                        self._thread = thread
        self._wake.put(None)

    def _run(self) -> None:
        while not self._stopping:
            self._wake.get()
            self._awake = False
            try:
                self.drain()
            except Exception as error:  # noqa: BLE001  (the thread must outlive whatever happens to one batch)
                self._stats.trouble("outbox", f"events could not be written to the spool: {error!r}")
            if not self._stopping:
                time.sleep(GATHER_SECONDS)
