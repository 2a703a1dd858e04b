"""The routes that need the lake, on a whole installation: plan, tail, quarantine, replay, reconcile, analysis."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.server.installation import serving

from paribus.app.live import Installation
from paribus.governance.access import create_key
from paribus.server import create_app
from paribus.settings import Settings


@pytest.fixture
def http(tmp_path: Path) -> Iterator[httpx.Client]:
    settings = Settings(data=tmp_path / "data", flush_seconds=0.2, log_level="error")
    with Installation(settings) as live:
        secret = create_key(live.store, "admin", author="test")[1]
        live.start()
        with serving(create_app(live)) as url, httpx.Client(base_url=url + "/api/v1", timeout=60) as client:
            client.headers["X-API-Key"] = secret
            yield client


def plan(kind: str) -> dict[str, Any]:
    properties = {"revenue": {"type": kind, "required": True}}
    return {"events": {"order": {"version": 1 if kind == "integer" else 2, "properties": properties}}}


def send(http: httpx.Client, *revenues: object) -> dict[str, Any]:
    now = int(time.time() * 1000)
    batch = [
        {"event_id": f"e{index}", "name": "order", "time": now, "unit": "u1", "properties": {"revenue": revenue}}
        for index, revenue in enumerate(revenues)
    ]
    answer = http.post("/events", json={"batch": batch})
    assert answer.status_code == 200
    return dict(answer.json())


def until(found: Any, seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := found()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return value


def test_a_contract_its_quarantine_and_the_replay(http: httpx.Client) -> None:
    made = http.put("/tracking-plans/default", json=plan("integer"))
    assert made.status_code == 200, made.text
    until(lambda: send(http, "wrong")["quarantined"] == 1)
    counts = send(http, 1, 2, 2.5)
    assert (counts["accepted"], counts["quarantined"]) == (2, 1)
    listed = http.get("/events/tail", params={"limit": 5})
    assert listed.status_code == 200, listed.text
    tail = listed.json()["items"]
    assert {each["name"] for each in tail} == {"order"}
    held = until(lambda: [e for e in http.get("/events/quarantine").json()["items"] if "2.5" in str(e)])
    assert held[0]["reason"] == "contract"
    assert http.get("/events/quarantine").json()["reasons"]["contract"] >= 1
    refused = http.put("/tracking-plans/default", json=plan("string") | {"unplanned": {"dev": "maybe"}})
    assert refused.status_code in {409, 422}
    assert refused.json()["detail"]
    replayed = http.post("/events/quarantine/replay", json={"reason": "contract"})
    assert replayed.status_code == 200
    assert replayed.json()["replayed"] == 0, "the plan is still the same"
    assert until(lambda: http.get("/events/reconcile").json()["adds_up"])


def test_an_experiment_that_is_none(http: httpx.Client) -> None:
    answer = http.post("/experiments/nothing/analyze", json={})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_metrics_and_health_of_a_whole_installation(http: httpx.Client) -> None:
    root = str(http.base_url).removesuffix("/api/v1/")
    assert httpx.get(root + "/ready").json()["status"] == "ok"
    text = httpx.get(root + "/metrics").text
    assert "paribus_queue_events" in text
    assert "paribus_watermark_lag_seconds" in text
