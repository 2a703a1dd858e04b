"""Each route against a key of each scope, no key, and a wrong one."""

from __future__ import annotations

import httpx
import pytest
from tests.server.installation import Installation

BODIES = {"POST": {}, "PUT": {}}
EVERYONE = {"none", "wrong", "server", "client", "intake", "admin", "agent"}
# method, path, scopes that may; the answer to them is anything but 401 and 403
TABLE = [
    ("GET", "/health", EVERYONE),
    ("GET", "/ready", EVERYONE),
    ("GET", "/metrics", EVERYONE),
    ("GET", "/api/v1/openapi.json", EVERYONE),
    ("POST", "/ofrep/v1/evaluate/flags", {"server", "client", "admin"}),
    ("POST", "/ofrep/v1/evaluate/flags/f", {"server", "client", "admin"}),
    ("GET", "/api/v1/definitions", {"server", "admin"}),
    ("POST", "/api/v1/events", {"server", "client", "intake", "admin"}),
    ("POST", "/v1/batch", {"server", "client", "intake", "admin"}),
    ("GET", "/api/v1/flags", {"admin", "agent"}),
    ("GET", "/api/v1/flags/f", {"admin", "agent"}),
    ("GET", "/api/v1/flags/f/history", {"admin", "agent"}),
    ("PUT", "/api/v1/flags/f", {"admin"}),
    ("DELETE", "/api/v1/flags/f", {"admin"}),
    ("POST", "/api/v1/flags/f/kill", {"admin"}),
    ("POST", "/api/v1/flags/f/revive", {"admin"}),
    ("POST", "/api/v1/flags/f/switch", {"admin"}),
    ("POST", "/api/v1/flags/f/ramp", {"admin"}),
    ("POST", "/api/v1/flags/f/explain", {"admin", "agent"}),
    ("GET", "/api/v1/keys", {"admin"}),
    ("POST", "/api/v1/keys", {"admin"}),
    ("POST", "/api/v1/keys/x/rotate", {"admin"}),
    ("DELETE", "/api/v1/keys/x", {"admin"}),
    ("GET", "/api/v1/events/tail", {"admin"}),
    ("GET", "/api/v1/events/quarantine", {"admin"}),
    ("POST", "/api/v1/events/quarantine/replay", {"admin"}),
    ("GET", "/api/v1/events/reconcile", {"admin"}),
    ("POST", "/api/v1/experiments/e/analyze", {"admin"}),
    ("GET", "/api/v1/features", {"admin", "agent"}),
    ("GET", "/api/v1/features/f/steps/design", {"admin", "agent"}),
    ("POST", "/api/v1/features", {"admin"}),
    ("POST", "/api/v1/features/f/run", {"admin"}),
    ("POST", "/api/v1/features/f/steps/design/approve", {"admin"}),
    ("POST", "/mcp", {"admin", "agent"}),
]


@pytest.mark.parametrize("scope", sorted(EVERYONE))
def test_table(live: Installation, url: str, scope: str) -> None:
    secrets = {"wrong": "pb_admin_" + "x" * 43, "none": ""}
    secret = secrets[scope] if scope in secrets else live.secret(scope)
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    refused = 401 if scope in secrets else 403
    with httpx.Client(base_url=url, timeout=60, headers=headers) as http:
        for method, path, may in TABLE:
            status = http.request(method, path, json=BODIES.get(method)).status_code
            if scope in may:
                assert status not in {401, 403, 500}, (method, path, scope, status)
            else:
                assert status == refused, (method, path, scope, status)


@pytest.mark.parametrize("path", ["/ofrep/v1/events", "/api/v1/definitions/stream"])
def test_streams_want_a_key_too(live: Installation, url: str, path: str) -> None:
    assert httpx.get(url + path).status_code == 401
    assert httpx.get(url + path, params={"key": live.secret("intake")}).status_code == 403


def test_key_in_each_place(live: Installation, url: str) -> None:
    secret = live.secret("server")
    path = url + "/api/v1/definitions"
    assert httpx.get(path, headers={"Authorization": f"bearer {secret}"}).status_code == 200
    assert httpx.get(path, headers={"X-API-Key": secret}).status_code == 200
    assert httpx.get(path, auth=(secret, "")).status_code == 200
    assert httpx.get(path, params={"key": secret}).status_code == 401, "only where a browser has no other way"


def test_made_rotated_revoked(live: Installation, url: str) -> None:
    with httpx.Client(base_url=url, timeout=60, headers={"X-API-Key": live.secret("admin")}) as http:
        made = http.post("/api/v1/keys", json={"scope": "server", "source": "shop"})
        assert made.status_code == 201
        secret, key = made.json()["secret"], made.json()["key"]
        assert key["source"] == "shop"
        assert key["environment"] == "dev"
        rotated = http.post(f"/api/v1/keys/{key['id']}/rotate", json={"grace_hours": 1}).json()
        assert rotated["secret"] != secret
        assert http.get("/api/v1/definitions", headers={"X-API-Key": secret}).status_code == 200
        for each in (key["id"], rotated["key"]["id"]):
            assert http.delete(f"/api/v1/keys/{each}").json()["revoked_time"]
        listed = http.get("/api/v1/keys")
        assert secret not in listed.text
        assert key["id"] in listed.text
    import time

    time.sleep(0.8)
    for each in (secret, rotated["secret"]):
        assert httpx.get(url + "/api/v1/definitions", headers={"X-API-Key": each}).status_code == 401


def test_guessing_is_slowed_down(url: str) -> None:
    with httpx.Client(base_url=url, timeout=60) as http:
        statuses: list[int] = []
        while 429 not in statuses and len(statuses) < 400:
            guess = {"X-API-Key": f"pb_admin_{len(statuses):043}"}
            statuses.append(http.get("/api/v1/definitions", headers=guess).status_code)
    assert statuses[-1] == 429
    assert set(statuses[:-1]) == {401}
