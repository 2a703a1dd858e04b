"""Step 16: for whom it worked, planted friction, feedback from the lake, follow-ups that can be run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import norm
from tests.experiments.lake_files import START
from tests.impact.test_causal_forest import grown
from tests.impact.test_causal_forest import units as drawn_units
from tests.lake.sending import HandClock, decode, event, request
from tests.workflow.business import KEY, Installation, explored, store
from tests.workflow.concluded import novelty, result
from tests.workflow.test_impact import made as impact_of
from tests.workflow.test_impact import standing

from paribus.experiments.hypothesis import checked_requirement
from paribus.experiments.proof import build_proof
from paribus.experiments.result import Result
from paribus.impact.causal_forest import Forest, is_installed
from paribus.lake import Lake, LakeReader
from paribus.workflow import Artifact, Context
from paribus.workflow.artifact import refuse_unsupported
from paribus.workflow.facts.conclude import OptimizeFacts
from paribus.workflow.facts.explore import EventProfile
from paribus.workflow.steps import optimize

SENT = (START + timedelta(days=20)).isoformat()
HIDING = {"m": ("mobile", 0.6, 0.15), "d": ("desktop", 0.4, -0.12)}


def closing(folder: Path, of: Result, **more: Any) -> Context:
    found = standing(folder, of, **more)
    return replace(found, artifacts={**found.artifacts, "impact": impact_of(found)})


def made(found: Context) -> Artifact:
    body = optimize.run(found)
    refuse_unsupported(body, found.artifacts)
    assert optimize.present(body)
    return body


def facts(folder: Path, of: Result, **more: Any) -> OptimizeFacts:
    return OptimizeFacts.model_validate(made(closing(folder, of, **more)).facts)


def reach(folder: Path) -> float:
    """Units a year that step 2 counts, on which the gains of step 16 stand."""
    own = closing(folder / "again", result(lift=0.08)).artifacts["hypothesize"].facts
    return next(float(each["reach"]["value"]) for each in own["hypotheses"] if each["id"] == own["chosen"])


def changes(of: OptimizeFacts) -> list[str]:
    return [each.change for each in of.follow_ups]


def test_opposite_segments_are_named_and_lead_to_a_follow_up(tmp_path: Path) -> None:
    body = made(closing(tmp_path, result(lifts=HIDING)))
    found = OptimizeFacts.model_validate(body.facts)
    (device,) = found.heterogeneity
    assert device["opposite"]
    assert {level["level"]: level["conclusion"] for level in device["levels"]} == {
        "mobile": "better",
        "desktop": "worse",
    }
    assert "hides opposite effects" in body.summary
    only = next(each for each in found.follow_ups if each.change.endswith("only where device is mobile"))
    assert only.segment == "device=mobile"
    assert only.gain is not None
    # What desktop loses: its share of the units, its level, its (shrunk) effect, at 12 a success.
    hurt = next(level for level in device["levels"] if level["level"] == "desktop")
    lost = reach(tmp_path) * result(lifts=HIDING).comparisons[0].control.value * 0.4 * -hurt["shrunk"]["value"] * 12
    assert only.gain.value == pytest.approx(lost, rel=1e-3)


def test_like_segments_lead_to_none(tmp_path: Path) -> None:
    found = facts(tmp_path, result(lift=0.08))
    assert not found.heterogeneity[0]["opposite"]
    assert not any("only where" in change for change in changes(found))


def test_planted_friction_is_found_with_its_gain(tmp_path: Path) -> None:
    of = result(lift=-0.08, steps=(0.7, 0.6))
    found = facts(tmp_path, of)
    first = found.friction[0]
    assert (first["from"], first["to"], first["worse"]) == ("checkout_started", "payment_submitted", True)
    assert first["difference"] == pytest.approx(-0.1, abs=0.015)
    mend = next(each for each in found.follow_ups if each.change.startswith("mend the step"))
    assert mend.gain is not None
    onward = of.comparisons[0].control.value / first["control"]
    assert mend.gain.value == pytest.approx(reach(tmp_path) * -first["difference"] * onward * 12, rel=1e-3)
    assert mend.findings == ("step checkout_started to payment_submitted",)


def test_a_follow_up_s_power_is_that_of_the_textbook(tmp_path: Path) -> None:
    config = {
        "method": "fixed",
        "economics": {"value_per_conversion": 12.0},
        "experiment_config": {"min_sample_size": 0},
        "minimum_detectable_effect": 0.05,
    }
    of = result(lift=0.0, n=4_000)
    found = facts(tmp_path, of, config=config)
    bolder = next(each for each in found.follow_ups if each.change.startswith("a bolder version"))
    assert bolder.effect is not None
    base, effect = of.comparisons[0].control.value, bolder.effect.value or 0.0
    power = 1 - 0.2 / 4  # three guardrails share beta with it
    other = base * (1 + effect)
    mean = (base + other) / 2
    n = (
        norm.ppf(0.975) * (2 * mean * (1 - mean)) ** 0.5
        + norm.ppf(power) * (base * (1 - base) + other * (1 - other)) ** 0.5
    ) ** 2 / (other - base) ** 2
    assert bolder.units_per_arm == pytest.approx(n, rel=0.01)
    assert bolder.days is not None
    assert bolder.days % 7 == 0
    assert bolder.days == pytest.approx(2 * n / (reach(tmp_path) / 365), abs=7)


@pytest.mark.parametrize(
    ("drawn", "leads"),
    [
        ({"lift": 0.08}, "keep a dated holdback"),
        ({"lift": 0.0}, "a bolder version"),
        ({"lift": 0.08, "errors": (0.02, 0.06)}, "mend error_shown in"),
        ({"n": 200_000}, "a bolder version"),
    ],
)
def test_every_verdict_leads_on_to_something_that_can_be_asked_for(
    tmp_path: Path, drawn: dict[str, Any], leads: str
) -> None:
    found = facts(tmp_path, result(**drawn))
    assert any(change.startswith(leads) for change in changes(found))
    for change in changes(found):
        assert checked_requirement(change) == change
    gains = [each.gain.value for each in found.follow_ups if each.gain]
    assert gains == sorted(gains, reverse=True)  # type: ignore[type-var]
    assert found.learned


def test_what_was_not_tested_comes_next_with_its_numbers(tmp_path: Path) -> None:
    found = facts(tmp_path, result(lift=0.08))
    other = next(each for each in found.follow_ups if each.change.startswith("make the step"))
    assert other.findings == ("explore/b1",)
    assert other.segment == "country=NO"
    assert other.units_per_arm


def test_hidden_effects_say_nothing_and_lead_to_mending(tmp_path: Path) -> None:
    found = facts(tmp_path, result(lift=0.08), analysis={"hidden": True, "verdict": "invalid", "effects": ()})
    assert found.heterogeneity == ()
    assert found.friction == ()
    assert [change.split(" and ")[0] for change in changes(found)] == ["mend the failed check"]


def test_what_a_watch_ended_is_mended_first(tmp_path: Path) -> None:
    ended = {"verdict": "roll_back", "sentence": "Roll back: errors: 3.16% of 602 units in treatment. Done unattended."}
    found = facts(tmp_path, result(n=200), analysis=ended)
    assert found.follow_ups[0].change.startswith("mend errors in")
    assert "3.16% of 602" in found.follow_ups[0].because


def test_cohorts_come_from_the_proof_and_decay_from_the_days_since_exposure(tmp_path: Path) -> None:
    import numpy as np
    from tests.experiments.simulated import cells, design, key, measurement

    from paribus.metrics.definition import Metric, MetricType

    rng = np.random.default_rng(8)
    rows = {
        key(arm, day): (rng.random((500, 1)) < 0.3 * (1 + 0.2 * (arm == "treatment") * (day < 7))).astype(float)
        for day in range(21)
        for arm in ("control", "treatment")
    }
    of = result(lift=0.08)
    drawn = measurement(cells("order_completed", ["y"], rows))
    proof = build_proof(design(Metric("order_completed", MetricType.PROPORTION)), drawn)
    fading = novelty([0.10, 0.08, 0.065, 0.04, 0.025, 0.015], se=0.002)
    body = made(
        closing(tmp_path, replace(of, proof=proof, novelty=(fading,)), analysis={"named": ("novelty: it fades.",)})
    )
    found = OptimizeFacts.model_validate(body.facts)
    assert [each["week"] for each in found.cohorts] == ["2026-03-02", "2026-03-09", "2026-03-16"]
    assert found.cohorts[0]["effect"] > found.cohorts[2]["effect"]
    assert found.decay["cohorts_p"] < 0.05
    assert 1 < found.decay["half_life_days"] < 10
    assert any("no longer new" in change for change in changes(found))


@dataclass
class OnLake(Installation):
    """An installation whose folder holds a real lake."""

    reader: LakeReader | None = None

    def lake(self) -> LakeReader | None:  # type: ignore[override]
        return self.reader


def answers() -> Iterator[dict[str, object]]:
    """1,200 exposed units: who pays, who finds it confusing, who speaks of delivery."""
    for i in range(1_200):
        arm, unit = ("treatment" if i % 2 else "control"), f"u{i}"
        exposure = {"flag": KEY, "assigned": arm, "served": arm, "reason": "SPLIT", "revision": 4, "epoch": 1}
        exposure |= {"probability": 0.5, "environment": "production", "unit": unit, "unit_type": "user"}
        yield event(f"x{i}", "$exposure", at=START, unit=unit, properties=exposure, trusted=True, sent=SENT)
        sent = []
        if i % (4 if arm == "control" else 3) == (0 if arm == "control" else 1):
            sent.append(("payment_submitted", 5, {"method": "card"}))
        if i % 10 in (1, 3):
            sent.append(("survey_answered", 120, {"theme": "confusing", "score": 2}))
        if i % 10 in (2, 3):
            sent.append(("survey_answered", 180, {"theme": "delivery", "score": 4}))
        for k, (name, minutes, properties) in enumerate(sent):
            at = START + timedelta(minutes=minutes)
            yield event(f"e{i}-{k}", name, at=at, unit=unit, properties=properties, trusted=True, sent=SENT)


def test_feedback_and_behavior_come_from_the_lake(tmp_path: Path) -> None:
    clock = HandClock(datetime.fromisoformat(SENT))
    with Lake.open(tmp_path / "lake", clock=clock, decode=decode) as lake:
        lake.landing.append([request(list(answers()), received=clock())])
        lake.drain()
    of = result(lift=0.08)
    installation = OnLake(store(tmp_path / "now"), of, LakeReader(tmp_path / "lake", clock=clock))
    extra = (
        EventProfile(
            name="survey_answered", count=1, units=1, properties={"theme": "string", "score": "number"}, evidence="e"
        ),
    )
    found = closing(tmp_path, of, installation=installation)
    artifact = found.artifacts["explore"]
    wider = explored(events=(*explored().events, *extra)).model_dump(mode="json")
    found = replace(found, artifacts={**found.artifacts, "explore": artifact.model_copy(update={"facts": wider})})
    body = made(found)
    got = OptimizeFacts.model_validate(body.facts)
    themes = {each["theme"]: (each["units_control"], each["units_treatment"]) for each in got.feedback}
    assert themes == {"confusing": (0, 240), "delivery": (120, 120)}
    assert "survey_answered" in {each["event"] for each in got.behavior}
    assert any("confusing" in change for change in changes(got))
    assert not any("delivery" in change for change in changes(got))
    assert body.evidence["counts"].kind == "sql"
    assert got.friction[0]["seconds"] == {"control": 300.0, "treatment": 300.0}


@dataclass
class WithForest(Installation):
    """An installation that grows the forest on units with a known effect."""

    differs: float = 0.0

    def forest(self, result: Result, *, metric: str, units: int, seed: int) -> Forest:
        assert metric == "order_completed"
        if not is_installed():
            pytest.skip("needs the extra forest")
        return grown(drawn_units(2, units, self.differs), seed)


ASKED = {"heterogeneity": {"causal_forest": True, "most_units": 6_000}, "economics": {"value_per_conversion": 12.0}}


def test_a_forest_is_shown_beside_the_segments_and_leads_to_a_follow_up_alone(tmp_path: Path) -> None:
    of = result(lift=0.08)
    installation = WithForest(store(tmp_path / "now"), of, 0.1)
    found = closing(tmp_path, of, config=ASKED, installation=installation)
    body = made(found)
    got = OptimizeFacts.model_validate(body.facts)
    assert got.forest["borne_out"]
    assert [each["group"] for each in got.forest["groups"]] == [
        "least",
        "below the middle",
        "above the middle",
        "largest",
    ]
    assert got.forest["groups"][0]["effect"] < 0.05 < got.forest["groups"][-1]["effect"]
    assert body.evidence["forest"].title.startswith("causal forest (Wager, Athey 2018)")
    led = next(each for each in got.follow_ups if "for whom the forest predicts most" in each.change)
    assert "device is mobile" in led.change
    assert any("Exploratory" in each for each in body.assumptions)
    # It decides nothing: verdict, recommendation and money are those without it.
    without = closing(tmp_path / "plain", of, config={"economics": ASKED["economics"]})
    assert without.artifacts["impact"].facts == found.artifacts["impact"].facts
    shown = " ".join(str(block) for block in optimize.present(body))
    assert "exploratory" in shown.lower()


def test_a_forest_that_is_not_borne_out_leads_to_nothing(tmp_path: Path) -> None:
    of = result(lift=0.08)
    found = facts(tmp_path, of, config=ASKED, installation=WithForest(store(tmp_path / "now"), of, 0.0))
    assert not found.forest["borne_out"]
    assert not any("forest" in change for change in changes(found))


def test_a_forest_that_cannot_be_grown_says_why(tmp_path: Path) -> None:
    @dataclass
    class Small(Installation):
        def forest(self, result: Result, *, metric: str, units: int, seed: int) -> Forest:
            return grown(drawn_units(2, 300), seed)

    of = result(lift=0.08)
    body = made(closing(tmp_path, of, config=ASKED, installation=Small(store(tmp_path / "now"), of)))
    assert "300 units took part" in body.facts["forest"]["none"]
    assert next(c for c in body.checks if c.name == "causal forest").status == "not_applicable"


def clicking() -> Iterator[dict[str, object]]:
    """600 exposed units: in treatment payment takes twice as long, and every fifth clicks its button three times."""
    for i in range(600):
        treated, unit = i % 2 == 1, f"u{i}"
        arm = "treatment" if treated else "control"
        exposure = {"flag": KEY, "assigned": arm, "served": arm, "reason": "SPLIT", "revision": 4, "epoch": 1}
        exposure |= {"probability": 0.5, "environment": "production", "unit": unit, "unit_type": "user"}
        yield event(f"x{i}", "$exposure", at=START, unit=unit, properties=exposure, trusted=True, sent=SENT)
        waits = (40 + i % 23) * (2 if treated else 1)
        paid = START + timedelta(seconds=waits)
        yield event(f"p{i}", "payment_submitted", at=paid, unit=unit, properties={}, trusted=True, sent=SENT)
        for k in range(3 if treated and i % 5 == 0 else 1):
            at = START + timedelta(seconds=10, milliseconds=300 * k)
            said = {"element": "pay"}
            yield event(f"c{i}-{k}", "button_clicked", at=at, unit=unit, properties=said, trusted=True, sent=SENT)


def test_slow_steps_and_rage_clicks_come_from_the_lake_and_lead_on(tmp_path: Path) -> None:
    clock = HandClock(datetime.fromisoformat(SENT))
    with Lake.open(tmp_path / "lake", clock=clock, decode=decode) as lake:
        lake.landing.append([request(list(clicking()), received=clock())])
        lake.drain()
    of = result(lift=0.08)
    installation = OnLake(store(tmp_path / "now"), of, LakeReader(tmp_path / "lake", clock=clock))
    button = EventProfile(name="button_clicked", count=1, units=1, properties={"element": "string"}, evidence="e")
    found = closing(tmp_path, of, installation=installation)
    artifact = found.artifacts["explore"]
    wider = explored(events=(*explored().events, button)).model_dump(mode="json")
    found = replace(found, artifacts={**found.artifacts, "explore": artifact.model_copy(update={"facts": wider})})
    body = made(found)
    got = OptimizeFacts.model_validate(body.facts)
    slow = got.step_times[0]
    assert (slow["from"], slow["to"], slow["slower"]) == ("checkout_started", "payment_submitted", True)
    assert slow["ratio"] == pytest.approx(2.0, rel=0.05)
    (rage,) = got.rage_clicks
    assert (rage["units_control"], rage["units_treatment"], rage["worse"]) == (0, 60, True)
    assert "2.0" in body.summary
    assert "again and again" in body.summary
    assert any(change.startswith("make button_clicked: pay answer at once") for change in changes(got))
    assert any(change.startswith("make the step from checkout_started to payment_submitted") for change in changes(got))
    assert "rage clicks, button_clicked" in body.evidence["pace"].statement
    assert next(each for each in body.checks if each.name == "rage clicks").status == "warned"
