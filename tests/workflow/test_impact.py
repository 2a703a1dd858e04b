"""Step 15: money by hand, the rule before money, forecasts scored, and what is withheld."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.workflow.business import KEY, Installation, context, explored, store
from tests.workflow.concluded import analyzed, designed, novelty, result
from tests.workflow.test_hypothesize import closed

from paribus.experiments.result import Result
from paribus.impact.recommendation import BY_VERDICT
from paribus.workflow import Artifact, Context
from paribus.workflow.artifact import refuse_unsupported
from paribus.workflow.facts.conclude import ImpactFacts
from paribus.workflow.facts.hypothesize import HypothesizeFacts
from paribus.workflow.steps import hypothesize, impact

MONEY = {
    "economics": {"value_per_conversion": 12.0, "build_cost": 2_000, "running_cost_per_year": 500},
    "experiment_config": {"min_sample_size": 0},
}


_BEFORE: dict[str, dict[str, Artifact]] = {}


def before(folder: Path, config: dict[str, Any] | None = None) -> dict[str, Artifact]:
    """Artifacts of steps 1 and 2 under a configuration, made once in a process."""
    config = MONEY if config is None else config
    if repr(config) not in _BEFORE:
        found = context(folder / "before", config, explore=explored())
        _BEFORE[repr(config)] = {**found.artifacts, "hypothesize": hypothesize.run(found)}
    return dict(_BEFORE[repr(config)])


def standing(
    folder: Path,
    of: Result,
    *,
    config: dict[str, Any] | None = None,
    design: dict[str, Any] | None = None,
    analysis: dict[str, Any] | None = None,
    installation: Installation | None = None,
) -> Context:
    artifacts = before(folder, config)
    return context(
        folder / "now",
        MONEY if config is None else config,
        installation=installation or Installation(store(folder / "now"), of),
        design=designed(**(design or {})),
        analyze=analyzed(of, **(analysis or {})),
        **artifacts,
    )


def made(found: Context) -> Artifact:
    body = impact.run(found)
    refuse_unsupported(body, found.artifacts)
    assert impact.present(body)
    return body


def facts(folder: Path, of: Result, **more: Any) -> ImpactFacts:
    return ImpactFacts.model_validate(made(standing(folder, of, **more)).facts)


def test_a_winner_s_money_is_units_times_level_times_effect_times_money(tmp_path: Path) -> None:
    of = result(lift=0.08)
    before = standing(tmp_path, of)
    found = ImpactFacts.model_validate(made(before).facts)
    own = before.artifacts["hypothesize"].facts
    reach = next(each["reach"]["value"] for each in own["hypotheses"] if each["id"] == own["chosen"])
    assert found.recommendation == "full rollout"
    assert found.corrected_lift is not None
    success = of.comparisons[0]
    assert 0 < found.corrected_lift.value < success.relative.value  # type: ignore[operator,union-attr]
    # Between half and all is taken to last: three quarters on average.
    yearly = reach * success.control.value * 0.75 * 12 * found.corrected_lift.value - 500  # type: ignore[operator]
    assert found.value_per_year is not None
    assert found.value_per_year.value == pytest.approx(yearly, rel=0.03)
    assert found.first_year is not None
    assert found.first_year.value == pytest.approx(found.value_per_year.value - 2_000, rel=1e-3)  # type: ignore[operator]
    assert found.cost_of_delay_per_week is not None
    assert found.cost_of_delay_per_week.value == pytest.approx(found.value_per_year.value * 7 / 365, rel=1e-3)  # type: ignore[operator]
    assert found.withheld == ""
    assert found.returns["measured"] == pytest.approx(found.first_year.value / 2_500, rel=1e-3)  # type: ignore[operator]


def reached(before: Context, times: float) -> Context:
    """The same, where so many times the units reach the change in a year."""
    own = before.artifacts["hypothesize"]
    body = own.model_dump(mode="json")
    for each in body["facts"]["hypotheses"]:
        each["reach"] = {**each["reach"], "value": each["reach"]["value"] * times, "low": None, "high": None}
    return replace(before, artifacts={**before.artifacts, "hypothesize": Artifact.model_validate(body)})


def test_twice_the_reach_or_the_money_is_twice_the_gross(tmp_path: Path) -> None:
    of = result(lift=0.08)
    once = ImpactFacts.model_validate(made(reached(standing(tmp_path / "a", of), 1)).facts)
    more = ImpactFacts.model_validate(made(reached(standing(tmp_path / "b", of), 2)).facts)
    rich = facts(
        tmp_path / "c", of, config={**MONEY, "economics": {**MONEY["economics"], "value_per_conversion": 24.0}}
    )
    assert once.value_per_year is not None
    for other in (more, rich):
        assert other.value_per_year is not None
        assert other.value_per_year.value + 500 == pytest.approx(2 * (once.value_per_year.value + 500), rel=1e-3)  # type: ignore[operator]


@pytest.mark.parametrize(
    "drawn",
    [
        {"lift": 0.08},
        {"lift": 0.0},
        {"lift": -0.1},
        {"lift": 0.08, "errors": (0.02, 0.06)},
        {"lift": 0.08, "registered": False},
        {"lift": 0.0, "n": 200_000},
    ],
)
def test_the_recommendation_never_contradicts_the_verdict(tmp_path: Path, drawn: dict[str, Any]) -> None:
    of = result(**drawn)
    body = made(standing(tmp_path, of))
    found = ImpactFacts.model_validate(body.facts)
    assert found.recommendation == BY_VERDICT[of.verdict.value]
    assert found.decision["verdict"] == of.verdict.value.value
    assert f"rule {of.verdict.rule}" in found.why
    assert body.blocked == ()


def test_the_cases_end_in_different_verdicts() -> None:
    verdicts = {result(**drawn).verdict.value.value for drawn in ({"lift": 0.08}, {"lift": -0.1}, {"n": 200_000})}
    assert verdicts == {"ship", "roll_back", "neutral"}


def test_a_shared_resource_withholds_money_and_not_the_rule(tmp_path: Path) -> None:
    body = made(standing(tmp_path, result(lift=0.08), design={"interference": "shared_resource"}))
    found = ImpactFacts.model_validate(body.facts)
    assert found.recommendation == "full rollout"
    for name in ("value_per_year", "first_year", "chance_of_loss", "break_even_days", "cost_of_delay_per_week"):
        assert getattr(found, name) is None
    assert "shared_resource" in found.withheld
    assert found.tornado == ()
    assert "No money is stated" in body.summary


def test_hidden_results_give_no_number_to_anyone(tmp_path: Path) -> None:
    found = facts(tmp_path, result(lift=0.08), analysis={"hidden": True, "verdict": "invalid", "effects": ()})
    assert found.recommendation == "withheld"
    assert found.corrected_lift is None
    assert found.value_per_year is None
    assert found.learning["effect"] is None
    assert found.forecast_score is None


def test_unknown_money_is_withheld_and_the_lift_is_not(tmp_path: Path) -> None:
    of = result(lift=0.08)
    artifacts = before(tmp_path, {})
    unknown = artifacts["hypothesize"].facts | {
        "economics": {**artifacts["hypothesize"].facts["economics"], "known": False}
    }
    artifacts["hypothesize"] = artifacts["hypothesize"].model_copy(update={"facts": unknown})
    found = context(tmp_path / "now", {}, design=designed(), analyze=analyzed(of), **artifacts)
    body = ImpactFacts.model_validate(made(found).facts)
    assert body.value_per_year is None
    assert "value_per_conversion" in body.withheld
    assert body.corrected_lift is not None


def test_the_forecast_is_scored_by_what_came(tmp_path: Path) -> None:
    won, lost = facts(tmp_path / "a", result(lift=0.08)), facts(tmp_path / "b", result(lift=-0.1))
    chance = won.forecast["chance"]
    assert won.forecast_score is not None
    assert lost.forecast_score is not None
    assert won.forecast_score.value == pytest.approx((chance - 1) ** 2, rel=1e-5)
    assert lost.forecast_score.value == pytest.approx(chance**2, rel=1e-5)
    assert won.forecast["lift_hit"] is True
    assert won.expected_per_year is not None
    assert won.expected_per_year.evidence == "hypothesize/forecast"
    assert won.calibration["features"] == 1


def test_forecasts_of_closed_features_are_calibrated_together(tmp_path: Path) -> None:
    installation = closed(tmp_path / "s", 8, 0.05)
    found = facts(tmp_path, result(lift=0.08), installation=installation)
    assert found.calibration["features"] == 9
    mean = (2 * 0.7**2 + 6 * 0.3**2 + found.forecast["brier"]) / 9
    assert found.calibration["brier"] == pytest.approx(mean, rel=1e-4)


def test_the_family_s_own_history_corrects_instead_of_conditioning(tmp_path: Path) -> None:
    of = result(lift=0.08)
    found = facts(tmp_path, of, installation=closed(tmp_path / "s", 24, 0.02))
    success = of.comparisons[0].relative
    prior_sd, se = 0.02, success.se  # type: ignore[union-attr]
    posterior = (success.value / se**2 + 0.02 / prior_sd**2) / (1 / se**2 + 1 / prior_sd**2)  # type: ignore[union-attr]
    assert found.corrected_lift is not None
    assert found.corrected_lift.value == pytest.approx(posterior, rel=0.05)


def test_a_fading_effect_is_worth_less(tmp_path: Path) -> None:
    from dataclasses import replace

    of = result(lift=0.08)
    fading = replace(of, novelty=(novelty([0.10, 0.08, 0.065, 0.04, 0.025, 0.015], se=0.002),))
    lasting, short = facts(tmp_path / "a", of), facts(tmp_path / "b", fading)
    assert short.value_per_year.value < 0.5 * lasting.value_per_year.value  # type: ignore[union-attr,operator]
    assert "fades" in short.persistence["why"]
    assert any("days" in w for w in [short.persistence["why"]])


def test_the_tornado_and_the_dilution(tmp_path: Path) -> None:
    of = result(lift=0.08)
    found = facts(tmp_path, of)
    widths = [abs(each["at_high"] - each["at_low"]) for each in found.tornado]
    assert widths == sorted(widths, reverse=True)
    assert found.diluted_lift is not None
    own = standing(tmp_path / "again", of).artifacts["hypothesize"].facts
    reach = next(each["reach"]["value"] for each in own["hypotheses"] if each["id"] == own["chosen"])
    share = reach / 365 * of.comparisons[0].control.value / (2_000 * 0.165)
    assert found.diluted_lift.value == pytest.approx(found.corrected_lift.value * share, rel=1e-4)  # type: ignore[union-attr,operator]


def test_harm_that_a_watch_saw_is_what_is_learned(tmp_path: Path) -> None:
    ended = {"verdict": "roll_back", "sentence": "Roll back: errors: 3.16% of 602 units in treatment. Done unattended."}
    card = facts(tmp_path, result(n=200), analysis=ended).learning
    assert card["takeaway"].endswith("does harm: errors: 3.16% of 602 units in treatment. Done unattended.")


def test_the_learning_card_says_what_the_next_feature_needs(tmp_path: Path) -> None:
    of = result(lift=0.08)
    card = facts(tmp_path, of).learning
    assert card["feature"] == KEY
    assert card["family"] == "share"
    assert card["effect"] == pytest.approx(of.comparisons[0].relative.value, rel=1e-5)  # type: ignore[union-attr]
    assert card["shipped"] is True
    assert "raises order_completed" in card["takeaway"]
    harmed = facts(tmp_path / "b", result(lift=0.08, errors=(0.02, 0.06))).learning
    assert "makes error_shown worse" in harmed["takeaway"]


def test_the_same_inputs_give_the_same_body(tmp_path: Path) -> None:
    found = standing(tmp_path, result(lift=0.08))
    assert impact.run(found).hash == impact.run(found).hash
    assert HypothesizeFacts.model_validate(found.artifacts["hypothesize"].facts).chosen
