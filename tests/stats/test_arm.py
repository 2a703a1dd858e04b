import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats as reference

from paribus.errors import InputError
from paribus.stats import Fixed, Moments, Reason, Undetermined, bernoulli, difference, linearize, mean, ratio

samples = st.lists(st.floats(-50, 50, allow_subnormal=False), min_size=2, max_size=20)


def arm(y):
    return mean(Moments.from_rows(y, ["y"]))


@given(samples, samples, st.booleans(), st.sampled_from(["two-sided", "greater", "less"]))
def test_agrees_with_scipy_ttest(control, treatment, pooled, alternative):
    assume(np.std(control) > 1e-3 and np.std(treatment) > 1e-3)
    want = reference.ttest_ind(treatment, control, equal_var=pooled, alternative=alternative)
    interval = want.confidence_interval(0.9)
    found = difference(arm(control), arm(treatment), boundary=Fixed(0.9, alternative), pooled=pooled).at()
    assert found.p_value == pytest.approx(want.pvalue, rel=1e-6, abs=1e-12)
    assert found.df == pytest.approx(want.df, rel=1e-6)
    assert (found.lower, found.upper) == pytest.approx((interval.low, interval.high), rel=1e-6, abs=1e-6)


def test_tails_far_out_keep_their_digits():
    c, t = (mean(Moments.from_covariance(["y"], 1e6, [m], [[1.0]])) for m in (0.0, 0.05))
    found = difference(c, t, normal=True).at()
    assert found.p_value == pytest.approx(2 * reference.norm.sf(0.05 / np.sqrt(2e-6)), rel=1e-9)
    assert 0 < found.p_value < 1e-200


@pytest.mark.parametrize(
    ("control", "treatment", "reason"),
    [
        ([], [1.0, 2.0], Reason.NO_DATA),
        ([1.0], [1.0, 2.0], Reason.TOO_FEW_UNITS),
        ([3.0, 3.0], [5.0, 5.0], Reason.NO_VARIANCE),
        ([1.0, np.nan], [1.0, 2.0], Reason.NOT_FINITE),
        ([1.0, np.inf], [1.0, 2.0], Reason.NOT_FINITE),
    ],
)
def test_what_cannot_be_compared_is_undetermined(control, treatment, reason):
    found = difference(arm(np.array(control)), arm(np.array(treatment)))
    assert found.at() == Undetermined(reason)
    assert np.isnan([found.value, found.lower, found.upper, found.p_value]).all()


def test_cells_do_not_influence_each_other():
    rng = np.random.default_rng(1)
    cells = [Moments.from_rows(rng.normal(size=30), ["y"]) for _ in range(4)]
    control, treatment = Moments.stack(cells[:2]), Moments.stack(cells[2:])
    together = difference(mean(control), mean(treatment))
    for i in range(2):
        alone = difference(mean(control.take(i)), mean(treatment.take(i))).at()
        assert together.at(i) == alone


def test_ratio_variance_against_the_jackknife():
    rng = np.random.default_rng(2)
    d = rng.poisson(3, 4000).astype(float)
    y = rng.binomial(d.astype(int), 0.4) + rng.poisson(0.2, 4000)
    found = ratio(Moments.from_rows(np.column_stack([y, d]), ["y", "d"]), "y", "d")
    left_out = (y.sum() - y) / (d.sum() - d)
    jackknife = np.sqrt((len(y) - 1) * np.mean((left_out - left_out.mean()) ** 2))
    assert float(found.se) == pytest.approx(jackknife, rel=1e-3)


def test_ratio_of_sums_is_not_the_average_of_ratios_and_keeps_zero_denominators():
    found = ratio(Moments.from_rows([[1.0, 1.0], [0.0, 0.0], [2.0, 8.0]], ["y", "d"]), "y", "d")
    assert float(found.value) == pytest.approx(3 / 9)
    assert found.n == 3


def test_a_zero_denominator_has_no_ratio():
    found = ratio(Moments.from_rows([[1.0, 0.0], [2.0, 0.0]], ["y", "d"]), "y", "d")
    assert difference(found, found).at() == Undetermined(Reason.NOT_FINITE)


def test_linearized_means_are_the_moments_themselves():
    m = Moments.from_rows(np.random.default_rng(0).normal(size=(9, 3)), ["a", "b", "c"])
    found = linearize(m, ["c", "a"])
    np.testing.assert_allclose(found.m2, m.m2[np.ix_([2, 0], [2, 0])])


def test_bernoulli_is_the_share_without_the_correction():
    rows = [1.0] * 3 + [0.0] * 7
    found, plain = bernoulli(10, 3), arm(rows)
    assert float(found.var) == pytest.approx(float(plain.var) * 9 / 10)
    assert float(found.skewness) == pytest.approx(float(plain.skewness))


def test_a_misspelled_variable_is_suggested():
    with pytest.raises(InputError, match="did you mean 'revenue'"):
        mean(Moments.from_rows([1.0], ["revenue"]), "revenu")


@pytest.mark.parametrize("share", [0.3, 1 / 7, 12345.678])
def test_a_ratio_that_is_the_same_for_every_unit_does_not_vary(share: float) -> None:
    rng = np.random.default_rng(5)

    def rows(n: int, of: float) -> Moments:
        d = rng.gamma(2, 1e3, n)
        return Moments.from_rows(np.column_stack([of * d, d]), ["y", "d"])

    control, treatment = ratio(rows(900, share), "y", "d"), ratio(rows(700, 2 * share), "y", "d")
    assert float(control.var) == 0.0
    assert float(control.value) == pytest.approx(share)
    found = difference(control, treatment).at()
    assert isinstance(found, Undetermined)
    assert found.reason is Reason.NO_VARIANCE
    noisy = rng.gamma(2, 1e3, 900)
    near = Moments.from_rows(np.column_stack([noisy * (1 + 1e-4 * rng.standard_normal(900)), noisy]), ["y", "d"])
    assert float(ratio(near, "y", "d").var) > 0
