import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paribus.errors import InputError
from paribus.stats import Moments, ancova, cuped, difference, lift, lin, lin_regression


def data(seed=0, n=(60, 90), effect=1.0, slope=(0.8, 0.8)):
    """Rows (y, x, w) of control and treatment."""
    rng = np.random.default_rng(seed)
    arms = []
    for i, size in enumerate(n):
        x, w = rng.gamma(2, 5, size), rng.normal(size=size)
        arms.append(np.column_stack([slope[i] * x + 0.5 * w + effect * i + rng.normal(size=size), x, w]))
    return arms


def moments(rows):
    return Moments.from_rows(rows, ["y", "x", "w"][: rows.shape[1]])


def stacked(arms):
    rows = np.vstack(arms)
    return rows[:, 0], np.repeat([0.0, 1.0], [len(a) for a in arms]), rows[:, 1:]


@pytest.mark.parametrize("columns", [2, 3])
def test_pooled_within_theta_is_the_ancova_coefficient(columns):
    arms = [a[:, :columns] for a in data()]
    found = cuped(*map(moments, arms))
    fit = ancova(*stacked(arms))
    np.testing.assert_allclose(found.theta, fit.coef[2:], rtol=1e-9)
    assert float(found.treatment.value - found.control.value) == pytest.approx(fit.coef[1])


@pytest.mark.parametrize("columns", [2, 3])
def test_lin_from_moments_is_the_interacted_regression(columns):
    arms = [a[:, :columns] for a in data(slope=(0.2, 1.4))]
    found = lin(*map(moments, arms), correction="HC0")
    fit = lin_regression(*stacked(arms), covariance="HC0")
    effect = difference(found.control, found.treatment)
    assert float(effect.value) == pytest.approx(fit.coef[1])
    assert float(effect.se) == pytest.approx(fit.se[1], rel=0.03)  # but for leverages, which vanish with n


@pytest.mark.parametrize("columns", [2, 3])
def test_with_equal_variances_the_standard_error_is_that_of_ancova(columns):
    arms = [a[:, :columns] for a in data(n=(25, 25))]
    found = cuped(*map(moments, arms))
    effect = difference(found.control, found.treatment)
    # equal arms: the mean of the two residual variances is the pooled one
    assert float(effect.se) == pytest.approx(ancova(*stacked(arms), covariance="classical").se[1])
    plain = cuped(*map(moments, arms), small_sample=False)
    assert float(plain.control.var) < float(found.control.var)


@pytest.mark.parametrize("k", [1, 2])
def test_type_one_error_with_25_units_per_arm(k):
    rng = np.random.default_rng(3)
    reps = 4000

    def arm():
        x = rng.standard_normal((reps, 25, k))
        rows = np.concatenate([(x.sum(-1) + rng.standard_normal((reps, 25)))[..., None], x], axis=-1)
        m = rows.mean(1)
        d = rows - m[:, None]
        m2 = np.einsum("rni,rnj->rij", d, d)
        return Moments(("y", "x", "w")[: k + 1], np.full(reps, 25.0), m, m2, np.zeros_like(m))

    found = cuped(arm(), arm())
    rejected = (difference(found.control, found.treatment).p_value < 0.05).mean()
    assert rejected == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / reps))


def test_total_theta_takes_the_covariance_of_both_arms_as_one():
    arms = [a[:, :2] for a in data()]
    y, _, x = stacked(arms)
    found = cuped(*map(moments, arms), theta="total")
    assert found.theta[0] == pytest.approx(np.cov(y, x[:, 0])[0, 1] / np.var(x, ddof=1))


def test_a_leak_into_the_covariate_is_absorbed_by_total_but_not_by_pooled_within_theta():
    # the treatment moves both y and x by 5: the slope within arms is 0.8, the slope of all units is more
    arms = data(effect=5.0)
    arms[1][:, 1] += 20.0
    pooled, total = (cuped(*map(moments, arms), "y", ["x"], theta=by).theta[0] for by in ("pooled_within", "total"))
    assert pooled == pytest.approx(0.8, abs=0.05)
    assert abs(total - 0.8) > 0.1


def test_values_stay_comparable_with_the_unadjusted_ones():
    found = cuped(*map(moments, data()))
    for arm in (found.control, found.treatment):
        assert abs(float(arm.value - arm.baseline)) < 1.5
    assert float(found.variance_reduction) == pytest.approx(1 - 1 / (0.64 * 50 + 0.25 + 1), abs=0.03)
    plain = difference(found.control.unadjusted, found.treatment.unadjusted)
    rows = data()
    assert float(plain.value) == pytest.approx(rows[1][:, 0].mean() - rows[0][:, 0].mean())


def test_a_constant_covariate_changes_nothing():
    arms = [np.column_stack([a[:, 0], np.full(len(a), 7.0)]) for a in data()]
    found = cuped(*map(moments, arms))
    assert found.theta[0] == 0
    assert float(found.control.value) == float(found.control.baseline)
    assert float(found.variance_reduction) == 0


def test_a_repeated_covariate_changes_nothing_more():
    arms = data()
    one = cuped(*(moments(a[:, :2]) for a in arms))
    twice = cuped(*(moments(np.column_stack([a[:, :2], 1000 * a[:, 1]])) for a in arms))
    assert float(twice.treatment.value) == pytest.approx(float(one.treatment.value))
    assert float(twice.control.var) == pytest.approx(float(one.control.var))


def test_no_covariate_is_no_adjustment():
    found = cuped(*map(moments, data()), "y", [])
    assert float(found.control.value) == float(found.control.baseline)
    assert found.theta.shape == (0,)


def test_units_without_history_count_through_an_indicator():
    # 40% have no history (x = 0); x explains the others, the indicator the gap between the groups
    rng = np.random.default_rng(4)

    def arm(effect):
        known = rng.random(3000) < 0.6
        x = np.where(known, rng.normal(10, 2, 3000), 0.0)
        y = np.where(known, x, 3.0) + effect + rng.normal(0, 1, 3000)
        return np.column_stack([y, x, known])

    arms = [arm(0.0), arm(0.5)]
    with_indicator = cuped(*map(moments, arms))
    without = cuped(*map(moments, arms), "y", ["x"])
    assert float(with_indicator.control.var) == pytest.approx(1.0, rel=0.1)
    assert float(without.control.var) > 1.15
    effect = difference(with_indicator.control, with_indicator.treatment).at()
    assert effect.value == pytest.approx(0.5, abs=4 * effect.se)


def test_ratio_adjustment_is_the_mean_adjustment_when_denominators_are_one():
    arms = [a[:, :2] for a in data()]
    ratio_rows = [np.column_stack([a[:, 0], np.ones(len(a)), a[:, 1], np.ones(len(a))]) for a in arms]
    names = ["y", "d", "x", "xd"]
    found = cuped(*(Moments.from_rows(a, names) for a in ratio_rows), ("y", "d"), [("x", "xd")])
    want = cuped(*map(moments, arms))
    assert float(found.treatment.value) == pytest.approx(float(want.treatment.value))
    assert float(found.treatment.var) == pytest.approx(float(want.treatment.var))


@given(st.floats(-1e3, 1e3), st.floats(0.01, 100))
def test_shift_and_scale_of_a_covariate_do_not_matter(shift, scale):
    arms = [a[:, :2] for a in data()]
    moved = [np.column_stack([a[:, 0], scale * a[:, 1] + shift]) for a in arms]
    one, other = (cuped(*map(moments, rows)) for rows in (arms, moved))
    assert float(other.treatment.value) == pytest.approx(float(one.treatment.value), rel=1e-6)


def test_many_cells_are_adjusted_each_by_its_own():
    cells = [data(seed) for seed in range(5)]
    control, treatment = (Moments.stack([moments(c[i]) for c in cells]) for i in (0, 1))
    together = cuped(control, treatment)
    for i, cell in enumerate(cells):
        alone = cuped(*map(moments, cell))
        np.testing.assert_allclose(together.theta[i], alone.theta, rtol=1e-9)
        assert float(together.treatment.value[i]) == pytest.approx(float(alone.treatment.value))


def test_ten_thousand_cells_take_a_fraction_of_a_second():
    rng = np.random.default_rng(0)
    cells = 10_000

    def arm():
        half = rng.normal(size=(cells, 3, 3))
        cov = half @ np.swapaxes(half, -1, -2) + np.eye(3)
        n = rng.integers(100, 5000, cells).astype(float)
        return Moments.from_covariance(["y", "x", "h"], n, rng.normal(5, 1, (cells, 3)), cov)

    control, treatment = arm(), arm()
    cuped(control.take([0]), treatment.take([0]))
    start = time.process_time()
    found = cuped(control, treatment)
    difference(found.control, found.treatment)
    lift(found.control, found.treatment)
    assert time.process_time() - start < 0.2


def test_a_misspelled_convention_is_suggested():
    with pytest.raises(InputError, match="did you mean 'pooled_within'"):
        cuped(*map(moments, data()), theta="pooled_whithin")
