"""Exports of other systems brought in once, however often they are imported."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.events.door import NOW

from paribus.errors import InputError, NotFound
from paribus.events.compile import PlanBook, compile_plan
from paribus.events.dialects import dialect_named
from paribus.events.history import CsvColumns, Progress, import_history
from paribus.lake.record import LandingRow, Quarantined, Record, microseconds

PLAN: dict[str, Any] = {"events": {"order": {"properties": {"revenue": {"type": "number", "minimum": 0}}}}}


class Queue:
    """A landing queue in memory, that may run full."""

    def __init__(self, room: int = 1 << 30) -> None:
        self.rows: list[LandingRow] = []
        self.room = room

    def append(self, rows: Sequence[LandingRow]) -> None:
        if len(self.rows) >= self.room:
            raise OSError("full")
        self.rows += rows

    def decoded(self) -> list[Record | Quarantined]:
        book = PlanBook(lambda key_id, revision: (PLAN, "dev"))
        found: list[Record | Quarantined] = []
        for row in self.rows:
            found += dialect_named(row.dialect).decode(row, book, {"k1": "main"})
        return found


def bring(queue: Queue, path: Path, kind: Any, **more: Any) -> Progress:
    plan = compile_plan(PLAN, revision=1)
    (done,) = import_history([path], kind, append=queue.append, plan=plan, key_id="k1", clock=lambda: NOW, **more)
    assert done.lines == done.accepted + done.quarantined + done.rejected
    return done


def events(queue: Queue) -> list[Record]:
    return [event for event in queue.decoded() if isinstance(event, Record)]


def test_amplitudes_export(tmp_path: Path) -> None:
    lines = [
        {
            "$insert_id": f"i{index}",
            "event_type": "order",
            "event_time": "2019-03-04 05:06:07.089000",
            "user_id": f"u{index}",
            "device_id": "d",
            "event_properties": {"revenue": index},
            "uuid": "x",
            "country": "FR",
            "session_id": 1234,
        }
        for index in range(3)
    ]
    path = tmp_path / "export.json.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, lines)).encode()))
    queue = Queue()
    assert bring(queue, path, "amplitude") == Progress(str(path), 3, 3)
    first = events(queue)[0]
    moment = microseconds(datetime(2019, 3, 4, 5, 6, 7, 89000, UTC))
    assert (first.original_time, first.corrected_time, first.received_time) == (moment, moment, microseconds(NOW))
    assert first.trusted
    assert (first.source, first.event_id, first.user_id, first.anonymous_id) == ("amplitude:main", "i0", "u0", "d")
    assert first.session_id == "1234"
    assert first.typed == {"revenue": 0.0}
    assert json.loads(first.context) == {"country": "FR"}


def test_mixpanels_export(tmp_path: Path) -> None:
    line = {"event": "order", "properties": {"time": 1551676000, "distinct_id": "u", "$insert_id": "i", "revenue": 2}}
    path = tmp_path / "export.jsonl"
    path.write_text(json.dumps(line) + "\n\n")
    queue = Queue()
    assert bring(queue, path, "mixpanel").accepted == 1
    (record,) = events(queue)
    assert (record.original_time, record.user_id, record.event_id) == (1551676000_000_000, "u", "i")


def test_segments_export(tmp_path: Path) -> None:
    message = {
        "type": "track",
        "event": "order",
        "userId": "u",
        "messageId": "m",
        "originalTimestamp": "2020-01-01T00:00:00Z",
        "timestamp": "2020-01-01T00:00:01Z",
        "sentAt": "2020-01-01T00:00:05Z",
        "receivedAt": "2020-01-01T00:00:06Z",
        "properties": {"revenue": 1},
    }
    path = tmp_path / "1.gz"
    path.write_bytes(gzip.compress(json.dumps(message).encode()))
    queue = Queue()
    bring(queue, path, "segment")
    (record,) = events(queue)
    assert record.original_time == record.corrected_time == microseconds(datetime(2020, 1, 1, tzinfo=UTC))
    assert record.source == "segment:main"


def test_broken_lines_are_counted_and_named(tmp_path: Path) -> None:
    good = {"event": "order", "properties": {"time": 1551676000, "revenue": 2}}
    lines = [
        json.dumps(good),
        '{"event": "order", "properties": {"time": 1551676000, "x": 1, "x": 2}}',
        "{broken",
        json.dumps({"event": "order", "properties": {"time": 1551676000, "revenue": -1}}),
        json.dumps({"event": "order", "properties": {"time": "never"}}),
        "[1]",
        '{"event":"a"},{"event":"b"}',
        json.dumps({**good, "event": "order "}),
    ]
    path = tmp_path / "export.jsonl"
    path.write_text("\n".join(lines))
    queue = Queue()
    done = bring(queue, path, "mixpanel")
    assert (done.lines, done.accepted, done.unplanned, done.quarantined, done.rejected) == (8, 2, 1, 2, 4)
    assert [problem.split(":")[0] for problem in done.problems] == ["line 2", "line 3", "line 6", "line 7"]
    assert [type(event) for event in queue.decoded()] == [Record, Quarantined, Quarantined, Record]


CSV = "when,customer,what,amount,note,paid\n2019-01-01T10:00:00+01:00,c1,order,5.5,x,true\n" + "".join(
    f"2019-01-02,c{index % 7},order,{index},,false\n" for index in range(2500)
)
COLUMNS = CsvColumns(time="when", name="what", user_id="customer")


def test_csv_with_declared_columns(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("\ufeff" + CSV, encoding="utf-8")
    queue = Queue()
    seen: list[int] = []
    done = bring(queue, path, "csv", columns=COLUMNS, progress=lambda state: seen.append(state.lines))
    assert done.accepted == 2501
    assert seen == [1000, 2000, 2501]
    first, second = events(queue)[:2]
    assert first.original_time == microseconds(datetime(2019, 1, 1, 9, tzinfo=UTC))
    assert json.loads(first.properties) == {"amount": 5.5, "note": "x", "paid": True}
    assert json.loads(second.properties) == {"amount": 0, "paid": False}
    assert first.unit == first.user_id == "c1"
    assert len({event.event_id for event in events(queue)}) == 2501


def test_equal_rows_are_events_of_their_own_and_keep_their_ids(tmp_path: Path) -> None:
    path = tmp_path / "clicks.csv"
    path.write_text("t,u\n" + "2019-01-01,c1\n" * 3)
    columns = CsvColumns(time="t", event="click", unit="u")
    first, again = Queue(), Queue()
    bring(first, path, "csv", columns=columns)
    bring(again, path, "csv", columns=columns)
    ids = [event.event_id for event in events(first)]
    assert len(set(ids)) == 3
    assert [event.event_id for event in events(again)] == ids
    assert [event.unit for event in events(first)] == ["c1"] * 3


def test_an_import_that_was_cut_off_goes_on_where_it_stopped(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(CSV)
    journal = tmp_path / "journal.json"
    whole, queue = Queue(), Queue(room=2)
    bring(whole, path, "csv", columns=COLUMNS)
    with pytest.raises(OSError, match="full"):
        bring(queue, path, "csv", columns=COLUMNS, journal=journal)
    queue.room = 1 << 30
    done = bring(queue, path, "csv", columns=COLUMNS, journal=journal)
    assert (done.skipped, done.lines) == (2000, 501)
    assert [event.event_id for event in events(queue)] == [event.event_id for event in events(whole)]
    assert bring(queue, path, "csv", columns=COLUMNS, journal=journal).lines == 0


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(CSV)
    with pytest.raises(NotFound):
        bring(Queue(), tmp_path / "nothing", "segment")
    with pytest.raises(InputError, match="no column 'time'"):
        bring(Queue(), path, "csv", columns=CsvColumns(time="time", name="what"))
    with pytest.raises(InputError, match="either a column"):
        bring(Queue(), path, "csv", columns=CsvColumns(time="when"))
    with pytest.raises(InputError, match="what its columns mean"):
        bring(Queue(), path, "csv")
    with pytest.raises(InputError, match="no export format"):
        bring(Queue(), path, "xml")
    journal = tmp_path / "journal.json"
    journal.write_text("broken")
    with pytest.raises(InputError, match="journal"):
        bring(Queue(), path, "csv", columns=COLUMNS, journal=journal)
