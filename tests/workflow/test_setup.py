"""Step 11 on a real server: what is configured, tested, rehearsed and refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.workflow.launched import KEY, PRODUCTION, Scene, launched

from paribus.flags import change
from paribus.monitoring.watch import stored
from paribus.store import Address
from paribus.workflow.launching.configuration import differences
from paribus.workflow.launching.randomization import examine, failures, taking_part


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with launched(tmp_path_factory.mktemp("setup")) as made:
        made.make("setup")
        yield made


def test_it_is_configured_as_sealed_and_nobody_is_served(scene: Scene) -> None:
    made = scene.artifacts["setup"]
    assert [check.name for check in made.checks if check.status == "failed"] == []
    assert made.facts["start_traffic_bp"] == 1000
    body = scene.live.store.get(Address("default", "flag", KEY)).body or {}
    (rule,) = body["environments"][PRODUCTION]["rules"]
    assert rule["rollout"]["traffic_bp"] == 0
    assert "killed" not in body["environments"][PRODUCTION]
    assert not body["environments"]["staging"].get("killed", False)


def test_the_kill_switch_was_really_used(scene: Scene) -> None:
    rehearsal = scene.artifacts["setup"].facts["kill_rehearsal"]
    assert rehearsal["treated_before"] > 50  # of 200 units at full traffic in staging, half
    assert rehearsal["treated_after"] == rehearsal["treated_before"]
    assert 0 < max(rehearsal["kill_seconds"]) < 10
    history = scene.live.store.history(Address("default", "flag", KEY))
    said = [each.reason for each in history if each.reason.startswith("rehearsal")]
    assert said == ["rehearsal of the kill switch: kill", "rehearsal of the kill switch: revive"] * 3
    keys = scene.live.store
    from paribus.governance.access import list_keys

    assert [each for each in list_keys(keys) if each.source == "rehearsal" and each.revoked_time is None] == []


def test_made_again_it_is_the_same_and_writes_nothing(scene: Scene) -> None:
    before = scene.live.store.position("default")
    once = scene.artifacts["setup"]
    again = scene.make("setup")
    assert again.body() == once.body()
    assert scene.live.store.position("default") == before


def test_the_watch_knows_the_errors_of_the_plan_and_keeps_within_one_budget(scene: Scene) -> None:
    watch = stored(scene.live.store, KEY)
    assert watch is not None
    (errors,) = watch.guards
    assert set(errors.events) == {"$error", "$request", "error_shown"}
    assert sum(guard.budget for guard in watch.guards) == pytest.approx(0.01)
    assert watch.automatic_rollback


def test_files_read_back_as_what_was_applied(scene: Scene) -> None:
    files = {file.path: file.text for file in scene.artifacts["setup"].files}
    flag = yaml.safe_load(files["configuration/flag.yaml"])
    assert differences(KEY, flag, PRODUCTION, yaml.safe_load(files["configuration/experiment.yaml"])) == ()
    groups = yaml.safe_load(files["monitoring/prometheus.rules.yaml"])["groups"]
    assert {rule["alert"] for group in groups for rule in group["rules"]} >= {"WatchStopped", "ErrorBudgetBurns1h"}


def test_a_flag_that_differs_from_the_plan_is_refused(tmp_path: Path) -> None:
    with launched(tmp_path) as scene:
        scene.operations.change(
            "flag",
            KEY,
            lambda body: change.resplit(KEY, body, PRODUCTION, {"control": 9000, "treatment": 1000}),
            author="somebody",
            reason="less of it",
        )
        made = scene.make("setup")
        (refused,) = made.blocked
        assert refused.name == "Configured as sealed"
        assert "treatment gets 10% of traffic, the plan says 50.00%" in refused.message
        assert made.summary.startswith("The launch is stopped by configured as sealed.")


def test_a_broken_assignment_is_found(scene: Scene) -> None:
    snapshot = scene.operations.snapshot(PRODUCTION)
    attributes = taking_part({"all": [{"attribute": "device", "op": "equals", "value": "mobile"}]})
    assert attributes == {"device": "mobile"}
    whole = {"device": "mobile", "returning": True}
    rollout = snapshot["flags"][KEY]["rules"][0]["rollout"]
    same_salts = {**rollout, "split_salt": rollout["traffic_salt"]}  # the classic mistake: one salt for both
    broken = {**snapshot["flags"][KEY], "rules": [{**snapshot["flags"][KEY]["rules"][0], "rollout": same_salts}]}
    found = examine(
        {**snapshot, "flags": {**snapshot["flags"], KEY: broken}},
        KEY,
        attributes=whole,
        start_bp=1000,
        stages_bp=[1000, 10_000],
        units=20_000,
    )
    assert "independent" in failures(found)
    assert "split_shares.treatment" in failures(found)
    nobody = examine(snapshot, KEY, attributes={}, start_bp=1000, stages_bp=[1000], units=20_000)
    assert "traffic_share" in failures(nobody)
