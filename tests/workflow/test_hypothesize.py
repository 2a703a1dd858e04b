"""Step 2 on a small shop: numbers by hand, what is upstream changes what is downstream, words and limits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import norm
from tests.workflow.business import (
    BASELINES,
    STEPS,
    Installation,
    artifact,
    baseline,
    bottleneck,
    context,
    explored,
    funnel,
    store,
)

from paribus.errors import InputError
from paribus.workflow import Artifact, Config, Feature
from paribus.workflow.artifact import numbers, refuse_unsupported
from paribus.workflow.dossier import Dossier
from paribus.workflow.facts.conclude import FollowUp, ImpactFacts, OptimizeFacts
from paribus.workflow.facts.explore import EventProfile, ExploreFacts
from paribus.workflow.facts.hypothesize import HypothesizeFacts
from paribus.workflow.roles.agent import Deterministic
from paribus.workflow.steps import hypothesize
from paribus.workflow.steps.hypothesize import Candidate

SEGMENT = "device=mobile&returning=true"
MONEY = {"economics": {"value_per_conversion": 12.0, "build_cost": 8_000, "running_cost_per_year": 1_000}}
FIXED = {**MONEY, "method": "fixed", "experiment_config": {"min_sample_size": 0, "runtime_days": 28}}


def made(
    folder: Path, explore: ExploreFacts | None = None, config: dict[str, Any] | None = None, **more: Any
) -> Artifact:
    found = context(folder, MONEY if config is None else config, explore=explore or explored(), **more)
    body = hypothesize.run(found)
    refuse_unsupported(body, found.artifacts)
    assert hypothesize.present(body)
    return body


def facts(*args: Any, **more: Any) -> HypothesizeFacts:
    return HypothesizeFacts.model_validate(made(*args, **more).facts)


def test_the_requirement_meets_its_bottleneck_its_segment_and_its_event(tmp_path: Path) -> None:
    body = made(tmp_path)
    found = HypothesizeFacts.model_validate(body.facts)
    own = found.hypotheses[0]
    assert own.id == found.chosen
    assert own.segment == "device=mobile&returning=true"
    assert own.findings == ("b2", "f1")
    assert own.source == "finding"
    assert own.for_whom == "returning mobile users"
    assert "50.0%" in own.because
    assert "76.0%" in own.because
    assert found.support["events"] == ["checkout_started"]
    assert [h.findings for h in found.hypotheses[1:]] == [("b1",)]
    assert body.summary.startswith("We believe")


def test_level_reach_and_worthwhile_effect_by_hand(tmp_path: Path) -> None:
    found = facts(tmp_path)
    own = found.hypotheses[0]
    base = 0.165 / (14_000 / 56_000) * (0.50 / (9_800 / 14_000))
    assert own.base is not None
    assert own.base.value == pytest.approx(base, rel=1e-5)
    assert own.reach.value == pytest.approx(120 * 365)
    assert found.smallest_worthwhile.value == pytest.approx(9_000 / (120 * 365 * base * 12), rel=1e-4)


def test_the_detectable_effect_is_that_of_the_textbook(tmp_path: Path) -> None:
    found = facts(tmp_path, config=FIXED)
    base = found.hypotheses[0].base.value  # type: ignore[union-attr]
    guardrails = sum(m["role"] == "guardrail" for m in found.metrics)
    n = 120 * 27 / 2  # a day's window is open after the last arrivals
    power = 1 - 0.2 / (guardrails + 1)
    relative = (norm.ppf(0.975) + norm.ppf(power)) * (2 * base * (1 - base) / n) ** 0.5 / base
    assert found.detectable.value == pytest.approx(relative, rel=0.03)
    assert found.minimum_detectable_effect.value == found.detectable.value
    assert found.hypotheses[0].days is not None
    assert found.hypotheses[0].days.value == 28


def test_the_larger_of_worthwhile_and_detectable_is_planned_for_and_said(tmp_path: Path) -> None:
    dear = {**FIXED, "economics": {"value_per_conversion": 12.0, "build_cost": 100_000}}
    found = facts(tmp_path, config=dear)
    assert found.minimum_detectable_effect.value == found.smallest_worthwhile.value
    assert "pays" in found.economics["planned_for"]
    configured = facts(tmp_path, config={**FIXED, "minimum_detectable_effect": 0.04})
    assert configured.minimum_detectable_effect.value == 0.04
    assert configured.minimum_detectable_effect.evidence == "config"


def test_a_higher_baseline_changes_level_effect_and_money(tmp_path: Path) -> None:
    before = facts(tmp_path / "a", config=FIXED)
    higher = explored(baselines=(baseline("order_completed", 0.165 * 1.5, role="success"), *BASELINES[1:]))
    after = facts(tmp_path / "b", higher, config=FIXED)
    assert after.hypotheses[0].base.value == pytest.approx(1.5 * before.hypotheses[0].base.value, rel=1e-5)  # type: ignore[union-attr,operator]
    assert after.smallest_worthwhile.value == pytest.approx(before.smallest_worthwhile.value / 1.5, rel=1e-4)  # type: ignore[operator]
    assert after.detectable.value < before.detectable.value  # type: ignore[operator]
    own = {f["name"]: f["value"] for f in after.tree}
    assert own["succeed without it"] == pytest.approx(
        1.5 * {f["name"]: f["value"] for f in before.tree}["succeed without it"], rel=1e-3
    )


def test_more_people_at_the_step_gain_more(tmp_path: Path) -> None:
    few = facts(tmp_path / "a")
    wide = explored(
        bottlenecks=(
            bottleneck(
                "b2",
                "checkout_started",
                "payment_submitted",
                "device=mobile&returning=true",
                0.5,
                0.76,
                lost=1,
                reach=240,
            ),
        )
    )
    many = facts(tmp_path / "b", wide)
    assert many.hypotheses[0].reach.value == 2 * few.hypotheses[0].reach.value  # type: ignore[operator]
    assert many.detectable.value < few.detectable.value  # type: ignore[operator]
    assert many.smallest_worthwhile.value == pytest.approx(few.smallest_worthwhile.value / 2, rel=1e-4)  # type: ignore[operator]


def test_a_renamed_event_is_followed(tmp_path: Path) -> None:
    renamed = {("purchase_done" if k == "order_completed" else k): v for k, v in STEPS.items()}
    explore = explored(
        funnels=(funnel(renamed),),
        events=tuple(
            EventProfile(name=name, count=n, units=n, properties={}, evidence="e") for name, n in renamed.items()
        ),
        baselines=(baseline("purchase_done", 0.165, role="success"),),
    )
    found = facts(tmp_path, explore)
    assert found.metrics[0]["event"] == "purchase_done"
    assert "purchase done" in found.hypotheses[0].expected
    assert not any("order_completed" in str(m) for m in found.metrics)


def test_a_dead_step_leaves_no_bottleneck_to_stand_on(tmp_path: Path) -> None:
    dead = {k: (0 if k in ("payment_submitted", "order_completed") else v) for k, v in STEPS.items()}
    explore = explored(
        funnels=(funnel(dead),),
        bottlenecks=(),
        baselines=(baseline("cart_item_added", 0.4), *BASELINES[2:]),
    )
    found = facts(tmp_path, explore)
    assert found.metrics[0]["event"] == "cart_item_added"
    assert found.hypotheses[0].source == "finding"  # a finding about the event still stands
    assert found.hypotheses[0].findings == ("f1",)


def test_nothing_that_supports_it_makes_an_opinion_that_is_marked(tmp_path: Path) -> None:
    body = made(tmp_path, requirement="dark mode for the help center")
    found = HypothesizeFacts.model_validate(body.facts)
    own = found.hypotheses[0]
    assert own.source == "opinion"
    assert own.findings == ()
    assert "opinion" in body.summary
    assert "make the step" in body.summary
    assert {c.name: c.status for c in body.checks}["rests on data"] == "warned"
    assert found.support["is_opinion"] is True
    assert body.blocked == ()


@pytest.mark.parametrize("requirement", ["", "make it better"])
def test_a_vague_requirement_is_taught(tmp_path: Path, requirement: str) -> None:
    with pytest.raises(InputError, match="requirement"):
        made(tmp_path, requirement=requirement)


def test_metrics_are_well_defined_with_margins_that_the_runtime_can_show(tmp_path: Path) -> None:
    found = facts(tmp_path)
    roles = {m["name"]: m["role"] for m in found.metrics}
    assert roles == {
        "order_completed": "success",
        "error_shown": "guardrail",
        "refund_requested": "guardrail",
        "p95_latency_ms": "guardrail",
        "order_completed_revenue": "secondary",
        "order_completed_count": "secondary",
        "reached_payment_submitted": "secondary",
    }
    margins = {m["name"]: m.get("margin") for m in found.metrics if m["role"] == "guardrail"}
    assert margins["p95_latency_ms"] == 0.1
    assert margins["error_shown"]["absolute"] >= 0.1 * 0.02
    assert all(c["why"] for c in found.choices)


def test_with_plenty_of_traffic_margins_are_ten_percent(tmp_path: Path) -> None:
    busy = explored(
        bottlenecks=(bottleneck("b2", "checkout_started", "payment_submitted", "", 0.7, 0.8, lost=1, reach=400_000),),
        funnels=(funnel({k: 5_000 * v for k, v in STEPS.items()}),),
        arrivals=(),
    )
    found = facts(tmp_path, busy)
    assert next(m for m in found.metrics if m["name"] == "error_shown")["margin"] == {"absolute": 0.002}


def test_unknown_money_is_said_and_not_made_up(tmp_path: Path) -> None:
    explore = explored(baselines=(BASELINES[0], *BASELINES[2:]))
    body = made(tmp_path, explore, config={})
    found = HypothesizeFacts.model_validate(body.facts)
    assert found.hypotheses[0].expected_value is None
    assert found.smallest_worthwhile.value is None
    assert found.ranking["by"] == "RICE"
    assert "money is not known" in body.summary
    assert {c.name: c.status for c in body.checks}["money is known"] == "warned"


def test_money_per_success_comes_from_the_history_s_amounts(tmp_path: Path) -> None:
    found = facts(tmp_path, config={"economics": {"margin": 0.5}})
    assert found.economics["value_per_success"]["value"] == pytest.approx(8.25 / 0.165 * 0.5)


def closed(folder: Path, count: int, effect: float) -> Installation:
    """An installation with closed features, each with its learning card."""
    installation = Installation(store(folder))
    dossier = Dossier(installation.store)
    for i in range(count):
        key = f"feature-{i}"
        dossier.new(Feature(key=key, requirement="another checkout button"), Config(), author="ana")
        card = {
            "feature": key,
            "family": "share",
            "effect": effect + 0.02 * (-1) ** i,
            "se": 0.005,
            "shipped": i % 4 == 0,
            "chance": 0.3,
            "hit": True,
            "evidence": "card",
        }
        dossier.save(
            artifact("impact", ImpactFacts(recommendation="neutral", why="so", learning=card), key), author="ana"
        )
    return installation


def test_closed_features_are_the_prior_of_the_next(tmp_path: Path) -> None:
    before = facts(tmp_path / "a", config=FIXED)
    after = facts(tmp_path / "b", config=FIXED, installation=closed(tmp_path / "c", 24, 0.05))
    assert after.prior["experiments"] == 24
    assert after.prior["mean"] == pytest.approx(0.05, abs=1e-3)
    assert after.prior["sd"] == pytest.approx(0.02, rel=0.1)
    assert after.prior["win_rate"] == 0.25
    chance = [f.hypotheses[0].forecast.chance_of_success.value for f in (before, after)]
    assert chance[0] != chance[1]
    assert facts(tmp_path / "d", config=FIXED, installation=closed(tmp_path / "e", 5, 0.05)).prior["experiments"] == 0


def test_a_follow_up_enters_the_next_feature(tmp_path: Path) -> None:
    installation = Installation(store(tmp_path / "s"))
    dossier = Dossier(installation.store)
    dossier.new(Feature(key="before", requirement="one-click checkout"), Config(), author="ana")
    changes = ("mend the step from checkout_started to payment_submitted", "answer what people say about shipping")
    ups = tuple(
        FollowUp(id=f"f{i}", change=change, because="it was seen", segment="device=mobile", evidence="follow_ups")
        for i, change in enumerate(changes)
    )
    dossier.save(artifact("optimize", OptimizeFacts(follow_ups=ups), "before"), author="ana")
    found = facts(tmp_path / "a", requirement=changes[0], previous="before", installation=installation)
    assert found.hypotheses[0].source == "follow_up"
    assert found.hypotheses[0].because == "it was seen"
    assert changes[1] in [h.change for h in found.hypotheses]


class Proposing(Deterministic):
    """A model that proposes what was given to it."""

    def __init__(self, *given: Candidate) -> None:
        self.given = given

    def propose(self, role: str, task: str, evidence: str, schema: Any, *, default: Sequence[Any]) -> Sequence[Any]:
        return [*default, *self.given]


def test_a_model_may_propose_words_for_a_bottleneck_and_nothing_else(tmp_path: Path) -> None:
    agent = Proposing(
        Candidate(change="show the delivery date before the cart", bottleneck="b1"),
        Candidate(change="raise orders by 30%", bottleneck="b1"),
        Candidate(change="something nice", bottleneck="b9"),
    )
    found = facts(tmp_path, agent=agent)
    proposed = [h for h in found.hypotheses if h.source == "model"]
    assert [h.change for h in proposed] == ["show the delivery date before the cart"]
    beside = next(h for h in found.hypotheses if h.findings == ("b1",) and h.source == "finding")
    assert proposed[0].reach == beside.reach
    assert proposed[0].forecast.lift == beside.forecast.lift


def test_the_same_inputs_give_the_same_body(tmp_path: Path) -> None:
    assert made(tmp_path / "a").hash == made(tmp_path / "b").hash


def test_every_number_has_evidence_and_forecasts_are_recorded(tmp_path: Path) -> None:
    body = made(tmp_path)
    assert len(list(numbers(body.facts))) > 150
    own = HypothesizeFacts.model_validate(body.facts).hypotheses[0].forecast
    assert 0 < own.chance_of_success.value < 1  # type: ignore[operator]
    assert own.value_per_year is not None
    assert own.chance_of_loss is not None
    assert own.lift.low < 0 < own.lift.high  # type: ignore[operator]


def test_a_single_segment_serves_where_the_combination_is_not_known(tmp_path: Path) -> None:
    explore = explored(segments=explored().segments[:2], bottlenecks=())
    found = facts(tmp_path, explore)
    assert found.hypotheses[0].segment == "device=mobile"


def test_a_plan_is_for_nobody_whom_a_flag_cannot_tell(tmp_path: Path) -> None:
    untold = tuple(each.model_copy(update={"rule": None}) for each in explored().segments)
    found = facts(tmp_path, explored(segments=untold))
    assert (found.hypotheses[0].segment, found.hypotheses[0].for_whom) == ("", "everyone who reaches it")
