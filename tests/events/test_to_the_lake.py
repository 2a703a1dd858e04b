"""From the door through the durable queue into the table: what was sent is what a reader finds, once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.events.door import NOW, Door, check, request

from paribus.events.compile import PlanBook, compile_plan
from paribus.events.dialects import dialect_named
from paribus.events.quarantine import replay
from paribus.lake import Lake, LandingRow, Quarantined, Record

PLANS: dict[int, dict[str, Any]] = {
    1: {"events": {"order": {"properties": {"revenue": {"type": "number"}, "Shipped At": {"type": "datetime"}}}}},
    2: {"events": {"order": {"properties": {"revenue": {"type": "number"}, "items": {"type": "integer"}}}}},
}
BOOK = PlanBook(lambda key_id, revision: (PLANS.get(revision), "dev"))


def decode(row: LandingRow) -> list[Record | Quarantined]:
    return list(dialect_named(row.dialect).decode(row, BOOK, {"k1": "main"}))


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    opened = Lake.open(tmp_path, clock=lambda: NOW, decode=decode)
    yield opened
    opened.close()


def query(sql: str) -> list[dict[str, Any]]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        answer = connection.execute(sql)
        names = [column[0] for column in answer.description or []]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def land(lake: Lake, body: Any, revision: int, path: str = "/api/v1/events") -> None:
    checked = check(request(path, body), compile_plan(PLANS[revision], revision=revision))
    lake.landing.append([checked.row("k1")])


def test_typed_columns_grow_with_the_plan_and_quarantine_comes_back(lake: Lake) -> None:
    first = {
        "name": "order",
        "event_id": "1",
        "unit": "u",
        "properties": {"revenue": 3, "Shipped At": "2026-11-20T01:00:00+01:00"},
    }
    land(lake, {"batch": [first, {"name": "order", "event_id": "2", "properties": {"revenue": "x"}}]}, 1)
    land(lake, {"batch": [{"name": "order", "event_id": "3", "properties": {"revenue": 1.5, "items": 2}}]}, 2)
    land(lake, {"batch": [{"name": "order", "event_id": "3", "properties": {"revenue": 1.5, "items": 2}}]}, 2)
    lake.drain()
    rows = query(f"SELECT * FROM ({lake.events_sql()}) ORDER BY event_id")
    assert [(row["event_id"], row["p_revenue"], row["p_items"], row["plan_revision"]) for row in rows] == [
        ("1", 3.0, None, 1),
        ("3", 1.5, 2, 2),
    ]
    assert rows[0]["p_Shipped_At"] == datetime(2026, 11, 20, 0, 0, tzinfo=UTC)
    assert rows[0]["corrected_time"] == NOW
    (held,) = query(lake.quarantine_sql())
    assert (held["reason"], held["event_id"]) == ("contract", "2")
    back = replay(
        [Quarantined("contract", "", held["source"], int(NOW.timestamp() * 1e6), held["body"])],
        compile_plan(None, revision=0),
        key_id="k1",
        now=int(NOW.timestamp() * 1e6),
    )
    lake.landing.append(list(back.rows))
    lake.drain()
    assert [row["event_id"] for row in query(f"SELECT * FROM ({lake.events_sql()}) ORDER BY event_id")] == list("123")


def test_our_own_client_arrives_field_by_field(tmp_path: Path) -> None:
    from paribus_sdk import Client

    rollout = {
        "traffic_salt": "t",
        "traffic_bp": 10_000,
        "split_salt": "s",
        "epoch": 1,
        "split": [{"variant": "control", "weight_bp": 5000}, {"variant": "treatment", "weight_bp": 5000}],
    }
    flag = {
        "type": "boolean",
        "revision": 4,
        "enabled": True,
        "killed": False,
        "unit_type": "user",
        "unit_attribute": None,
        "variants": [{"name": "control", "value": False}, {"name": "treatment", "value": True}],
        "default_variant": "control",
        "client": True,
        "prerequisites": [],
        "holdouts": [],
        "overrides": {},
        "sticky": {},
        "rules": [{"id": "r1", "rollout": rollout}],
    }
    snapshot = {
        "format": 1,
        "project": "default",
        "environment": "dev",
        "revision": 17,
        "flags": {"new-checkout": flag},
        "audiences": {},
        "layers": {},
        "holdouts": {},
    }
    definitions = tmp_path / "definitions.json"
    definitions.write_text(json.dumps(snapshot))
    door = Door()
    try:
        client = Client(door.url, "pb_server_x", file=definitions, cache_dir=tmp_path / "cache", flush_seconds=0.05)
        client.ready(5)
        given = {}
        for index in range(50):
            given[f"u{index}"] = client.variant("new-checkout", unit=f"u{index}")
            client.track("order_completed", unit=f"u{index}", revenue=index + 0.5)
        client.flush(5)
        client.close()
    finally:
        door.close()
    exposures = [record for record in door.records if record.name == "$exposure"]
    orders = [record for record in door.records if record.name == "order_completed"]
    assert set(door.keys) == {"pb_server_x"}
    assert {record.unit: record.typed["assigned"] for record in exposures} == given
    assert len(exposures) == len(orders) == 50
    assert all(record.planned for record in exposures)
    typed = exposures[0].typed
    assert (typed["flag"], typed["reason"], typed["epoch"], typed["probability"]) == ("new-checkout", "SPLIT", 1, 0.5)
    assert (typed["traffic_bp"], typed["split_bp"], typed["revision"]) == (10_000, 5000, 4)
    assert [json.loads(record.properties) for record in orders] == [{"revenue": index + 0.5} for index in range(50)]
    assert all(record.sent_time is not None and record.sent_time >= record.original_time for record in door.records)
    assert len({record.event_id for record in door.records}) == 100
