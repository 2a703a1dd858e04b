"""From the queue to the table, exactly once.

Each landing row is decoded and written with the row's id as the table's transaction number, in the same commit. The
commit is synced, and only then the rows leave the queue, together with the note of the durable version. Killed
anywhere between, the next flush finds the rows again and the table's number says that they are in it already.
"""

from __future__ import annotations

import base64
import json
import sqlite3
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from paribus.clock import Clock
from paribus.lake.columns import DAY, Place, events_table, quarantine_table
from paribus.lake.landing import Landing
from paribus.lake.lateness import BUCKETS, buckets_of
from paribus.lake.notes import count, note_version, note_watermark
from paribus.lake.record import REJECTED, Decode, LandingRow, Quarantined, Record, microseconds
from paribus.lake.table import Table

APP = "flusher"
OLDEST_DAYS = 30
NEWEST_DAYS = 1
UNDECODABLE = "undecodable"


@dataclass(frozen=True, slots=True)
class Flushed:
    """What one flush moved: landing rows, events, quarantined events; the events table's version after it."""

    rows: int
    events: int
    quarantined: int
    version: int


class Flusher:
    """Moves rows from the queue to the tables `events` and `quarantine`.

    Args:
        max_events: events of one commit; a single larger request still goes as one.
    """

    def __init__(
        self,
        landing: Landing,
        events: Table,
        quarantine: Table,
        *,
        decode: Decode,
        clock: Clock,
        max_events: int = 20_000,
    ) -> None:
        self._landing = landing
        self._events = events
        self._quarantine = quarantine
        self._decode = decode
        self._clock = clock
        self._max_events = max_events
        self._lock = threading.Lock()
        self.untyped: Counter[str] = Counter()
        landing.raise_ids(max(events.transaction(APP), quarantine.transaction(APP)))

    def flush(self) -> Flushed:
        """Moves the oldest rows, up to `max_events` events; nothing when the queue is empty.

        Raises:
            StorageError: the disk refused; the rows stay in the queue.
        """
        with self._lock:
            began = microseconds(self._clock())
            rows = self._landing.read(after=0, max_events=self._max_events)
            if not rows:
                if self._landing.is_remote:  # readers cannot see that such a queue is empty
                    self._landing.remove([], lambda connection: note_watermark(connection, self._events.version, began))
                return Flushed(0, 0, 0, self._events.version)
            return self._move(rows, began)

    def drain(self) -> int:
        """Moves all rows that are in the queue now; the events table's version after it."""
        last = self._landing.last_id
        while rows := self._landing.read(after=0, max_events=1):
            if rows[0].id > last:
                break
            self.flush()
        return self._events.version

    def _move(self, rows: Sequence[LandingRow], began: int) -> Flushed:
        last_id = rows[-1].id
        records, record_places, held, held_places, landed = self._decoded(rows)
        self._append(self._quarantine, held, held_places, last_id)
        self._append(self._events, records, record_places, last_id)
        versions = {"events": self._events.settle(), "quarantine": self._quarantine.settle()}
        late = _lateness(records)

        def note(connection: sqlite3.Connection) -> None:
            for name, version in versions.items():
                note_version(connection, name, version)
            count(connection, landed)
            connection.executemany(
                "INSERT INTO lateness VALUES (?, ?, ?) "
                "ON CONFLICT (received_day, bucket) DO UPDATE SET events = events + excluded.events",
                [(*key, events) for key, events in late.items()],
            )
            oldest = self._landing.oldest_waiting(connection)
            note_watermark(connection, versions["events"], began if oldest is None else min(began, oldest))

        self._landing.remove(rows, note)
        return Flushed(len(rows), len(records), len(held), versions["events"])

    def _decoded(
        self, rows: Sequence[LandingRow]
    ) -> tuple[list[Record], list[Place], list[Quarantined], list[Place], Counter[tuple[str, str]]]:
        records: list[Record] = []
        record_places: list[Place] = []
        held: list[Quarantined] = []
        held_places: list[Place] = []
        landed: Counter[tuple[str, str]] = Counter()
        for row in rows:
            earlier = len(records), len(held)
            for index, event in enumerate(self._decoded_row(row)):
                if isinstance(event, Record) and (problem := _outside_window(event)) is None:
                    records.append(event)
                    record_places.append((row.id, index))
                else:
                    held.append(event if isinstance(event, Quarantined) else _held(event, problem))
                    held_places.append((row.id, index))
            landed[row.dialect, "landed"] += len(records) - earlier[0]
            landed[row.dialect, "held"] += len(held) - earlier[1]
            if len(held) > earlier[1] and held[-1].reason == UNDECODABLE:
                landed[row.dialect, "unreadable"] += len(row.verdicts) - row.verdicts.count(REJECTED) - 1
        return records, record_places, held, held_places, landed

    def _decoded_row(self, row: LandingRow) -> list[Record | Quarantined]:
        try:
            return list(self._decode(row))
        except MemoryError:
            raise
        except Exception as failure:  # noqa: BLE001 - one bad row must not stop the others, nor be lost
            return [_undecodable(row, failure)]

    def _append(
        self, table: Table, events: Sequence[Record] | Sequence[Quarantined], places: Sequence[Place], last_id: int
    ) -> None:
        done = table.transaction(APP)
        first = next((index for index, place in enumerate(places) if place[0] > done), len(places))
        if first == len(places):
            return
        new, new_places = events[first:], places[first:]
        if table is self._events:
            arrow = events_table(new, new_places, table.columns, self.untyped)  # type: ignore[arg-type]
        else:
            arrow = quarantine_table(new, new_places)  # type: ignore[arg-type]
        table.append(arrow, app=APP, app_version=last_id)


def _outside_window(event: Record) -> str | None:
    """The rule that the event's original time breaks, or None."""
    age = event.received_time - event.original_time
    if age < -NEWEST_DAYS * DAY:
        return f"the original time is more than {NEWEST_DAYS} day after it was received"
    if event.trusted:
        return "the original time is before 1900" if event.original_time < -25_567 * DAY else None
    return (
        f"the original time is more than {OLDEST_DAYS} days before it was received" if age > OLDEST_DAYS * DAY else None
    )


def _held(event: Record, problem: str | None) -> Quarantined:
    body = {
        "event_id": event.event_id,
        "name": event.name,
        "original_time": event.original_time,
        "sent_time": event.sent_time,
        "unit_type": event.unit_type,
        "unit": event.unit,
        "user_id": event.user_id,
        "anonymous_id": event.anonymous_id,
        "session_id": event.session_id,
        "sequence": event.sequence,
        "properties": json.loads(event.properties),
        "context": json.loads(event.context),
    }
    return Quarantined(
        reason="time",
        detail=problem or "",
        source=event.source,
        received_time=event.received_time,
        body=json.dumps({key: value for key, value in body.items() if value is not None}, ensure_ascii=False),
        name=event.name,
        event_id=event.event_id,
        unit=event.unit,
        user_id=event.user_id,
        anonymous_id=event.anonymous_id,
        original_time=event.original_time,
        plan_revision=event.plan_revision,
    )


def _undecodable(row: LandingRow, failure: Exception) -> Quarantined:
    events = len(row.verdicts) - row.verdicts.count(REJECTED)
    return Quarantined(
        reason=UNDECODABLE,
        detail=f"{type(failure).__name__} while decoding a request of {events} events",
        source=f"{row.dialect}:",
        received_time=row.received_time,
        body=json.dumps({"request": base64.b64encode(row.body).decode(), "key_id": row.key_id}),
        plan_revision=row.plan_revision,
    )


def _lateness(records: Sequence[Record]) -> dict[tuple[int, int], int]:
    if not records:
        return {}
    import numpy as np

    received = np.array([record.received_time for record in records], dtype=np.int64)
    corrected = np.array([record.corrected_time for record in records], dtype=np.int64)
    keys, counts = np.unique(received // DAY * BUCKETS + buckets_of(received - corrected), return_counts=True)
    return {divmod(key, BUCKETS): events for key, events in zip(keys.tolist(), counts.tolist(), strict=True)}
