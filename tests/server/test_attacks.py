"""A stolen page key at every route of the API, and patterns and values made to burn the processor."""

from __future__ import annotations

import time

import httpx
import pytest
from tests.server.installation import Installation

from paribus.events.plan import KIND
from paribus.flags import change
from paribus.server.openapi import document

SHARED = {"server", "client", "intake"}
OPEN = {
    "GET /health": SHARED,
    "GET /ready": SHARED,
    "GET /metrics": SHARED,
    "GET /api/v1/openapi.json": SHARED,
    "GET /api/v1/definitions": {"server"},
    "GET /api/v1/definitions/stream": {"server"},
    "GET /ofrep/v1/events": {"server", "client"},
    "POST /ofrep/v1/evaluate/flags": {"server", "client"},
    "POST /ofrep/v1/evaluate/flags/{key}": {"server", "client"},
    "POST /api/v1/events": SHARED,
}
"""What a key that is no admin's may do; every other route is the admin's."""
ROUTES = sorted(
    (method.upper(), path)
    for path, operations in document()["paths"].items()
    for method in operations
    if method in {"get", "put", "post", "delete", "patch"}
)
PATTERNS = ["(a+)+$", "(a|aa)+$", "(.*a){20}b", "^(([a-z])+.)+[A-Z]([a-z])+$"]
LURE = "a" * 5_000 + "!"


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_key_of_a_page_reaches_no_route_of_the_admin(live: Installation, url: str, method: str, path: str) -> None:
    allowed = OPEN.get(f"{method} {path}", set())
    concrete = path.replace("{collection}", "flags").replace("{key}", "f").replace("{id}", "x")
    for scope in sorted(SHARED - allowed):
        answer = httpx.request(method, url + concrete, json={}, headers={"X-API-Key": live.secret(scope)})
        assert answer.status_code == 403, f"{scope}: {answer.status_code} {answer.text[:200]}"
        assert "f" not in live.snapshot("default", "dev")["flags"]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_of_a_rule_costs_little_whatever_it_meets(live: Installation, url: str, pattern: str) -> None:
    key = f"bomb-{PATTERNS.index(pattern)}"
    body = change.create(key, environment="dev")
    when = {"attribute": "text", "op": "matches", "value": pattern}
    body["environments"]["dev"]["rules"].insert(0, {"id": "bomb", "when": when, "variant": "treatment"})
    live.write("default", "flag", key, body, author="test", reason="a test", expected=0)
    context = {"targetingKey": "u1", "text": LURE}
    headers = {"X-API-Key": live.secret("client")}
    started = time.process_time()
    answer = httpx.post(f"{url}/ofrep/v1/evaluate/flags/{key}", json={"context": context}, headers=headers)
    assert time.process_time() - started < 1
    assert answer.status_code == 200
    assert answer.json()["reason"] in {"SPLIT", "TARGETING_MATCH"}


@pytest.mark.parametrize("pattern", ["(?=a)b", "(a)\\1", "a{1000}{1000}", "[", "(" * 5_000])
def test_a_pattern_beyond_re2_is_refused_when_it_is_written(live: Installation, url: str, pattern: str) -> None:
    body = change.create("beyond", environment="dev")
    when = {"attribute": "text", "op": "matches", "value": pattern}
    body["environments"]["dev"]["rules"].insert(0, {"id": "bomb", "when": when, "variant": "treatment"})
    answer = httpx.put(f"{url}/api/v1/flags/beyond", json=body, headers={"X-API-Key": live.secret("admin")})
    assert answer.status_code == 422, answer.text


def test_a_pattern_of_the_tracking_plan_costs_little(live: Installation, url: str) -> None:
    properties = {f"p{number}": {"type": "string", "pattern": pattern} for number, pattern in enumerate(PATTERNS)}
    plan = {"events": {"lured": {"properties": properties}}}
    live.write("default", KIND, "default", plan, author="test", reason="a test", expected=0)
    event = {"name": "lured", "unit": "u1", "time": time.time() * 1000, "properties": dict.fromkeys(properties, LURE)}
    batch = [{**event, "event_id": f"l{number}"} for number in range(20)]
    deadline = time.monotonic() + 10
    while True:  # a new plan is in force a moment after it was written
        started = time.process_time()
        answer = httpx.post(url + "/api/v1/events", json={"batch": batch}, headers={"X-API-Key": live.secret("intake")})
        assert time.process_time() - started < 2
        assert answer.status_code == 200
        if answer.json()["quarantined"] == 20:
            break
        assert time.monotonic() < deadline, answer.text
