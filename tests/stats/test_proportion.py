import numpy as np
import pytest
from scipy import stats as scipy_stats
from scipy.stats.contingency import chi2_contingency

from paribus.errors import InputError
from paribus.stats.proportion import farrington_manning, proportion_interval, proportion_test

TABLE = (19, 53, 13, 47)  # successes and units of control and treatment


@pytest.mark.parametrize(
    ("method", "of_scipy"), [("wilson", "wilson"), ("wilson_cc", "wilsoncc"), ("clopper_pearson", "exact")]
)
@pytest.mark.parametrize(("x", "n"), [(0, 20), (1, 29), (15, 148), (29, 29), (50, 1000)])
def test_one_sample_intervals_are_those_of_scipy(method: str, of_scipy: str, x: int, n: int) -> None:
    expected = scipy_stats.binomtest(x, n).proportion_ci(0.95, of_scipy)
    assert [*map(float, proportion_interval(x, n, method=method))] == pytest.approx(expected, abs=1e-9)


def test_jeffreys_is_the_beta_quantile_and_no_units_give_no_interval() -> None:
    low, high = proportion_interval([3, 0], [10, 0], method="jeffreys")
    assert [low[0], high[0]] == pytest.approx(scipy_stats.beta(3.5, 7.5).interval(0.95))
    assert np.isnan([low[1], high[1]]).all()


@pytest.mark.parametrize("correction", [False, True])
@pytest.mark.parametrize(("method", "kind"), [("chi2", "pearson"), ("g", "log-likelihood")])
def test_table_tests_are_those_of_scipy(method: str, kind: str, correction: bool) -> None:
    observed = [[19, 34], [13, 34]]
    expected = chi2_contingency(observed, correction=correction, lambda_=kind)
    found = proportion_test(*TABLE, method=method, correction=correction)
    assert float(found.statistic) == pytest.approx(expected.statistic, rel=1e-10)
    assert float(found.p_value) == pytest.approx(expected.pvalue, rel=1e-10)


def test_the_pooled_z_squared_is_chi2_with_and_without_correction() -> None:
    for correction in (False, True):
        z = proportion_test(*TABLE, method="z", correction=correction)
        chi2 = proportion_test(*TABLE, method="chi2", correction=correction)
        assert float(z.statistic) ** 2 == pytest.approx(float(chi2.statistic))
        assert float(z.p_value) == pytest.approx(float(chi2.p_value))


def test_one_sided_p_values_speak_of_the_treatment() -> None:
    for method in ("z", "z_unpooled", "fisher", "boschloo"):
        greater, less = (
            float(proportion_test(*TABLE, method=method, alternative=side).p_value) for side in ("greater", "less")
        )
        assert less < 0.5 < greater  # 13 of 47 is below 19 of 53


def test_an_empty_margin_has_no_statistic_but_an_exact_p_value() -> None:
    assert np.isnan(proportion_test(0, 10, 0, 20, method="chi2").p_value)
    assert float(proportion_test(0, 10, 0, 20, method="fisher").p_value) == 1.0


def test_no_margin_makes_farrington_manning_the_pooled_z_test() -> None:
    score, z = farrington_manning(*TABLE, null=0.0), proportion_test(*TABLE, method="z", alternative="greater")
    assert float(score.statistic) == pytest.approx(float(z.statistic))
    assert float(score.p_value) == pytest.approx(float(z.p_value))


def test_impossible_counts_and_unknown_methods_are_refused() -> None:
    with pytest.raises(InputError, match="outside"):
        proportion_interval(11, 10)
    with pytest.raises(InputError, match="one-sided"):
        proportion_test(*TABLE, method="chi2", alternative="less")


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_fishers_test_is_scipys(alternative: str) -> None:
    rng = np.random.default_rng(5)
    tables = [(0, 10**6, 3, 10**6), (400_000, 10**6, 400_900, 10**6), (12, 100, 0, 10**7), (5, 50_000, 90, 50_000)]
    for m, n in rng.integers(1, 300, (200, 2)).tolist():
        tables.append((int(rng.integers(0, m + 1)), m, int(rng.integers(0, n + 1)), n))
    for a, m, b, n in tables:
        own = proportion_test(a, m, b, n, method="fisher", alternative=alternative)
        statistic, p_value = scipy_stats.fisher_exact([[b, a], [n - b, m - a]], alternative=alternative)
        np.testing.assert_allclose([own.statistic, own.p_value], [statistic, p_value], rtol=1e-7, atol=1e-300)
