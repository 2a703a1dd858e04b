"""Events through the door: genuine clients, durable before the answer, counted."""

from __future__ import annotations

import gzip
import json
import re
import uuid

import httpx
import pytest
import segment.analytics as segment
from tests.server.installation import Installation

from paribus.errors import StorageError


def named(live: Installation, name: str) -> list[dict[str, object]]:
    return [each for each in live.events() if each["name"] == name]


def test_the_genuine_segment_client(live: Installation, url: str) -> None:
    sent = []
    client = segment.Client(
        live.secret("intake"), host=url, gzip=True, on_error=lambda error, _: sent.append(error), max_retries=1
    )
    for number in range(250):
        client.track(f"u{number}", "Order Completed", {"revenue": number / 4, "text": "ü€"}, message_id=f"m{number}")
    client.identify("u1", {"plan": "pro"})
    client.flush()
    client.shutdown()
    assert sent == []
    found = {each["event_id"]: each for each in named(live, "Order Completed")}
    assert len(found) == 250
    assert found["m9"]["user_id"] == "u9"
    assert found["m9"]["properties"] == {"revenue": 2.25, "text": "ü€"}
    assert found["m9"]["dialect"] == "segment"


def test_our_own_batches(live: Installation, url: str) -> None:
    events = [{"event_id": str(uuid.uuid4()), "name": "own", "time": 1_795_900_000_000, "unit": "u1"} for _ in range(3)]
    body = json.dumps({"batch": [*events, {"nameless": 1}]})
    headers = {"X-API-Key": live.secret("intake")}
    answer = httpx.post(url + "/api/v1/events", content=body, headers={**headers, "Content-Type": "text/plain"})
    assert answer.status_code == 200
    assert (answer.json()["accepted"] + answer.json()["quarantined"], len(answer.json()["rejected"])) == (3, 1)
    packed = {**headers, "Content-Encoding": "gzip"}
    again = httpx.post(url + "/intake/paribus/events", content=gzip.compress(body.encode()), headers=packed)
    assert again.status_code == 200
    found = [each["event_id"] for each in named(live, "own")]
    assert sorted(found) == sorted(each["event_id"] for each in events * 2), "rows stay; readers see one event per id"


def test_a_beacon_brings_its_key_in_the_address(live: Installation, url: str) -> None:
    body = json.dumps({"batch": [{"event_id": "b1", "name": "beacon", "time": 1_795_900_000_000}]})
    answer = httpx.post(url + "/api/v1/events", params={"key": live.secret("client")}, content=body)
    assert answer.status_code == 200
    assert len(named(live, "beacon")) == 1


def test_not_durable_is_503_and_nothing_is_acknowledged(
    live: Installation, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(rows: object) -> int:
        raise StorageError("no space left on the disk", where="landing.sqlite")

    headers = {"X-API-Key": live.secret("intake")}
    body = {"batch": [{"event_id": "full", "name": "full", "time": 1_795_900_000_000}]}
    with monkeypatch.context() as patched:
        patched.setattr(live.landing, "append_async", full)  # a disk cannot be filled here
        for path, sent in (("/api/v1/events", body), ("/v1/batch", {"batch": [], "sentAt": None})):
            answer = httpx.post(url + path, json=sent, headers=headers)
            if path == "/api/v1/events":
                assert answer.status_code == 503
                assert int(answer.headers["retry-after"]) >= 1
                assert answer.json()["code"] == "storage"
    assert named(live, "full") == []
    assert httpx.post(url + "/api/v1/events", json=body, headers=headers).status_code == 200
    assert len(named(live, "full")) == 1


def test_single_evaluation_exposes_and_bulk_does_not(live: Installation, url: str) -> None:
    live.flag("exposed")
    path = url + "/ofrep/v1/evaluate/flags"
    headers = {"X-API-Key": live.secret("server")}
    import time

    deadline = time.monotonic() + 5
    while httpx.post(path + "/exposed", json={}, headers=headers).status_code == 404 and time.monotonic() < deadline:
        time.sleep(0.02)
    served = {}
    for unit in ("u1", "u2", "u1"):
        context = {"context": {"targetingKey": unit}}
        served[unit] = httpx.post(path + "/exposed", json=context, headers=headers).json()["variant"]
        httpx.post(path, json={"context": {"targetingKey": "bulk"}}, headers=headers)
        off = {**headers, "paribus-exposure": "off"}
        httpx.post(path + "/exposed", json={"context": {"targetingKey": "looked"}}, headers=off)
    time.sleep(0.5)
    found = [each for each in named(live, "$exposure") if each["properties"]["flag"] == "exposed"]  # type: ignore[index]
    assert {each["unit"]: each["properties"]["assigned"] for each in found} == served  # type: ignore[index]
    assert len(found) == 2, "the second look of u1 is the same exposure"
    first = found[0]["properties"]
    assert isinstance(first, dict)
    assert (first["reason"], first["epoch"], first["probability"], first["environment"]) == ("SPLIT", 1, 0.5, "dev")


def test_counts_are_visible(live: Installation, url: str) -> None:
    event = {"event_id": "counted", "name": "e", "time": 1, "properties": {}}

    def held(text: str) -> float:
        found = re.search(r'paribus_intake_events_total\{dialect="paribus",fate="quarantined"\} ([\d.]+)', text)
        return float(found[1]) if found else 0.0

    before = held(httpx.get(url + "/metrics").text)
    sent = httpx.post(url + "/api/v1/events", json={"batch": [event] * 3}, headers={"X-API-Key": live.secret("intake")})
    assert sent.json()["quarantined"] == 3, "a time of 1970"
    text = httpx.get(url + "/metrics").text
    assert held(text) - before == 3
    assert "paribus_exposures_landed" in text
    openmetrics = httpx.get(url + "/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text")
    assert openmetrics.text.endswith("# EOF\n")
