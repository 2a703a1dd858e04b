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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from paribus.clock import Clock
from paribus.lake.batch import EventBatch, QuarantineBatch
from paribus.lake.columns import DAY
from paribus.lake.notes import FlushNote
from paribus.lake.record import REJECTED, Decode, LandingRow, Quarantined, Record, microseconds
from paribus.lake.table import Table

if TYPE_CHECKING:
    from arro3.core import Table as ArrowTable

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


class Queue(Protocol):
    """The landing queue as the tables' writer uses it; in its own process or across to it."""

    @property
    def is_remote(self) -> bool:
        """Whether rows stand elsewhere than in the queue's file."""

    @property
    def last_id(self) -> int:
        """The id of the newest row ever appended."""

    def read(self, *, after: int, max_events: int) -> list[LandingRow]:
        """The oldest rows with an id above `after`."""

    def remove(self, rows: Sequence[LandingRow], note: FlushNote) -> None:
        """Takes rows away and writes the note, in one transaction."""

    def run(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        """What `work`, a function of a module, returns from a transaction of its own."""

    def raise_ids(self, last_id: int) -> None:
        """Makes ids go on above `last_id`."""

    def scrub(self) -> None:
        """Leaves no byte of a deleted row in the file."""


@dataclass(frozen=True, slots=True)
class _Decoded:
    events: EventBatch
    quarantine: QuarantineBatch
    counts: Counter[tuple[str, str]]

    def total(self, kind: str) -> int:
        return sum(events for (_, each), events in self.counts.items() if each == kind)


class Flusher:
    """Moves rows from the queue to the tables `events` and `quarantine`.

    Args:
        max_events: events of one commit; a single larger request still goes as one.
    """

    def __init__(
        self,
        landing: Queue,
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
                    self._landing.remove([], FlushNote({"events": self._events.version}, {}, {}, None, began))
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
        decoded = self._decoded(rows, frozenset())
        try:
            tables = self._tables(decoded)
        except (TypeError, ValueError, OverflowError, AttributeError):
            decoded = self._decoded(rows, self._unstorable(rows))
            tables = self._tables(decoded)
        for table, arrow in zip((self._quarantine, self._events), tables, strict=True):
            if arrow is not None:
                table.append(arrow, app=APP, app_version=last_id)
        versions = {"events": self._events.settle(), "quarantine": self._quarantine.settle()}
        late = decoded.events.lateness()

        note = FlushNote(versions, decoded.counts, late, min(row.received_time for row in rows), began)
        self._landing.remove(rows, note)
        return Flushed(len(rows), decoded.total("landed"), decoded.total("held"), versions["events"])

    def _decoded(self, rows: Sequence[LandingRow], unstorable: frozenset[int]) -> _Decoded:
        """The rows' events; those of rows that a table holds already are counted and not taken."""
        decoded = _Decoded(EventBatch(), QuarantineBatch(), Counter())
        in_events, in_quarantine = self._events.transaction(APP), self._quarantine.transaction(APP)
        for row in rows:
            events = [_undecodable(row, "TypeError")] if row.id in unstorable else self._decoded_row(row)
            records: list[Record] = []
            places: list[int] = []
            held: list[Quarantined] = []
            held_places: list[int] = []
            for place, event in enumerate(events):
                if isinstance(event, Quarantined):
                    held.append(event)
                    held_places.append(place)
                elif (problem := _outside_window(event)) is None:
                    records.append(event)
                    places.append(place)
                else:
                    held.append(_held(event, problem))
                    held_places.append(place)
            if records and row.id > in_events:
                decoded.events.add(records, row.id, places)
            if held and row.id > in_quarantine:
                decoded.quarantine.add(held, row.id, held_places)
            decoded.counts[row.dialect, "landed"] += len(records)
            decoded.counts[row.dialect, "held"] += len(held)
            if held and held[0].reason == UNDECODABLE:
                decoded.counts[row.dialect, "unreadable"] += len(row.verdicts) - row.verdicts.count(REJECTED) - 1
        return decoded

    def _tables(self, decoded: _Decoded) -> tuple[ArrowTable | None, ArrowTable | None]:
        """What goes to quarantine and what to the events, in this order."""
        held = decoded.quarantine.table() if len(decoded.quarantine) else None
        new = decoded.events.table(self._events.columns, self.untyped) if len(decoded.events) else None
        return held, new

    def _unstorable(self, rows: Sequence[LandingRow]) -> frozenset[int]:
        """Ids of rows whose records have values that no column takes."""
        found: set[int] = set()
        for row in rows:
            try:
                self._tables(self._decoded([row], frozenset()))
            except (TypeError, ValueError, OverflowError, AttributeError):
                found.add(row.id)
        return frozenset(found)

    def _decoded_row(self, row: LandingRow) -> list[Record | Quarantined]:
        try:
            return list(self._decode(row))
        except MemoryError:
            raise
        except Exception as failure:  # noqa: BLE001 - one bad row must not stop the others, nor be lost
            return [_undecodable(row, type(failure).__name__)]


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
        "properties": _parsed(event.properties),
        "context": _parsed(event.context),
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
        environment=event.environment,
    )


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _undecodable(row: LandingRow, failure: str) -> Quarantined:
    events = len(row.verdicts) - row.verdicts.count(REJECTED)
    return Quarantined(
        reason=UNDECODABLE,
        detail=f"{failure} while decoding a request of {events} events",
        source=f"{row.dialect}:",
        received_time=row.received_time,
        body=json.dumps({"request": base64.b64encode(row.body).decode(), "key_id": row.key_id}),
        plan_revision=row.plan_revision,
    )
