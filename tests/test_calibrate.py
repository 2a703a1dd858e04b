"""The simulation gates in small: the harness runs, agrees with `infer`, and a wrong number fails."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from benchmarks.calibrate_engine import VARIANTS, analyzed, design_of, replicated
from benchmarks.calibrate_fixed import one_cell
from benchmarks.calibrate_gate import REFUSED, critical_z, share_gate
from benchmarks.calibrate_outcome import outcomes

from paribus.experiments.analysis import infer
from paribus.metrics.cells import CellKey, Cells, Counts, Measurement
from paribus.metrics.definition import MetricType
from paribus.stats.estimate import Estimate
from paribus.stats.moments import Moments
from paribus.stats.portfolio import summed_effect

REPLICATIONS = 200


def test_type_one_error_and_coverage_inside_the_domain() -> None:
    """Normal values, 500 units: within five standard errors of .05 and .95."""
    gates = one_cell(np.random.default_rng(1), outcomes()[0], 500, 0.5, REPLICATIONS)
    assert [gate.measure for gate in gates] == [
        "type I",
        "KS distance",
        "absolute",
        "relative, default",
        "relative, delta",
    ]
    assert all(gate.holds(5.0) for gate in gates)


def test_spending_of_few_units_split_unevenly_is_refused() -> None:
    """Naive Welch errs with probability .15 there, so the default gives no number."""
    gates = one_cell(np.random.default_rng(2), outcomes()[1], 500, 0.1, REPLICATIONS)
    assert all(gate.side == "refused" and gate.determined <= 1 - REFUSED and gate.holds(4.0) for gate in gates)


def test_replications_are_what_infer_would_say() -> None:
    """The same moments through the whole of `infer`, metric by metric."""
    rng = np.random.default_rng(3)
    size = 5
    control, treatment = (outcomes()[0].draw(rng, size, 100) for _ in range(2))
    panel = analyzed(control, treatment, MetricType.MEAN)
    metrics = replicated(MetricType.MEAN, size)
    keys = tuple(CellKey(name) for name in VARIANTS)
    cells = {
        metric.name: Cells(
            metric.name,
            keys,
            Moments(
                ("y",),
                *(np.stack([getattr(m, part)[i] for m in (control, treatment)]) for part in ("n", "mean", "m2", "m3")),
            ),
        )
        for i, metric in enumerate(metrics)
    }
    result = infer(design_of(metrics), Measurement(Counts(200, dict.fromkeys(VARIANTS, 100)), cells))
    want = [c.absolute.p_value for c in result.comparisons if isinstance(c.absolute, Estimate)]
    assert panel.absolute.p_value[0, 0].tolist() == pytest.approx(want)


def test_a_gate_fails_on_a_wrong_rate_only() -> None:
    hits = np.arange(10_000) < 700  # .07 for .05 is nine standard errors
    gate = share_gate("group", "cell", "type I", hits, 0.05, "both")
    assert gate.value == 0.07
    assert not gate.holds(4.0)
    assert not replace(gate, side="upper").holds(4.0)
    assert replace(gate, side="lower").holds(4.0)
    assert critical_z(300) == pytest.approx(3.99, abs=0.01)  # statistics.md: about 4 for 300


def test_a_sum_of_winners_is_shrunk_and_covers() -> None:
    """100 portfolios of 200 experiments: nominal .95 within three standard errors (.065)."""
    rng = np.random.default_rng(4)
    covered = []
    for _ in range(100):
        se = rng.uniform(0.005, 0.03, 200)
        effect = rng.normal(0.001, 0.01, 200)
        estimate = rng.normal(effect, se)
        shipped = estimate > 1.96 * se
        found = summed_effect(estimate, se**2, shipped)
        assert isinstance(found, Estimate)
        assert found.value < estimate[shipped].sum()
        covered.append(found.lower <= effect[shipped].sum() <= found.upper)
    assert abs(np.mean(covered) - 0.95) <= 0.065
