import numpy as np
import pytest
from scipy.stats import norm

from paribus.stats import (
    Fixed,
    Moments,
    Reason,
    Undetermined,
    bounded,
    cochran,
    difference,
    heterogeneity,
    interaction,
    mean,
)


def effects(values, ses):
    return bounded(values, ses, Fixed(), n=100)


def test_an_interaction_is_a_difference_of_effects():
    found = interaction(effects(1.0, 0.3), effects(2.0, 0.4)).at()
    assert (found.value, found.se) == (1.0, pytest.approx(0.5))
    assert found.p_value == pytest.approx(2 * norm.sf(2))


def test_degrees_of_freedom_combine():
    rng = np.random.default_rng(0)
    arms = [mean(Moments.from_rows(rng.normal(size=10), ["y"])) for _ in range(4)]
    one, other = difference(*arms[:2]).at(), difference(*arms[2:]).at()
    found = interaction(difference(*arms[:2]), difference(*arms[2:])).at()
    want = (one.se**2 + other.se**2) ** 2 / (one.se**4 / one.df + other.se**4 / other.df)
    assert found.df == pytest.approx(want)


def test_without_an_effect_there_is_no_interaction():
    nothing = effects(1.0, 1.0).without(True, Reason.TOO_SKEWED)
    assert interaction(nothing, effects(1.0, 1.0)).at() == Undetermined(Reason.TOO_SKEWED)


def test_cochran_q_under_equal_effects_is_chi_square():
    rng = np.random.default_rng(2)
    p = [heterogeneity(effects(rng.normal(3, [0.5, 1, 2, 0.2]), [0.5, 1, 2, 0.2])).p_value for _ in range(2000)]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 2000))


def test_segments_without_an_effect_are_left_out():
    some = effects([0.0, 2.0, 5.0], 1.0).without([False, False, True], Reason.NO_DATA)
    assert heterogeneity(some).q == pytest.approx(2.0)
    assert isinstance(heterogeneity(some.without([False, True, False], Reason.NO_DATA)), Undetermined)


def test_many_sets_of_segments_are_tested_at_once():
    sets = [effects([0.0, 2.0, 1.0], [1.0, 2.0, 0.5]), effects([3.0, 3.5, 9.0], 1.0)]
    together = effects(np.stack([e.value for e in sets]), np.stack([e.se for e in sets]))
    found = cochran(together, axis=1)
    for i, alone in enumerate(sets):
        assert found.q[i] == pytest.approx(heterogeneity(alone).q)
        assert found.p_value[i] == pytest.approx(heterogeneity(alone).p_value)
