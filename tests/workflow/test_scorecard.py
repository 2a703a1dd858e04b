"""The seven criteria: each is met by its evidence, and missed when that evidence says so."""

from __future__ import annotations

from typing import Any

import pytest
from tests.workflow.concluded import analyzed, result

from paribus.workflow import Artifact
from paribus.workflow.artifact import Evidence, Outcome
from paribus.workflow.facts.conclude import AnalyzeFacts
from paribus.workflow.scorecard import Criterion, scorecard

WON = analyzed(
    result(lift=0.08),
    counted={"control": 20_000, "treatment": 20_000},
    decided_at="2026-03-30T00:00:00+00:00",
    planned_end="2026-03-30T00:00:00+00:00",
    checks=({"name": "sample ratio", "severity": "blocking", "status": "passed", "sentence": "as planned"},),
)
LEARNED = {"takeaway": "It works."}
NEXT = [{"id": "f1", "change": "do more", "because": "it works", "evidence": "result"}]
COVERAGE = {"performed": 4, "tracked": 4, "pages": 2, "missing": [], "interactions": []}
PRODUCT = [{"event": "order_completed", "events": 50, "held_back": 0}]
RATES = {"control": {"value": 0.0004, "high": 0.0009}, "treatment": {"value": 0.0005, "high": 0.0009}}


def rates(**high: float) -> dict[str, Any]:
    return {arm: {**each, "high": high.get(arm, each["high"]), "evidence": "monitoring"} for arm, each in RATES.items()}


def artifact(step: str, facts: Any, *, checks: tuple[Outcome, ...] = ()) -> Artifact:
    return Artifact(
        step=step,
        role="a::role",
        feature="f",
        requirement="a thing",
        summary="It was made.",
        facts=facts if isinstance(facts, dict) else facts.model_dump(mode="json"),
        checks=checks,
        evidence={"result": Evidence(kind="result", title="a result")},
    )


def artifacts(**changed: Any) -> dict[str, Artifact]:
    """Everything as it should be, but for what is changed."""
    analyze: AnalyzeFacts = changed.get("analyze", WON)
    return {
        "validate": artifact(
            "validate",
            {"coverage": {**COVERAGE, **changed.get("coverage", {})}, "product": changed.get("product", PRODUCT)},
        ),
        "setup": artifact("setup", {}, checks=changed.get("setup", ())),
        "design": artifact("design", {"document": {"plan": {"planned_units": 30_000, **changed.get("plan", {})}}}),
        "analyze": artifact("analyze", analyze),
        "monitor": artifact(
            "monitor",
            {
                "alerts": [],
                "health": [],
                "service_levels": [],
                "error_rate": changed.get("error_rate", rates()),
                "latency_is_degraded": changed.get("degraded", False),
                "errors_hold": changed.get("errors_hold", True),
            },
        ),
        "impact": artifact(
            "impact",
            {"recommendation": "full rollout", "why": "it is better", "learning": changed.get("card", LEARNED)},
        ),
        "optimize": artifact("optimize", {"follow_ups": changed.get("follow_ups", NEXT)}),
    }


def judged(name: str, **changed: Any) -> Criterion:
    return next(each for each in scorecard(artifacts(**changed)).criteria if each.name == name)


def test_all_seven_are_met_where_nothing_is_wrong() -> None:
    found = scorecard(artifacts()).criteria
    assert [each.name for each in found] == [
        "data_coverage", "validity", "rigor", "business_impact", "technical_performance", "decision_speed", "learning",
    ]  # fmt: skip
    assert {each.status for each in found} == {"met"}
    assert all(each.evidence for each in found)


def test_none_is_met_before_its_steps_are_made() -> None:
    assert {each.status for each in scorecard({}).criteria} == {"unknown"}


def failing_check(name: str) -> AnalyzeFacts:
    checks = tuple(
        {**check, "status": "failed", "severity": "blocking"} if check["name"] == name else check
        for check in WON.checks
    )
    return WON.model_copy(update={"checks": checks, "verdict": "invalid", "hidden": True, "effects": ()})


def won(**changes: Any) -> dict[str, AnalyzeFacts]:
    return {"analyze": WON.model_copy(update=changes)}


def without_intervals() -> dict[str, AnalyzeFacts]:
    ends = {"low": None, "high": None}
    scales = {name: getattr(WON.effects[0], name).model_copy(update=ends) for name in ("relative", "absolute")}
    return won(effects=tuple(each.model_copy(update=scales) for each in WON.effects))


BROKEN_TEST = (Outcome(name="Randomization", status="failed", message="uniformity failed"),)
FEW = {"control": 900, "treatment": 901}
HARMED = analyzed(result(lift=0.08, errors=(0.02, 0.06)))


@pytest.mark.parametrize(
    ("name", "changed", "said"),
    [
        ("data_coverage", {"coverage": {"tracked": 3, "missing": ["POST /hidden"]}}, "3 of 4"),
        ("data_coverage", {"product": [{"event": "e", "events": 49, "held_back": 1}]}, "49 of 50"),
        ("validity", {"setup": BROKEN_TEST}, "randomization failed"),
        ("validity", {"analyze": failing_check("sample ratio")}, "Sample ratio failed"),
        ("validity", won(checks=()), "sample ratio was not tested"),
        ("validity", won(verdict="not_yet"), "not reached"),
        ("validity", won(verdict="iterate", counted=FEW), "1,801 units counted of 30,000 planned"),
        ("rigor", won(verdict="unregistered"), "No plan was sealed"),
        ("rigor", without_intervals(), "has no interval"),
        ("rigor", won(result={**WON.result, "deviations": ["another metric"]}), "another metric"),
        ("business_impact", {"analyze": analyzed(result(lift=0.0))}, "No success metric improved"),
        ("business_impact", {"analyze": HARMED}, "not shown safe: error_shown"),
        ("business_impact", {"analyze": failing_check("sample ratio")}, "hidden"),
        ("technical_performance", {"degraded": True}, "p95 latency degraded"),
        ("technical_performance", {"error_rate": rates(treatment=0.004), "errors_hold": False}, "treatment 0.05%"),
        ("decision_speed", won(decided_at="2026-03-30T00:00:01+00:00"), "2026-03-30"),
        ("decision_speed", won(verdict="not_yet"), "No decision"),
        ("learning", {"card": {}}, "No learning"),
        ("learning", {"follow_ups": []}, "no follow-up"),
    ],
)
def test_each_is_missed_when_its_evidence_says_so(name: str, changed: dict[str, Any], said: str) -> None:
    found = judged(name, **changed)
    assert found.status == "missed"
    assert said in found.sentence


def test_errors_above_the_limit_are_borne_where_control_has_them_too() -> None:
    assert judged("technical_performance", error_rate=rates(control=0.004, treatment=0.004)).status == "met"


def test_nothing_seen_is_not_met() -> None:
    assert judged("technical_performance", error_rate={}).status == "unknown"
    assert judged("data_coverage", coverage={"performed": 0, "tracked": 0}).status == "unknown"
