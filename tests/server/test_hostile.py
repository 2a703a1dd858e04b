"""Bodies that want to hurt: all refused with a reason, the server goes on."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import time
from urllib.parse import urlsplit

import httpx
import pytest
from tests.server.installation import Installation

MANAGED = "/api/v1/flags/f"
DEEP = b'{"a":' * 30 + b"1" + b"}" * 30
ENDLESS = b"[" * 200_000
BODIES = {
    "no JSON": b"{",
    "deep": DEEP,
    "endless": ENDLESS,
    "doubled name": b'{"type":"boolean","type":"string"}',
    "not UTF-8": b'{"a":"\xff"}',
    "lone surrogate": b'{"a":"\\ud800"}',
    "NaN": b'{"a":NaN}',
    "infinite": b'{"a":1e999}',
    "huge whole number": b'{"a":' + b"9" * 5000 + b"}",
    "not an object": b"[]",
    "just a text": b'"x"',
}


def flagged(live: Installation) -> None:
    if not live.snapshot("default", "dev")["flags"]:
        live.flag("f")


@pytest.mark.parametrize("name", BODIES)
def test_documents(live: Installation, url: str, name: str) -> None:
    answer = httpx.put(url + MANAGED, content=BODIES[name], headers={"X-API-Key": live.secret("admin")})
    assert answer.status_code in {400, 422}, answer.text
    assert answer.json()["detail"]
    assert httpx.get(url + "/health").status_code == 200


@pytest.mark.parametrize("name", ["no JSON", "endless", "not UTF-8", "NaN", "not an object", "just a text"])
@pytest.mark.parametrize("path", ["/ofrep/v1/evaluate/flags", "/ofrep/v1/evaluate/flags/f"])
def test_evaluations(live: Installation, url: str, name: str, path: str) -> None:
    flagged(live)
    answer = httpx.post(url + path, content=BODIES[name], headers={"X-API-Key": live.secret("client")})
    assert answer.status_code == 400
    assert answer.json()["errorCode"] in {"PARSE_ERROR", "INVALID_CONTEXT"}
    assert answer.json()["errorDetails"]


def test_contexts_of_any_shape_evaluate(live: Installation, url: str) -> None:
    flagged(live)
    with httpx.Client(headers={"X-API-Key": live.secret("client")}) as http:
        for context in ({"targetingKey": 5}, {"targetingKey": ["x"]}, {"targetingKey": None}, {"x": [[{}]]}, None):
            answer = http.post(url + "/ofrep/v1/evaluate/flags/f", json={"context": context})
            assert answer.status_code == 200
            assert answer.json()["variant"] in {"control", "treatment"}


@pytest.mark.parametrize("name", [*BODIES, "empty"])
def test_events(live: Installation, url: str, name: str) -> None:
    headers = {"X-API-Key": live.secret("intake")}
    answer = httpx.post(url + "/api/v1/events", content=BODIES.get(name, b""), headers=headers)
    assert answer.status_code in {200, 400}
    assert [each for each in live.events() if each["name"] != "$exposure"] == []


def test_bombs_and_giants(live: Installation, url: str) -> None:
    headers = {"X-API-Key": live.secret("admin"), "Content-Encoding": "gzip"}
    bomb = gzip.compress(b'{"a":"' + b"0" * 60_000_000 + b'"}')
    assert len(bomb) < 100_000
    for path in ("/api/v1/events", "/ofrep/v1/evaluate/flags", "/v1/batch"):
        started = time.process_time()
        assert httpx.post(url + path, content=bomb, headers=headers).status_code == 413
        assert time.process_time() - started < 2
    assert httpx.put(url + MANAGED, content=bomb, headers=headers).status_code == 413
    assert httpx.put(url + MANAGED, content=b"not gzip", headers=headers).status_code == 400
    brotli = {**headers, "Content-Encoding": "br"}
    assert httpx.put(url + MANAGED, content=b"x", headers=brotli).status_code == 415


def test_an_announced_giant_is_refused_before_it_is_sent(live: Installation, url: str) -> None:
    address = urlsplit(url)
    secret = live.secret("intake")
    with socket.create_connection((address.hostname, address.port), timeout=5) as connection:
        head = f"POST /api/v1/events HTTP/1.1\r\nHost: x\r\nX-API-Key: {secret}\r\nContent-Length: 9999999999\r\n\r\n"
        connection.sendall(head.encode())
        assert b" 413 " in connection.recv(4096)


@pytest.mark.parametrize("secret", [b"\xff\xfe", "ключ".encode(), b"x" * 8000, b"' OR 1=1", b"pb_admin_"])
def test_keys_that_are_none(url: str, secret: bytes) -> None:
    for name, value in (
        (b"X-API-Key", secret),
        (b"Authorization", b"Bearer " + secret),
        (b"Authorization", b"Basic !"),
    ):
        answer = httpx.get(url + "/api/v1/definitions", headers=[(name, value)])
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"]


def test_no_secret_in_logs_answers_or_metrics(live: Installation, url: str, capfd: pytest.CaptureFixture[str]) -> None:
    secret = live.secret("client")
    httpx.get(url + "/api/v1/flags", params={"key": secret})
    httpx.get(url + "/ofrep/v1/events", params={"key": secret[:-1]})
    text = httpx.get(url + "/metrics").text
    seen = capfd.readouterr()
    for where in (text, seen.out, seen.err):
        assert secret[:-1] not in where
        assert "?key" not in where


def test_every_answer_carries_the_security_headers(live: Installation, url: str) -> None:
    for path in ("/health", "/api/v1/flags", "/ofrep/v1/evaluate/flags", "/nothing", "/api/v1/nothing"):
        headers = httpx.get(url + path, headers={"X-Request-Id": "abc-1"}).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert not path.startswith("/api") or "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-request-id"] == "abc-1"
    odd = httpx.get(url + "/health", headers={"X-Request-Id": "a b"}).headers["x-request-id"]
    assert odd != "a b"


def test_other_origins(live: Installation, url: str) -> None:
    origin = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    wanted = {**origin, "Access-Control-Request-Headers": "authorization,content-type,if-none-match"}
    flags = httpx.options(url + "/ofrep/v1/evaluate/flags", headers=wanted)
    assert flags.status_code == 204
    assert flags.headers["access-control-allow-origin"] == "https://shop.example"
    assert "if-none-match" in flags.headers["access-control-allow-headers"]
    answer = httpx.post(
        url + "/ofrep/v1/evaluate/flags", json={}, headers={**origin, "X-API-Key": live.secret("client")}
    )
    assert "ETag" in answer.headers["access-control-expose-headers"]
    managed = httpx.options(url + "/api/v1/flags", headers=wanted)
    assert "access-control-allow-origin" not in managed.headers


def test_broken_http_does_not_stop_it(url: str) -> None:
    address = urlsplit(url)
    for rubbish in (
        b"\x16\x03\x01\x02\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /x HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ):
        with socket.create_connection((address.hostname, address.port), timeout=5) as connection:
            connection.sendall(rubbish)
            connection.settimeout(5)
            with contextlib.suppress(OSError):
                connection.recv(4096)
    assert json.loads(httpx.get(url + "/health").text)["status"] == "ok"
