"""Tests of predicted heterogeneity against statsmodels, plain differences, and simulations of a null and an effect."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from paribus.stats.sequential_validation import calibration, group_effects


def drawn(rng, n, slope, scale=1.0):
    """Units with one attribute in [-1, 1]; the effect is .2 + slope x, the prediction scale times that and noise."""
    x = rng.uniform(-1, 1, n)
    t = rng.integers(0, 2, n).astype(float)
    y = 0.5 * x + t * (0.2 + slope * x) + rng.normal(size=n)
    return x, t, y


def test_one_block_is_weighted_least_squares_with_hc3():
    rng = np.random.default_rng(1)
    x, t, y = drawn(rng, 500, 0.5)
    p = np.where(x > 0, 0.3, 0.5)
    s = 0.3 + 0.7 * x + rng.normal(size=500) / 10
    found = calibration(y, t, p, s, np.zeros(500))
    design = np.column_stack([s.mean() * (t - p), (s - s.mean()) * (t - p)])
    oracle = sm.WLS(y, design, weights=1 / (p * (1 - p))).fit(cov_type="HC3")
    assert found.mean.value == pytest.approx(oracle.params[0], rel=1e-9)
    assert found.differential.value == pytest.approx(oracle.params[1], rel=1e-9)
    assert found.differential.se == pytest.approx(oracle.bse[1], rel=1e-9)
    assert found.differential.p_value == pytest.approx(oracle.pvalues[1] / 2, rel=1e-6)


def test_several_blocks_add_their_t_statistics():
    rng = np.random.default_rng(2)
    x, t, y = drawn(rng, 900, 0.5)
    block = np.arange(900) % 3
    whole = calibration(y, t, 0.5, x, block).differential
    t_values = []
    for b in range(3):
        own = block == b
        one = calibration(y[own], t[own], 0.5, x[own], block[own]).differential
        t_values.append(one.value / one.se)
    assert whole.value / whole.se == pytest.approx(sum(t_values) / 3**0.5, rel=1e-9)


def test_predictions_that_are_twice_too_large_have_a_coefficient_of_a_half():
    rng = np.random.default_rng(3)
    x, t, y = drawn(rng, 60_000, 0.5)
    found = calibration(y - 0.5 * x, t, 0.5, 2 * (0.2 + 0.5 * x), np.arange(60_000) % 4)
    assert found.mean.value == pytest.approx(0.5, abs=4 * found.mean.se)
    assert found.differential.value == pytest.approx(0.5, abs=4 * found.differential.se)
    assert found.differential.se < 0.05


def test_one_prediction_for_all_has_no_calibration():
    rng = np.random.default_rng(4)
    _, t, y = drawn(rng, 400, 0.5)
    assert calibration(y, t, 0.5, np.full(400, 0.2), np.zeros(400)) is None


def test_groups_are_the_true_effects_of_quarters():
    rng = np.random.default_rng(5)
    x, t, y = drawn(rng, 80_000, 0.5)
    groups, (top_less_bottom, se, p) = group_effects(y - 0.5 * x, t, 0.5, x, np.arange(80_000) % 4)
    # x is uniform: the means of its quarters are -.75, -.25, .25, .75.
    for group, middle in zip(groups, (-0.75, -0.25, 0.25, 0.75), strict=True):
        assert group.units == 20_000
        assert group.value == pytest.approx(0.2 + 0.5 * middle, abs=4 * group.se)
        assert group.predicted == pytest.approx(middle, abs=0.02)
    assert top_less_bottom == pytest.approx(0.75, abs=4 * se)
    assert p < 1e-6


def test_unequal_probabilities_do_not_bias_groups():
    rng = np.random.default_rng(6)
    n = 80_000
    x = rng.uniform(-1, 1, n)
    p = np.where(x > 0, 0.2, 0.6)
    t = (rng.random(n) < p).astype(float)
    y = x + 0.3 * t + rng.normal(size=n) / 2
    groups, _ = group_effects(y, t, p, x, np.zeros(n))
    assert all(group.value == pytest.approx(0.3, abs=4 * group.se) for group in groups)


def learned(rng, n, blocks=6, training=2):
    """A null: the effect is .2 for all; predictions of a block are a regression on the blocks before it."""
    x, t, y = drawn(rng, n, 0.0)
    block = rng.permutation(np.arange(n) * blocks // n)
    predicted = np.zeros(n)
    for b in range(training, blocks):
        seen, new = block < b, block == b
        design = np.column_stack([np.ones(seen.sum()), x[seen], t[seen] - 0.5, x[seen] * (t[seen] - 0.5)])
        fitted = np.linalg.lstsq(design, y[seen], rcond=None)[0]
        predicted[new] = fitted[2] + fitted[3] * x[new]
    kept = block >= training
    return y[kept] - 0.5 * x[kept], t[kept], 0.5, predicted[kept], block[kept]


def test_a_null_is_rejected_as_often_as_it_says():
    rng = np.random.default_rng(7)
    size, covered, contrasts = 1500, 0, 0
    rejected = 0
    for _ in range(size):
        data = learned(rng, 600)
        rejected += calibration(*data).differential.p_value <= 0.05
        groups, (_, _, p) = group_effects(*data)
        covered += all(g.low <= 0.2 <= g.high for g in groups)
        contrasts += p <= 0.05
    spread = 3.3 * (0.05 * 0.95 / size) ** 0.5
    assert rejected / size == pytest.approx(0.05, abs=spread)
    assert contrasts / size == pytest.approx(0.05, abs=spread)
    assert covered / size >= 0.95 - spread
