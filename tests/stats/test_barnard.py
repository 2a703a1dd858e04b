import numpy as np
import pytest
from scipy.stats import barnard_exact, boschloo_exact

from paribus.errors import InputError
from paribus.stats import proportion_test
from paribus.stats.barnard import barnard, boschloo


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize("seed", range(8))
def test_both_tests_are_those_of_scipy(seed, alternative):
    rng = np.random.default_rng(seed)
    n_c, n_t = (int(n) for n in rng.integers(1, 40, 2))
    x_c, x_t = int(rng.integers(0, n_c + 1)), int(rng.integers(0, n_t + 1))
    if x_c + x_t in (0, n_c + n_t):
        x_t = n_t - x_t
    table = [[x_t, x_c], [n_t - x_t, n_c - x_c]]
    for ours, theirs in ((barnard, barnard_exact), (boschloo, boschloo_exact)):
        statistic, p_value = ours(x_c, n_c, x_t, n_t, alternative)
        want = theirs(table, alternative=alternative, n=256)
        assert statistic == pytest.approx(want.statistic, rel=1e-9, abs=1e-12)
        assert p_value == pytest.approx(want.pvalue, rel=1e-5)


def test_a_thousand_units_are_no_burden():
    found = proportion_test(190, 530, 130, 470, method="boschloo")
    assert float(found.p_value) == pytest.approx(0.00563972208, rel=1e-7)  # scipy 1.17, in ten seconds


def test_too_many_tables_are_refused_with_another_way():
    with pytest.raises(InputError, match="method='z'"):
        barnard(1, 20_000, 2, 20_000, "greater")
