"""Epochs with splits of their own: strata decide, and the known probabilities alone are shown beside them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from tests.experiments.simulated import ADJUSTED, MEAN, START, cells, design, key, measurement

from paribus.experiments import looks
from paribus.experiments.analysis import infer
from paribus.experiments.layout import batches
from paribus.experiments.plan import Method, Plan
from paribus.experiments.reading import reading
from paribus.experiments.result import Comparison, Result
from paribus.metrics.cells import CellKey, ClusterSums, Measurement, Ranks
from paribus.metrics.definition import Metric, MetricType
from paribus.stats.estimate import Estimate, Reason, Undetermined

EVEN = {(epoch, arm): (0.5, 0.5) for epoch in "12" for arm in ("control", "treatment")}
MOVED = {**EVEN, ("2", "control"): (0.9, 0.9), ("2", "treatment"): (0.1, 0.1)}
Rows = dict[tuple[str, str], np.ndarray]


def drawn(
    rng: np.random.Generator, n: int = 4000, *, effect: tuple[float, float] = (0.0, 0.0), later: float = 0.1
) -> Rows:
    """`n` units an epoch; in the second one the mean is 20 instead of 10, and `later` of the units are treated."""
    found: Rows = {}
    for epoch, share, mean, own in (("1", 0.5, 10.0, effect[0]), ("2", later, 20.0, effect[1])):
        treated = rng.binomial(n, share)
        found[epoch, "control"] = rng.normal(mean, 1, n - treated)
        found[epoch, "treatment"] = rng.normal(mean + own, 1, treated)
    return found


def keyed(rows: Rows, **more: str) -> dict[CellKey, np.ndarray]:
    """An epoch is a day."""
    return {key(arm, int(epoch) - 1, epoch=epoch, **more): values for (epoch, arm), values in rows.items()}


def measured(names: list[str], rows: dict[CellKey, np.ndarray], told: object) -> Measurement:
    return measurement(cells("revenue", names, rows), probabilities=told)


def read(rows: Rows, told: object) -> Result:
    return infer(design(MEAN, split_declared=False), measured(["y"], keyed(rows), told))


def of(result: Result) -> tuple[Comparison, Estimate]:
    (comparison,) = result.comparisons
    assert isinstance(comparison.absolute, Estimate)
    return comparison, comparison.absolute


def by_hand(rows: Rows, probabilities: dict[tuple[str, str], tuple[float, float]]) -> tuple[float, float]:
    """Hajek's difference and its standard error, from the rows: n / (n - 1) sum((w (y - m))^2) / (sum w)^2."""
    mean, variance = {}, 0.0
    for arm in ("control", "treatment"):
        y = np.concatenate([rows[e, arm] for e in "12"])
        w = np.concatenate([np.full(len(rows[e, arm]), 1 / probabilities[e, arm][0]) for e in "12"])
        mean[arm] = np.average(y, weights=w)
        variance += len(y) / (len(y) - 1) * ((w * (y - mean[arm])) ** 2).sum() / w.sum() ** 2
    return mean["treatment"] - mean["control"], variance**0.5


def stratified(rows: Rows) -> tuple[float, float]:
    """The effect and its standard error within epochs, weighted by the units of both arms."""
    share = {e: sum(len(rows[e, arm]) for arm in ("control", "treatment")) for e in "12"}
    value = sum(share[e] * (rows[e, "treatment"].mean() - rows[e, "control"].mean()) for e in "12")
    variance = sum(share[e] ** 2 * rows[e, arm].var(ddof=1) / len(rows[e, arm]) for e, arm in rows)
    return value / sum(share.values()), variance**0.5 / sum(share.values())


def test_a_moved_split_is_stratified_and_weighted_beside_it() -> None:
    rows = drawn(np.random.default_rng(4))
    comparison, got = of(read(rows, MOVED))
    assert (got.value, got.se) == (pytest.approx(stratified(rows)[0]), pytest.approx(stratified(rows)[1], rel=1e-3))
    (note,) = [note for note in comparison.notes if "Hájek" in note]
    value, se = by_hand(rows, MOVED)
    control = np.average(
        np.concatenate([rows[e, "control"] for e in "12"]),
        weights=np.concatenate([np.full(len(rows[e, "control"]), 1 / MOVED[e, "control"][0]) for e in "12"]),
    )
    low, high = (100 * (value + z * se) / control for z in (-1.96, 1.96))
    shown = [float(text) for text in re.findall(r"[-−+]?\d+\.\d+", note.replace("−", "-"))]
    assert shown == pytest.approx([100 * value / control, low, high], abs=0.25)
    assert any("effects of the epochs do not differ" in note for note in comparison.notes)


def test_one_split_in_all_epochs_has_no_estimate_by_weights() -> None:
    comparison, got = of(read(rows := drawn(np.random.default_rng(5), later=0.5), EVEN))
    assert got.value == pytest.approx(stratified(rows)[0])
    assert not any("Hájek" in note for note in comparison.notes)


def test_covariates_adjust_the_estimate_by_weights() -> None:
    """y = 2 x + noise: the interval by weights is that of the noise alone, weighted."""
    rng = np.random.default_rng(10)
    noise = drawn(rng)
    rows = {}
    for place, e in noise.items():
        x = rng.normal(0, 20, len(e))
        rows[place] = np.column_stack([e + 2 * x, x])
    found = infer(design(ADJUSTED, split_declared=False), measured(["y", "x0"], keyed(rows), MOVED))
    (note,) = [note for note in of(found)[0].notes if "Hájek" in note]
    _, low, high = (float(text) for text in re.findall(r"[-−+]?\d+\.\d+", note.replace("−", "-")))
    assert high - low == pytest.approx(100 * 2 * 1.96 * by_hand(noise, MOVED)[1] / 15, rel=0.1)


def test_the_effects_of_epochs_that_differ_are_said_to_differ() -> None:
    comparison, _ = of(read(drawn(np.random.default_rng(6), effect=(0.0, 1.0)), MOVED))
    assert any("effects of the epochs differ" in note for note in comparison.notes)


def test_epochs_that_do_not_say_their_probabilities_are_strata() -> None:
    comparison, got = of(read(drawn(np.random.default_rng(7)), {}))
    assert abs(got.value) < 4 * got.se
    assert any("Weighted over 2 epochs by the units of both arms." in note for note in comparison.notes)
    assert not any("Hájek" in note for note in comparison.notes)


def test_the_error_rate_holds_when_the_split_moves() -> None:
    """20 draws of units with 100 metrics that nothing happens to: 5% +- 3.5 standard errors are shown."""
    rng = np.random.default_rng(8)
    shown = []
    metrics = [replace(MEAN, name=f"m{i}") for i in range(100)]
    for _ in range(20):
        units = drawn(rng, 600)
        own = [{place: rng.normal(10.0 * int(place[0]), 1, len(y)) for place, y in units.items()} for _ in metrics]
        found = measurement(
            *(cells(m.name, ["y"], keyed(rows)) for m, rows in zip(metrics, own, strict=True)), probabilities=MOVED
        )
        for comparison in infer(design(*metrics, split_declared=False), found).comparisons:
            assert isinstance(comparison.absolute, Estimate)
            shown.append(comparison.absolute.p_value < 0.05)
    assert abs(np.mean(shown) - 0.05) < 3.5 * (0.05 * 0.95 / len(shown)) ** 0.5


def test_clusters_and_quantiles_know_no_epochs_so_a_moved_split_hides_them() -> None:
    shops = ClusterSums(
        "basket",
        ("control",) * 40 + ("treatment",) * 40,
        tuple(f"c{i}" for i in range(80)),
        (50,) * 80,
        (tuple(np.random.default_rng(11).normal(500, 20, 80)),),
    )
    ranks = Ranks(
        "wait",
        (key("control"), key("treatment")),
        (2000, 2000),
        {
            "q": (10.0, 10.1),
            "lower": (9.8, 9.9),
            "upper": (10.2, 10.3),
            "lower_rank": (950.0, 950.0),
            "upper_rank": (1050.0, 1050.0),
        },
    )
    metrics = (Metric("basket", MetricType.MEAN), Metric("wait", MetricType.QUANTILE, quantile=0.5), MEAN)
    rows = keyed(drawn(np.random.default_rng(12)))
    for told, hidden in ((EVEN, False), (MOVED, True)):
        base = replace(measured(["y"], rows, told), clusters={"basket": shops}, ranks={"wait": ranks})
        found = infer(design(*metrics, split_declared=False), base)
        for comparison in found.comparisons[:2]:
            reason = comparison.absolute.reason if isinstance(comparison.absolute, Undetermined) else None
            assert (reason is Reason.SPLIT_MOVED) is hidden


def test_planned_looks_count_the_variance_of_the_sum_where_the_split_moves() -> None:
    """Half of the units at 1:1, half at 9:1, each of variance 1: the sums' variances are 4 n and 4 n + 11.1 n."""
    n = {("1", "control"): 500, ("1", "treatment"): 500, ("2", "control"): 900, ("2", "treatment"): 100}
    shape = np.linspace(-1, 1, 100)
    rows = {place: np.tile(shape / shape.std(ddof=1), size // 100) for place, size in n.items()}
    plan = Plan(method=Method.GROUP_SEQUENTIAL, start=START, looks=(1, 2), planned_units=2000)
    found = measured(["y"], keyed(rows), MOVED)
    about = design(MEAN, plan=plan, split_declared=False)
    (batch,) = batches(about, found.cells)
    read = reading(about, found, START + timedelta(days=2), batch.grid.days)
    panel = looks.whole(batch, about, read, np.full((1, 1), 0.95), np.zeros((1, 1), dtype=np.bool_))
    assert panel.rules is not None
    first, second = panel.rules[-1, 0, 0].information
    assert first == pytest.approx(0.5)
    assert second / first == pytest.approx((4 + 1 / 0.9 + 1 / 0.1) / 4, rel=0.01)
