"""Documents over HTTP: locking, pages, history, problems."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from tests.server.installation import Installation

from paribus.flags import change


@pytest.fixture
def http(live: Installation, url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url + "/api/v1", timeout=60, headers={"X-API-Key": live.secret("admin")}) as client:
        yield client


def body(key: str = "f") -> dict[str, object]:
    return change.create(key, environment="dev")


def test_written_read_deleted(http: httpx.Client) -> None:
    made = http.put("/flags/f", json=body(), params={"reason": "first"})
    assert (made.status_code, made.headers["etag"], made.json()["revision"]) == (200, '"1"', 1)
    assert made.json()["reason"] == "first"
    assert made.json()["author"].startswith("key:")
    read = http.get("/flags/f")
    assert read.json()["body"] == made.json()["body"]
    again = http.put("/flags/f", json=body() | {"description": "two"}, headers={"If-Match": read.headers["etag"]})
    assert again.json()["revision"] == 2
    assert http.get("/flags/f", params={"revision": 1}).json()["body"].get("description", "") == ""
    gone = http.delete("/flags/f", headers={"If-Match": '"2"'})
    assert gone.json()["deleted"]
    assert http.get("/flags/f").status_code == 404
    history = http.get("/flags/f/history").json()["items"]
    assert [each["revision"] for each in history] == [1, 2, 3]


def test_a_stale_write_changes_nothing(http: httpx.Client) -> None:
    http.put("/flags/stale", json=body("stale"))
    assert http.put("/flags/stale", json=body("stale")).status_code == 409, "exists already"
    http.put("/flags/stale", json=body("stale") | {"description": "theirs"}, headers={"If-Match": '"1"'})
    stale = http.put("/flags/stale", json=body("stale") | {"description": "mine"}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    assert stale.headers["content-type"] == "application/problem+json"
    problem = stale.json()
    assert problem["code"] == "conflict"
    assert problem["status"] == 412
    assert problem["fix"]
    assert http.get("/flags/stale").json()["body"]["description"] == "theirs"
    assert http.delete("/flags/stale", headers={"If-Match": '"1"'}).status_code == 412
    assert http.put("/flags/stale", json=body("stale"), headers={"If-Match": "soon"}).status_code == 400


def test_pages_hold_every_key_once(http: httpx.Client) -> None:
    keys = [f"flag-{number:02}" for number in range(7)]
    for key in reversed(keys):
        http.put(f"/flags/{key}", json=body(key))
    found, after, pages = [], "", 0
    while after is not None:
        page = http.get("/flags", params={"limit": 3, "after": after}).json()
        found += [each["key"] for each in page["items"] if each["key"].startswith("flag-")]
        after, pages = page["next"], pages + 1
    assert found == keys
    assert pages >= 3


def test_a_flag_that_cannot_be_used_is_refused_with_the_rule(http: httpx.Client) -> None:
    wrong = body("wrong")
    wrong["environments"]["dev"]["rules"][0]["rollout"]["split"][0]["weight_bp"] = 1  # type: ignore[index]
    refused = http.put("/flags/wrong", json=wrong)
    assert refused.status_code == 422
    assert refused.json()["code"] == "definition"
    assert "10000" in refused.json()["detail"].replace(",", "")
    assert http.get("/flags/wrong").status_code == 404


def test_killed_ramped_and_explained(http: httpx.Client) -> None:
    http.put("/flags/hot", json=body("hot"))
    killed = http.post("/flags/hot/kill", json={"reason": "it burns"}).json()
    assert killed["body"]["environments"]["dev"]["killed"] is True
    assert killed["reason"] == "it burns"
    told = http.post("/flags/hot/explain", json={"unit": "u1"}).json()
    assert told["decision"]["reason"] == "KILLED", "who has just written reads the own write"
    http.post("/flags/hot/revive", json={})
    ramped = http.post("/flags/hot/ramp", json={"traffic_bp": 2500}).json()
    assert ramped["body"]["environments"]["dev"]["rules"][0]["rollout"]["traffic_bp"] == 2500
    assert http.post("/flags/hot/ramp", json={"traffic_bp": 10_001}).status_code == 422
    assert http.post("/flags/none/kill", json={}).status_code == 404
    assert http.post("/flags/hot/kill", json={"environment": "nowhere"}).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/flags/..%2F..%2Fetc%2Fpasswd",
        "/flags/%2e%2e",
        "/flags/%2e%2e%2f%2e%2e%2fdefinitions.sqlite",
        "/flags/a%00b",
        "/flags/%0d%0aSet-Cookie:x",
        "/flags/%ff%fe",
        "/flags/" + "x" * 300,
    ],
)
def test_keys_never_leave_the_collection(http: httpx.Client, path: str) -> None:
    for method in ("GET", "DELETE"):
        answer = http.request(method, path)
        assert answer.status_code in {404, 422}, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
    assert http.put(path, json=body()).status_code == 422


def test_what_does_not_exist_is_a_problem_too(http: httpx.Client) -> None:
    for method, path, status in [
        ("GET", "/nonsense", 404),
        ("GET", "/nonsense/x", 404),
        ("GET", "/a/b/c/d", 404),
        ("PATCH", "/flags/f", 405),
        ("POST", "/experiments/e/analyze", 404),
    ]:
        answer = http.request(method, path, json={} if method == "POST" else None)
        assert answer.status_code == status, path
        assert answer.headers["content-type"] == "application/problem+json"
