import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as reference

from paribus.errors import InputError
from paribus.stats import (
    AsymptoticSequence,
    Fixed,
    Moments,
    Reason,
    Undetermined,
    difference,
    equivalence,
    lift,
    margin_p_value,
    mean,
    noninferiority,
)


def arm(n, value, sd):
    return mean(Moments.from_covariance(["y"], n, [value], [[sd**2]]))


def test_absolute_margin_is_a_shifted_t_test():
    rng = np.random.default_rng(0)
    c, t = rng.normal(5, 1, 30), rng.normal(4.9, 2, 40)
    arms = [mean(Moments.from_rows(y, ["y"])) for y in (c, t)]
    want = reference.ttest_ind(t + 0.5, c, equal_var=False, alternative="greater")
    found = noninferiority(*arms, margin=0.5)
    assert float(found.p_value) == pytest.approx(want.pvalue)
    assert float(found.extra["statistic"]) == pytest.approx(want.statistic)


def test_lower_is_better_mirrors_higher_is_better():
    up = noninferiority(arm(50, 5, 1), arm(60, 4.8, 1), margin=0.4).at()
    down = noninferiority(arm(50, -5, 1), arm(60, -4.8, 1), margin=0.4, direction="decrease").at()
    assert down.p_value == pytest.approx(up.p_value)
    assert (down.lower, down.upper) == (-np.inf, pytest.approx(-up.lower))


@given(st.floats(4, 6), st.floats(0.02, 0.3), st.booleans(), st.sampled_from(["increase", "decrease"]))
def test_bound_and_p_value_say_the_same(value, margin, relative, direction):
    absolute_margin = margin if relative else 5 * margin
    found = noninferiority(
        arm(80, 5, 2), arm(90, value, 2), margin=absolute_margin, relative=relative, direction=direction
    ).at()
    beyond = found.lower > -absolute_margin if direction == "increase" else found.upper < absolute_margin
    if abs(found.p_value - 0.025) > 1e-6:
        assert beyond == (found.p_value < 0.025)


def test_a_relative_margin_carries_the_variance_of_the_baseline():
    control, treatment = arm(100, 10, 5), arm(100, 10, 5)
    found = noninferiority(control, treatment, margin=0.1, relative=True, normal=True)
    # t - .9 c = 1 with variance (1 + .81) 25 / 100, by hand
    assert float(found.extra["statistic"]) == pytest.approx(1 / np.sqrt(1.81 * 0.25))
    fixed = noninferiority(control, treatment, margin=1.0, normal=True)
    assert float(fixed.extra["statistic"]) == pytest.approx(1 / np.sqrt(2 * 0.25))


def test_equivalence_is_the_inclusion_of_the_wider_interval():
    found = equivalence(arm(200, 5, 1), arm(200, 5.05, 1), margin=0.3).at()
    assert found.p_value < 0.05
    assert -0.3 < found.lower < found.upper < 0.3
    narrow = equivalence(arm(200, 5, 1), arm(200, 5.05, 1), margin=0.2).at()
    assert narrow.p_value > 0.05
    assert narrow.upper > 0.2


def test_equivalence_needs_no_relative_baseline_of_zero():
    found = equivalence(arm(200, 0, 1), arm(200, 0, 1), margin=0.1, relative=True)
    assert found.at() == Undetermined(Reason.ZERO_BASELINE)


@pytest.mark.parametrize("margin", [-0.1, np.nan, np.inf])
def test_a_margin_is_a_size(margin):
    with pytest.raises(InputError, match="margin"):
        noninferiority(arm(9, 1, 1), arm(9, 1, 1), margin=margin)


def test_the_boundary_keeps_its_level_in_one_tail():
    found = noninferiority(arm(100, 5, 1), arm(100, 5, 1), margin=0.1, boundary=Fixed(0.95), normal=True).at()
    assert found.lower == pytest.approx(-reference.norm.ppf(0.95) * np.sqrt(0.02))


def test_the_p_value_against_a_margin_is_one_tail_of_a_shifted_t_test():
    rng = np.random.default_rng(1)
    c, t = rng.normal(5, 1, 30), rng.normal(4.9, 2, 40)
    arms = [mean(Moments.from_rows(y, ["y"])) for y in (c, t)]
    shifted = {"greater": t + 0.5, "less": t - 0.5}
    for side, y in shifted.items():
        above = side == "greater"
        found = margin_p_value(
            *arms, null=-0.5 if above else 0.5, relative=False, safe_above=above, boundary=Fixed(0.95)
        )
        assert float(found) == pytest.approx(reference.ttest_ind(y, c, equal_var=False, alternative=side).pvalue)


@given(
    st.floats(-6, 6).filter(lambda x: abs(x) > 1.5),
    st.floats(-1, 1),
    st.floats(0.0, 0.3),
    st.booleans(),
    st.booleans(),
    st.sampled_from([Fixed(0.95), Fixed(0.9), AsymptoticSequence(200.0, 0.95)]),
)
def test_the_p_value_agrees_with_the_two_sided_interval(base, gap, margin, relative, above, boundary):
    arms = arm(80, base, 2), arm(90, base + gap, 2)
    null = -margin if above else margin
    shown = (
        lift(*arms, boundary=boundary, negative_baseline="magnitude")
        if relative
        else difference(*arms, boundary=boundary)
    ).at()
    if isinstance(shown, Undetermined):
        return
    p = float(margin_p_value(*arms, null=null, relative=relative, safe_above=above, boundary=boundary))
    tail = (1 - boundary.level) / 2
    if abs(p - tail) > 1e-6:
        assert (shown.lower > null if above else shown.upper < null) == (p < tail)
