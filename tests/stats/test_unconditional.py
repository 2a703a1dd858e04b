"""Exact unconditional inference against a sum over every table, and against scipy's Barnard test."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import xlogy
from scipy.stats import barnard_exact, binom, binomtest

from paribus.stats.unconditional import exact_comparison


def restricted(x_c, n_c, x_t, n_t, delta):
    """p_c that makes the table likeliest given p_t - p_c = delta, by scipy's search and its ends."""
    low, high = max(0.0, -delta), min(1.0, 1.0 - delta)

    def cost(p):
        s = min(max(p + delta, 0.0), 1.0)
        return -(xlogy(x_t, s) + xlogy(n_t - x_t, 1 - s) + xlogy(x_c, p) + xlogy(n_c - x_c, 1 - p))

    inside = minimize_scalar(cost, bounds=(low, high), method="bounded", options={"xatol": 1e-11}).x
    return min((low, inside, high), key=cost)


def statistic(x_c, n_c, x_t, n_t, delta):
    gap = x_t / n_t - x_c / n_c - delta
    p = restricted(x_c, n_c, x_t, n_t, delta)
    var = (p + delta) * (1 - p - delta) / n_t + p * (1 - p) / n_c
    return 0.0 if abs(gap) < 1e-12 else np.sign(gap) * np.inf if var < 1e-14 else gap / np.sqrt(var)


def by_enumeration(x_c, n_c, x_t, n_t, delta, points=4001):
    """P(statistic >= the observed one), at its largest over the proportions that both arms allow; and <=.

    The proportions are those inside both Clopper-Pearson intervals of level 1 - 5e-9 (Berger, Boos 1994).
    """
    tables = list(itertools.product(range(n_c + 1), range(n_t + 1)))
    z = np.array([statistic(c, n_c, t, n_t, delta) for c, t in tables])
    own = statistic(x_c, n_c, x_t, n_t, delta)
    arms = [binomtest(x, n).proportion_ci(1 - 5e-9) for x, n in ((x_c, n_c), (x_t, n_t))]
    p_c = np.linspace(max(arms[0].low, arms[1].low - delta), min(arms[0].high, arms[1].high - delta), points)
    a = binom.pmf(np.arange(n_c + 1)[:, None], n_c, p_c)
    b = binom.pmf(np.arange(n_t + 1)[:, None], n_t, np.clip(p_c + delta, 0, 1))
    weight = np.array([a[c] * b[t] for c, t in tables])
    slack = 1e-6
    return float(weight[z >= own - slack].sum(axis=0).max()), float(weight[z <= own + slack].sum(axis=0).max())


@pytest.mark.parametrize("table", [(1, 8, 5, 7), (0, 6, 3, 9), (4, 9, 5, 8), (2, 10, 0, 5), (5, 21, 11, 18)])
@pytest.mark.parametrize("delta", [0.0, -0.2, 0.15])
def test_p_values_are_the_largest_probability_over_all_tables(table, delta):
    greater, less = by_enumeration(*table, delta)
    found = exact_comparison(*table, delta, 0.025, False)
    assert found.p_greater == pytest.approx(greater, rel=1e-3)
    assert found.p_less == pytest.approx(less, rel=1e-3)


@pytest.mark.parametrize("table", [(7, 15, 12, 15), (2, 30, 9, 28), (13, 47, 25, 53), (1, 60, 8, 20)])
def test_at_no_difference_it_is_barnards_test_with_the_pooled_statistic(table):
    x_c, n_c, x_t, n_t = table
    rows = [[x_t, x_c], [n_t - x_t, n_c - x_c]]
    found = exact_comparison(*table, 0.0, 0.025, False)
    for side, p in (("greater", found.p_greater), ("less", found.p_less)):
        want = barnard_exact(rows, alternative=side, pooled=True, n=128).pvalue
        # Barnard's searches all of [0, 1], so its p-value is never smaller; a maximum far from the data may lie there.
        assert 0.97 * want <= p <= want * (1 + 1e-3)
    as_ratio = exact_comparison(*table, 1.0, 0.025, True)
    assert (as_ratio.p_greater, as_ratio.p_less) == pytest.approx((found.p_greater, found.p_less), rel=1e-6)


@pytest.mark.parametrize("table", [(1, 12, 6, 11), (3, 14, 2, 9)])
def test_limits_are_where_the_enumerated_p_value_is_the_tails_error(table):
    found = exact_comparison(*table, 0.0, 0.025, False)
    for end, side in ((found.lower, 0), (found.upper, 1)):
        assert by_enumeration(*table, end)[side] == pytest.approx(0.025, abs=1.5e-3)


def test_the_level_is_kept_at_every_common_proportion():
    """Under the null no proportion gives a one-sided p <= .025 more often than that: every table of 9 and 11 units."""
    n_c, n_t = 9, 11
    rejected = np.array(
        [
            [exact_comparison(c, n_c, t, n_t, 0.0, 0.025, False).p_greater <= 0.025 for t in range(n_t + 1)]
            for c in range(n_c + 1)
        ]
    )
    p = np.linspace(0, 1, 2001)
    a = binom.pmf(np.arange(n_c + 1)[:, None], n_c, p)
    b = binom.pmf(np.arange(n_t + 1)[:, None], n_t, p)
    error = np.einsum("cg,tg,ct->g", a, b, rejected.astype(float))
    assert error.max() <= 0.025 + 1e-4
    assert error.max() > 0.01  # and it does reject


def test_limits_of_a_ratio_without_events_are_open():
    assert exact_comparison(0, 20, 3, 20, 1.0, 0.025, True).upper == np.inf
    assert exact_comparison(3, 20, 0, 20, 1.0, 0.025, True).lower == 0
