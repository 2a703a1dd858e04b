import numpy as np
import pytest

from paribus.errors import InputError
from paribus.stats import (
    Fixed,
    Moments,
    Reason,
    Undetermined,
    clustered_quantile_arm,
    effective_clusters,
    harrell_davis,
    quantile_arm,
    quantile_difference,
    quantile_effect,
    quantile_interval,
    quantile_ranks,
    ratio,
    sample_quantile,
    tied_limits,
)

# numpy's names of Hyndman & Fan's definitions 1 to 9.
METHODS = (
    "inverted_cdf",
    "averaged_inverted_cdf",
    "closest_observation",
    "interpolated_inverted_cdf",
    "hazen",
    "weibull",
    "linear",
    "median_unbiased",
    "normal_unbiased",
)


@pytest.mark.parametrize("kind", range(1, 10))
@pytest.mark.parametrize("p", [0.07, 0.313, 0.5, 0.9])
def test_each_definition_is_that_of_numpy(kind, p):
    x = np.random.default_rng(1).normal(size=23)
    assert sample_quantile(x, p, kind) == pytest.approx(np.quantile(x, p, method=METHODS[kind - 1]))


def test_ranks_of_a_median_have_the_coverage_of_the_binomial():
    ranks = quantile_ranks(10, 0.5)  # P(2 <= B <= 8) = 1002 / 1024
    assert (int(ranks.lower), int(ranks.upper)) == (2, 9)
    assert float(ranks.coverage) == pytest.approx(1002 / 1024)


def test_a_p99_of_200_values_has_no_upper_limit():
    assert not quantile_ranks(200, 0.99).available
    assert quantile_interval(np.arange(200.0), 0.99)[1] == np.inf


def test_the_median_of_symmetric_data_is_their_center_by_harrell_davis():
    assert harrell_davis([-3.0, -1.0, 0.0, 1.0, 3.0], 0.5) == pytest.approx(0)


def arm(x, p=0.5):
    return quantile_arm(len(x), sample_quantile(x, p), *quantile_interval(x, p))


def test_difference_of_medians_rejects_a_true_null_about_as_often_as_stated():
    rng = np.random.default_rng(2)
    p = [
        quantile_difference(arm(rng.exponential(size=300)), arm(rng.exponential(size=300))).at().p_value
        for _ in range(1000)
    ]
    # Binomial error of 1000 draws at .05 is .007; whole ranks make the limits slightly wide.
    assert 0.02 <= np.mean(np.array(p) < 0.05) <= 0.07


def test_lift_and_difference_are_one_test():
    rng = np.random.default_rng(3)
    control, treatment = arm(rng.lognormal(size=400)), arm(rng.lognormal(0.3, size=400))
    absolute = quantile_difference(control, treatment).at()
    relative = quantile_difference(control, treatment, relative=True).at()
    assert relative.p_value == absolute.p_value
    assert relative.value == pytest.approx(absolute.value / float(control.value))


@pytest.mark.parametrize("gap", [1.38, 1.42, 1.5])  # around 1.96 standard errors of 0.72
def test_the_lift_excludes_zero_where_the_test_rejects(gap):
    arms = quantile_arm(1000, 3.0, 2.0, 4.0), quantile_arm(1000, 3.0 + gap, 2.0 + gap, 4.0 + gap)
    found = quantile_difference(*arms, relative=True).at()
    assert (found.lower > 0) == (found.p_value < 0.05)


def test_a_one_sided_boundary_leaves_one_end_open():
    rng = np.random.default_rng(4)
    arms = arm(rng.normal(size=100)), arm(rng.normal(size=100))
    assert quantile_difference(*arms, boundary=Fixed(alternative="greater")).at().upper == np.inf


def test_ties_are_undetermined():
    tied = tied_limits(3.0, 3.0, 3.0)
    arms = quantile_arm(100, 3.0, 3.0, 3.0), quantile_arm(100, 4.0, 3.0, 5.0)
    assert quantile_difference(*arms, tied=tied).at() == Undetermined(Reason.TIED)


def test_a_rank_beyond_the_sample_is_undetermined():
    arms = quantile_arm(100, 3.0, 2.0, np.nan), quantile_arm(100, 4.0, 3.0, 5.0)
    assert quantile_difference(*arms).at() == Undetermined(Reason.TOO_FEW_UNITS)


def test_rows_repeated_five_times_by_unit_are_no_more_information():
    """Five equal rows for each unit: rows as if independent would halve the standard error, and more."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=400)
    rows = np.repeat(x, 5)
    naive, median = arm(rows), sample_quantile(rows, 0.5)
    units = np.column_stack([5.0 * (x <= median), np.full(400, 5.0)])
    found = clustered_quantile_arm(naive, 0.5, ratio(Moments.from_rows(units, ["s", "n"]), "s", "n"))
    assert float(found.n) == 400
    assert float(found.se / naive.se) == pytest.approx(np.sqrt(5), rel=0.01)


@pytest.mark.parametrize("sizes", [np.full(40, 6.0), np.array([500.0, *[1.0] * 99]), np.arange(1.0, 30.0)])
def test_units_of_unequal_size_count_for_fewer(sizes):
    found = effective_clusters(Moments.from_rows(np.column_stack([0.3 * sizes, sizes]), ["s", "n"]), "n")
    assert float(found) == pytest.approx(sizes.sum() ** 2 / (sizes**2).sum())  # Kish 1965


def test_quantile_regression_has_the_standard_error_of_theory():
    """Median of a normal sample: variance pi / (2 n) for each arm."""
    rng = np.random.default_rng(6)
    y, treated = rng.normal(size=8000), np.arange(8000) % 2
    found = quantile_effect(y, treated, 0.5)
    want = np.sqrt(2 * np.pi / 2 / 4000)
    assert [found.iid, found.nid, found.ker] == pytest.approx([want] * 3, rel=0.12)


def test_mistakes_are_named():
    with pytest.raises(InputError, match=r"quantile is 1\.5"):
        sample_quantile([1.0], 1.5)
    with pytest.raises(InputError, match="type 10"):
        sample_quantile([1.0], 0.5, 10)
    assert quantile_effect([1.0, 2.0], [0, 1], 0.5).reason is Reason.TOO_FEW_UNITS
