"""The score statistics and their inversion, against scipy's and statsmodels' optimizers, and published intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar
from scipy.special import ndtri, xlogy
from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest

from paribus.stats.score import (
    difference_interval,
    difference_z,
    ratio_interval,
    ratio_z,
    restricted_by_ratio,
    solve,
)

Z = float(ndtri(0.975))
TABLES = [(16, 80, 36, 40), (48, 80, 56, 70), (3, 40, 9, 35), (250, 5000, 290, 5100), (7, 9, 2, 12)]


def floats(table):
    return [np.float64(a) for a in table]


def log_likelihood(table, p_c, p_t):
    x_c, n_c, x_t, n_t = table
    return xlogy(x_c, p_c) + xlogy(n_c - x_c, 1 - p_c) + xlogy(x_t, p_t) + xlogy(n_t - x_t, 1 - p_t)


def best(table, low, high, of):
    """The restricted estimate of p_c by scipy's bounded search."""
    found = minimize_scalar(
        lambda p: -log_likelihood(table, p, of(p)), bounds=(low, high), method="bounded", options={"xatol": 1e-12}
    )
    return float(found.x)


@pytest.mark.parametrize("table", TABLES)
def test_at_no_difference_both_statistics_are_the_pooled_z_test(table):
    x_c, n_c, x_t, n_t = table
    want = proportions_ztest([x_t, x_c], [n_t, n_c])[0]
    for z in (
        difference_z(*floats(table), np.float64(0), factor=False),
        ratio_z(*floats(table), np.float64(1), factor=False),
    ):
        assert float(z) == pytest.approx(want, rel=1e-9)
    total = n_c + n_t
    found = difference_z(*floats(table), np.float64(0), factor=True)
    assert float(found) == pytest.approx(want * math.sqrt((total - 1) / total), rel=1e-9)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("delta", [-0.3, -0.05, 0.02, 0.2])
def test_the_statistic_of_a_difference_by_a_search_for_the_restricted_estimate(table, delta):
    x_c, n_c, x_t, n_t = table
    p_c = best(table, max(0.0, -delta) + 1e-12, min(1.0, 1 - delta) - 1e-12, lambda p: p + delta)
    p_t = p_c + delta
    want = (x_t / n_t - x_c / n_c - delta) / math.sqrt(p_t * (1 - p_t) / n_t + p_c * (1 - p_c) / n_c)
    assert float(difference_z(*floats(table), np.float64(delta), factor=False)) == pytest.approx(want, rel=1e-5)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("ratio", [0.4, 0.95, 1.3, 3.0])
def test_the_statistic_of_a_ratio_by_a_search_for_the_restricted_estimate(table, ratio):
    x_c, n_c, x_t, n_t = table
    p_c = best(table, 1e-12, min(1.0, 1 / ratio) - 1e-12, lambda p: ratio * p)
    assert float(restricted_by_ratio(*floats(table), np.float64(ratio))) == pytest.approx(p_c, abs=1e-6)
    p_t = ratio * p_c
    want = (x_t / n_t - ratio * x_c / n_c) / math.sqrt(p_t * (1 - p_t) / n_t + ratio**2 * p_c * (1 - p_c) / n_c)
    assert float(ratio_z(*floats(table), np.float64(ratio), factor=False)) == pytest.approx(want, rel=1e-4)


def test_koopman_1984():
    lower, upper = ratio_interval(*floats((16, 80, 36, 40)), Z, Z, factor=False)
    assert (round(float(lower), 2), round(float(upper), 2)) == (2.94, 7.15)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("factor", [False, True])
def test_the_ratio_interval_is_that_of_statsmodels(table, factor):
    x_c, n_c, x_t, n_t = table
    want = confint_proportions_2indep(x_t, n_t, x_c, n_c, compare="ratio", method="score", correction=factor)
    assert ratio_interval(*floats(table), Z, Z, factor=factor) == pytest.approx(want, rel=1e-5)


def test_one_end_may_be_left_open():
    table = floats((48, 80, 56, 70))
    both, above = (difference_interval(*table, Z, high, factor=True) for high in (Z, np.inf))
    assert (float(above[0]), float(above[1])) == (float(both[0]), 1.0)
    assert float(ratio_interval(*table, np.inf, Z, factor=True)[0]) == 0


def test_limits_without_events():
    lower, upper = ratio_interval(*floats((0, 50, 3, 50)), Z, Z, factor=True)
    assert (lower > 0, upper) == (True, np.inf)
    assert [float(a) for a in ratio_interval(*floats((0, 50, 0, 50)), Z, Z, factor=True)] == [0, np.inf]
    assert float(difference_z(*floats((0, 50, 0, 50)), np.float64(0), factor=True)) == 0


@settings(max_examples=60)
@given(st.floats(0.2, 5), st.floats(-0.9, 0.9), st.floats(1, 9))
def test_the_root_is_that_of_brent(steep, root, power):
    def f(x):
        return -np.sign(x - root) * np.abs(np.expm1(steep * (x - root))) ** (1 / power)

    found = float(solve(f, np.array([-1.0]), np.array([1.0]))[0])
    assert found == pytest.approx(brentq(lambda x: float(f(np.float64(x))), -1, 1, xtol=1e-13), abs=1e-9)


def test_without_a_change_of_sign_the_nearer_end_is_the_answer():
    ends = np.array([0.0, 0.0]), np.array([1.0, 1.0])
    assert solve(lambda x: np.array([1.0, -1.0]) - 0 * x, *ends).tolist() == [1.0, 0.0]
