"""Anytime-valid regression against ordinary least squares and against the published run of avlm."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from paribus.errors import InputError
from paribus.stats.anytime import anytime_t_p_value, anytime_t_radius, best_g
from paribus.stats.anytime_linear import anytime_lin, anytime_lin_from_moments, anytime_regression
from paribus.stats.estimate import Estimate
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


def test_a_covariate_that_another_determines_changes_nothing() -> None:
    y, t, x = data()
    rows = np.column_stack([y, x[:, 0], 3 * x[:, 0] + 1])
    control, treatment = (Moments.from_rows(rows[t == arm], ("y", "a", "b")) for arm in (0, 1))
    one, both = (anytime_lin_from_moments(control, treatment, "y", own).at() for own in (("a",), ("a", "b")))
    assert isinstance(one, Estimate)
    assert isinstance(both, Estimate)
    assert (both.value, both.se, both.df) == pytest.approx((one.value, one.se, one.df))
    # Constant in one arm alone, the effect at both arms' common mean lies beyond that arm.
    rows[:, 2] = np.where(t == 0, 1.0, x[:, 1])
    control, treatment = (Moments.from_rows(rows[t == arm], ("y", "a", "b")) for arm in (0, 1))
    assert str(anytime_lin_from_moments(control, treatment, "y", ("a", "b")).at()) == "the metric does not vary"


def test_published_run_of_avlm() -> None:
    """README of michaellindon/avlm (e4d98c5): n = 100, 8 coefficients, g tuned to be narrowest at n."""
    g = best_g(100, n_coef=8)
    for t, p in ((5.776, 9.77e-06), (8.190, 8.07e-10), (10.769, 3.19e-14), (9.527, 3.98e-12), (-0.706, 1.0)):
        assert anytime_t_p_value(t, 100, g, n_coef=8) == pytest.approx(p, rel=4e-3)
    radius = float(anytime_t_radius(100, g, n_coef=8))
    assert [2.32245 - radius * 0.21566, 2.32245 + radius * 0.21566] == pytest.approx([1.6530529, 2.9918408], abs=3e-5)


def test_constant_covariate_and_dependent_columns() -> None:
    y, t, _ = data(40)
    rows = np.column_stack([y, np.ones(40)])
    control, treatment = (Moments.from_rows(rows[t == arm], ("y", "a")) for arm in (0, 1))
    assert str(anytime_lin_from_moments(control, treatment, "y", ("a",)).at()) == "the metric does not vary"
    with pytest.raises(InputError, match="linearly dependent"):
        anytime_regression(np.ones((10, 2)), np.arange(10), ["a", "b"])
