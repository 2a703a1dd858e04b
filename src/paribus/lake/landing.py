"""The landing queue: a request is on disk before it is acknowledged.

One thread owns the writing connection and commits what has gathered meanwhile as one transaction, so that many senders
share one sync of the disk. Rows leave the queue in the transaction that notes the lake's durable version.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paribus.clock import Clock
from paribus.errors import LimitError, StorageError
from paribus.lake.commit_thread import Append, CommitThread
from paribus.lake.notes import count
from paribus.lake.queue_rows import Span, read_rows
from paribus.lake.queue_schema import QUEUE_FILE
from paribus.lake.record import ACCEPTED, QUARANTINED, REJECTED, UNPLANNED, LandingRow, microseconds

_INSERT = (
    "INSERT INTO landing (id, received_time, dialect, key_id, plan_revision, verdicts, body) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)


@dataclass(frozen=True, slots=True)
class Depth:
    """What waits in the queue.

    Attributes:
        rows, events, bytes: requests, events in them, and bytes of bodies.
        oldest_seconds: age of the oldest row by received time; 0 when the queue is empty.
    """

    rows: int
    events: int
    bytes: int
    oldest_seconds: float


Note = Callable[[sqlite3.Connection, int | None], None]
"""Writes what belongs to a removal; given the received time that no waiting row is earlier than."""


class Landing:
    """A durable queue of requests in one SQLite file. Only the holder of the folder's writer lock opens it.

    Args:
        path: the file; made when it does not exist.
        max_bytes: bodies that may wait; beyond, appends are refused until the flusher has caught up.
        min_free_bytes: space kept free on the disk for the flush.

    Raises:
        StorageError: the file is damaged, of a newer format, or the disk refuses.
    """

    is_remote = False  # whether rows stand elsewhere than in the file

    def __init__(
        self, path: str | Path, *, clock: Clock, max_bytes: int = 4 << 30, min_free_bytes: int = 64 << 20
    ) -> None:
        self.path = Path(path)
        self._clock = clock
        self._max_bytes = max_bytes
        self._min_free_bytes = min_free_bytes
        self._counting = threading.Lock()
        self._rejected: Counter[str] = Counter()
        self._writing_rejected: Counter[str] = Counter()
        self._waiting_bytes = 0
        self.arrived = threading.Event()
        self._commits = CommitThread(self.path, self)
        totals: tuple[int, int, int, int] = self._commits.run(_totals, in_transaction=False)
        self._next_id, self._rows, self._events, self._bytes = totals

    @classmethod
    def open(cls, path: str | Path, *, clock: Clock, **limits: int) -> Landing:
        """The queue at the path; see the class for the limits."""
        return cls(path, clock=clock, **limits)

    def append(self, rows: Sequence[LandingRow]) -> int:
        """The id of the last row, once all rows are on disk. Safe from any thread; the rows' own ids are ignored.

        Raises:
            LimitError: the queue is full; nothing was written, try again after `retry_after`.
            StorageError: the disk refused; nothing was acknowledged.
        """
        done: Future[int] = Future()
        self._submit(rows, done, None)
        return done.result()

    async def append_async(self, rows: Sequence[LandingRow]) -> int:
        """As `append`, without blocking the event loop."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[int] = loop.create_future()
        self._submit(rows, done, loop)
        return await done

    def count_rejected(self, dialect: str, events: int) -> None:
        """Counts events of requests that were refused as a whole and have no row; written with the next commit."""
        with self._counting:
            self._rejected[dialect] += events

    def depth(self) -> Depth:
        """What waits in the queue now."""
        oldest = self.run(
            lambda c: c.execute("SELECT min(received_time) FROM landing").fetchall()[0][0], in_transaction=False
        )
        age = 0.0 if oldest is None else max(0.0, (microseconds(self._clock()) - oldest) / 1e6)
        return Depth(self._rows, self._events, self._bytes, age)

    @property
    def events_waiting(self) -> int:
        """Events on disk that no flush has taken away yet."""
        return self._events

    @property
    def last_id(self) -> int:
        """The id of the newest row ever appended."""
        return self._next_id - 1

    @property
    def is_alive(self) -> bool:
        """Whether the committing thread runs."""
        return self._commits.is_alive

    def read(self, *, after: int, max_events: int, max_bytes: int = 256 << 20) -> list[LandingRow]:
        """The oldest rows with an id above `after`, in order of id: at least one if there is any, within the limits."""
        return read_rows(self.path, after, max_events, max_bytes)

    def remove(self, rows: Sequence[LandingRow], note: Note) -> None:
        """Deletes rows that the lake holds durably, and writes `note` in the same transaction."""
        self.remove_span(Span.of(rows), note)

    def remove_span(self, span: Span, note: Note) -> None:
        """As `remove`, for whoever read the rows elsewhere."""

        def delete(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM landing WHERE id BETWEEN ? AND ?", (span.first, span.last))
            note(connection, self.oldest_waiting(connection))

        self.run(delete)
        with self._counting:
            self._rows -= span.rows
            self._events -= span.events
            self._bytes -= span.bytes

    def oldest_waiting(self, connection: sqlite3.Connection) -> int | None:
        """The received time that no waiting row is earlier than; None when nothing waits. Runs inside `run`."""
        oldest = connection.execute("SELECT min(received_time) FROM landing").fetchall()[0][0]
        return None if oldest is None else int(oldest)

    def raise_ids(self, last_id: int) -> None:
        """Makes ids go on above `last_id`, for a queue that is younger than its lake (moved away, restored)."""

        def lift(connection: sqlite3.Connection) -> None:
            if self._next_id <= last_id:
                connection.execute("DELETE FROM sqlite_sequence WHERE name = 'landing'")
                connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('landing', ?)", (last_id,))
                self._next_id = last_id + 1

        self.run(lift)

    def scrub(self) -> None:
        """Rewrites the file and empties its log, so that no byte of a deleted row stays in either.

        Raises:
            StorageError: a reader of another process kept the log open for 10 seconds.
        """

        def rewrite(connection: sqlite3.Connection) -> None:
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("VACUUM")
            busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0][0]
            connection.execute("PRAGMA secure_delete = FAST")
            if busy:
                raise StorageError(
                    "a reader holds the landing queue's log open; deleted bytes may still be in it",
                    where=str(self.path),
                    fix="end long-running readers and erase again",
                )

        self.run(rewrite, in_transaction=False)

    def run(self, work: Callable[[sqlite3.Connection], Any], *, in_transaction: bool = True) -> Any:
        """What `work` returns, run by the committing thread in a transaction of its own and durable on return.

        Raises:
            StorageError: the disk refused; nothing of it was written.
        """
        return self._commits.run(work, in_transaction=in_transaction)

    def close(self) -> None:
        """Commits what was appended and closes the file; later appends raise StorageError."""
        self._commits.close()

    def write(self, connection: sqlite3.Connection, group: Sequence[Append]) -> int:
        """Inserts the rows of a group and counts them, for the committing thread; the first row's id."""
        values: list[tuple[Any, ...]] = []
        tally: Counter[tuple[str, str]] = Counter()
        row_id = self._next_id
        for item in group:
            for row in item.rows:
                values.append(
                    (row_id, row.received_time, row.dialect, row.key_id, row.plan_revision, row.verdicts, row.body)
                )
                row_id += 1
            tally.update(door_counts(item.rows))
        self._check_free_space(sum(len(value[6]) for value in values))
        connection.executemany(_INSERT, values)
        with self._counting:
            self._writing_rejected = Counter(self._rejected)
        for dialect, events in self._writing_rejected.items():
            tally[dialect, "rejected"] += events
        count(connection, tally)
        return self._next_id

    def settle(self, group: Sequence[Append], is_committed: bool) -> None:
        """Keeps the totals, for the committing thread."""
        rows = [row for item in group for row in item.rows]
        size = sum(len(row.body) for row in rows)
        with self._counting:
            self._waiting_bytes -= size
            if not is_committed:
                return
            self._next_id += len(rows)
            self._rows += len(rows)
            self._events += sum(len(row.verdicts) for row in rows)
            self._bytes += size
            self._rejected -= self._writing_rejected
        self.arrived.set()

    def _submit(
        self,
        rows: Sequence[LandingRow],
        done: Future[int] | asyncio.Future[int],
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        size = 0
        for row in rows:
            size += len(row.body)
        with self._counting:
            if self._bytes + self._waiting_bytes + size > self._max_bytes and self._bytes + self._waiting_bytes:
                raise LimitError(
                    f"the landing queue holds {self._bytes:,} bytes, its maximum",
                    retry_after=2.0,
                    where=str(self.path),
                    rule=f"at most {self._max_bytes:,} bytes wait for the flush",
                    fix="try again; if it lasts, look at the flusher's errors and at the disk",
                )
            self._waiting_bytes += size
        self._commits.put(Append(rows, done, loop))

    def _check_free_space(self, size: int) -> None:
        free = shutil.disk_usage(self.path.parent).free
        if free < self._min_free_bytes + size:
            raise StorageError(
                f"only {free:,} bytes are free on the disk",
                where=str(self.path.parent),
                rule=f"{self._min_free_bytes:,} bytes stay free, so that what waits can be flushed",
                fix="free disk space; senders keep what was not acknowledged",
            )


def _totals(connection: sqlite3.Connection) -> tuple[int, int, int, int]:
    """The next id, and rows, events and bytes that wait."""
    next_id = connection.execute(
        "SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'landing'"
    ).fetchall()[0][0]
    waiting = connection.execute(
        "SELECT count(*), coalesce(sum(length(verdicts)), 0), coalesce(sum(length(body)), 0) FROM landing"
    ).fetchall()[0]
    return (next_id, *waiting)


def door_counts(rows: Sequence[LandingRow]) -> Counter[tuple[str, str]]:
    """Events of the rows by (dialect, kind): accepted, quarantined, rejected."""
    counts: Counter[tuple[str, str]] = Counter()
    for row in rows:
        verdicts, dialect = row.verdicts, row.dialect
        counts[dialect, "accepted"] += verdicts.count(ACCEPTED) + verdicts.count(UNPLANNED)
        counts[dialect, "quarantined"] += verdicts.count(QUARANTINED)
        counts[dialect, "rejected"] += verdicts.count(REJECTED)
    return counts


def open_landing(
    url: str | os.PathLike[str], *, clock: Clock, notes: str | Path | None = None, **limits: int
) -> Landing:
    """The queue at a path, or in a Kafka topic for `kafka://host:port/topic` (extra `kafka`).

    Args:
        notes: for Kafka, the SQLite file for counts and durable versions.

    Raises:
        MissingExtra: a Kafka URL without the extra.
        StorageError: the file or the broker cannot be used.
    """
    text = os.fspath(url)
    if text.startswith("kafka://"):
        from paribus.lake.kafka import KafkaLanding

        return KafkaLanding(text, notes=notes or QUEUE_FILE, clock=clock, **limits)
    return Landing(text, clock=clock, **limits)
