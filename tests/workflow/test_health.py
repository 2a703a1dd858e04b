"""Which verdicts end a rollout, and which ones wait for more units."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.workflow import drawn

from paribus.workflow.launching.health import Health

NOW = datetime(2026, 3, 9, tzinfo=UTC)


@pytest.mark.parametrize("verdict", ["ship", "neutral", "iterate"])
def test_a_verdict_ends_a_rollout(verdict: str) -> None:
    assert Health(NOW, None, (), verdict, "It says so.").evidence(acts=True).decided.endswith("It says so.")


def test_what_waits_for_a_guardrail_goes_on_until_the_plans_end() -> None:
    assert Health(NOW, None, (), "iterate", "Not shown safe.", is_open=True).evidence(acts=True).decided == ""
    harmed = Health(NOW, None, (), "roll_back", "Harm.").evidence(acts=True)
    assert harmed.harm.endswith("Harm.")


def test_a_plan_ends_with_its_last_window() -> None:
    design = drawn.designed()
    days = design.runtime_days.value or 0
    windows = [each.get("window_days") or 0 for each in design.document["metrics"]]
    assert design.ends(NOW) == NOW + timedelta(days=days + max(windows, default=0))
    assert design.ends(None) is None
