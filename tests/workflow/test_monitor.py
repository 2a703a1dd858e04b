"""Step 13: what is said when nobody came, and how latency and errors are judged against control."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.workflow.launched import launched

from paribus.monitoring.request_rate import Rate
from paribus.workflow.facts.launch import RolloutFacts
from paribus.workflow.steps.monitor import errors_hold, is_degraded, latency_margin


def test_nobody_was_exposed(tmp_path: Path) -> None:
    with launched(tmp_path) as scene:
        scene.make("setup")
        scene.know("rollout", RolloutFacts(moves=(), ended_at="2026-06-02T00:00:00+00:00", evidence="e"))
        made = scene.make("monitor")
        assert made.summary.startswith("Nobody met one-click-checkout while it was open")
        assert made.facts["alerts"] == []


@pytest.mark.parametrize(
    ("ratio", "degraded"),
    [
        (Rate(1.5, 1.2, 1.8), True),  # shown beyond the margin
        (Rate(1.15, 1.02, 1.3), True),  # shown slower, estimated beyond the margin
        (Rate(1.0, 0.95, 1.05), False),  # shown within the margin
        (Rate(1.05, 0.8, 1.4), None),  # not told apart
        (Rate(None, None, None), None),
    ],
)
def test_latency_is_degraded_only_where_it_is_shown(ratio: Rate, degraded: bool | None) -> None:
    assert is_degraded({"treatment": ratio}, 0.1) is degraded


def test_every_treatment_has_to_hold() -> None:
    fine, slow = Rate(1.0, 0.95, 1.05), Rate(1.5, 1.2, 1.8)
    assert is_degraded({"a": fine, "b": slow}, 0.1) is True
    assert is_degraded({"a": fine, "b": Rate(1.05, 0.8, 1.4)}, 0.1) is None
    assert is_degraded({}, 0.1) is None


@pytest.mark.parametrize(
    ("margin", "expected"), [("5%", 0.05), (0.2, 0.2), ({"relative": "8%"}, 0.08), ({"absolute": 20}, 0.1), (None, 0.1)]
)
def test_the_margin_is_the_plans_own(margin: object, expected: float) -> None:
    metric = {"name": "p95", "type": "quantile", "direction": "decrease", "margin": margin}
    assert latency_margin({"metrics": [{"name": "x", "type": "mean"}, metric]}) == pytest.approx(expected)


def test_errors_hold_below_the_limit_or_within_the_margin() -> None:
    rare, often = Rate(0.0002, 0.0001, 0.0005), Rate(0.03, 0.028, 0.032)
    assert errors_hold({"t": rare}, {"t": Rate(0.0001, -0.0004, 0.002)}) is True
    assert errors_hold({"t": often}, {"t": Rate(0.0, -0.0008, 0.0008)}) is True
    assert errors_hold({"t": often}, {"t": Rate(0.02, 0.01, 0.03)}) is False
    assert errors_hold({"t": often}, {"t": Rate(None, None, None)}) is None
    assert errors_hold({}, {}) is None
