"""The thread that owns the queue's writing connection: many appends, one transaction, one sync of the disk."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from paribus.errors import StorageError
from paribus.lake.queue_schema import connect, storage_error
from paribus.lake.record import LandingRow

_ROWS_PER_COMMIT = 2_000
LINGER_SECONDS = 0.004
"""From one commit to the next while several senders keep appending: a commit costs as much as five appends."""


@dataclass(frozen=True, slots=True)
class Append:
    """Rows that wait for their commit, and who waits for them; `loop` when it is a coroutine."""

    rows: Sequence[LandingRow]
    done: Future[int] | asyncio.Future[int]
    loop: asyncio.AbstractEventLoop | None


@dataclass(frozen=True, slots=True)
class _Task:
    run: Callable[[sqlite3.Connection], Any]
    done: Future[Any]
    in_transaction: bool


class Writer(Protocol):
    """What the thread asks of the queue it commits for."""

    def write(self, connection: sqlite3.Connection, group: Sequence[Append]) -> int:
        """Writes the rows in the open transaction; the id of the first."""

    def settle(self, group: Sequence[Append], is_committed: bool) -> None:
        """Told what became of a group, before its senders are."""


class CommitThread:
    """Runs appends in groups and other work one by one, each in a transaction, until `close`.

    Raises:
        StorageError: the file cannot be opened.
    """

    def __init__(self, path: Path, writer: Writer) -> None:
        self._path = path
        self._writer = writer
        self._work: queue.SimpleQueue[Append | _Task | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._is_closed = False
        self._lingers = False
        self._next_commit = 0.0
        self._connection = connect(path)
        self._thread = threading.Thread(target=self._serve, name="paribus-landing", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def put(self, item: Append | _Task) -> None:
        """Takes work; its future is set when it is done.

        Raises:
            StorageError: the thread was closed.
        """
        with self._closing:
            if self._is_closed:
                raise StorageError("the landing queue is closed", where=str(self._path))
            self._work.put(item)

    def run(self, work: Callable[[sqlite3.Connection], Any], *, in_transaction: bool) -> Any:
        """What `work` returns, durable on return; what it raises, with nothing written."""
        done: Future[Any] = Future()
        self.put(_Task(work, done, in_transaction))
        return done.result()

    def close(self) -> None:
        """Does what was put and ends; no-op the second time."""
        with self._closing:
            if self._is_closed:
                return
            self._is_closed = True
            self._work.put(None)
        self._thread.join()
        self._connection.close()

    def _serve(self) -> None:
        item = self._work.get()
        while item is not None:
            if isinstance(item, _Task):
                self._perform(item)
                item = self._work.get()
            else:
                group, following = self._gathered(item)
                self._commit(group)
                item = self._work.get() if following is _NOTHING else following  # type: ignore[assignment]

    def _gathered(self, first: Append) -> tuple[list[Append], object]:
        """The appends that wait already, and the other item that ended the search.

        While several senders are busy, the group is given time to grow since the last commit; a sender that is alone
        waits for its answer before it sends again, and is not made to wait for nobody.
        """
        group = [first]
        rows = len(first.rows)
        following: object = _NOTHING
        end = self._next_commit if self._lingers else 0.0
        while rows < _ROWS_PER_COMMIT:
            wait = end - time.monotonic()
            try:
                item = self._work.get(timeout=wait) if wait > 0 else self._work.get_nowait()
            except queue.Empty:
                break
            if not isinstance(item, Append):
                following = item
                break
            group.append(item)
            rows += len(item.rows)
        self._lingers = len(group) > 1
        self._next_commit = time.monotonic() + LINGER_SECONDS
        return group, following

    def _perform(self, task: _Task) -> None:
        connection = self._connection
        try:
            if task.in_transaction:
                connection.execute("BEGIN IMMEDIATE")
            answer = task.run(connection)
            if task.in_transaction:
                connection.execute("COMMIT")
        except sqlite3.Error as failure:
            self._roll_back()
            task.done.set_exception(storage_error(failure, self._path))
        except BaseException as failure:  # noqa: BLE001 - handed to the caller that waits for it
            self._roll_back()
            task.done.set_exception(failure)
        else:
            task.done.set_result(answer)

    def _commit(self, group: list[Append]) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            first = self._writer.write(self._connection, group)
            self._connection.execute("COMMIT")
        except (sqlite3.Error, StorageError) as failure:
            self._roll_back()
            self._writer.settle(group, is_committed=False)
            _answer(group, 0, failure if isinstance(failure, StorageError) else storage_error(failure, self._path))
        except Exception as failure:  # noqa: BLE001 - a value that cannot be stored; the others of the group can
            self._roll_back()
            if len(group) > 1:
                for item in group:
                    self._commit([item])
                return
            self._writer.settle(group, is_committed=False)
            _answer(group, 0, failure)
        else:
            self._writer.settle(group, is_committed=True)
            _answer(group, first, None)

    def _roll_back(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._reopen()

    def _reopen(self) -> None:
        try:
            self._connection.close()
            self._connection = connect(self._path)
        except (sqlite3.Error, StorageError):
            return  # the next statement fails and says why


_NOTHING = object()


def _answer(group: Sequence[Append], first: int, failure: Exception | None) -> None:
    """Sets the futures; those of one event loop with one wake-up."""
    waiting: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[int], int]]] = {}
    last = first - 1
    for item in group:
        last += len(item.rows)
        if item.loop is not None:
            waiting.setdefault(item.loop, []).append((item.done, last))  # type: ignore[arg-type]
        elif failure is None:
            item.done.set_result(last)
        else:
            item.done.set_exception(failure)
    for loop, futures in waiting.items():
        try:
            loop.call_soon_threadsafe(_resolve, futures, failure)
        except RuntimeError:  # the loop ended; nobody waits
            continue


def _resolve(futures: list[tuple[asyncio.Future[int], int]], failure: Exception | None) -> None:
    for future, last in futures:
        if future.cancelled():
            continue
        if failure is None:
            future.set_result(last)
        else:
            future.set_exception(failure)
