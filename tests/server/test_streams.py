"""The two streams and the ETags: who hears of a change, how soon."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue

import httpx
import pytest
from tests.server.installation import Installation, installed, running

from paribus.governance import access
from paribus.server import streams, watch

SOON = 1.0  # seconds


class Listener:
    """Reads one stream in a thread; `next` gives event fields as they arrive."""

    def __init__(self, url: str, params: dict[str, str] | None = None, headers: dict[str, str] | None = None) -> None:
        self.ended = threading.Event()
        self._events: Queue[dict[str, str]] = Queue()
        self._thread = threading.Thread(target=self._read, args=(url, params, headers or {}), daemon=True)
        self._thread.start()

    def _read(self, url: str, params: dict[str, str] | None, headers: dict[str, str]) -> None:
        with (
            contextlib.suppress(httpx.RemoteProtocolError),
            httpx.stream("GET", url, params=params, headers=headers, timeout=30) as answer,
        ):
            assert answer.headers["content-type"].startswith("text/event-stream")
            fields: dict[str, str] = {}
            for line in answer.iter_lines():
                if not line and "data" in fields:
                    self._events.put(fields)
                    fields = {}
                elif ":" in line and not line.startswith(":"):
                    name, _, value = line.partition(":")
                    fields[name] = value.strip()
        self.ended.set()

    def next(self, timeout: float = 10) -> dict[str, str]:
        return self._events.get(timeout=timeout)

    def rest(self, seconds: float) -> Iterator[dict[str, str]]:
        try:
            while True:
                yield self._events.get(timeout=seconds)
        except Empty:
            return


def test_definitions_arrive_at_once_and_after_a_change(live: Installation, url: str) -> None:
    live.flag("first")
    stream = Listener(url + "/api/v1/definitions/stream", headers={"X-API-Key": live.secret("server")})
    fields = stream.next()
    assert fields["event"] == "definitions"
    snapshot = json.loads(fields["data"])
    assert "first" in snapshot["flags"]
    assert fields["id"] == str(snapshot["revision"])
    started = time.monotonic()
    live.kill("first")  # through the store, as another process would
    while not json.loads(stream.next(SOON)["data"])["flags"]["first"]["killed"]:
        pass
    assert time.monotonic() - started < SOON


def test_refetch_follows_the_address_of_the_bulk_answer(live: Installation, url: str) -> None:
    live.flag("told")
    headers = {"X-API-Key": live.secret("client")}
    bulk = httpx.post(url + "/ofrep/v1/evaluate/flags", json={"context": {"targetingKey": "u1"}}, headers=headers)
    (source,) = bulk.json()["eventStreams"]
    assert source["type"] == "sse"
    stream = Listener(url + source["endpoint"]["requestUri"])
    stream.next()
    live.kill("told")
    data = json.loads(stream.next(SOON)["data"])
    assert data["type"] == "refetchEvaluation"
    again = httpx.post(
        url + "/ofrep/v1/evaluate/flags",
        params={"flagConfigEtag": data["etag"], "flagConfigLastModified": data["lastModified"]},
        json={"context": {"targetingKey": "u1"}},
        headers={**headers, "If-None-Match": bulk.headers["etag"]},
    )
    assert again.status_code == 200
    told = {each["key"]: each for each in again.json()["flags"]}["told"]
    assert told["metadata"]["reason"] == "KILLED"
    assert not {"rules", "overrides"} & set(told["metadata"])


def test_nothing_changed_is_304(live: Installation, url: str) -> None:
    path, context = url + "/ofrep/v1/evaluate/flags", {"context": {"targetingKey": "u1"}}
    headers = {"X-API-Key": live.secret("server")}
    first = httpx.post(path, json=context, headers=headers)
    assert "eventStreams" not in first.json(), "a server key must not stand in an address"
    for known in (first.headers["etag"], f'"other", W/{first.headers["etag"]}', "*"):
        again = httpx.post(path, json=context, headers={**headers, "If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
    other = {"context": {"targetingKey": "u2"}}
    assert httpx.post(path, json=other, headers={**headers, "If-None-Match": first.headers["etag"]}).status_code == 200
    definitions = httpx.get(url + "/api/v1/definitions", headers=headers)
    known = {**headers, "If-None-Match": definitions.headers["etag"]}
    assert httpx.get(url + "/api/v1/definitions", headers=known).status_code == 304


def test_a_bulk_answer_says_what_the_report_of_an_exposure_needs(live: Installation, url: str) -> None:
    body = dict(live.flag("by-account").body or {}) | {"unit_attribute": "account", "unit_type": "account"}
    first = {"id": "pro", "when": {"attribute": "plan", "op": "equals", "value": "pro"}, "variant": "treatment"}
    state = body["environments"]["dev"]
    body["environments"] = {"dev": {**state, "rules": [first, *state["rules"]]}}
    live.write("default", "flag", "by-account", body, author="test", reason="a test", expected=1)
    time.sleep(0.5)
    context = {"context": {"targetingKey": "u1", "account": "a1", "plan": "free"}}
    headers = {"X-API-Key": live.secret("client")}
    [answer] = [
        flag
        for flag in httpx.post(url + "/ofrep/v1/evaluate/flags", json=context, headers=headers).json()["flags"]
        if flag["key"] == "by-account"
    ]
    assert answer["metadata"]["unit_attribute"] == "account"
    assert answer["metadata"]["attribute_names"] == "plan"
    assert answer["metadata"]["unit_type"] == "account"


def test_server_flags_stay_on_the_server(live: Installation, url: str) -> None:
    body = dict(live.flag("inner").body or {}) | {"client": False}
    live.write("default", "flag", "inner", body, author="test", reason="a test", expected=1)
    context = {"context": {"targetingKey": "u1"}}
    server, client = ({"X-API-Key": live.secret(scope)} for scope in ("server", "client"))
    path = url + "/ofrep/v1/evaluate/flags"
    time.sleep(0.5)
    assert "inner" in httpx.post(path, json=context, headers=server).text
    assert "inner" not in httpx.post(path, json=context, headers=client).text
    assert httpx.post(path + "/inner", json=context, headers=server).status_code == 200
    assert httpx.post(path + "/inner", json=context, headers=client).status_code == 404


def test_streams_end_when_the_server_stops(tmp_path: Path) -> None:
    with installed(tmp_path) as live:
        with running(live) as url:
            stream = Listener(url + "/api/v1/definitions/stream", headers={"X-API-Key": live.secret("server")})
            stream.next()
            started = time.monotonic()
        assert stream.ended.wait(5)
        assert time.monotonic() - started < 5


def test_a_slow_listener_skips_to_the_newest() -> None:
    async def read() -> list[object]:
        listener = watch.Listener("first")  # type: ignore[arg-type]
        seen: list[object] = [await listener.next()]
        for state in ("second", "third", "fourth"):
            listener.tell(state)  # type: ignore[arg-type]
        seen.append(await listener.next())
        listener.tell(None)
        return [*seen, await listener.next()]

    assert asyncio.run(read()) == ["first", "fourth", None]


def test_a_revoked_key_ends_its_stream(live: Installation, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_SECONDS", 0.2)
    key, secret = access.create_key(live.store, "server", author="test")
    stream = Listener(url + "/api/v1/definitions/stream", headers={"X-API-Key": secret})
    stream.next()
    assert not stream.ended.wait(0.5)
    access.revoke_key(live.store, key.id)
    assert stream.ended.wait(5)
