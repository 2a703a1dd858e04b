"""Drift: the stated false-alarm rate holds, a planted shift is found, and the numbers are the textbook's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, ks_2samp

from paribus.errors import InputError
from paribus.models import DriftWatch, Reference
from paribus.models.drift import psi, psi_limit


def test_psi_by_hand() -> None:
    """Two values, 60% and 40% before, 50% and 50% now: (0.5−0.6)·ln(0.5/0.6) + (0.5−0.4)·ln(0.5/0.4) = 0.0405."""
    reference = Reference.of([0.0] * 60 + [1.0] * 40)
    assert psi(reference, [0.0] * 50 + [1.0] * 50) == pytest.approx(0.040547, abs=1e-6)


def test_the_limit_by_a_table_of_chi_squared() -> None:
    """χ²(9) has its 99th percentile at 21.666 (any table); ten bins, 500 rows against 2000."""
    reference = Reference.of(np.arange(2000))
    assert psi_limit(reference, 500, 0.01) == pytest.approx(21.666 * (1 / 500 + 1 / 2000), rel=1e-4)


def test_ks_is_scipys() -> None:
    rng = np.random.default_rng(1)
    before, now = rng.normal(size=800), rng.normal(0.1, 1.2, 300)
    [series] = DriftWatch({"x": Reference.of(before)}).check({"x": now}).series
    expected = ks_2samp(before, now, method="asymp")
    assert (series.ks, series.ks_p) == (pytest.approx(expected.statistic), pytest.approx(expected.pvalue))


@pytest.mark.parametrize("kind", ["normal", "counts", "binary"])
def test_the_false_alarm_rate_is_at_most_the_stated(kind: str) -> None:
    """150 windows of fresh draws against fresh references, three series: within the 99.9% bound of the stated 5%."""
    rng = np.random.default_rng(20261124)
    draw = {
        "normal": lambda rows: rng.normal(size=rows),
        "counts": lambda rows: rng.poisson(1.5, rows),
        "binary": lambda rows: rng.random(rows) < 0.3,
    }[kind]
    alarms = 0
    for _ in range(150):
        watch = DriftWatch({name: Reference.of(draw(2000)) for name in "abc"}, false_alarm_rate=0.05)
        alarms += bool(watch.check({name: draw(400) for name in "abc"}).drifted)
    assert alarms <= binom.ppf(0.999, 150, 0.05)


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x + 0.5,
        lambda x: x * 1.6,
        lambda x: np.where(np.arange(len(x)) % 4 == 0, 0.0, x),
    ],
    ids=["mean", "spread", "a quarter missing"],
)
def test_a_planted_shift_is_found_within_500_rows(change: object) -> None:
    rng = np.random.default_rng(3)
    watch = DriftWatch({"x": Reference.of(rng.normal(size=5000)), "y": Reference.of(rng.normal(size=5000))})
    found = 0
    for _ in range(50):
        report = watch.check({"x": change(rng.normal(size=500)), "y": rng.normal(size=500)})  # type: ignore[operator]
        found += "x" in report.drifted
    assert found == 50


def test_many_rows_do_not_make_equal_samples_drift() -> None:
    """The customary limit of 0.1 has no size; here the limit falls with the rows, and so does the PSI of no drift."""
    rng = np.random.default_rng(4)
    watch = DriftWatch({"x": Reference.of(rng.normal(size=200_000))})
    [series] = watch.check({"x": rng.normal(size=100_000)}).series
    assert series.psi < series.psi_limit < 0.01
    assert not series.has_drifted
    [shifted] = watch.check({"x": rng.normal(0.03, 1, size=100_000)}).series
    assert shifted.has_drifted
    assert shifted.psi < 0.1


def test_what_cannot_be_judged_is_refused() -> None:
    with pytest.raises(InputError):
        Reference.of(range(50))
    with pytest.raises(InputError):
        Reference.of([float("nan")] * 200)
    watch = DriftWatch({"x": Reference.of(range(200))})
    for window in ({}, {"x": range(10)}, {"x": [float("inf")] * 100}):
        with pytest.raises(InputError):
            watch.check(window)  # type: ignore[arg-type]


def test_a_constant_that_stays_and_one_that_moves() -> None:
    watch = DriftWatch({"x": Reference.of([3.0] * 500)})
    assert watch.check({"x": [3.0] * 100}).drifted == ()
    assert watch.check({"x": [4.0] * 100}).drifted == ("x",)
