import numpy as np
import pytest
from scipy import stats as scipy_stats
from scipy.special import gammaln

from paribus.errors import InputError
from paribus.stats.srm import (
    life_p_value,
    log_bayes_factor,
    sample_ratio_power,
    sample_ratio_test,
    sequential_sample_ratio,
    sequential_sample_ratio_epochs,
)


def test_fixed_tests_are_those_of_scipy() -> None:
    counts, p = np.array([520, 480, 260]), np.array([0.4, 0.4, 0.2])
    chi2, g = sample_ratio_test(counts, p), sample_ratio_test(counts, [2, 2, 1], method="g")
    expected = counts.sum() * p
    assert float(chi2.p_value) == pytest.approx(scipy_stats.chisquare(counts, expected).pvalue, rel=1e-10)
    assert float(g.p_value) == pytest.approx(
        scipy_stats.power_divergence(counts, expected, lambda_="log-likelihood").pvalue, rel=1e-10
    )
    exact = sample_ratio_test([30, 70], [0.4, 0.6], method="binomial")
    assert float(exact.p_value) == pytest.approx(scipy_stats.binomtest(30, 100, 0.4).pvalue, rel=1e-12)


def test_the_exact_multinomial_sums_the_tables_that_are_no_likelier() -> None:
    p = [0.5, 0.3, 0.2]
    model = scipy_stats.multinomial(6, p)
    tables = [(a, b, 6 - a - b) for a in range(7) for b in range(7 - a)]
    observed = model.pmf([1, 1, 4])
    expected = sum(q for t in tables if (q := model.pmf(t)) <= observed * (1 + 1e-9))
    assert float(sample_ratio_test([1, 1, 4], p, method="multinomial").p_value) == pytest.approx(expected, rel=1e-9)


def test_a_unit_in_an_arm_of_probability_zero_is_impossible() -> None:
    assert float(sample_ratio_test([50, 50, 1], [1, 1, 0]).p_value) == 0.0
    assert float(sample_ratio_test([50, 50, 0], [1, 1, 0]).p_value) == 1.0
    assert np.isnan(sample_ratio_test([0, 0], [1, 1]).p_value)


def test_the_bayes_factor_is_the_dirichlet_multinomial_over_the_multinomial() -> None:
    x, p, k = np.array([53.0, 47.0, 20.0]), np.array([0.4, 0.4, 0.2]), 7.0
    a = k * p
    expected = gammaln(k) - gammaln(k + x.sum()) + (gammaln(a + x) - gammaln(a) - x * np.log(p)).sum()
    assert float(log_bayes_factor(x, p, k)) == pytest.approx(expected, rel=1e-10)


def test_reading_every_unit_rarely_condemns_a_sound_experiment() -> None:
    rng = np.random.default_rng(5)
    draws = rng.multinomial(1, [0.5, 0.5], size=(400, 1000))
    stopped = [sequential_sample_ratio(d, [1, 1], alpha=0.05, cumulative=False).stopped_at is not None for d in draws]
    assert np.mean(stopped) <= 0.05


def test_epochs_with_their_own_probabilities_multiply() -> None:
    one, two = [[50, 50], [60, 60]], [[0, 0], [12, 88]]
    found = sequential_sample_ratio_epochs([one, two], [[1, 1], [1, 9]])
    expected = log_bayes_factor(one, [1, 1]) + log_bayes_factor(two, [1, 9])
    assert found.log_bayes_factor == pytest.approx(expected)
    assert found.n.tolist() == [100, 220]


def test_power_is_that_of_simulated_counts() -> None:
    n, actual = 20_000, np.array([0.49, 0.51])
    x = np.random.default_rng(2).multinomial(n, actual, size=20_000)
    rejected = sample_ratio_test(x, [1, 1]).p_value < 0.001
    assert float(sample_ratio_power(n, [1, 1], actual)) == pytest.approx(rejected.mean(), abs=0.015)


def test_the_life_p_value_splits_alpha() -> None:
    assert life_p_value([0.0001, 1.0], [1.0, 0.0009]) == pytest.approx([0.001, 0.001])


def test_a_misspelled_test_is_suggested() -> None:
    with pytest.raises(InputError, match="chi2"):
        sample_ratio_test([1, 1], [1, 1], method="chi")  # type: ignore[arg-type]  # the mistake under test
