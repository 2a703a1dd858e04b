import numpy as np
import pytest
from scipy.optimize import linprog

from paribus.stats import quantile_effect
from paribus.stats.quantile_simplex import regression_quantile


def loss(X, y, coef, p):
    residual = y - X @ coef
    return float(np.where(residual < 0, (p - 1) * residual, p * residual).sum())


def least_loss(X, y, p):
    """The optimum of the same loss as a linear program: coefficients free, residuals split by sign."""
    n, k = X.shape
    cost = np.concatenate([np.zeros(k), np.full(n, p), np.full(n, 1 - p)])
    found = linprog(
        cost, A_eq=np.hstack([X, np.eye(n), -np.eye(n)]), b_eq=y, bounds=[(None, None)] * k + [(0, None)] * 2 * n
    )
    return found.fun


@pytest.mark.parametrize("seed", range(12))
def test_no_linear_program_finds_a_smaller_loss(seed):
    rng = np.random.default_rng(seed)
    n, k, p = int(rng.integers(8, 60)), int(rng.integers(1, 4)), float(rng.choice([0.1, 0.25, 0.5, 0.6, 0.9]))
    X = np.column_stack([np.ones(n), rng.normal(size=(n, k - 1))])
    y = np.round(rng.normal(size=n) * 3 + rng.choice([-5, 0, 5]), int(rng.choice([0, 3])))
    assert loss(X, y, regression_quantile(X, y, p), p) == pytest.approx(least_loss(X, y, p), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_the_shortcut_for_two_arms_ends_where_the_simplex_does(seed):
    rng = np.random.default_rng(seed)
    n, p = 20 * int(rng.integers(1, 5)), float(rng.choice([0.1, 0.25, 0.5, 0.6, 0.9]))
    treated = rng.permutation(np.arange(n) % 2)
    y = np.round(rng.lognormal(3, 0.7, n) * (1 + rng.choice([-0.3, 0.1, 0.5]) * treated) - rng.choice([0, 20]), 3)
    by_simplex = regression_quantile(np.column_stack([np.ones(n), treated]), y, p)[1]
    assert quantile_effect(y, treated, p).value == pytest.approx(by_simplex, abs=1e-9)


def test_many_equal_values_do_not_hold_it_up():
    rng = np.random.default_rng(3)
    y = rng.poisson(2, 400).astype(float)
    X = np.column_stack([np.ones(400), np.arange(400.0)])
    assert loss(X, y, regression_quantile(X, y, 0.5), 0.5) == pytest.approx(least_loss(X, y, 0.5), rel=1e-9)
