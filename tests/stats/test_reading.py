"""Reading given estimates under a boundary."""

from __future__ import annotations

import numpy as np
import pytest

from paribus.errors import InputError
from paribus.stats.boundary import Fixed
from paribus.stats.reading import read, z_statistic


def test_one_sided_reading_is_open_on_one_side() -> None:
    found = read([0.3, -0.3], Fixed(alternative="less"), variance=[0.01, 0.04])
    assert np.isneginf(found.lower).all()
    assert found.upper == pytest.approx([0.3 + 0.164485, -0.3 + 0.328971], abs=1e-6)
    assert z_statistic(found) == pytest.approx([3.0, -1.5])


def test_no_spread_is_no_result() -> None:
    assert str(read(0.3, Fixed(), se=0.0).at()) == "the metric does not vary"
    with pytest.raises(InputError):
        read(0.3, Fixed())
