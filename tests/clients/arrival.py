"""What arrived in the lake, read back by DuckDB, and its comparison field by field with what was sent."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from paribus.clock import system_clock
from paribus.lake.reading import LakeReader

Json = dict[str, Any]
COLUMNS = (
    "source, event_id, name, unit_type, unit, user_id, anonymous_id, session_id, epoch_us(original_time), "
    "epoch_us(sent_time), epoch_us(received_time), epoch_us(corrected_time), properties, context, planned, sequence"
)
WAIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Arrived:
    """One distinct event of the lake; times are microseconds since the epoch."""

    source: str
    event_id: str
    name: str
    unit_type: str | None
    unit: str | None
    user_id: str | None
    anonymous_id: str | None
    session_id: str | None
    original_time: int
    sent_time: int | None
    received_time: int
    corrected_time: int
    properties: Json
    context: Json
    planned: bool
    sequence: int | None


@dataclass(frozen=True, slots=True)
class Sent:
    """One event as the test gave it to the client."""

    name: str
    event_id: str | None
    milliseconds: int | None
    properties: Json
    user_id: str | None = None
    anonymous_id: str | None = None
    session_id: str | None = None
    context: Json = field(default_factory=dict)
    """What the context must hold at least."""


def landed(folder: Path, source: str) -> list[Arrived]:
    """The distinct events of a source in the order of their landing, once all acknowledged until now are in.

    No event of the source may have landed twice, and none may be in quarantine.
    """
    reader = _reader_at(folder, datetime.now(UTC))
    version, files = reader.files()
    events = _distinct(reader, source, version)
    with duckdb.connect() as connection:
        statement = "SELECT count(*) FROM read_parquet(?, union_by_name = true) WHERE source = ?"
        rows = connection.execute(statement, [files, source]).fetchall()[0][0] if files else 0
    assert rows == len(events), f"{rows} rows of {len(events)} distinct events"
    assert quarantined(folder, source) == []
    return events


def readable(folder: Path, source: str) -> list[Arrived]:
    """As `landed`, of a source that may hold copies, or events in quarantine."""
    return _distinct(_reader_at(folder, datetime.now(UTC)), source)


def quarantined(folder: Path, source: str) -> list[tuple[str, str | None, int | None]]:
    """Reason, event id and original time of what is held back, in the order of its landing."""
    reader = _reader_at(folder, datetime.now(UTC))
    statement = (
        f"SELECT reason, event_id, epoch_us(original_time) FROM ({reader.quarantine_sql()}) WHERE source = ? "
        "ORDER BY landing_id, landing_index"
    )
    with duckdb.connect() as connection:
        return [tuple(row) for row in connection.execute(statement, [source]).fetchall()]


def until(claim: Any, seconds: float = WAIT_SECONDS) -> Any:
    """What the claim gives as soon as that is true; what it gave last when the time is over."""
    deadline = time.monotonic() + seconds
    while not (found := claim()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def compare(arrived: list[Arrived], sent: list[Sent], *, in_order: bool = True) -> None:
    """Every field of every event; extra properties and context are what a client adds by itself."""
    assert len(arrived) == len(sent), f"{len(arrived)} of {len(sent)} events arrived"
    by_id = {event.event_id: event for event in arrived}
    assert len(by_id) == len(arrived)
    if in_order:
        assert [event.name for event in arrived] == [event.name for event in sent]
    for index, wanted in enumerate(sent):
        event = arrived[index] if in_order else by_id[wanted.event_id or ""]
        where = f"{index}: {wanted}\n{event}"
        assert event.name == wanted.name, where
        assert event.event_id == wanted.event_id if wanted.event_id else event.event_id, where
        assert (event.user_id, event.anonymous_id) == (wanted.user_id, wanted.anonymous_id), where
        assert event.session_id == wanted.session_id, where
        assert {name: event.properties.get(name, "absent") for name in wanted.properties} == wanted.properties, where
        assert {name: event.context.get(name, "absent") for name in wanted.context} == wanted.context, where
        if wanted.milliseconds is not None:
            assert event.original_time == wanted.milliseconds * 1000, where
        check_times(event)


def check_times(event: Arrived) -> None:
    """The corrected time follows from the others, by the definition of `contracts.md`."""
    if event.sent_time is None:
        assert event.corrected_time == min(event.original_time, event.received_time)
    else:
        assert event.corrected_time == event.received_time - max(event.sent_time - event.original_time, 0)


def _distinct(reader: LakeReader, source: str, version: int | None = None) -> list[Arrived]:
    events = reader.events_sql(version)
    statement = f"SELECT {COLUMNS} FROM ({events}) WHERE source = ? ORDER BY landing_id, landing_index"
    with duckdb.connect() as connection:
        rows = connection.execute(statement, [source]).fetchall()
    return [Arrived(*row[:12], json.loads(row[12]), json.loads(row[13]), *row[14:]) for row in rows]


def _reader_at(folder: Path, time_reached: datetime) -> LakeReader:
    reader = LakeReader(folder, clock=system_clock)
    assert until(lambda: reader.watermark() >= time_reached), "the watermark stands still"
    return reader
