"""Features over HTTP: from requirement to a run, artifacts in three forms, decisions, and who may do what."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest
from tests.server.installation import Installation
from tests.workflow import made
from tests.workflow.visits import visits

from paribus.server.openapi import document
from paribus.workflow.artifact import Outcome
from paribus.workflow.step import STEPS

REQUIREMENT = "one-click checkout for returning mobile users"


@pytest.fixture
def http(live: Installation, url: str) -> Any:
    with httpx.Client(base_url=url + "/api/v1", headers={"X-API-Key": live.secret("admin")}, timeout=60) as client:
        yield client


def test_a_feature_is_written_down_once(http: httpx.Client) -> None:
    created = http.post("/features", json={"requirement": REQUIREMENT, "key": "one-click"})
    assert created.status_code == 201
    assert created.json()["requirement"] == REQUIREMENT
    assert [each["step"] for each in created.json()["steps"]] == [step.slug for step in STEPS]
    again = http.post("/features", json={"requirement": REQUIREMENT, "key": "one-click"})
    assert again.status_code == 409
    assert again.headers["content-type"] == "application/problem+json"
    assert "one-click" in {each["key"] for each in http.get("/features").json()["items"]}


@pytest.mark.parametrize(
    ("body", "where", "said"),
    [
        ({"requirement": "fix it"}, "requirement", "paribus feature new"),
        (
            {"requirement": REQUIREMENT, "config": "experiment_config: {confidence_level: 95}"},
            "paribus.yaml:1:39",
            "0.95",
        ),
        ({"requirement": REQUIREMENT, "config": "monitorin: {}"}, "paribus.yaml:1:1", "did you mean 'monitoring'?"),
        ({"requirement": REQUIREMENT, "colour": "red"}, "colour", ""),
    ],
)
def test_a_mistake_is_a_problem_that_teaches(http: httpx.Client, body: dict[str, Any], where: str, said: str) -> None:
    before = http.get("/features").json()
    answer = http.post("/features", json=body)
    assert answer.status_code == 422
    assert where in answer.json()["where"]
    assert said in answer.json().get("fix", "")
    assert http.get("/features").json() == before


def test_a_missing_feature_is_not_found_with_the_nearest(http: httpx.Client) -> None:
    http.post("/features", json={"requirement": REQUIREMENT, "key": "nearby"})
    for path in ("/features/nearbyy", "/features/nearbyy/run", "/features/nearbyy/scorecard"):
        answer = http.get(path)
        assert answer.status_code == 404
        assert "nearby" in answer.json()["fix"]
    assert http.post("/features/nearbyy/run", json={}).status_code == 404


def test_a_run_goes_on_by_itself_and_leaves_an_artifact_in_three_forms(live: Installation, http: httpx.Client) -> None:
    sources = live.settings.data / "sources"
    sources.mkdir()
    source = visits(sources / "events.csv")
    http.post("/features", json={"requirement": REQUIREMENT, "key": "ran", "source": str(source)})
    assert not http.get("/features/ran/run").json()["running"]
    started = http.post("/features/ran/run", json={"until": "explore"})
    assert started.status_code == 202
    assert started.headers["location"] == "/api/v1/features/ran/run"
    deadline = time.monotonic() + 120
    while (state := http.get("/features/ran/run").json())["running"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert state["answer"].get("kind") == "until", state
    assert http.get("/features/ran").json()["steps"][0]["state"] == "done"
    assert http.get("/features/ran/steps/explore").json()["requirement"] == REQUIREMENT
    text = http.get("/features/ran/steps/explore", params={"format": "markdown"})
    assert text.headers["content-type"].startswith("text/markdown")
    assert REQUIREMENT in text.text
    page = http.get("/features/ran/steps/explore", params={"format": "html"})
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers.get_list("content-security-policy") == [
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"
    ]
    assert "<svg" in page.text
    assert REQUIREMENT in http.get("/features/ran/dossier").text
    failed = http.get("/features/ran/steps/hypothesize")
    assert failed.status_code == 404
    assert "--until hypothesize" in failed.json()["fix"]


@pytest.mark.parametrize("source", ["/etc/passwd", "../data.csv", "events.parquet"])
def test_files_of_the_machine_are_not_read_from_afar(http: httpx.Client, source: str) -> None:
    answer = http.post("/features", json={"requirement": REQUIREMENT, "key": "far", "source": source})
    assert answer.status_code == 403
    assert "sources" in answer.json()["rule"]


def test_a_run_that_fails_says_why(live: Installation, http: httpx.Client) -> None:
    nowhere = str(live.settings.data / "sources" / "nowhere.parquet")
    http.post("/features", json={"requirement": REQUIREMENT, "key": "lost", "source": nowhere})
    http.post("/features/lost/run", json={"until": "explore"})
    deadline = time.monotonic() + 120
    while (state := http.get("/features/lost/run").json())["running"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert state["answer"]["error"]["what"]
    assert http.get("/features/lost").json()["steps"][0]["state"] == "open"


def test_decisions_are_asked_for_and_kept(live: Installation, http: httpx.Client) -> None:
    http.post(
        "/features",
        json={"requirement": REQUIREMENT, "key": "decided", "config": "approvals: {required: [explore]}"},
    )
    early = http.post("/features/decided/steps/explore/approve", json={})
    assert early.status_code == 409
    made.save(live.settings, "decided", "explore")
    assert http.get("/features/decided").json()["steps"][0]["state"] == "waits for approval"
    assert http.post("/features/decided/steps/explore/reject", json={}).status_code == 422
    rejected = http.post("/features/decided/steps/explore/reject", json={"why": "a day is missing"})
    assert (rejected.json()["state"], rejected.json()["reason"]) == ("rejected", "a day is missing")
    redone = http.post("/features/decided/steps/explore/redo", json={"why": "with the day"})
    assert redone.json()["stale"] == []
    made.save(live.settings, "decided", "explore", summary="With the day.")
    approved = http.post("/features/decided/steps/explore/approve", json={"why": "whole now"}).json()
    assert approved["state"] == "done"
    assert approved["approved_by"][0].startswith("key:")
    made.save(live.settings, "decided", "hypothesize")
    redone = http.post("/features/decided/steps/explore/redo", json={"why": "again"})
    assert redone.json()["stale"] == ["hypothesize"]


def test_people_comment_assign_and_agree_in_roles(live: Installation, http: httpx.Client) -> None:
    config = "approvals: {required: [], by_role: {explore: [data-scientist]}}"
    http.post("/features", json={"requirement": REQUIREMENT, "key": "people", "config": config})
    made.save(live.settings, "people", "explore")
    steps = "/features/people/steps/explore"
    assert http.post(f"{steps}/comments", json={"text": " "}).status_code == 422
    said = http.post(f"{steps}/comments", json={"text": "a day is missing"})
    assert (said.status_code, said.json()["number"], said.json()["current"]) == (201, 1, True)
    assert [each["text"] for each in http.get(f"{steps}/comments").json()["items"]] == ["a day is missing"]
    assert http.put(f"{steps}/assignee", json={"assignee": "ben"}).json()["assignee"] == "ben"
    assert http.post(f"{steps}/approve", json={}).status_code == 422
    agreed = http.post(f"{steps}/approve", json={"role": "data-scientist"}).json()
    assert (agreed["state"], list(agreed["approved_as"])) == ("done", ["data-scientist"])
    assert {"comments", "assignment", "approval"} <= {
        each["kind"] for each in http.get("/features/people/history").json()
    }


def test_learnings_are_found_and_a_feature_is_closed_with_one(live: Installation, http: httpx.Client) -> None:
    found = http.get("/learnings", params={"query": "nothing of the kind"}).json()
    assert found["learnings"] == []
    assert "sentence" in found["rate"]
    http.post("/features", json={"requirement": REQUIREMENT, "key": "unlearned"})
    open_ = http.post("/features/unlearned/close", json={"insight": "people on mobile stop at the address"})
    assert open_.status_code == 409
    assert http.post("/features/unlearned/follow-ups/f1").status_code == 404


def test_a_failed_check_cannot_be_approved_away(live: Installation, http: httpx.Client) -> None:
    http.post(
        "/features", json={"requirement": REQUIREMENT, "key": "broken", "config": "approvals: {required: [explore]}"}
    )
    made.save(live.settings, "broken", "explore", checks=(Outcome(name="Data", status="failed", message="a hole"),))
    answer = http.post("/features/broken/steps/explore/approve", json={})
    assert answer.status_code == 409
    assert "a hole" in answer.json()["detail"]


def test_the_scorecard_has_the_seven_criteria(http: httpx.Client) -> None:
    http.post("/features", json={"requirement": REQUIREMENT, "key": "scored"})
    assert len(http.get("/features/scored/scorecard").json()) == 7


def test_the_steps_and_their_tags_come_from_one_list(http: httpx.Client) -> None:
    assert [each["slug"] for each in http.get("/steps").json()] == [step.slug for step in STEPS]
    operations = document()["paths"]
    for step in STEPS:
        assert operations[f"/api/v1/features/{{key}}/steps/{step.slug}"]["get"]["tags"] == [step.slug]


READS = [
    "/learnings",
    "/features/one-click/history",
    "/features/one-click/steps/explore/comments",
    "/features",
    "/features/one-click",
    "/features/one-click/run",
    "/steps",
    "/features/one-click/steps/explore",
]
WRITES = ["/features", "/features/one-click/run", "/features/one-click/steps/design/approve"]


@pytest.mark.parametrize("scope", ["server", "client", "intake", "agent"])
def test_only_who_may(live: Installation, url: str, scope: str) -> None:
    with httpx.Client(base_url=url + "/api/v1", headers={"X-API-Key": live.secret(scope)}) as other:
        for path in READS:
            assert (other.get(path).status_code == 403) == (scope != "agent"), path
        for path in WRITES:
            assert other.post(path, json={}).status_code == 403, path
    assert httpx.get(url + "/api/v1/features").status_code == 401
