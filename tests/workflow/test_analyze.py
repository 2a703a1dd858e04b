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

from paribus.impact.recommendation import withheld
from paribus.lake import Lake, LakeReader
from paribus.workflow.analyzing.shortage import shortage
from paribus.workflow.facts.conclude import AnalyzeFacts
from paribus.workflow.facts.launch import RolloutFacts
from paribus.workflow.operations import Operations
from paribus.workflow.steps.analyze import facts_of, named, run

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
