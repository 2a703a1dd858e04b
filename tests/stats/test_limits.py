import numpy as np
import pytest

from paribus.errors import InputError
from paribus.stats import Limits, percentile_limits, winsorize


def test_both_arms_share_the_limits_and_refunds_are_capped_too():
    limits = percentile_limits([np.arange(100.0), np.arange(100.0) - 100], lower=0.01, upper=0.99)
    # 200 values -100..99: the 2nd and the 198th in order
    assert limits == Limits(-99.0, 97.0)
    capped, beyond = winsorize([-1000.0, 5.0, 1000.0], limits)
    np.testing.assert_array_equal(capped, [-99, 5, 97])
    assert beyond == 2


def test_an_open_side_caps_nothing():
    values, beyond = winsorize([-1e9, 3.0], percentile_limits([[1.0, 2.0]], upper=0.5))
    np.testing.assert_array_equal(values, [-1e9, 1.0])
    assert beyond == 1


@pytest.mark.parametrize("samples", [[[]], [[1.0, np.nan]]])
def test_no_percentile_without_numbers(samples):
    with pytest.raises(InputError, match="percentile"):
        percentile_limits(samples, upper=0.9)


def test_shares_and_limits_are_checked():
    with pytest.raises(InputError, match="share"):
        percentile_limits([[1.0]], upper=99)
    with pytest.raises(InputError, match="above the upper"):
        Limits(2.0, 1.0)
