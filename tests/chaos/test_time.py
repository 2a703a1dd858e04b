"""The clock is set back, a client repeats itself for an hour: what is stored, and what a watermark promises."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Queue
from typing import Any

import duckdb
import pytest

from paribus.app.live import Installation
from paribus.governance.access import create_key
from paribus.server import create_app
from paribus.server.serve import Server
from paribus.settings import Settings

START = datetime(2026, 3, 31, 23, 30, tzinfo=UTC)


class HandClock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


class Door:
    """A client on one connection."""

    def __init__(self, url: str, secret: str) -> None:
        self._connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=20)
        self._secret = secret

    def send(self, body: bytes) -> dict[str, Any]:
        self._connection.request("POST", "/api/v1/events", body, {"X-API-Key": self._secret})
        answer = self._connection.getresponse()
        said = answer.read()
        assert answer.status == 200, said
        return dict(json.loads(said))


@contextmanager
def served(folder: Path, clock: HandClock) -> Iterator[tuple[Installation, Door]]:
    """A whole installation on the clock, and a client of it. Nothing flushes until told to."""
    settings = Settings(data=folder, log_level="error", requests_per_second=1_000_000)
    with Installation(settings, clock=clock) as live:
        _, secret = create_key(live.store, "intake", author="test")
        urls: Queue[str] = Queue()
        server = Server(create_app(live), "127.0.0.1", 0, ready=urls.put)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            yield live, Door(urls.get(timeout=20), secret)
        finally:
            server.stop()
            thread.join(20)
            assert not thread.is_alive()


def body_of(sent: datetime, *events: tuple[str, datetime]) -> bytes:
    batch = [{"event_id": key, "name": "seen", "time": time.isoformat(), "unit": "u1"} for key, time in events]
    return json.dumps({"sent_at": sent.isoformat(), "batch": batch}).encode()


def ids(live: Installation, version: int | None = None) -> list[str]:
    found = duckdb.sql(f"SELECT event_id FROM ({live.lake.events_sql(version)}) ORDER BY event_id").fetchall()
    return [event_id for (event_id,) in found]


@pytest.mark.parametrize("back", [timedelta(seconds=8), timedelta(hours=2), timedelta(days=3)])
def test_a_clock_set_back_loses_nothing_and_takes_early_promises_back(tmp_path: Path, back: timedelta) -> None:
    clock = HandClock()
    acknowledged: dict[str, datetime] = {}
    versions: list[int] = []

    def step(key: str, *, is_flushed: bool = True) -> None:
        said = door.send(body_of(clock.now, (key, clock.now)))
        assert said == {"accepted": 1, "quarantined": 0, "rejected": []}
        clock.now += timedelta(seconds=0.5)
        acknowledged[key] = clock.now
        clock.now += timedelta(seconds=0.5)
        if is_flushed:
            live.lake.flush()
            versions.append(live.lake.files()[0])
            clock.now += timedelta(seconds=5)

    def check() -> None:
        for version in versions:
            promised = live.lake.watermark(version)
            stored = set(ids(live, version))
            missing = {key for key, at in acknowledged.items() if at < promised} - stored
            assert not missing, f"version {version} promises to hold everything before {promised}"
        now = live.lake.snapshot()
        assert {key for key, at in acknowledged.items() if at < now.watermark} <= set(ids(live, now.version))

    with served(tmp_path / "data", clock) as (live, door):
        step("a")
        step("b")
        check()
        ahead = live.lake.watermark(versions[-1])
        clock.now -= back
        step("c", is_flushed=False)
        check()
        step("d")
        check()
        step("e")
        check()
        assert ids(live) == ["a", "b", "c", "d", "e"]
        assert live.lake.watermark(versions[1]) < ahead
        assert live.reconcile("default", "dev")["adds_up"]
        clock.now += back
        step("f")
        check()
        live.lake.compact()
        assert ids(live) == ["a", "b", "c", "d", "e", "f"]


def test_a_client_that_repeats_a_batch_for_an_hour_sent_one_event(tmp_path: Path) -> None:
    """2,000 times, over midnight, with flushes between and compactions of what has gathered."""
    clock = HandClock()
    events = [("first", START - timedelta(seconds=5)), ("second", START - timedelta(seconds=1))]
    with served(tmp_path / "data", clock) as (live, door):
        for number in range(2_000):
            clock.now += timedelta(seconds=1.8)
            said = door.send(body_of(clock.now, *events))
            assert said["accepted"] == 2
            if number % 100 == 50:
                live.lake.flush()
            if number % 500 == 450:
                live.lake.compact()
        assert clock.now - START == timedelta(hours=1)
        live.lake.drain()
        assert ids(live) == ["first", "second"]
        report = live.reconcile("default", "dev")
        [counts] = report["dialects"]
        assert report["adds_up"]
        assert (counts["accepted"], counts["landed"], counts["distinct"]) == (4_000, 4_000, 2)
        assert counts["duplicates"] == 3_998
        live.lake.compact(is_full=True)
        [counts] = live.reconcile("default", "dev")["dialects"]
        assert (counts["present"], counts["deduplicated"], counts["duplicates"]) == (2, 3_998, 3_998)
        [time] = duckdb.sql(
            f"SELECT corrected_time FROM ({live.lake.events_sql()}) WHERE event_id = 'first'"
        ).fetchall()
        assert time[0] == START - timedelta(seconds=5), "received − (sent − original), whichever copy stays"
