"""Web Vitals by arm, from events in a lake whose percentiles are known."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from scipy.stats import binom
from tests.workflow.launched import KEY, Scene, launched

from paribus.monitoring.vitals import Vital, vitals

UNITS = 200
"""In each arm."""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    with launched(tmp_path_factory.mktemp("vitals")) as made:
        for environment, slower in (("production", 0), ("staging", 9000)):
            with made.client(environment) as client:
                for number in range(UNITS):
                    for arm, more in (("control", 0), ("treatment", 1000)):
                        for view in (-1, 0, 1):  # the median view is the unit's
                            given = {
                                "metric": "LCP",
                                "value": 10 * (number + 1) + more + slower + view,
                                "rating": "good",
                                "variants": {KEY: arm, "other": "on"},
                            }
                            client.track("$web_vital", f"{arm}-{number}", properties=given)
                client.track(
                    "$web_vital", "c", properties={"metric": "CLS", "value": 0.3, "variants": {KEY: "control"}}
                )
                client.track("$web_vital", "x", properties={"metric": "LCP", "value": 1, "variants": {"other": "on"}})
                client.track(
                    "$web_vital", "y", properties={"metric": "LCP", "value": "?", "variants": {KEY: "control"}}
                )
                assert client.flush(30)
        made.settle()
        yield made


def now(scene: Scene) -> tuple[Vital, ...]:
    since, until = (scene.clock() + timedelta(days=days) for days in (-1, 1))
    return vitals(scene.live.lake, KEY, "production", since=since, until=until)


def test_percentiles_by_arm_with_the_binomials_ranks(scene: Scene) -> None:
    since, until = scene.clock() - timedelta(days=1), scene.clock() + timedelta(days=1)
    found = {
        (each.metric, each.arm): each for each in vitals(scene.live.lake, KEY, "production", since=since, until=until)
    }
    assert list(found) == [("LCP", "control"), ("LCP", "treatment"), ("CLS", "control")]
    lower, upper = (int(binom.ppf(share, UNITS, 0.75)) for share in (0.025, 0.975))
    for arm, more in (("control", 0), ("treatment", 1000)):
        each = found["LCP", arm]
        assert (each.units, each.views) == (UNITS, 3 * UNITS)
        assert each.value == 10 * 150 + more  # the 150th of 200
        assert (each.low, each.high) == (10 * lower + more, 10 * (upper + 1) + more)
    assert found["LCP", "control"].rating == "good"
    assert found["LCP", "treatment"].rating == "good"
    alone = found["CLS", "control"]
    assert (alone.value, alone.low, alone.high, alone.rating) == (0.3, None, None, "poor")


def test_another_time_has_none(scene: Scene) -> None:
    before = datetime(2020, 1, 1, tzinfo=UTC)
    assert vitals(scene.live.lake, KEY, "production", since=before, until=before + timedelta(days=1)) == ()


def test_the_page_shows_them_by_arm(scene: Scene, tmp_path: Path) -> None:
    from paribus.workflow.artifact import Artifact, Evidence
    from paribus.workflow.facts.launch import MonitorFacts
    from paribus.workflow.launching.health_page import blocks

    found = now(scene)
    facts = MonitorFacts(
        alerts=(),
        health=(),
        service_levels=(),
        vitals=tuple({**each.to_dict(), "evidence": "vitals"} for each in found),
    )
    artifact = Artifact(
        step="monitor", role="r", feature=KEY, requirement="r", summary="s.", facts=facts.model_dump(mode="json"),
        evidence={"vitals": Evidence(kind="sql", title="t"), "monitoring": Evidence(kind="sql", title="t")},
    )  # fmt: skip
    text = json.dumps([str(each) for each in blocks(artifact)])
    assert "1,500 ms" in text
    assert "2,500 ms" in text
