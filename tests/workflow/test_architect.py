"""Step 4: what the facts before it change in the flag, the stages, the breaker and the diagrams."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from paribus_sdk.evaluator import Evaluator
from tests.workflow.drawn import FEATURE, RULE, Scene, designed, explored, hypothesized

from paribus.workflow.artifact import Artifact, refuse_unsupported
from paribus.workflow.block import Diagram
from paribus.workflow.config import Config
from paribus.workflow.facts.architect import ArchitectFacts
from paribus.workflow.steps import architect


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    made.give("explore", explored())
    made.give("hypothesize", hypothesized())
    made.give("design", designed())
    yield made
    made.close()


def facts(artifact: Artifact) -> ArchitectFacts:
    return ArchitectFacts.model_validate(artifact.facts)


def test_the_same_inputs_give_the_same_body_and_every_number_has_evidence(scene: Scene, tmp_path: Path) -> None:
    first = scene.step(architect.run)
    again = scene.step(architect.run)
    assert first.hash == again.hash
    refuse_unsupported(first, scene.context.artifacts)
    assert not first.blocked


def test_nothing_is_served_yet_and_a_second_run_writes_no_revision(scene: Scene) -> None:
    scene.step(architect.run)
    snapshot = scene.context.operations.snapshot("production")
    position = scene.store.position("default")
    scene.step(architect.run)
    assert scene.store.position("default") == position
    evaluator = Evaluator(snapshot)
    inside = {"device": "mobile", "returning": True}
    assert {evaluator.evaluate(FEATURE.key, f"u{i}", inside).variant for i in range(500)} == {"control"}


def test_full_traffic_splits_the_audience_as_sealed_and_nobody_else(scene: Scene) -> None:
    made = facts(scene.step(architect.run))
    flag = made.flag
    flag["environments"]["production"]["rules"][0]["rollout"]["traffic_bp"] = 10_000
    scene.context.operations.write("flag", FEATURE.key, flag, author="t", reason="t")
    evaluator = Evaluator(scene.context.operations.snapshot("production"))
    got = [
        evaluator.evaluate(FEATURE.key, f"u{i}", {"device": "mobile", "returning": True}).variant for i in range(4000)
    ]
    assert abs(got.count("treatment") / 4000 - 0.5) < 3.3 * (0.25 / 4000) ** 0.5
    out = {
        evaluator.evaluate(FEATURE.key, f"u{i}", {"device": "desktop", "returning": True}).variant for i in range(300)
    }
    assert out == {"control"}
    assert made.audiences[f"{FEATURE.key}-audience"]["when"] == RULE


def test_a_flag_with_traffic_is_left_alone(scene: Scene) -> None:
    flag = facts(scene.step(architect.run)).flag
    flag["environments"]["production"]["rules"][0]["rollout"] |= {"traffic_bp": 500, "reached_bp": 500}
    written = scene.context.operations.write("flag", FEATURE.key, flag, author="t", reason="ramp")
    again = scene.step(architect.run)
    assert scene.context.operations.find("flag", FEATURE.key).number == written.number
    assert [each.status for each in again.checks if each.name == "draft"] == ["warned"]


def test_stages_widen_and_last_as_long_as_the_plan(scene: Scene) -> None:
    made = facts(scene.step(architect.run))
    assert [each.name for each in made.stages] == ["dogfood", "beta", "experiment", "target"]
    widths = [each.traffic_bp for each in made.stages]
    assert widths == sorted(widths)
    assert 100 <= widths[1] <= 500 <= widths[2] <= 1000
    assert sum(each.hold_hours for each in made.stages if each.in_analysis) == 14 * 24
    assert not made.stages[0].in_analysis
    assert any("12,000" in each for each in made.stages[-1].criteria)
    assert any("0.1 points" in each for each in made.stages[1].criteria)


def test_more_reach_makes_the_beta_smaller(scene: Scene) -> None:
    small = facts(scene.step(architect.run)).stages[1]
    scene.give("design", designed(reach=30_000.0))
    large = facts(scene.step(architect.run)).stages[1]
    assert small.traffic_bp == 500
    assert large.traffic_bp == 200
    assert large.units_per_day == pytest.approx(600.0)


def test_a_fixed_allocation_has_one_stage_in_the_analysis(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Config.model_validate({"experiment_config": {"traffic_allocation": "fixed"}}))
    scene.give("explore", explored())
    scene.give("hypothesize", hypothesized())
    scene.give("design", designed())
    made = facts(scene.step(architect.run))
    assert [(each.name, each.in_analysis) for each in made.stages] == [("dogfood", False), ("target", True)]
    scene.close()


def test_adaptive_and_another_provider_wait_and_say_so(tmp_path: Path) -> None:
    scene = Scene(
        tmp_path,
        Config.model_validate(
            {"experiment_config": {"traffic_allocation": "adaptive"}, "feature_flags": {"provider": "unleash"}}
        ),
    )
    scene.give("explore", explored())
    scene.give("hypothesize", hypothesized())
    scene.give("design", designed())
    made = scene.step(architect.run)
    assert len(facts(made).waits) == 2
    assert [each.status for each in made.checks if each.name == "waits"] == ["warned", "warned"]
    scene.close()


def test_a_renamed_event_moves_into_decision_and_diagrams(scene: Scene) -> None:
    scene.give("explore", explored(rename={"checkout_started": "checkout_opened"}))
    scene.give("design", designed(entry="checkout_opened"))
    made = scene.step(architect.run)
    assert facts(made).decision_points[0].event == "checkout_opened"
    drawn = [block for block in architect.present(made) if isinstance(block, Diagram)]
    assert len(drawn) == 2
    for block in drawn:
        assert "checkout_opened" in block.mermaid
        assert "checkout_opened" in block.figure.svg
        assert "checkout_started" not in block.mermaid


def test_a_dead_step_is_drawn_apart_and_the_decision_stands_before_it(scene: Scene) -> None:
    scene.give("explore", explored(dead=("checkout_started",)))
    made = scene.step(architect.run)
    assert facts(made).decision_points[0].event == "cart_item_added"
    assert facts(made).dead_events == ("checkout_started",)
    components = next(block for block in architect.present(made) if isinstance(block, Diagram))
    assert "pb-dead" in components.figure.svg
    assert "dead" in components.mermaid
    assert any(each.name == "dead steps" for each in made.checks)


def test_slower_history_makes_the_breaker_more_patient(scene: Scene) -> None:
    assert facts(scene.step(architect.run)).breaker["slow_seconds"] == pytest.approx(0.12)
    assert facts(scene.step(architect.run)).breaker["error_floor"] == pytest.approx(0.008)
    scene.give("explore", explored(latency_ms=900.0))
    assert facts(scene.step(architect.run)).breaker["slow_seconds"] == pytest.approx(0.9)


def test_another_split_and_a_third_arm_reach_flag_and_providers(scene: Scene) -> None:
    scene.give("design", designed(variants={"control": 50, "treatment": 25, "bold": 25}))
    made = facts(scene.step(architect.run))
    assert made.value_schema["enum"] == ["control", "treatment", "bold"]
    assert made.flag["type"] == "string"
    split = made.providers["split"]["flag"]["ff"]["d"][0]["conditions"][0]["partitions"]
    assert split == [
        {"treatment": "off", "size": 50},
        {"treatment": "treatment", "size": 25},
        {"treatment": "bold", "size": 25},
    ]


def test_the_rules_stand_in_every_providers_file(scene: Scene) -> None:
    """Also where the flag reads attributes only so that exposures carry them."""
    given = designed()
    scene.give("design", given.model_copy(update={"document": {**given.document, "segments": ["country", "device"]}}))
    made = scene.step(architect.run)
    [carried] = [check for check in made.checks if check.name == "other providers"]
    assert carried.status == "passed"
    files = {each.path: each.text for each in made.files}
    for provider in ("launchdarkly", "split", "optimizely", "unleash"):
        assert '"returning"' in files[f"providers/{provider}.json"]
        assert '"mobile"' in files[f"providers/{provider}.json"]


@pytest.mark.parametrize("kept", ["treatment", "control"])
def test_removing_the_loser_is_one_diff_that_applies(scene: Scene, tmp_path: Path, kept: str) -> None:
    made = scene.step(architect.run)
    files = {each.path: each.text for each in made.files}
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "one_click_checkout.py").write_text(files["separation/one_click_checkout.py"])
    (folder / "loser.diff").write_text(files[f"separation/keep-{kept}.diff"])
    assert shutil.which("patch") or shutil.which("git")
    command = ["git", "apply", "loser.diff"] if shutil.which("git") else ["patch", "-p1", "-i", "loser.diff"]
    subprocess.run(command, cwd=folder, check=True)
    text = (folder / "one_click_checkout.py").read_text()
    compile(text, "one_click_checkout.py", "exec")
    loser = facts(made).control_function if kept == "treatment" else facts(made).treatment_function
    assert loser not in text
    assert "client.variant" not in text


def test_no_segment_means_everyone_and_a_warning(scene: Scene) -> None:
    scene.give("design", designed(audience=None))
    made = scene.step(architect.run)
    assert "when" not in facts(made).flag["environments"]["production"]["rules"][0]
    assert any(each.name == "audience" and each.status == "warned" for each in made.checks)
