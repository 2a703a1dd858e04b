import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import norm

from paribus.errors import InputError
from paribus.stats import Arm, Fixed, Moments, Reason, Undetermined, cuped, difference, lift, mean


def arm(n, value, sd):
    return mean(Moments.from_covariance(["y"], n, [value], [[sd**2]]))


def test_fieller_ends_are_where_the_test_of_the_ratio_turns():
    control, treatment = arm(20, 2.0, 1.0), arm(30, 2.6, 1.5)
    found = lift(control, treatment, normal=True).at()

    def z(r):
        return abs(2.6 - (1 + r) * 2.0) / np.sqrt(1.5**2 / 30 + (1 + r) ** 2 / 20) - norm.ppf(0.975)

    assert found.lower == pytest.approx(brentq(z, -0.9, 0.3))
    assert found.upper == pytest.approx(brentq(z, 0.3, 5.0))


@given(st.floats(5, 1000), st.floats(1, 10), st.floats(0.5, 3), st.floats(5, 1000), st.floats(1, 10), st.floats(0.5, 3))
def test_fieller_excludes_zero_exactly_when_the_difference_is_significant(n1, m1, s1, n2, m2, s2):
    control, treatment = arm(n1, m1, s1), arm(n2, m2, s2)
    found, plain = lift(control, treatment), difference(control, treatment).at()
    assert found.p_value == plain.p_value or found.reason[()] is not None
    if found.determined and abs(plain.p_value - 0.05) > 1e-6:
        assert (not found.lower <= 0 <= found.upper) == (plain.p_value < 0.05)
        assert found.lower <= found.value <= found.upper


@given(st.floats(0.01, 100))
def test_a_lift_does_not_depend_on_the_unit_of_measurement(scale):
    one = [lift(arm(50, 3, 2), arm(60, 4, 2), method=by) for by in ("fieller", "delta", "log")]
    other = [
        lift(arm(50, 3 * scale, 2 * scale), arm(60, 4 * scale, 2 * scale), method=by)
        for by in ("fieller", "delta", "log")
    ]
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose([a.value, a.lower, a.upper], [b.value, b.lower, b.upper], rtol=1e-9)


def test_a_noisy_baseline_leaves_no_interval_and_no_number():
    # control mean 1 with standard error 1: not shown to differ from zero, so any ratio is possible
    found = lift(arm(100, 1.0, 10.0), arm(100, 2.0, 1.0))
    assert found.at() == Undetermined(Reason.UNBOUNDED)
    assert np.isnan([found.value, found.lower, found.upper]).all()


@pytest.mark.parametrize("method", ["fieller", "delta", "log"])
def test_a_zero_or_negative_baseline_has_no_lift(method):
    assert lift(arm(100, 0.0, 1.0), arm(100, 1.0, 1.0), method=method).at() == Undetermined(Reason.ZERO_BASELINE)
    assert lift(arm(100, -5.0, 1.0), arm(100, 1.0, 1.0), method=method).at() == Undetermined(Reason.NEGATIVE_BASELINE)


def test_logarithms_need_two_positive_means():
    found = lift(arm(100, 5.0, 1.0), arm(100, -1.0, 1.0), method="log")
    assert found.at() == Undetermined(Reason.NOT_POSITIVE)


def test_a_negative_baseline_by_magnitude_keeps_the_direction():
    found = lift(arm(200, -4, 1), arm(200, -3, 1), method="delta", negative_baseline="magnitude").at()
    mirrored = lift(arm(200, 4, 1), arm(200, 3, 1), method="delta").at()
    assert (found.value, found.lower, found.upper) == pytest.approx((0.25, -mirrored.upper, -mirrored.lower))


def test_a_one_sided_claim_over_a_negative_baseline_is_refused():
    found = lift(arm(200, -4, 1), arm(200, -3, 1), boundary=Fixed(0.95, "greater"), negative_baseline="signed")
    assert found.at() == Undetermined(Reason.NEGATIVE_BASELINE)


def test_an_unknown_method_is_an_error():
    with pytest.raises(InputError, match="fieller, delta or log"):
        lift(arm(9, 1, 1), arm(9, 1, 1), method="bootstrap")


@pytest.mark.parametrize("baseline", ["unadjusted", "adjusted"])
def test_the_spread_of_adjusted_lifts_is_their_standard_error(baseline):
    # 4,000 experiments with a true lift of 50%: large, so that a flat se / mean would be far off
    rng = np.random.default_rng(11)
    reps, n = 4000, 200
    x = rng.normal(10, 3, (2, reps, n))
    y = x + rng.normal(0, 1, (2, reps, n))
    y[1] *= 1.5

    def moments(arm_):
        data = np.stack([y[arm_], x[arm_]], axis=-1)
        m = data.mean(1)
        d = data - m[:, None]
        return Moments(("y", "x"), np.full(reps, float(n)), m, np.einsum("rni,rnj->rij", d, d), np.full_like(m, np.nan))

    adjusted = cuped(moments(0), moments(1))
    found = lift(adjusted.control, adjusted.treatment, baseline=baseline)
    if baseline == "unadjusted":
        covered = ((found.lower <= 0.5) & (found.upper >= 0.5)).mean()
        assert found.se.mean() == pytest.approx(found.value.std(), rel=0.04)
        assert covered == pytest.approx(0.95, abs=4 * np.sqrt(0.05 * 0.95 / reps))
        flat = difference(adjusted.control, adjusted.treatment).se / adjusted.control.baseline
        assert abs(flat.mean() / found.value.std() - 1) > 0.1
    else:  # the center's own noise is not in the variance: see `lift`
        np.testing.assert_allclose(found.value, adjusted.treatment.value / adjusted.control.value - 1)


@pytest.mark.parametrize(("method", "n"), [("fieller", 100), ("log", 1000), ("delta", 1000)])
def test_coverage_with_a_baseline_known_to_20_or_6_percent(method, n):
    rng = np.random.default_rng(5)
    reps = 20_000
    ones = np.ones(reps)
    c, t = rng.normal(1.0, 2 / np.sqrt(n), reps), rng.normal(1.3, 2 / np.sqrt(n), reps)
    control, treatment = (Arm(n * ones, value, 4 * ones, 0 * ones) for value in (c, t))
    found = lift(control, treatment, method=method, normal=True)
    covered = (found.lower <= 0.3) & (found.upper >= 0.3)
    # where Fieller's set is unbounded, whether it holds the truth is the test of the truth
    hit = np.where(found.determined, covered, np.abs(t - 1.3 * c) < 1.96 * 2 / np.sqrt(n) * np.sqrt(1 + 1.3**2))
    assert hit.mean() == pytest.approx(0.95, abs=4 * np.sqrt(0.05 * 0.95 / reps))


def test_where_nothing_happened_in_treatment_the_lift_has_no_interval():
    control, nothing = arm(400, 0.02, 0.14), arm(400, 0.0, 0.0)
    for method in ("fieller", "delta"):
        found = lift(control, nothing, method=method).at()
        assert found == Undetermined(Reason.TOO_FEW_EVENTS)
    assert difference(control, nothing).at().upper < 0
