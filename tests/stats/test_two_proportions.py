import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import ndtri, xlogy
from scipy.stats import barnard_exact, binom

from paribus.errors import InputError
from paribus.stats import (
    Reason,
    Undetermined,
    proportion_difference,
    proportion_difference_interval,
    proportion_lift,
    risk_ratio_interval,
)
from paribus.stats.score import difference_z, ratio_z, restricted_by_difference

Z = float(ndtri(0.975))
TABLES = st.tuples(st.integers(5, 5000), st.integers(5, 5000)).flatmap(
    lambda n: st.tuples(st.integers(0, n[0]), st.just(n[0]), st.integers(0, n[1]), st.just(n[1]))
)
SMALL = st.tuples(st.integers(2, 40), st.integers(2, 40)).flatmap(
    lambda n: st.tuples(st.integers(0, n[0]), st.just(n[0]), st.integers(0, n[1]), st.just(n[1]))
)


@given(TABLES, st.floats(-0.95, 0.95))
def test_restricted_estimate_maximizes_the_likelihood(table, delta):
    x_c, n_c, x_t, n_t = map(np.float64, table)
    low, high = max(0.0, -delta), min(1.0, 1.0 - delta)

    def minus_log_likelihood(p):
        s = min(max(p + delta, 0.0), 1.0)
        return -(xlogy(x_t, s) + xlogy(n_t - x_t, 1 - s) + xlogy(x_c, p) + xlogy(n_c - x_c, 1 - p))

    best = minimize_scalar(minus_log_likelihood, bounds=(low, high), method="bounded", options={"xatol": 1e-10}).fun
    found = float(restricted_by_difference(x_c, n_c, x_t, n_t, np.float64(delta)))
    assert low <= found <= high
    assert minus_log_likelihood(found) <= best + 1e-6 * max(1.0, abs(best))


@given(TABLES)
def test_the_score_interval_holds_exactly_the_differences_that_its_test_does_not_reject(table):
    columns = [np.float64(a) for a in table]
    lower, upper = proportion_difference_interval(*table)
    for end, sign in ((lower, 1), (upper, -1)):
        if abs(end) < 1 - 1e-9:
            assert difference_z(*columns, end, factor=True) == pytest.approx(sign * Z, rel=1e-5)


@given(TABLES)
def test_the_ratio_interval_inverts_its_test(table):
    columns = [np.float64(a) for a in table]
    _, lower, upper = risk_ratio_interval(*table)
    for end, sign in ((lower, 1), (upper, -1)):
        if 1e-6 < end < 1e6:
            assert ratio_z(*columns, end, factor=True) == pytest.approx(sign * Z, rel=1e-5)


@settings(max_examples=40, deadline=None)
@given(SMALL | TABLES)
def test_difference_lift_and_p_value_are_one_test(table):
    difference, lift = proportion_difference(*table).at(), proportion_lift(*table).at()
    rejects = difference.lower > 0 or difference.upper < 0
    assume(abs(difference.p_value - 0.05) > 1e-7)
    assert rejects == (difference.p_value < 0.05)
    if table[0]:
        assert lift.p_value == pytest.approx(difference.p_value, rel=1e-6, abs=1e-12)
        assert (lift.lower > 0 or lift.upper < 0) == rejects
        assert lift.lower <= lift.value <= lift.upper


@settings(max_examples=25, deadline=None)
@given(SMALL)
def test_arms_and_outcomes_can_be_swapped(table):
    x_c, n_c, x_t, n_t = table
    there = proportion_difference(x_c, n_c, x_t, n_t)
    back = proportion_difference(x_t, n_t, x_c, n_c)
    failures = proportion_difference(n_c - x_c, n_c, n_t - x_t, n_t)
    for mirrored in (back, failures):
        ends = float(-mirrored.upper), float(-mirrored.lower)
        assert ends == pytest.approx((float(there.lower), float(there.upper)), abs=2e-5)
        assert mirrored.p_value == pytest.approx(there.p_value, abs=1e-6)


def rejection(n_c, n_t, p, alternative="two-sided"):
    """Exact probability of p < .05 under equal proportions, by enumeration of the likely tables."""
    a, b = (np.arange(binom.ppf(1e-6, n, p), binom.ppf(1 - 1e-6, n, p) + 1) for n in (n_c, n_t))
    weight = binom.pmf(a, n_c, p)[:, None] * binom.pmf(b, n_t, p)
    table, keep = np.meshgrid(a, b, indexing="ij"), weight > 1e-5
    found = proportion_difference(table[0][keep], n_c, table[1][keep], n_t, alternative=alternative)
    return float((weight[keep] * (found.p_value < 0.05)).sum())


@pytest.mark.parametrize(("n_c", "n_t", "p"), [(25, 25, 0.01), (45, 5, 0.1), (12, 8, 0.5), (100, 100, 0.02)])
def test_small_tables_keep_their_level(n_c, n_t, p):
    assert rejection(n_c, n_t, p) <= 0.05


@pytest.mark.parametrize(("n_c", "n_t", "p"), [(2500, 2500, 0.02), (500, 500, 0.5), (9000, 1000, 0.03)])
def test_large_tables_keep_their_level_by_the_score(n_c, n_t, p):
    assert 0.04 < rejection(n_c, n_t, p) < 0.0525


@pytest.mark.parametrize("table", [(7, 15, 12, 15), (2, 30, 9, 28), (13, 47, 25, 53)])
def test_the_exact_p_value_is_about_barnards(table):
    x_c, n_c, x_t, n_t = table
    barnard = barnard_exact([[x_t, x_c], [n_t - x_t, n_c - x_c]], alternative="greater").pvalue
    found = proportion_difference(*table, alternative="greater")
    # Barnard searches all of [0, 1] for the common proportion, from a coarse start.
    assert found.p_value == pytest.approx(barnard, rel=0.02)
    assert found.extra["exact"] == 1


def test_no_events_bound_the_difference_from_both_sides():
    found = proportion_difference(0, 1000, 0, 1000).at()
    assert found.value == 0
    assert found.p_value == 1
    assert -0.005 < found.lower < 0 < found.upper < 0.005
    assert np.isnan(found.se)
    assert proportion_lift(0, 1000, 0, 1000).at() == Undetermined(Reason.ZERO_BASELINE)


def test_all_events_are_as_good_as_none():
    none, all_of_them = proportion_difference(0, 50, 0, 60), proportion_difference(50, 50, 60, 60)
    ends = float(all_of_them.lower), float(all_of_them.upper)
    assert ends == pytest.approx((float(-none.upper), float(-none.lower)), abs=1e-5)


def test_one_sided_intervals_have_one_end():
    greater = proportion_difference(50, 1000, 70, 1000, alternative="greater").at()
    assert greater.upper == np.inf
    assert greater.lower == pytest.approx(float(proportion_difference(50, 1000, 70, 1000, level=0.9).lower))
    less = proportion_lift(3, 1000, 5, 1000, alternative="less").at()
    assert less.lower == -np.inf
    assert np.isfinite(less.upper)


def test_an_empty_arm_is_no_data():
    assert proportion_difference(0, 0, 3, 10).at() == Undetermined(Reason.NO_DATA)


def test_shares_of_units_are_refused():
    with pytest.raises(InputError, match="whole numbers"):
        proportion_difference(1.5, 10, 2, 10)


def test_thousands_of_cells_are_one_call():
    rng = np.random.default_rng(5)
    n = rng.integers(2000, 100_000, (2, 5000))
    x = rng.binomial(n, 0.04)
    found = proportion_difference(x[0], n[0], x[1], n[1])
    assert found.determined.all()
    one = proportion_difference(int(x[0, 7]), int(n[0, 7]), int(x[1, 7]), int(n[1, 7]))
    assert (found.lower[7], found.upper[7]) == pytest.approx((float(one.lower), float(one.upper)))


def test_newcombe_1998_table_2():
    # examples a to h, method 10
    x1, n1 = [56, 9, 6, 5, 0, 0, 10, 10], [70, 10, 7, 56, 10, 10, 10, 10]
    x2, n2 = [48, 3, 2, 0, 0, 0, 0, 0], [80, 10, 7, 29, 20, 10, 20, 10]
    lower, upper = proportion_difference_interval(x2, n2, x1, n1, method="newcombe")
    assert lower == pytest.approx([0.0524, 0.1705, 0.0582, -0.0381, -0.1611, -0.2775, 0.6791, 0.6075], abs=6e-5)
    assert upper == pytest.approx([0.3339, 0.8090, 0.8062, 0.1926, 0.2775, 0.2775, 1.0, 1.0], abs=6e-5)


def test_mistakes_are_named():
    with pytest.raises(InputError, match="did you mean 'newcombe'"):
        proportion_difference_interval(1, 5, 2, 5, method="newcomb")
    with pytest.raises(InputError, match="did you mean 'katz'"):
        risk_ratio_interval(1, 5, 2, 5, method="kats")
