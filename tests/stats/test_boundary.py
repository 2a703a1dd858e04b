import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as reference

from paribus.stats import Fixed, bounded, one_sided


def test_quantiles_of_t_and_normal():
    assert Fixed(0.99).radius(2.0, 10, 7.0) == pytest.approx(2 * reference.t.ppf(0.995, 7))
    assert Fixed(0.9, "less").radius(1.0, 10, np.inf) == pytest.approx(reference.norm.ppf(0.9))


@given(
    st.floats(-20, 20),
    st.floats(0.1, 5),
    st.floats(0.6, 0.999),
    st.sampled_from(["two-sided", "greater", "less"]),
    st.sampled_from([3.0, 40.0, np.inf]),
)
def test_the_interval_excludes_zero_exactly_when_the_test_rejects(value, se, level, alternative, df):
    found = bounded(value, se, Fixed(level, alternative), n=100, df=df)
    excluded = not found.lower <= 0 <= found.upper
    if abs(found.p_value - (1 - level)) > 1e-9:
        assert excluded == (found.p_value < 1 - level)


def test_alpha_and_level_are_the_same_statement():
    assert Fixed.at_alpha(0.05, "greater") == Fixed(0.95, "greater")
    assert one_sided(Fixed(0.9), "less") == Fixed(0.9, "less")
