"""Early indicators: their error over all times together, what they may do, and that they never touch a verdict."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from tests.experiments.simulated import MEAN, SEAL, START, cells, daily, design, key, measurement

from paribus.errors import DefinitionError
from paribus.experiments.analysis import infer
from paribus.experiments.canonical import design_of, plan_body
from paribus.experiments.document import load
from paribus.experiments.indicators import early_indicators
from paribus.experiments.plan import Indicator, Plan
from paribus.experiments.report.document import full
from paribus.experiments.report.lines import plain
from paribus.experiments.result import Result
from paribus.metrics.definition import Metric, MetricType, Role
from paribus.stats.estimate import Estimate

LEADING = Metric("added", MetricType.PROPORTION, Role.SECONDARY)
PLAN = Plan(start=START, runtime_days=14, early_indicators=(Indicator("added", "hold"),))
MADE = design(MEAN, LEADING, plan=PLAN)


def added(rng: np.random.Generator, days: int, per_day: int, lift: float, base: float = 0.3) -> dict[object, object]:
    return {
        key(arm, day): (rng.random((per_day, 1)) < base * (1 + lift * (arm == "treatment"))).astype(float)
        for day in range(days)
        for arm in ("control", "treatment")
    }


def read(rng: np.random.Generator, lift: float, days: int = 5, per_day: int = 500, made: object = MADE) -> Result:
    own = measurement(
        cells(
            "revenue",
            ["y"],
            {key(a, d): rng.normal(10, 5, per_day) for d in range(days) for a in ("control", "treatment")},
        ),
        cells("added", ["y"], added(rng, days, per_day, lift)),  # type: ignore[arg-type]
    )
    return infer(made, own, registered=SEAL, as_of=START + timedelta(days=days))  # type: ignore[arg-type]


def test_a_bad_sign_is_seen_before_a_fixed_plan_may_be_read() -> None:
    result = read(np.random.default_rng(1), -0.3)
    (sign,) = result.early_indicators
    assert sign.state == "bad sign"
    assert isinstance(sign.relative, Estimate)
    assert sign.relative.value == pytest.approx(-0.3, abs=0.12)
    assert "traffic is held" in sign.sentence
    assert result.verdict.value.value == "not_yet"
    told = " ".join(plain(full(result, 120)).split())
    assert "a bad sign: traffic is held" in told


def test_a_good_sign_ships_nothing() -> None:
    result = read(np.random.default_rng(2), 0.4)
    assert result.early_indicators[0].state == "good sign"
    assert "decides nothing" in result.early_indicators[0].sentence
    assert result.verdict.value.value == "not_yet"


def test_the_verdict_is_that_of_the_plan_without_indicators() -> None:
    for lift in (-0.4, 0.0, 0.4):
        rng, same = np.random.default_rng(3), np.random.default_rng(3)
        bare = design(MEAN, LEADING, plan=replace(PLAN, early_indicators=()))
        with_sign, without = read(rng, lift, days=15), read(same, lift, days=15, made=bare)
        assert with_sign.verdict == without.verdict
        assert with_sign.comparisons == without.comparisons
        assert without.early_indicators == ()


def test_less_may_be_better_and_a_small_loss_may_be_tolerated() -> None:
    errors = replace(LEADING, direction="decrease")
    assert (
        read(np.random.default_rng(1), 0.3, made=design(MEAN, errors, plan=PLAN)).early_indicators[0].state
        == "bad sign"
    )
    tolerant = replace(PLAN, early_indicators=(Indicator("added", "warn", 0.5),))
    found = read(np.random.default_rng(1), -0.3, made=design(MEAN, LEADING, plan=tolerant)).early_indicators[0]
    assert found.state == "nothing yet"


def test_of_experiments_without_effect_one_in_twenty_ever_shows_a_sign() -> None:
    """Looked at on each of twenty days, with all days' data so far."""
    rng, size, days, per_day = np.random.default_rng(4), 400, 20, 150
    bare = daily(rng, 1, 10)
    shown = 0
    for _ in range(size):
        own = added(rng, days, per_day, 0.0)
        for day in range(2, days + 1, 3):
            so_far = {k: v for k, v in own.items() if (k.day - START.date()).days < day}  # type: ignore[attr-defined]
            now = replace(bare, cells={"added": cells("added", ["y"], so_far)})  # type: ignore[arg-type]
            if early_indicators(MADE, now)[0].state in ("bad sign", "good sign"):
                shown += 1
                break
    assert shown / size <= 0.05 + 3.3 * (0.05 * 0.95 / size) ** 0.5


def test_a_failed_check_hides_them() -> None:
    rng = np.random.default_rng(5)
    rows = {k: v if k.variant == "control" else v[:300] for k, v in added(rng, 5, 500, 0.0).items()}  # type: ignore[attr-defined,index]
    own = measurement(cells("revenue", ["y"], rows), cells("added", ["y"], rows))  # type: ignore[arg-type]
    assert infer(MADE, own, registered=SEAL, as_of=START + timedelta(days=5)).early_indicators == ()


def test_a_plan_without_any_has_the_body_that_it_had() -> None:
    bare = design(MEAN, LEADING, plan=replace(PLAN, early_indicators=()))
    assert "early_indicators" not in plan_body(bare)["plan"]
    assert design_of(plan_body(bare)).plan == bare.plan
    assert design_of(plan_body(MADE)).plan == MADE.plan


def test_a_result_is_read_back(tmp_path: Path) -> None:
    result = read(np.random.default_rng(1), -0.3)
    assert Result.from_dict(result.to_dict()).early_indicators == result.early_indicators


FILE = """
paribus: 1
experiment: one
interference: none because carts are not shared
flag: one
variants: {control: 50, treatment: 50}
metrics:
  - {name: ordered, type: proportion, role: success, event: order_completed}
  - {name: added, type: proportion, role: secondary, event: cart_item_added, window_days: 1}
plan:
  runtime_days: 14
  early_indicators:
    - {metric: NAME, rule: hold, worse_than: LOSS}
"""


def test_the_file_names_them(tmp_path: Path) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text(FILE.replace("NAME", "added").replace("LOSS", "2%"))
    assert load(path).design.plan.early_indicators == (Indicator("added", "hold", 0.02),)
    path.write_text(FILE.replace("NAME", "add").replace("LOSS", "2%"))
    with pytest.raises(DefinitionError, match="'add' is not a metric") as refused:
        load(path)
    assert "added" in (refused.value.fix or "")
    path.write_text(FILE.replace("NAME", "added").replace("LOSS", "-2%"))
    with pytest.raises(DefinitionError, match="without its sign"):
        load(path)
