"""Error budgets by arm: what holds the ramp, against the binomial by scipy.stats and by simulation."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import stats

from paribus.monitoring.error_budget import CHANCE, read
from paribus.monitoring.finding import Severity
from paribus.monitoring.service_level import WINDOWS, ServiceLevel, Traffic

LEVEL = ServiceLevel("errors", 0.999, indicator="requests without error")


def month(requests: int, bad: int, hour: tuple[int, int] = (0, 0)) -> list[Traffic]:
    """A month of traffic, of which the last hour (and all shorter look-backs) had so many requests and failures."""
    recent = [Traffic(hours, *hour) for hours in (5 / 60, 0.5, 1.0, 6.0)]
    return [*recent, Traffic(LEVEL.window_days * 24, requests, bad)]


def paused(control: list[Traffic], treatment: list[Traffic]) -> bool:
    found = {each.arm: each for each in read(LEVEL, {"control": control, "treatment": treatment}, "control")}
    assert found["control"].is_well
    return found["treatment"].severity is Severity.PAUSES


def test_a_budget_that_treatment_spends_and_control_does_not_holds() -> None:
    assert paused(month(5000, 2), month(5000, 30))
    assert not paused(month(5000, 40), month(5000, 30))  # control is worse: not the treatment's doing
    assert not paused(month(5000, 2), month(5000, 6))  # 6 of 5 allowed are chance
    assert not paused(month(5000, 0), month(5000, 0))
    assert not paused([], [])


def test_a_fast_burn_holds_before_the_month_is_spent() -> None:
    fast = month(4_000_000, 300, hour=(3000, 120))
    assert LEVEL.budget > 300 / 4_000_000
    assert paused(month(4_000_000, 200), fast)
    assert not paused(month(4_000_000, 200), month(4_000_000, 300, hour=(50, 1)))  # 20 times too fast, by chance


@pytest.mark.parametrize("bad", range(5, 25))
def test_beyond_chance_is_the_exact_binomial(bad: int) -> None:
    beyond = stats.binomtest(bad, 5000, LEVEL.budget, alternative="greater").pvalue < CHANCE
    assert paused(month(5000, 0), month(5000, bad)) == beyond


def test_a_treatment_that_keeps_the_objective_is_seldom_held() -> None:
    rng = np.random.default_rng(7)
    draws = rng.binomial(5000, LEVEL.budget, size=(1000, 2))
    held = sum(paused(month(5000, int(control)), month(5000, int(treatment))) for control, treatment in draws)
    assert held <= 1000 * CHANCE + 3 * np.sqrt(1000 * CHANCE * (1 - CHANCE))


def test_openslo_documents_name_each_arm_and_have_what_version_1_asks_for() -> None:
    names = set()
    for arm in ("control", "one click!"):
        document, policy = LEVEL.openslo("checkout", arm), LEVEL.openslo_policy(arm)
        for each, kind in ((document, "SLO"), (policy, "AlertPolicy")):
            assert (each["apiVersion"], each["kind"]) == ("openslo/v1", kind)
            name = each["metadata"]["name"]  # type: ignore[index]
            assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name)  # RFC 1123, as the specification says
            names.add(name)
        spec = document["spec"]
        assert isinstance(spec, dict)
        ratio = spec["indicator"]["spec"]["ratioMetric"]
        assert set(ratio) == {"counter", "bad", "total"}
        assert all(each["metricSource"]["spec"]["query"] for each in (ratio["bad"], ratio["total"]))
        assert spec["alertPolicies"] == [policy["metadata"]["name"]]  # type: ignore[index]
        assert spec["objectives"][0]["target"] == 0.999
        conditions = policy["spec"]["conditions"]  # type: ignore[index]
        assert [each["spec"]["condition"]["threshold"] for each in conditions] == [rate for _, _, rate in WINDOWS]
    assert len(names) == 4
