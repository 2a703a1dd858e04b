"""Landing through a Kafka topic, for those who have one: `kafka://host:port/topic`.

Partition 0 of the topic is the queue: a row's id is its offset + 1, so ids ascend and the flusher's promise of exactly
once holds as with the local queue. Notes and counts stay in the data folder's SQLite file. Needs the extra `kafka`.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from paribus.clock import Clock
from paribus.errors import InputError, LimitError, MissingExtra, StorageError
from paribus.lake.landing import Depth, Landing, Note, door_counts
from paribus.lake.notes import count
from paribus.lake.record import LandingRow, microseconds

_log = logging.getLogger(__name__)

PARTITION = 0
NEXT_OFFSET = "kafka:next"
_ACKNOWLEDGED_BY_ALL = {"acks": "all", "enable.idempotence": True, "message.max.bytes": 16 << 20, "linger.ms": 2}
_POLL_SECONDS = 0.25
_TIMEOUT = 10.0


@dataclass(slots=True)
class _Sent:
    rows: Sequence[LandingRow]
    done: Future[int]
    pending: int
    last_id: int = 0
    failure: str | None = None
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)


class KafkaLanding(Landing):
    """A queue in partition 0 of a topic, with the contract of `Landing`.

    Args:
        url: `kafka://host:port[,host:port]/topic`, librdkafka settings as its query (`?security.protocol=ssl`).
        notes: the SQLite file for durable versions and counts.

    Raises:
        MissingExtra: confluent-kafka is not installed.
        InputError: the URL names no topic.
        StorageError: no broker answers.
    """

    is_remote = True

    def __init__(self, url: str, *, notes: str | Path, clock: Clock, **limits: int) -> None:
        try:
            import confluent_kafka
        except ImportError as missing:
            raise MissingExtra("confluent-kafka", "kafka", "landing through Kafka") from missing
        brokers, self._topic, settings = _parsed(url)
        super().__init__(notes, clock=clock, **limits)
        self._kafka: Any = confluent_kafka
        try:
            self._producer = confluent_kafka.Producer(
                {"bootstrap.servers": brokers, **_ACKNOWLEDGED_BY_ALL, **settings}
            )
            metadata = self._producer.list_topics(self._topic, timeout=_TIMEOUT)
            real = ",".join(f"{each.host}:{each.port}" for each in metadata.brokers.values())
            reading = {name: value for name, value in settings.items() if not name.startswith("test.mock")}
            self._connection_settings = {"bootstrap.servers": real or brokers, **reading}
            self._consumer: Any = confluent_kafka.Consumer(
                {
                    **self._connection_settings,
                    "group.id": "paribus-flusher",
                    "enable.auto.commit": False,
                    "auto.offset.reset": "earliest",
                }
            )
            self._buffer: list[LandingRow] = []
            noted: int = self.run(_noted_offset)
            self._next = self._position = noted
            self._high = self._start()
            self._flushed, self._newest_received = self._next, 0
        except confluent_kafka.KafkaException as failure:
            super().close()
            raise _refused(self._topic, failure) from failure
        self._finished: list[_Sent] = []
        self._is_open = True
        self._poller = threading.Thread(target=self._poll, name="paribus-kafka", daemon=True)
        self._poller.start()

    def append(self, rows: Sequence[LandingRow]) -> int:
        """The id of the last row, once all in-sync replicas hold all rows."""
        return self._send(rows).result()

    async def append_async(self, rows: Sequence[LandingRow]) -> int:
        """As `append`, without blocking the event loop."""
        return await asyncio.wrap_future(self._send(rows))

    def depth(self) -> Depth:
        """What waits in the topic; events are counted as rows, bytes are those read already."""
        waiting = self.events_waiting
        oldest = self._buffer[0].received_time if self._buffer else None
        age = 0.0 if oldest is None else max(0.0, (microseconds(self._clock()) - oldest) / 1e6)
        return Depth(waiting, waiting, sum(len(row.body) for row in self._buffer), age)

    @property
    def events_waiting(self) -> int:
        """Rows in the topic that no flush has taken away yet."""
        return max(0, self._high - self._next)

    @property
    def last_id(self) -> int:
        """The id of the newest row in the topic."""
        return self._high_watermark()

    def read(self, *, after: int, max_events: int, max_bytes: int = 256 << 20) -> list[LandingRow]:
        """The oldest rows not yet removed, in order; at least one if there is any."""
        end = self._high_watermark()
        events = sum(len(row.verdicts) for row in self._buffer)
        while self._position < end and events < max_events:
            message = self._consumer.poll(_TIMEOUT)
            if message is None:
                break
            if message.error():
                raise _refused(self._topic, message.error())
            row = _decoded(message.value(), message.offset() + 1)
            self._buffer.append(row)
            self._position = message.offset() + 1
            events += len(row.verdicts)
        rows: list[LandingRow] = []
        events = size = 0
        for row in self._buffer:
            if row.id <= after:
                continue
            events += len(row.verdicts)
            size += len(row.body)
            if rows and (events > max_events or size > max_bytes):
                break
            rows.append(row)
        return rows

    def remove(self, rows: Sequence[LandingRow], note: Note) -> None:
        """Notes that the lake holds the rows durably, and writes `note` in the same transaction."""
        following = rows[-1].id if rows else self._next
        self._flushed = following
        self._newest_received = rows[-1].received_time if rows else self._newest_received

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT OR REPLACE INTO state (name, value) VALUES (?, ?)", (NEXT_OFFSET, following))
            note(connection, self.oldest_waiting(connection))

        self.run(write)
        self._next = following
        self._buffer = [row for row in self._buffer if row.id > following]

    def oldest_waiting(self, connection: sqlite3.Connection) -> int | None:
        """The received time of the oldest row read and not flushed, else of the newest flushed; None when all is."""
        waiting = [row.received_time for row in self._buffer if row.id > self._flushed]
        if waiting:
            return min(waiting)
        return None if self._high_watermark() <= self._position else self._newest_received

    def raise_ids(self, last_id: int) -> None:
        """Nothing: offsets are the broker's."""

    def scrub(self) -> None:
        """Deletes what was flushed from the topic too.

        Raises:
            StorageError: the broker refused; the topic keeps flushed rows until its retention ends.
        """
        from confluent_kafka.admin import AdminClient

        partition = self._kafka.TopicPartition(self._topic, PARTITION, self._next)
        try:
            deletions = AdminClient({**self._connection_settings}).delete_records([partition])
            for each in deletions.values():
                each.result(timeout=_TIMEOUT)
        except (self._kafka.KafkaException, TimeoutError) as failure:
            raise StorageError(
                f"the broker did not delete flushed rows: {str(failure) or 'no answer'}",
                where=self._topic,
                fix="allow DeleteRecords on the topic and erase again, or wait for the topic's retention",
            ) from failure
        super().scrub()

    def close(self) -> None:
        """Waits for what was sent and closes the connections."""
        if not self._is_open:
            return
        self._producer.flush(_TIMEOUT)
        self._is_open = False
        self._poller.join()
        self._consumer.close()
        super().close()

    def _send(self, rows: Sequence[LandingRow]) -> Future[int]:
        if not self._is_open:
            raise StorageError("the landing queue is closed", where=self._topic)
        sent = _Sent(rows, Future(), len(rows), counts=door_counts(rows))

        def delivered(error: Any, message: Any) -> None:
            sent.pending -= 1
            if error:
                sent.failure = str(error)
            else:
                sent.last_id = max(sent.last_id, message.offset() + 1)
            if not sent.pending:
                self._finished.append(sent)

        try:
            for row in rows:
                self._producer.produce(self._topic, _encoded(row), partition=PARTITION, on_delivery=delivered)
        except BufferError as full:
            raise LimitError(
                "the producer's queue is full", retry_after=1.0, where=self._topic, fix="try again"
            ) from full
        if not rows:
            sent.done.set_result(self.last_id)
        return sent.done

    def _poll(self) -> None:
        """Delivery reports, counts at the door, and the end of the topic."""
        waited = _POLL_SECONDS
        while self._is_open or self._finished:
            self._producer.poll(0.02)
            finished, self._finished = self._finished, []
            if finished:
                self._acknowledge(finished)
            waited += 0.02
            if waited >= _POLL_SECONDS or finished:
                waited = 0.0
                try:
                    self._high = self._high_watermark()
                except StorageError:
                    _log.warning("the broker of %s does not answer", self._topic)
                if self.events_waiting:
                    self.arrived.set()

    def _acknowledge(self, finished: list[_Sent]) -> None:
        counts: Counter[tuple[str, str]] = Counter()
        for sent in finished:
            if sent.failure is None:
                counts.update(sent.counts)
        try:
            self.run(lambda connection: count(connection, counts))
        except StorageError as failure:
            for sent in finished:
                sent.done.set_exception(failure)
            return
        for sent in finished:
            if sent.failure is None:
                sent.done.set_result(sent.last_id)
            else:
                sent.done.set_exception(_refused(self._topic, sent.failure))

    def _start(self) -> int:
        partition = self._kafka.TopicPartition(self._topic, PARTITION)
        low, high = self._consumer.get_watermark_offsets(partition, timeout=_TIMEOUT)
        if 0 < self._next < low:
            lost = low - self._next
            _log.error("the topic %s dropped %d rows before they were flushed", self._topic, lost)
            self.run(lambda connection: count(connection, {("kafka", "rows dropped by the topic"): lost}))
        self._next = self._position = max(self._next, low)
        self._consumer.assign([self._kafka.TopicPartition(self._topic, PARTITION, self._next)])
        return int(high)

    def _high_watermark(self) -> int:
        partition = self._kafka.TopicPartition(self._topic, PARTITION)
        try:
            return int(self._consumer.get_watermark_offsets(partition, timeout=_TIMEOUT)[1])
        except self._kafka.KafkaException as failure:
            raise _refused(self._topic, failure) from failure


def _parsed(url: str) -> tuple[str, str, dict[str, str]]:
    parts = urlsplit(url)
    topic = parts.path.strip("/")
    if parts.scheme != "kafka" or not parts.netloc or not topic or "/" in topic:
        raise InputError(
            f"{url!r} names no topic", rule="a landing URL is kafka://host:port/topic", fix="add the topic's name"
        )
    return parts.netloc, topic, dict(parse_qsl(parts.query))


def _encoded(row: LandingRow) -> bytes:
    return msgspec.msgpack.encode(
        (row.received_time, row.dialect, row.key_id, row.plan_revision, row.verdicts, row.body)
    )


def _decoded(value: bytes, row_id: int) -> LandingRow:
    fields = msgspec.msgpack.decode(value, type=tuple[int, str, str, int, bytes, bytes])
    return LandingRow(row_id, *fields)


def _noted_offset(connection: sqlite3.Connection) -> int:
    found = connection.execute("SELECT value FROM state WHERE name = ?", (NEXT_OFFSET,)).fetchall()
    return int(found[0][0]) if found else 0


def _refused(topic: str, failure: object) -> StorageError:
    return StorageError(
        f"Kafka refused: {failure}",
        where=topic,
        rule="an event is acknowledged once all in-sync replicas hold it",
        fix="check the brokers; senders keep what was not acknowledged",
    )
