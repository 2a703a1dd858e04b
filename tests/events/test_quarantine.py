"""Out of quarantine again, and who is who."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.events.door import NOW, check, decode, records, request

from paribus.events.compile import PlanBook, compile_plan
from paribus.events.dialects import dialect_named
from paribus.events.identity import LinkCount, LinkTable, assignment_conflicts, resolution
from paribus.events.quarantine import reasons, replay
from paribus.lake.record import Quarantined, Record, microseconds
from paribus.store import Store, open_store

STRICT: dict[str, Any] = {
    "events": {
        "order": {
            "properties": {
                "revenue": {"type": "integer", "required": True},
                "email": {"type": "string", "personal": "personal"},
                "plan": {"type": "string"},
            }
        }
    },
    "unplanned": {"dev": "quarantine"},
}
FIXED = {
    "events": {
        "order": {"version": 2, "properties": {"total": {"type": "number"}, "email": {"type": "string"}}},
        "other": {},
    }
}


def held() -> list[Quarantined]:
    def event(name: str, index: int, minutes: int = 1, **properties: Any) -> dict[str, Any]:
        time = (NOW - timedelta(minutes=minutes)).isoformat()
        return {"type": "track", "event": name, "userId": f"u{index}", "messageId": f"m{index}", "timestamp": time,
                "properties": properties}  # fmt: skip

    batch = [
        event("order", 1, revenue=9.5, email="ann@example.com", plan="pro", secret="s3cret"),
        event("order", 2, revenue=8.5),
        event("order", 3),
        event("other", 4, a=1),
        event("order", 5, minutes=60 * 24 * 100, revenue=1),
        {**event("order", 6, revenue=1), "timestamp": "last tuesday"},
    ]
    plan = compile_plan(STRICT, revision=3, environment="dev")
    body = {"batch": batch, "sentAt": (NOW - timedelta(seconds=30)).isoformat()}
    found = decode(check(request("/v1/batch", body), plan), STRICT)
    assert len(found) == 6
    return [event for event in found if isinstance(event, Quarantined)]


def test_reasons_are_grouped_and_their_samples_hold_nobodys_data() -> None:
    found = reasons(held(), compile_plan(STRICT, revision=3))
    assert [(group.reason, group.name, group.count) for group in found] == [
        ("contract", "order", 2),
        ("contract", "order", 1),
        ("time", "order", 1),
        ("time", "order", 1),
        ("unplanned", "other", 1),
    ]
    assert found[0].detail == "revenue: expected integer, got number (rule: integer)"
    assert found[0].sample == {"revenue": "9.5", "email": "<string>", "plan": '"pro"', "secret": "<string>"}
    assert found[0].first_received == found[0].last_received == microseconds(NOW)
    assert "ann@" not in repr(found)
    assert "u1" not in repr(found)


def replayed(trust_times: bool) -> tuple[list[Record | Quarantined], list[str]]:
    later = microseconds(NOW + timedelta(days=2))
    plan = compile_plan(FIXED, revision=4, environment="dev")
    back = replay(held(), plan, key_id="k1", now=later, trust_times=trust_times)
    book = PlanBook(lambda key_id, revision: (FIXED, "dev"))
    found: list[Record | Quarantined] = []
    for row in back.rows:
        assert row.received_time == later
        found += dialect_named(row.dialect).decode(row, book, {})
    assert len(found) == len(back.replayed)
    return found, [reason for _, reason in back.kept]


def test_a_replay_under_a_fixed_plan_gives_the_events_as_they_first_came() -> None:
    found, kept = replayed(trust_times=False)
    assert [event.event_id for event in found] == ["m1", "m2", "m3", "m4"]
    first = found[0]
    assert isinstance(first, Record)
    assert (first.source, first.user_id, first.plan_revision, first.planned) == ("segment:main", "u1", 4, True)
    assert first.received_time == microseconds(NOW)
    assert first.corrected_time == microseconds(NOW - timedelta(seconds=30))  # sent 30 s after it happened
    assert json.loads(first.properties)["email"] == "ann@example.com"
    assert [reason.split(":")[0] for reason in kept] == ["time", "time"]


def test_old_times_come_back_only_when_they_are_trusted() -> None:
    found, kept = replayed(trust_times=True)
    assert [event.event_id for event in found] == ["m1", "m2", "m3", "m4", "m5"]
    last = found[-1]
    assert isinstance(last, Record)
    assert last.trusted
    assert last.original_time == microseconds(NOW - timedelta(days=100))
    assert kept == ["time: the time cannot be read: not a time"]


def test_a_replay_under_the_same_plan_brings_nothing_back() -> None:
    back = replay(held(), compile_plan(STRICT, revision=3, environment="dev"), key_id="k", now=0)
    assert back.rows == ()
    assert len(back.kept) == 6


def test_what_holds_no_event_stays() -> None:
    broken = Quarantined("undecodable", "", "x:y", 0, "not JSON")
    back = replay([broken], compile_plan(None, revision=0), key_id="k", now=0)
    assert back.kept == ((broken, "its text cannot be read"),)
    assert reasons([broken], compile_plan(None, revision=0))[0].sample == {}


# Identity


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(str(tmp_path / "definitions.sqlite"), clock=lambda: NOW)
    yield opened
    opened.close()


def seen(*events: tuple[str | None, str | None, int]) -> list[Record]:
    batch = [
        {
            "name": "a",
            "anonymous_id": anonymous,
            "user_id": user,
            "time": (NOW - timedelta(minutes=minutes)).isoformat(),
        }
        for anonymous, user, minutes in events
    ]
    return records(request("/api/v1/events", {"batch": batch}))


def test_links_are_added_and_the_first_one_stays(store: Store) -> None:
    table = LinkTable(store, project="default", environment="dev")
    assert table.observe(seen(("a1", None, 9), (None, "u1", 9), ("a1", "u1", 8), ("a1", "u1", 7))) == LinkCount(1, 0, 0)
    assert table.observe(seen(("a1", "u1", 5))) == LinkCount(0, 1, 0)
    assert table.observe(seen(("a1", "u2", 4), ("a2", "u1", 3))) == LinkCount(1, 0, 1)
    assert table.observe(seen(("a1", "u1", 30))) == LinkCount(0, 1, 0)  # arrives late
    assert [(link.user_id, link.time) for link in table.links("a1")] == [
        ("u1", microseconds(NOW - timedelta(minutes=30))),
        ("u2", microseconds(NOW - timedelta(minutes=4))),
    ]
    assert resolution(table.all(), "first") == {"a1": "u1", "a2": "u1"}
    assert resolution(table.all(), "none") == {}
    assert LinkTable(store, project="default", environment="prod").all() == []


def test_an_alias_links_two_ids(store: Store) -> None:
    table = LinkTable(store, project="default", environment="dev")
    alias = records(request("/v1/a", {"previousId": "anon", "userId": "u1", "messageId": "m"}))
    assert table.observe(alias) == LinkCount(1, 0, 0)
    assert resolution(table.all(), "first") == {"anon": "u1"}


def test_a_login_moves_nobody_and_mixed_persons_are_counted() -> None:
    exposures = [
        ("f", 1, "a1", "control"),
        ("f", 1, "u1", "treatment"),
        ("f", 1, "a2", "control"),
        ("f", 1, "u2", "control"),
        ("f", 2, "a1", "treatment"),
        ("g", None, "u1", "x"),
    ]
    resolved = {"a1": "u1", "a2": "u2"}
    (conflict,) = assignment_conflicts(exposures, resolved)
    assert (conflict.flag, conflict.epoch, conflict.unit, conflict.assigned) == ("f", 1, "u1", ("control", "treatment"))
    assert assignment_conflicts(exposures, {}) == []
