"""Epochs with splits of their own: the sample ratio is tested against the probabilities that exposures carry."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from scipy import stats as scipy_stats
from tests.experiments.lake_files import START, Shop
from tests.experiments.simulated import design

from paribus.experiments import checks
from paribus.experiments.checks import Subject
from paribus.experiments.document import load
from paribus.experiments.measurement_text import measurement_from_plain, measurement_to_plain
from paribus.experiments.measuring import measure_design
from paribus.experiments.on_lake import Snapshot, lake_engine
from paribus.experiments.result import Check
from paribus.metrics.cells import Counts, Measurement
from paribus.metrics.definition import Metric, MetricType

# Half of the units until the split moved, then a tenth.
MOVED = {
    ("1", "control"): (0.5, 0.5),
    ("1", "treatment"): (0.5, 0.5),
    ("2", "control"): (0.9, 0.9),
    ("2", "treatment"): (0.1, 0.1),
}


def counted(first: tuple[int, int], second: tuple[int, int], probabilities: object = MOVED) -> Counts:
    by_day = {
        (epoch, day, variant): n
        for epoch, day, pair in (("1", "2026-03-02", first), ("2", "2026-03-03", second))
        for variant, n in zip(("control", "treatment"), pair, strict=True)
    }
    total = {"control": first[0] + second[0], "treatment": first[1] + second[1]}
    return Counts(sum(total.values()), total, by_day=by_day, probabilities=probabilities)  # type: ignore[arg-type]


def look(counts: Counts) -> dict[str, Check]:
    about = Subject(design(Metric("revenue", MetricType.MEAN)), Measurement(counts, {}), horizon=False)
    return {check.name: check for check in checks.run(about)}


def test_a_split_that_moved_between_epochs_is_no_imbalance() -> None:
    answer = look(counted((1000, 1010), (1805, 195)))["sample ratio"]
    assert answer.status == "passed"
    assert answer.evidence["expected"] == pytest.approx([1005 + 1800, 1005 + 200], rel=1e-6)
    assert "splits of their 2 epochs" in answer.sentence
    # the planned half and half alone would have blocked it
    assert look(counted((1000, 1010), (1805, 195), {}))["sample ratio"].status == "failed"


def test_an_imbalance_inside_one_epoch_is_found_by_its_own_split() -> None:
    counts = counted((1000, 1010), (1700, 300))
    answer = look(counts)["sample ratio"]
    assert answer.status == "failed"
    exact = scipy_stats.binomtest(300, 2000, 0.1).pvalue
    assert answer.p_value == pytest.approx(2 * exact, rel=1e-6)


def test_exposures_of_one_epoch_that_disagree_say_no_split() -> None:
    odd = {**MOVED, ("2", "treatment"): (0.1, 0.5)}
    assert look(counted((1000, 1010), (1005, 995), odd))["sample ratio"].status == "passed"
    assert look(counted((1000, 1010), (1805, 195), odd))["sample ratio"].status == "failed"


def test_days_are_not_compared_with_one_split_when_epochs_have_several() -> None:
    answer = look(counted((1000, 1010), (1805, 195)))["sample ratio by day"]
    assert answer.status not in {"failed"}
    assert "different splits" in answer.sentence


def test_probabilities_come_with_the_exposures_and_stay_in_the_proof(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    shop = Shop(tmp_path)
    for i in range(400):
        epoch = 1 + i // 200
        share = 0.5 if epoch == 1 else 0.2
        variant = "treatment" if random.random() < share else "control"
        probability = share if variant == "treatment" else 1 - share
        at = START + timedelta(days=epoch, minutes=i)
        shop.expose(f"u{i}", variant, at, epoch=epoch, probability=probability, split_bp=round(probability * 10_000))
    shop.expose("tester", "treatment", START + timedelta(days=1), reason="OVERRIDE", epoch=None, probability=None)
    shop.add("order_completed", "u1", START + timedelta(days=3), {"revenue": 1.0})
    shop.write()
    text = """
paribus: 1
experiment: e
flag: new-checkout
interference: none because each user meets only their own variant
variants: {control: 50, treatment: 50}
metrics: [{name: orders, event: order_completed, type: count}]
"""
    document = load(text, name="e")
    snapshot = Snapshot(tmp_path, "t", 1, tuple(shop.files), START + timedelta(days=9))
    with lake_engine(document.design, document.data, snapshot, threads=1) as engine:
        found = measure_design(document.design, document.data, engine, lake=snapshot.state())
    assert found.counts.probabilities == {
        ("1", "control"): (0.5, 0.5),
        ("1", "treatment"): (0.5, 0.5),
        ("2", "control"): (0.8, 0.8),
        ("2", "treatment"): (0.2, 0.2),
    }
    assert measurement_from_plain(measurement_to_plain(found)).counts == found.counts
    about = Subject(document.design, found, horizon=False)
    assert next(c for c in checks.run(about) if c.name == "sample ratio").status == "passed"
