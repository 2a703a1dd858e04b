"""Time on each step and rage clicks by arm, on files of a lake, against what was planted and numpy."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from tests.experiments.lake_files import FLAG, START, Shop

from paribus.experiments.on_lake import Snapshot
from paribus.impact.after_exposure import Asked
from paribus.impact.step_time import Pace, pace

STEPS = ("checkout_started", "payment_submitted", "order_completed")
SLOWER = 1.5


def planted(folder: Path, units: int, *, slower: float, rage: float) -> tuple[Pace, dict[str, list[float]]]:
    """Payment takes a lognormal minute, `slower` times that in treatment; a share `rage` of treated click thrice."""
    rng, shop = np.random.default_rng(1), Shop(folder)
    seconds: dict[str, list[float]] = {"control": [], "treatment": []}
    for i in range(units):
        arm, unit = ("treatment" if i % 2 else "control"), f"u{i}"
        at = START + timedelta(minutes=i)
        shop.expose(unit, arm, at)
        shop.add("payment_submitted", unit, at - timedelta(minutes=5), {})  # before exposure: another visit
        took = float(rng.lognormal(4, 0.6)) * (slower if arm == "treatment" else 1.0)
        seconds[arm].append(took)
        paid = shop.add("payment_submitted", unit, at + timedelta(seconds=took), {})
        if i % 7 == 0:
            shop.repeat(paid)
        if i % 3 == 0:
            shop.add("order_completed", unit, at + timedelta(seconds=took + float(rng.uniform(20, 40))), {})
        clicks = 3 if rng.random() < (rage if arm == "treatment" else 0.02) else 1
        for k in range(clicks):
            click = shop.add("button_clicked", unit, at + timedelta(seconds=5 + 0.4 * k), {"element": "pay"})
            shop.repeat(click)  # a retry is no second click
            shop.repeat(click)
        for k in range(3):  # slow clicks, and clicks on several elements, are no rage
            shop.add("button_clicked", unit, at + timedelta(seconds=20 + 3 * k), {"element": "help"})
            shop.add("button_clicked", unit, at + timedelta(seconds=40 + 0.2 * k), {"element": f"tab{k}"})
    shop.write()
    snapshot = Snapshot(folder, "table", 1, tuple(shop.files))
    found = pace(
        snapshot,
        FLAG,
        STEPS,
        [Asked("button_clicked", "element")],
        control="control",
        treatment="treatment",
        exposed={"control": units // 2, "treatment": units // 2},
        environment="prod",
    )
    return found, seconds


@pytest.fixture(scope="module")
def friction(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pace, dict[str, list[float]]]:
    return planted(tmp_path_factory.mktemp("lake"), 600, slower=SLOWER, rage=0.2)


def test_a_slower_step_is_found_with_its_ratio(friction: tuple[Pace, dict[str, list[float]]]) -> None:
    found, seconds = friction
    first, last = found.times
    assert (first.start, first.end) == STEPS[:2]
    assert first.units == {"control": 300, "treatment": 300}
    ratio = np.exp(np.mean(np.log(seconds["treatment"])) - np.mean(np.log(seconds["control"])))
    assert first.ratio == pytest.approx(ratio, rel=1e-6)
    assert first.medians["control"] == pytest.approx(np.median(seconds["control"]), rel=1e-6)
    assert first.low < SLOWER < first.high
    assert first.is_slower
    assert last.medians == {"control": pytest.approx(30, abs=3), "treatment": pytest.approx(30, abs=3)}
    assert not last.is_slower


def test_rage_clicks_are_counted_by_unit_element_and_arm(friction: tuple[Pace, dict[str, list[float]]]) -> None:
    (pay,) = friction[0].rage
    assert pay.name == "button_clicked: pay"
    assert pay.treatment.done == pytest.approx(60, abs=25)
    assert pay.control.done < 15
    assert pay.is_shown
    assert pay.difference > 0


def test_nothing_planted_is_nothing_found(tmp_path: Path) -> None:
    found, _ = planted(tmp_path, 400, slower=1.0, rage=0.02)
    assert not any(each.is_slower for each in found.times)
    assert not any(each.is_shown for each in found.rage)
    assert set(found.statements) == {"time from step to step", "rage clicks, button_clicked"}
