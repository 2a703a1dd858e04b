"""Step 12 on a real server: stages with evidence, hold times that are waited for, harm that stops it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from tests.workflow.launched import KEY, PRODUCTION, START, Scene, launched

from paribus.flags import change
from paribus.monitoring.alert import ALERTS
from paribus.rollout.act import is_killed
from paribus.store import Address
from paribus.workflow.waiting import Waiting


def traffic(scene: Scene) -> int:
    body = scene.live.store.get(Address("default", "flag", KEY)).body or {}
    return int(body["environments"][PRODUCTION]["rules"][-1]["rollout"]["traffic_bp"])


def until(claim: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def waits(scene: Scene) -> Waiting:
    with pytest.raises(Waiting) as found:
        scene.make("rollout")
    return found.value


def test_a_rollout_to_its_end(tmp_path: Path) -> None:
    with launched(tmp_path) as scene:
        scene.make("setup")
        first = waits(scene)
        assert first.until == START + timedelta(hours=24)
        body = scene.live.store.get(Address("default", "flag", KEY)).body or {}
        rules = body["environments"][PRODUCTION]["rules"]
        assert [rule["id"] for rule in rules] == ["dogfood", "experiment"]
        with scene.client() as client:
            staff = client.decide(KEY, unit="s1", context={"staff": True})
            assert (staff.variant, staff.reason) == ("treatment", "TARGETING_MATCH")

            scene.pass_time(hours=24)
            assert waits(scene).until == START + timedelta(hours=48)
            assert traffic(scene) == 1000
            until(lambda: client.decide(KEY, unit="s1", context={"staff": True}).variant == "control")

            scene.pass_time(hours=24)  # nobody came: traffic does not widen
            none_came = waits(scene)
            assert "the smallest arm" in none_came.why or "smallest arm" in none_came.why
            assert traffic(scene) == 1000

            met = scene.played(client, range(1500))
            assert sum(met.values()) == pytest.approx(150, abs=50)
            scene.pass_time(hours=6)
            assert waits(scene).until is not None
            assert traffic(scene) == 10_000
            until(lambda: sum(client.peek(KEY, unit=f"v{i}", context={"device": "mobile", "returning": True}).reason
                              == "SPLIT" for i in range(50)) == 50)  # fmt: skip
            met = scene.played(client, range(1500, 2100))
            assert sum(met.values()) == 600
        last = waits(scene)
        while True:
            assert last.until is not None
            scene.clock.set(last.until)
            try:
                made = scene.make("rollout")
                break
            except Waiting as again:
                last = again
        moves = made.facts["moves"]
        assert [move["stage"] for move in moves] == ["dogfood", "experiment", "target"]
        assert [(move["from_bp"], move["to_bp"]) for move in moves] == [(0, 0), (0, 1000), (1000, 10_000)]
        assert len({move["revision"] for move in moves}) == 3
        assert not made.facts["rolled_back"]
        assert made.facts["health"][-1]["units"]["control"] > 300
        assert scene.make("rollout").body() == made.body()

        monitored = scene.make("monitor")
        assert monitored.facts["alerts"] == []
        assert monitored.facts["error_rate"]["treatment"]["value"] == 0
        assert monitored.facts["latency_is_degraded"] in {False, None}
        assert scene.make("monitor").body() == monitored.body()


def test_harm_is_rolled_back_by_the_server_and_recorded(tmp_path: Path) -> None:
    with launched(tmp_path, dogfood=False) as scene:
        scene.make("setup")
        assert waits(scene).until == START + timedelta(hours=24)
        with scene.client() as client:
            scene.played(client, range(4000), error_rates={"control": 0.005, "treatment": 0.3})
            until(lambda: is_killed(scene.live.store, KEY, PRODUCTION))
        scene.pass_time(hours=24)
        made = scene.make("rollout")
        assert made.facts["rolled_back"]
        assert made.facts["unattended"]
        *_, kill = made.facts["moves"]
        assert (kill["stage"], kill["actor"], kill["to_bp"]) == ("killed", "paribus", 0)
        history = scene.live.store.history(Address("default", "flag", KEY))
        assert [each.author for each in history].count("paribus") == 1
        assert "by itself" in made.summary
        monitored = scene.make("monitor")
        (alert,) = [each for each in monitored.facts["alerts"] if each["what"] == "errors"]
        assert (alert["outcome"], alert["revision"]) == ("killed", kill["revision"])
        assert monitored.facts["errors_hold"] is False


@pytest.mark.slow
def test_without_automatic_rollback_traffic_stays_and_a_person_is_asked(tmp_path: Path) -> None:
    with launched(tmp_path, {"monitoring": {"automatic_rollback": False}}, dogfood=False) as scene:
        scene.make("setup")
        waits(scene)
        with scene.client() as client:
            scene.played(client, range(4000), error_rates={"control": 0.005, "treatment": 0.3})
            until(lambda: bool(scene.live.store.records(ALERTS).scan("default", KEY)))
        scene.pass_time(hours=24)
        held = waits(scene)
        assert held.why.startswith("errors:")
        assert traffic(scene) == 1000
        assert not is_killed(scene.live.store, KEY, PRODUCTION)
        scene.operations.change(
            "flag", KEY, lambda body: change.killed(KEY, body, PRODUCTION), author="kari", reason="too many errors"
        )
        made = scene.make("rollout")
        assert (made.facts["rolled_back"], made.facts["unattended"]) == (True, False)
        assert made.facts["stopped"] == "too many errors"


@pytest.mark.slow
def test_a_slow_treatment_is_not_widened_and_named(tmp_path: Path) -> None:
    with launched(tmp_path, dogfood=False) as scene:
        scene.make("setup")
        waits(scene)
        with scene.client() as client:
            scene.played(client, range(6000), seconds={"control": 0.2, "treatment": 0.5})
        scene.pass_time(hours=24)
        held = waits(scene)
        assert held.why.startswith("latency:")
        assert traffic(scene) == 1000
        while True:
            scene.clock.set(held.until or scene.clock())
            try:
                scene.make("rollout")
                break
            except Waiting as again:
                held = again
        monitored = scene.make("monitor")
        assert monitored.facts["latency_is_degraded"] is True
        assert monitored.facts["latency_ratio"]["treatment"]["value"] == pytest.approx(2.5, rel=0.25)
