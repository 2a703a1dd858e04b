"""An error budget that the treatment spends keeps traffic where it is, and convicts nobody."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.workflow.launched import KEY, PRODUCTION, Scene, launched

from paribus.monitoring.finding import Severity
from paribus.monitoring.rebuild import requests_by_arm
from paribus.monitoring.watch import stored
from paribus.rollout.act import is_killed
from paribus.workflow.launching.health import read, settled
from paribus.workflow.waiting import Waiting


def traffic(scene: Scene) -> int:
    found = scene.operations.find("flag", KEY)
    assert found is not None
    assert found.body is not None
    return int(found.body["environments"][PRODUCTION]["rules"][-1]["rollout"]["traffic_bp"])


def waits(scene: Scene) -> Waiting:
    with pytest.raises(Waiting) as found:
        scene.make("rollout")
    return found.value


@pytest.mark.parametrize("holds", [True, False])
def test_a_spent_budget_holds_the_ramp_where_the_configuration_says_so(tmp_path: Path, holds: bool) -> None:
    with launched(tmp_path, {"monitoring": {"error_budget_holds": holds}}, dogfood=False) as scene:
        setup = scene.make("setup")
        files = {file.path: file.text for file in setup.files}
        assert files["monitoring/openslo.yaml"].count("kind: SLO\n") == 2
        assert {each["then"] for each in setup.facts["alerts"] if each["alert"] == "error budget"} == {
            "traffic does not widen" if holds else "it is said, and nothing is done"
        }
        waits(scene)
        with scene.client() as client:
            scene.played(client, range(1600), error_rates={"control": 0.0, "treatment": 0.08})
        settled(scene.context("rollout"))
        reader, watch = scene.operations.lake(), stored(scene.live.store, KEY)
        assert reader is not None
        assert watch is not None
        by_arm = {each.arm: each for each in requests_by_arm(reader, watch, now=scene.clock())}
        assert by_arm["control"].failed == 0
        assert by_arm["treatment"].failed / by_arm["treatment"].requests > 0.01  # ten times what is promised
        scene.pass_time(hours=24)
        held = waits(scene)
        if holds:
            assert "more than chance, and control has 0.000%: traffic does not widen" in held.why
            assert traffic(scene) == 1000
        else:
            assert traffic(scene) == 10_000
            told = read(scene.context("rollout"), watch, judge=False).findings
            spent = next(each for each in told if each.what == "error_budget" and each.arm == "treatment")
            assert spent.severity is Severity.ALERTS
            assert "more than chance, and control has 0.000%" in spent.message
            assert "does not widen" not in spent.message
        assert not is_killed(scene.live.store, KEY, PRODUCTION)
