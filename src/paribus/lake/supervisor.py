"""The process that writes the lake, started, answered, and started again when it dies."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from paribus.errors import StorageError
from paribus.lake.background import Health
from paribus.lake.landing import Landing, Note
from paribus.lake.link import Link, LinkLost
from paribus.lake.queue_rows import Span
from paribus.lake.writer_lock import WriterLock

_log = logging.getLogger(__name__)

TELL_SECONDS = 0.1
READY_SECONDS = 120.0
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 30.0
_LIVED_WELL = 60.0
_ENDING_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class State:
    """What the process last said of itself.

    Attributes:
        untyped: values left out of their typed column, by property.
        gauges: numbers of those who listen to the flush.
    """

    health: Health
    untyped: Counter[str] = field(default_factory=Counter)
    gauges: Mapping[str, float] = field(default_factory=dict)


class Supervisor:
    """Starts the process, answers it, and starts it again with a pause that doubles; until `stop`.

    It holds the folder's lock together with this process: none other can have it before both are gone.

    Args:
        command: what runs the process; three numbers are added: the descriptors of the connection and of the lock, and
            the id of this process.
        setup: its first message.
        erase_also: asked by the process during an erasure.
    """

    def __init__(
        self,
        command: Sequence[str],
        setup: object,
        *,
        landing: Landing,
        lock: WriterLock,
        erase_also: Sequence[Callable[[Sequence[str]], object]],
    ) -> None:
        self._command = tuple(command)
        self._setup = setup
        self._landing = landing
        self._lock = lock
        self._erase_also = erase_also
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._link: Link | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._is_ready = False
        self._error: str | None = None
        self._before = (0, 0)  # flushes and events of processes that died
        self._state = State(Health(True, None, 0, 0))
        self.restarts = 0
        self._threads = [
            threading.Thread(target=self._supervise, name="paribus-writer", daemon=True),
            threading.Thread(target=self._forward, name="paribus-arrivals", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def health(self) -> Health:
        """How the writer does; one that is being started counts as alive, one that died says so until it is back."""
        said, (flushes, events) = self._state.health, self._before
        is_alive = self._landing.is_alive and said.is_alive and all(thread.is_alive() for thread in self._threads)
        return Health(is_alive, self._error or said.last_error, flushes + said.flushes, events + said.events)

    @property
    def state(self) -> State:
        """What the process that runs now last said."""
        return self._state

    @property
    def pid(self) -> int | None:
        """The process that runs now."""
        return None if self._process is None else self._process.pid

    def ready_link(self, *, after_loss: bool = False) -> Link:
        """The connection to a process that has its tables open, awaited; to another than before `after_loss`.

        Raises:
            StorageError: there is none after two minutes, or the process is being stopped.
        """
        end = time.monotonic() + READY_SECONDS
        with self._changed:
            if after_loss:
                self._is_ready = False
            while not self._is_ready or self._link is None:
                if self._stopping.is_set() or not self._changed.wait(end - time.monotonic()):
                    raise _not_running()
            return self._link

    def stop(self, *, drain: bool) -> None:
        """Ends the process, after it has moved what waits when `drain`; on return it is gone.

        Raises:
            StorageError: it died or failed before it was done; what waits is still in the queue.
        """
        self._stopping.set()
        self._landing.arrived.set()
        with self._changed:
            self._changed.notify_all()
            process, link, is_ready = self._process, self._link, self._is_ready
        is_needed = drain and self._landing.events_waiting > 0
        try:
            if link is not None and (is_ready or is_needed):
                link.call("stop", drain)
                process = None
            elif is_needed:
                raise _not_running()
        finally:
            if process is not None:
                process.kill()
            if link is not None:
                link.shut()
            for thread in self._threads:
                thread.join()

    def _supervise(self) -> None:
        """Starts processes one after the other; each is answered by this thread, and gone before the next begins."""
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                status = self._serve_one()
            except OSError as failure:
                status = str(failure)
            if self._stopping.is_set():
                return
            if time.monotonic() - began > _LIVED_WELL:
                pause = _FIRST_PAUSE
            self.restarts += 1
            self._error = f"the process that writes the lake ended ({status}); it is started again"
            _log.error("%s in %.1f s; nothing is lost, events wait in the landing queue", self._error, pause)
            self._stopping.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _serve_one(self) -> str:
        """How the process ended, once it has."""
        ours, theirs = socket.socketpair()
        descriptors = (theirs.fileno(), self._lock.descriptor)
        try:
            process = subprocess.Popen(  # noqa: S603 - our own module
                [*self._command, *map(str, descriptors), str(os.getpid())],
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        connection = Connection(ours.detach())
        link = Link(
            connection,
            {
                "run": self._landing.run,
                "remove": self._remove,
                "raise_ids": self._landing.raise_ids,
                "last_id": lambda: self._landing.last_id,
                "path": lambda: self._landing.path,
                "scrub": self._landing.scrub,
                "erase_also": self._erase_elsewhere,
                "state": self._take,
                "log": _logged,
            },
            in_order=("run", "remove", "raise_ids", "last_id", "path"),
        )
        with suppress(OSError):
            connection.send(self._setup)
        with self._changed:
            self._process, self._link = process, link
        if self._stopping.is_set():
            process.kill()
        link.listen()
        with self._changed:
            self._link, self._is_ready = None, False
        link.close()
        try:
            status = process.wait(_ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
        with self._changed:
            said, (flushes, events) = self._state.health, self._before
            self._before = (flushes + said.flushes, events + said.events)
            self._state = State(Health(True, None, 0, 0))
            self._process = None
        return f"signal {-status}" if status < 0 else f"status {status}"

    def _forward(self) -> None:
        """Tells the process that rows have arrived, at most ten times a second and never without reason."""
        arrived = self._landing.arrived
        while not self._stopping.is_set():
            arrived.wait()
            arrived.clear()
            link = self._link
            if link is not None:
                with suppress(LinkLost):
                    link.tell("arrived", self._landing.events_waiting)
            self._stopping.wait(TELL_SECONDS)

    def _remove(self, span: Span, note: Note) -> int:
        self._landing.remove_span(span, note)
        return self._landing.events_waiting

    def _erase_elsewhere(self, ids: Sequence[str]) -> None:
        for erase in self._erase_also:
            erase(ids)

    def _take(self, state: State) -> None:
        """The process says how it does; the first time, that it is ready."""
        with self._changed:
            self._state = state
            if not self._is_ready:
                self._is_ready, self._error = True, None
                self._changed.notify_all()
                self._landing.arrived.set()


def _not_running() -> StorageError:
    return StorageError(
        "the process that writes the lake does not run",
        rule="what was acknowledged stays in the landing queue until the lake holds it",
        fix="see the server's log",
    )


def _logged(name: str, level: int, message: str) -> None:
    logger = logging.getLogger(name)
    if logger.isEnabledFor(level):
        logger.log(level, "%s", message)
