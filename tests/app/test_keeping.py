"""The maintained tables in the server: kept up, read by analyses, erased; and readers whose files go meanwhile."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from paribus import app
from paribus.app import arrival, definition, lake
from paribus.app.decoder import local_key
from paribus.app.live import Installation
from paribus.errors import EngineError
from paribus.events.dialects import dialect_named
from paribus.events.request import IntakeRequest
from paribus.experiments.on_lake import Snapshot, analyze_on_lake, snapshot_of
from paribus.experiments.registry import save, stored
from paribus.flags import change
from paribus.lake import LakeReader
from paribus.lake import Snapshot as LakeSnapshot
from paribus.lake.recent import newest
from paribus.settings import Settings

WHO = {"author": "tester", "reason": "test"}
BODY: dict[str, Any] = {
    "paribus": 1,
    "experiment": "checkout",
    "flag": "checkout",
    "environment": "dev",
    "interference": "none because carts are personal",
    "variants": {"control": 50, "treatment": 50},
    "metrics": [
        {"name": "bought", "type": "proportion", "event": "order_completed"},
        {"name": "revenue", "type": "mean", "event": "order_completed", "value": "revenue", "role": "secondary"},
    ],
}


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Installation]:
    """An installation whose flushes and updates the test calls by hand."""
    with Installation(Settings(data=tmp_path / "data", port=0)) as opened:
        definition.write(
            opened.store, "flag", "checkout", change.create("checkout", environment="dev"), expected=0, **WHO
        )
        save(opened.store, BODY, expected=0, **WHO)
        yield opened


def send(live: Installation, events: list[dict[str, Any]]) -> None:
    now = live.clock()
    batch = [{"event_id": f"e{random.random()}", "time": now.isoformat(), "properties": {}, **each} for each in events]
    body = json.dumps({"sent_at": now.isoformat(), "batch": batch}).encode()
    checked = dialect_named("paribus").check(
        IntakeRequest("POST", "/api/v1/events", {}, {}, body, now), live.plans("default", "dev")
    )
    live.landing.append([checked.row(local_key("default", "dev"))])
    live.lake.drain()


def exposure(unit: str, variant: str, **more: Any) -> dict[str, Any]:
    properties = {
        "flag": "checkout", "assigned": variant, "served": variant, "reason": "SPLIT", "revision": 1, "epoch": 1,
        "traffic_bp": 10_000, "split_bp": 5_000, "probability": 0.5, "attributes": {}, "environment": "dev",
        "unit_type": "user", "unit": unit,
    }  # fmt: skip
    return {"name": "$exposure", "unit": unit, "unit_type": "user", **more, "properties": properties}


def order(unit: str, revenue: float) -> dict[str, Any]:
    return {"name": "order_completed", "unit": unit, "unit_type": "user", "properties": {"revenue": revenue}}


def visits(live: Installation, first: int, n: int = 30) -> None:
    units = [f"person-{i}" for i in range(first, first + n)]
    send(live, [exposure(unit, ["control", "treatment"][i % 2]) for i, unit in enumerate(units)])
    send(live, [order(unit, 3.0 + 7 * i % 11) for i, unit in enumerate(units) if i % 3])


def way(result: dict[str, Any]) -> str:
    return str(result["lake"]["way"])


def statement(live: Installation) -> dict[str, Any]:
    document = stored(live.store, "checkout")
    return analyze_on_lake(document, snapshot_of(live.lake), threads=1).to_dict()


def test_the_server_keeps_tables_and_its_analyses_read_them(live: Installation) -> None:
    visits(live, 0)
    assert way(live.analyze("default", "checkout", {})) == "statement"  # none are built for an analysis
    assert live.keeper.keep_up() == 1
    assert live.keeper.keep_up() == 0  # the lake has not moved
    visits(live, 30)
    live.lake.compact()
    result, once = live.analyze("default", "checkout", {}), statement(live)
    assert (way(result), way(once)) == ("tables", "statement")
    assert result["units"] == once["units"] == {"control": 30, "treatment": 30}
    cells = [each["proof"]["measurement"]["cells"]["revenue"]["cells"] for each in (result, once)]
    assert [cell["mean"] for cell in cells[0]] == [pytest.approx(cell["mean"], rel=1e-9) for cell in cells[1]]
    assert app.verify(result).data == "reproduced"
    # a command beside the server reads what it finds, and only reads
    beside = lake.analyze_experiment(live.store, LakeReader(live.folder, clock=live.clock), "checkout")
    assert beside.lake is not None
    assert beside.lake.way == "tables"
    assert way(live.analyze("default", "checkout", {"as_of": live.clock().isoformat()})) == "statement"


def test_erasure_reaches_the_tables_and_what_nobody_needs_goes(live: Installation) -> None:
    visits(live, 0)
    live.keeper.keep_up()
    files = [live.folder / "lake" / name for name in ("first_exposures", "unit_metric")]

    def named(unit: str) -> int:
        paths = [str(path) for folder in files for path in folder.rglob("*.parquet")]
        rows = duckdb.sql(
            "SELECT count(*) FROM read_parquet($files, union_by_name = true) WHERE unit = $unit",
            params={"files": paths, "unit": unit},
        ).fetchall()
        return int(rows[0][0])

    assert named("person-17") > 0
    live.erase(["person-17"])
    assert named("person-17") == 0
    assert way(live.analyze("default", "checkout", {})) == "statement"  # rows went: built anew in the background
    live.keeper.keep_up()
    result = live.analyze("default", "checkout", {})
    assert (way(result), sum(result["units"].values())) == ("tables", 29)
    live.write("default", "experiment", "checkout", None, expected=1, **WHO)
    assert live.keeper.keep_up() == 0
    assert not [path for folder in files for path in folder.rglob("*") if path.is_file()]


def test_a_lake_that_went_back_is_read_anew(live: Installation) -> None:
    visits(live, 0)
    live.keeper.keep_up()
    visits(live, 30)
    manifest = live.folder / "lake" / "unit_metric" / "user.json"
    plain = json.loads(manifest.read_text())
    version = snapshot_of(live.lake).version
    # as after a backup older than the tables: the number is there, and says another thing
    manifest.write_text(json.dumps({**plain, "version": version}))
    assert way(live.analyze("default", "checkout", {})) == "statement"
    assert live.keeper.keep_up() == 1
    result = live.analyze("default", "checkout", {})
    assert (way(result), result["units"]) == ("tables", {"control": 30, "treatment": 30})


def test_a_thread_keeps_them_and_zero_seconds_keep_none(tmp_path: Path) -> None:
    for seconds, expected in ((0.05, True), (0.0, False)):
        with Installation(Settings(data=tmp_path / str(seconds), port=0, keep_seconds=seconds)) as live:
            save(live.store, BODY, expected=0, **WHO)
            visits(live, 0)
            live.start()
            manifest = live.folder / "lake" / "unit_metric" / "user.json"
            end = time.monotonic() + (20 if expected else 0.5)
            while not manifest.exists() and time.monotonic() < end:
                time.sleep(0.02)
            assert manifest.exists() == expected
        assert "paribus-keep" not in {thread.name for thread in threading.enumerate()}


def test_identities_are_joined_by_the_links_that_events_stated(live: Installation) -> None:
    save(live.store, {**BODY, "experiment": "joined", "identity": "first"}, expected=0, **WHO)
    sent = []
    for i in range(20):
        met = exposure(f"anon-{i}", ["control", "treatment"][i % 2], unit_type="anonymous", anonymous_id=f"anon-{i}")
        met["properties"]["unit_type"] = "anonymous"
        login = {"name": "login", "anonymous_id": f"anon-{i}", "user_id": f"user-{i}"}
        sent += [met, login, order(f"user-{i}", 5.0)] if i < 15 else [met]
    send(live, sent)
    result = live.analyze("default", "joined", {})
    assert sum(result["units"].values()) == 15
    assert result["proof"]["measurement"]["fingerprint"]["identity"]["links"] == 15
    assert app.verify(result).data == "reproduced"
    live.keeper.keep_up()
    assert way(live.analyze("default", "joined", {})) == "statement"
    send(live, [{"name": "login", "anonymous_id": "anon-18", "user_id": "user-18"}])
    assert app.verify(result).data == "data changed"


class Overtaken(LakeReader):
    """A reader that finds its files compacted and cleaned away right after it listed them, so many times."""

    def __init__(self, live: Installation, times: int = 1) -> None:
        super().__init__(live.folder, clock=live.clock)
        self._live = live
        self.times = times

    def _overtake(self) -> None:
        if self.times:
            self.times -= 1
            send(self._live, [order("person-1", 1.0), {"name": "", "event_id": "bad"}])
            self._live.lake.compact(is_full=True)
            self._live.lake.vacuum(retention_hours=0)

    def snapshot(self, version: int | None = None) -> LakeSnapshot:
        found = super().snapshot(version)
        self._overtake()
        return found

    def quarantine_sql(self, version: int | None = None) -> str:
        found = super().quarantine_sql(version)
        self._overtake()
        return found


def test_a_reader_whose_files_are_gone_reads_a_fresh_list_once(live: Installation) -> None:
    visits(live, 0)
    old: Snapshot = snapshot_of(live.lake)
    overtaken = Overtaken(live)
    result = lake.analyze_experiment(live.store, overtaken, "checkout")
    assert overtaken.times == 0
    assert not any(file.exists() for file in old.files)
    assert result.units == {"control": 15, "treatment": 15}
    assert all(one["sha256"] for one in result.proof["measurement"]["fingerprint"]["lake"]["files"])
    assert len(newest(Overtaken(live), 500)) == 30 + 20 + 2
    assert arrival.reconcile(live.lake)["adds_up"]


def test_it_does_not_try_for_ever(live: Installation) -> None:
    visits(live, 0)
    with pytest.raises(EngineError, match="No files found"):
        lake.analyze_experiment(live.store, Overtaken(live, times=5), "checkout")
