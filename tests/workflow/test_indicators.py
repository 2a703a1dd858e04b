"""Early indicators of a feature: which the plan names, and what a bad sign does to the ramp."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.experiments.test_indicators import read
from tests.workflow import business
from tests.workflow.test_config_acts import document

from paribus.errors import InputError
from paribus.experiments.registry import document_of_body
from paribus.workflow.facts.launch import MonitorFacts, RolloutFacts
from paribus.workflow.launching.health import Health
from paribus.workflow.launching.indicators import indicator_blocks, indicator_facts, with_indicators

NOW = datetime(2026, 3, 9, tzinfo=UTC)


def test_by_default_the_first_step_of_the_funnel_warns(tmp_path: Path) -> None:
    body = document(tmp_path, {})
    (named,) = body["plan"]["early_indicators"]
    assert named["rule"] == "warn"
    metric = next(each for each in body["metrics"] if each["name"] == named["metric"])
    assert (metric["role"], metric["type"]) == ("secondary", "proportion")
    assert document_of_body(body, "one").design.plan.early_indicators[0].metric == named["metric"]


def test_the_configuration_names_events_and_an_empty_one_none(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    body = document(tmp_path / "a", {"early_indicators": {"payment_submitted": "hold"}})
    assert [each["rule"] for each in body["plan"]["early_indicators"]] == ["hold"]
    assert "early_indicators" not in document(tmp_path / "b", {"early_indicators": {}})["plan"]


def test_an_event_without_a_metric_gets_one_and_an_unknown_one_is_refused() -> None:
    body: dict[str, Any] = {"metrics": [], "plan": {}}
    event = business.explored().events[0].name
    found = with_indicators(body, {event: "warn"}, business.explored())
    assert found["metrics"][0]["event"] == event
    assert found["metrics"][0]["role"] == "secondary"
    with pytest.raises(InputError, match="no event") as refused:
        with_indicators(body, {f"{event}s": "warn"}, business.explored())
    assert event in (refused.value.fix or "")


@pytest.mark.parametrize("acts", [True, False])
def test_a_bad_sign_holds_traffic_and_never_kills(acts: bool) -> None:
    signs = read(np.random.default_rng(1), -0.3).early_indicators
    evidence = Health(NOW, None, (), early_indicators=signs).evidence(acts=acts)
    assert "a bad sign" in evidence.concern
    assert (evidence.harm, evidence.decided) == ("", "")
    good = read(np.random.default_rng(2), 0.4).early_indicators
    assert Health(NOW, None, (), early_indicators=good).evidence(acts=acts).concern == ""


def test_a_reader_sees_them() -> None:
    facts = indicator_facts(read(np.random.default_rng(1), -0.3).early_indicators, "analysis")
    shown = str(indicator_blocks(facts))
    assert "bad sign" in shown
    assert "holds traffic" in shown
    assert MonitorFacts(alerts=(), health=(), service_levels=(), early_indicators=facts).early_indicators == facts
    assert RolloutFacts(moves=(), ended_at="", early_indicators=facts).early_indicators == facts
