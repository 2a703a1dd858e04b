"""Step 14: what the configuration shows of a result, and what the experiment's own events tell of it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.lake.sending import NOON, HandClock, decode, event, request
from tests.workflow.concluded import designed, result
from tests.workflow.stage import staged

from paribus.experiments.plan import Plan
from paribus.impact.recommendation import withheld
from paribus.lake import Lake, LakeReader
from paribus.workflow import Measured
from paribus.workflow.analyzing.shortage import shortage
from paribus.workflow.facts.conclude import AnalyzeFacts
from paribus.workflow.facts.launch import RolloutFacts
from paribus.workflow.operations import Operations
from paribus.workflow.steps.analyze import facts_of, named, present, run

ROLLOUT = RolloutFacts(moves=(), ended_at="2026-03-30T00:00:00+00:00")
DESIGN = designed(document={"plan": {}, "metrics": []})


def analyzed(folder: Path, config: dict[str, Any]) -> AnalyzeFacts:
    context = staged(folder, config, design=DESIGN, rollout=ROLLOUT)
    held = result(lift=0.08)
    operations = SimpleNamespace(analyze=lambda key, since_exposure: held, lake=lambda: None)
    object.__setattr__(context, "operations", cast("Operations", operations))
    return AnalyzeFacts.model_validate(run(context).facts)


@pytest.mark.parametrize(
    ("methods", "shown"), [(["frequentist"], False), (["bayesian"], True), (["frequentist", "bayesian"], True)]
)
def test_a_posterior_is_shown_where_it_is_asked_for(tmp_path: Path, methods: list[str], shown: bool) -> None:
    facts = analyzed(tmp_path, {"statistical_methods": methods})
    assert bool(facts.posterior) is shown
    assert facts.effects[0].relative.value is not None


def test_what_runs_out_during_the_experiment_is_seen(tmp_path: Path) -> None:
    clock = HandClock(NOON + timedelta(days=2))
    sent = clock().isoformat()
    kind = {"kind": "out_of_stock"}
    sold_out = [
        event(f"s{i}", "error_shown", unit=f"u{i}", at=NOON + timedelta(hours=i), properties=kind, sent=sent)
        for i in range(9)
    ]
    others = [event(f"o{i}", "order_completed", unit=f"u{i}", properties={"items": 2}, sent=sent) for i in range(20)]
    with Lake.open(tmp_path, clock=clock, decode=decode) as lake:
        lake.landing.append([request([*sold_out, *others], received=clock())])
        lake.drain()
        reader = LakeReader(tmp_path, clock=clock)
        seen, late = (shortage(reader, "", NOON + timedelta(hours=hours)) for hours in (2, 6))
    assert seen is not None
    assert (seen.event, seen.units) == ("error_shown", 7)
    assert late is None  # three units are too few to say so


def test_a_shortage_warns_and_keeps_money_back() -> None:
    ran_out = "While the experiment ran, 7 units met something that had run out (error_shown)"
    facts = facts_of(result(lift=0.08), DESIGN, ROLLOUT, ran_out=ran_out)
    assert any(each.startswith(f"interference: {ran_out}") for each in facts.named)
    assert facts.verdict == "ship"
    reason = withheld(result(lift=0.08).verdict.value, hidden=False, interference=facts.interference, money=True)
    assert ran_out in reason
    assert list(named(result(lift=0.08), DESIGN)) == []


def test_what_was_reached_stands_beside_what_was_planned(tmp_path: Path) -> None:
    """Of 20,000 units an arm at a level of .3: (1.96 + .84) sqrt(2 x .3 x .7 / n) / .3 would be shown."""
    planned = designed(
        document={"plan": {}, "metrics": []},
        minimum_detectable_effect=Measured(value=0.02, unit="relative", evidence="plan"),
    )
    held = result(lift=0.0, plan=Plan(planned_units=50_000))
    context = staged(tmp_path, {}, design=planned, rollout=ROLLOUT)
    operations = SimpleNamespace(analyze=lambda key, since_exposure: held, lake=lambda: None)
    object.__setattr__(context, "operations", cast("Operations", operations))
    body = run(context)
    (power,) = AnalyzeFacts.model_validate(body.facts).power
    assert (power["units"], power["planned_units"], power["information"]) == (40_000, 50_000, 0.8)
    assert power["planned_effect"] == 0.02
    base = held.comparisons[0].control.value
    assert power["detectable"] == pytest.approx(2.8016 * (2 * base * (1 - base) / 20_000) ** 0.5 / base, rel=0.01)
    check = next(each for each in body.checks if each.name == "sufficient power")
    assert check.status == "warned"
    assert "80.0% of the information" in check.message
    assert "detectable now" in str(present(body))
