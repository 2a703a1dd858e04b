"""Anytime-valid regression against ordinary least squares and against the published run of avlm."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from paribus.errors import InputError
from paribus.stats.anytime import anytime_t_log_e, anytime_t_radius
from paribus.stats.anytime_linear import anytime_lin, anytime_lin_from_moments, anytime_regression
from paribus.stats.moments import Moments


def data(n: int = 200, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2)) + 3
    t = rng.integers(0, 2, n)
    y = 1 + x @ [2.0, -1.0] + 0.5 * t + 0.7 * t * x[:, 0] + rng.normal(size=n)
    return y, t, x


def test_coefficients_and_errors_are_those_of_least_squares() -> None:
    y, t, x = data()
    fit = anytime_lin(y, t, x, center=False)
    design = np.column_stack([np.ones(len(y)), x, t, x * t[:, None]])
    ols = sm.OLS(y, design).fit()
    assert fit.names == ("(Intercept)", "X1", "X2", "trt", "X1:trt", "X2:trt")
    assert fit.coef == pytest.approx(ols.params)
    assert fit.se == pytest.approx(ols.bse)
    assert fit.df == ols.df_resid
    assert fit.upper - fit.coef == pytest.approx(anytime_t_radius(200, n_coef=6) * ols.bse)


def test_moments_give_the_same_effect_as_rows() -> None:
    y, t, x = data()
    fit = anytime_lin(y, t, x, g=7.0)
    names = ("y", "a", "b")
    control, treatment = (Moments.from_rows(np.column_stack([y, x])[t == arm], names) for arm in (0, 1))
    effect = anytime_lin_from_moments(control, treatment, "y", ("a", "b"), g=7.0).at()
    at = fit.position("trt")
    assert effect.value == pytest.approx(fit.coef[at])
    assert effect.se == pytest.approx(fit.se[at])
    assert effect.lower == pytest.approx(fit.lower[at])
    assert effect.p_value == pytest.approx(fit.p_value[at])


def test_published_run_of_avlm() -> None:
    """README of michaellindon/avlm: trt t = 10.769, n = 100, 8 coefficients, p 1.842e-15, and X3 t = 2.273, p .4471.

    The precision is not printed; the one that gives the first p-value must give the others too.
    """
    from scipy.optimize import brentq

    def p(t: float, g: float) -> float:
        return float(np.exp(-anytime_t_log_e(t, 100, g, n_coef=8)))

    g = brentq(lambda g: np.log(p(10.769, g) / 1.842e-15), 1.0, 20.0)
    assert p(2.273, g) == pytest.approx(0.4471, rel=2e-3)
    assert p(9.527, g) == pytest.approx(6.110e-13, rel=5e-3)
    radius = float(anytime_t_radius(100, g, n_coef=8)) * 0.2157
    assert [2.3224 - radius, 2.3224 + radius] == pytest.approx([1.6393, 3.006], abs=2e-3)


def test_constant_covariate_and_dependent_columns() -> None:
    y, t, x = data(40)
    rows = np.column_stack([y, np.ones(40)])
    control, treatment = (Moments.from_rows(rows[t == arm], ("y", "a")) for arm in (0, 1))
    assert str(anytime_lin_from_moments(control, treatment, "y", ("a",)).at()) == "the metric does not vary"
    with pytest.raises(InputError, match="linearly dependent"):
        anytime_regression(np.ones((10, 2)), np.arange(10), ["a", "b"])
