import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.api import OLS

from paribus.errors import InputError
from paribus.stats import (
    ClusterSums,
    Moments,
    Reason,
    Undetermined,
    cluster_arm,
    cluster_difference,
    crossed_arms,
    difference,
    lift,
    mean,
    ols,
    ratio,
)


def rows(seed, groups=(8, 7), size=6):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.repeat(i, rng.integers(1, size)) for i in range(sum(groups))])
    treated = (labels >= groups[0]).astype(float)
    y = rng.normal(size=sum(groups))[labels] + rng.normal(size=len(labels)) + treated
    return y, treated, labels


def sums(y, treated, labels):
    return [ClusterSums.from_rows(y[treated == t], labels[treated == t]) for t in (0, 1)]


@given(st.integers(0, 10_000), st.sampled_from(["CR0", "CR1", "CR2"]))
def test_sums_give_what_regression_on_rows_gives(seed, covariance):
    y, treated, labels = rows(seed)
    X = np.column_stack([np.ones_like(y), treated])
    want = ols(y, X, covariance=covariance, clusters=labels)
    found = cluster_difference(*sums(y, treated, labels), covariance=covariance, min_df=0).at()
    assert found.value == pytest.approx(want.coef[1])
    assert found.se == pytest.approx(want.se[1])
    assert found.df == pytest.approx(want.df[1])


def test_clusters_of_one_unit_are_welch():
    rng = np.random.default_rng(0)
    c, t = rng.normal(size=20), rng.normal(size=30)
    found = cluster_difference(ClusterSums(c, np.ones(20)), ClusterSums(t, np.ones(30))).at()
    plain = difference(*(mean(Moments.from_rows(y, ["y"])) for y in (c, t))).at()
    assert found.se == pytest.approx(plain.se)


def test_the_arm_of_clusters_is_a_ratio_over_clusters():
    y, treated, labels = rows(3)
    control = sums(y, treated, labels)[0]
    want = ratio(Moments.from_rows(np.column_stack([control.sums, control.sizes]), ["y", "d"]), "y", "d")
    found = cluster_arm(control)
    assert float(found.value) == pytest.approx(float(want.value))
    assert float(found.se) == pytest.approx(float(want.se))


def test_a_general_denominator_weighs_units():
    found = ClusterSums.from_rows([1.0, 2, 3], ["a", "b", "b"], denominator=[2.0, 0, 4])
    assert found.value == pytest.approx(1.0)
    assert len(found) == 2


def test_few_clusters_warn_and_very_few_refuse():
    y, treated, labels = rows(1)
    assert cluster_difference(*sums(y, treated, labels)).extra["few"] == 1
    y, treated, labels = rows(1, groups=(4, 40))
    assert cluster_difference(*sums(y, treated, labels)).at() == Undetermined(Reason.TOO_FEW_CLUSTERS)
    y, treated, labels = rows(1, groups=(20, 20))
    assert cluster_difference(*sums(y, treated, labels)).extra["few"] == 0


def test_one_giant_cluster_leaves_too_few_degrees_of_freedom():
    sizes = np.array([1000.0, 1, 1, 1, 1, 1])
    lopsided = ClusterSums(sizes * 2 + np.arange(6), sizes)
    assert cluster_difference(lopsided, lopsided).at() == Undetermined(Reason.TOO_FEW_CLUSTERS)


def test_no_clusters_and_zero_denominators_are_said():
    some = ClusterSums(np.arange(8.0), np.ones(8))
    assert cluster_difference(ClusterSums(np.array([]), np.array([])), some).at() == Undetermined(Reason.NO_DATA)
    empty = ClusterSums(np.zeros(8), np.zeros(8))
    assert cluster_difference(empty, some).at() == Undetermined(Reason.ZERO_DENOMINATOR)


def test_an_unknown_covariance_is_an_error():
    some = ClusterSums(np.arange(8.0), np.ones(8))
    with pytest.raises(InputError, match="CR3"):
        cluster_difference(some, some, covariance="CR3")


def test_type_one_error_with_few_uneven_clusters():
    rng = np.random.default_rng(9)

    def arm(groups):
        sizes = 1.0 + rng.poisson(9, groups)
        return ClusterSums(sizes * rng.normal(0, 0.6, groups) + np.sqrt(sizes) * rng.normal(size=groups), sizes)

    rejected = np.mean([float(cluster_difference(arm(20), arm(8)).p_value) < 0.05 for _ in range(2000)])
    assert rejected == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 2000))


# ── clusters with units in both arms ─────────────────────────────────────────────────────────────────────────────────


def crossed(seed, groups=25):
    """Rows of units randomized one by one inside clusters; some clusters are in one arm only."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(groups), rng.integers(1, 12, groups))
    treated = rng.integers(0, 2, len(labels)).astype(float)
    treated[labels == 0], treated[labels == 1] = 0.0, 1.0
    y = 10 + 2 * rng.normal(size=groups)[labels] + rng.normal(size=len(labels)) + 0.4 * treated
    return y, treated, labels


def both(y, treated, labels, groups=25):
    return [
        ClusterSums(
            np.bincount(labels, weights=y * (treated == arm), minlength=groups),
            np.bincount(labels, weights=1.0 * (treated == arm), minlength=groups),
        )
        for arm in (0, 1)
    ]


@pytest.mark.parametrize("seed", range(6))
def test_crossed_arms_are_statsmodels_regression_with_clusters(seed):
    y, treated, labels = crossed(seed)
    fitted = OLS(y, np.column_stack([np.ones_like(y), treated]))
    want = fitted.fit(cov_type="cluster", cov_kwds={"groups": labels}, use_t=True)
    arms = crossed_arms(*both(y, treated, labels))
    found = difference(*arms).at()
    assert found.value == pytest.approx(want.params[1])
    assert found.se == pytest.approx(want.bse[1])
    # The lift's error by the delta method from the regression's whole covariance matrix.
    control, effect = want.params
    gradient = np.array([-effect / control**2, 1 / control])
    relative = lift(*arms).at()
    assert relative.value == pytest.approx(effect / control)
    assert relative.se == pytest.approx(np.sqrt(gradient @ want.cov_params() @ gradient))


def test_what_arms_share_within_clusters_cancels():
    """Units randomized inside clusters: the cluster-robust error is far below that of arms taken as independent."""
    y, treated, labels = crossed(7)
    sums_ = both(y, treated, labels)
    together = difference(*crossed_arms(*sums_)).at().se
    apart = difference(*(cluster_arm(ClusterSums(s.sums[s.sizes > 0], s.sizes[s.sizes > 0])) for s in sums_)).at().se
    assert together < 0.7 * apart


def test_crossed_arms_name_their_clusters_alike():
    with pytest.raises(InputError, match="same clusters"):
        crossed_arms(ClusterSums(np.ones(3), np.ones(3)), ClusterSums(np.ones(4), np.ones(4)))
    arms = crossed_arms(ClusterSums(np.ones(2), np.ones(2)), ClusterSums(np.ones(2), np.ones(2)))
    assert np.isnan(float(arms[0].var))
