import numpy as np
import pytest
import statsmodels.api as sm

from paribus.errors import InputError
from paribus.stats import Reason, indicators, ols


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = np.column_stack([np.ones(80), rng.normal(size=80), rng.gamma(2, 1, 80)])
    clusters, second = rng.integers(0, 12, 80), rng.integers(0, 7, 80)
    y = X @ [1.0, 2.0, -1.0] + rng.normal(size=12)[clusters] + rng.normal(size=80) * (0.5 + X[:, 2])
    return y, X, clusters, second


@pytest.mark.parametrize("covariance", ["HC0", "HC1", "HC2", "HC3"])
def test_heteroskedastic_errors_agree_with_statsmodels(rows, covariance):
    y, X, _, _ = rows
    want = sm.OLS(y, X).fit(cov_type=covariance)
    found = ols(y, X, covariance=covariance)
    np.testing.assert_allclose(found.coef, want.params, rtol=1e-9)
    np.testing.assert_allclose(found.se, want.bse, rtol=1e-9)


def test_classical_errors_and_intervals_agree_with_statsmodels(rows):
    y, X, _, _ = rows
    want = sm.OLS(y, X).fit()
    found = ols(y, X, covariance="classical").estimates()
    np.testing.assert_allclose(np.column_stack([found.lower, found.upper]), want.conf_int(), rtol=1e-8)
    np.testing.assert_allclose(found.p_value, want.pvalues, rtol=1e-6)


def test_clusters_agree_with_statsmodels(rows):
    y, X, clusters, _ = rows
    want = sm.OLS(y, X).fit(cov_type="cluster", cov_kwds={"groups": clusters})
    np.testing.assert_allclose(ols(y, X, covariance="CR1", clusters=clusters).se, want.bse, rtol=1e-9)


def test_newey_west_agrees_with_statsmodels(rows):
    y, X, _, _ = rows
    want = sm.OLS(y, X).fit(cov_type="HAC", cov_kwds={"maxlags": 3, "use_correction": False})
    np.testing.assert_allclose(ols(y, X, covariance="newey_west", lag=3).se, want.bse, rtol=1e-9)


def test_newey_west_without_lags_is_hc0(rows):
    y, X, _, _ = rows
    np.testing.assert_allclose(ols(y, X, covariance="newey_west", lag=0).cov, ols(y, X, covariance="HC0").cov)


def test_every_row_its_own_cluster_is_hc2(rows):
    y, X, _, _ = rows
    found = ols(y, X, covariance="CR2", clusters=np.arange(80))
    np.testing.assert_allclose(found.cov, ols(y, X, covariance="HC2").cov, rtol=1e-9)


def test_two_ways_that_are_one_are_one(rows):
    y, X, clusters, _ = rows
    one = ols(y, X, covariance="CR0", clusters=clusters)
    two = ols(y, X, covariance="CR0", clusters=clusters, second_clusters=clusters)
    np.testing.assert_allclose(one.cov, two.cov)


def test_bell_mccaffrey_degrees_of_freedom_of_two_groups():
    # Singleton clusters, 4 against 6 units: HC2 is Welch, whose df under equal variances are
    # (1/4 + 1/6)^2 / (1 / (4^2 3) + 1 / (6^2 5)) by Satterthwaite
    X = np.column_stack([np.ones(10), np.repeat([0.0, 1.0], [4, 6])])
    y = np.random.default_rng(1).normal(size=10)
    found = ols(y, X, covariance="CR2", clusters=np.arange(10))
    assert found.df[1] == pytest.approx((1 / 4 + 1 / 6) ** 2 / (1 / 48 + 1 / 180))
    assert found.df[0] == pytest.approx(3)


def test_a_cluster_that_alone_fixes_a_coefficient_gets_no_infinite_weight():
    X = np.column_stack([np.ones(9), np.repeat([0.0, 1.0], [6, 3])])
    found = ols(np.arange(9.0), X, covariance="CR2", clusters=[0, 0, 1, 1, 2, 2, 3, 3, 3])
    assert np.isfinite(found.cov).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"covariance": "CR1"}, "needs clusters"),
        ({"covariance": "newey_west"}, "lag"),
        ({"covariance": "HC9", "clusters": np.arange(80)}, "HC9"),
        ({"covariance": "CR2", "clusters": np.zeros(80)}, "one cluster"),
        ({"covariance": "CR1", "clusters": np.arange(79)}, "label"),
    ],
)
def test_what_is_missing_is_said(rows, options, message):
    y, X, _, _ = rows
    with pytest.raises(InputError, match=message):
        ols(y, X, **options)


def test_repeated_columns_are_refused(rows):
    y, X, _, _ = rows
    with pytest.raises(InputError, match="full rank"):
        ols(y, X[:, [0, 1, 1]])


def test_levels_become_columns():
    np.testing.assert_array_equal(indicators([2, 1, 2]), [[1], [0], [1]])


def test_a_perfect_fit_has_no_test():
    found = ols([1.0, 1.0, 1.0], [[1.0], [1.0], [1.0]], covariance="HC0").estimates()
    assert found.at(0).reason is Reason.NO_VARIANCE
