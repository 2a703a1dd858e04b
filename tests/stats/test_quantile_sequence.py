"""Limits of quantiles at every look: confseq's published bounds as ranks, and how often any look misses."""

from __future__ import annotations

import numpy as np
import pytest

from paribus.errors import InputError
from paribus.stats.quantile_sequence import (
    Over,
    anytime_quantile_difference,
    anytime_quantile_interval,
    anytime_quantile_p_value,
)

LOOKS = range(10, 1001, 10)


@pytest.mark.parametrize(
    ("p", "over", "n", "t_opt", "published"),
    [
        # confseq's tests: double_stitching_bound(p, 1000, .05, 100) is 68.62803, 43.72119 and 59.96521 at .5, .9, .1.
        (0.5, "quantiles", 1000, 2500, (500 - 68.62803, 500 + 68.62803)),
        (0.9, "quantiles", 1000, 2500, (900 - 59.96521, 900 + 43.72119)),
        # empirical_process_lil_bound(1000, .05, 100) is 0.08204769.
        (0.3, "distance", 1000, 2500, (300 - 82.04769, 300 + 82.04769)),
        # BetaBinomialMixture(100, .05, .2, .8, false).bound(100) is 31.4308: 625 values at p = .2, above.
        (0.2, "quantile", 625, 625, (None, 125 + 31.4308)),
        (0.8, "quantile", 625, 625, (500 - 31.4308, None)),
    ],
)
def test_limits_are_the_order_statistics_at_published_bounds(
    p: float, over: Over, n: int, t_opt: float, published: tuple[float | None, float | None]
) -> None:
    lower, upper = anytime_quantile_interval(np.arange(1, n + 1), p, over=over, t_opt=t_opt)
    if published[0] is not None:
        assert lower == np.floor(published[0]) + 1
    if published[1] is not None:
        assert upper == np.ceil(published[1])


@pytest.mark.parametrize("p", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("over", ["quantile", "quantiles", "distance"])
def test_over_all_looks_together_limits_miss_at_most_as_often_as_said(p: float, over: Over) -> None:
    draw = np.random.default_rng(8)
    below = (draw.random((3000, max(LOOKS))) < p).cumsum(axis=1)
    missed = np.zeros(3000, dtype=np.bool_)
    for n in LOOKS:
        lower, upper = anytime_quantile_interval(np.arange(1, n + 1), p, over=over, t_opt=300)
        # The quantile is below the k-th value where at most k - 1 values are below it.
        missed |= (below[:, n - 1] < lower) | (below[:, n - 1] >= upper)
    assert missed.mean() < 0.05


def test_an_end_that_no_sample_of_this_size_can_show_is_open() -> None:
    assert anytime_quantile_interval(np.arange(1, 11), 0.99)[1] == np.inf
    assert anytime_quantile_interval([], 0.5) == (-np.inf, np.inf)
    assert anytime_quantile_interval(np.arange(1, 51), 0.5, over="distance") == (-np.inf, np.inf)


def test_a_difference_gives_each_arm_half_the_error() -> None:
    draw = np.random.default_rng(2)
    control, treatment = draw.normal(size=900), draw.normal(2, 1, 1100)
    low, high = anytime_quantile_difference(control, treatment, 0.5, t_opt=500)
    arms = [anytime_quantile_interval(values, 0.5, level=0.975, t_opt=500) for values in (control, treatment)]
    assert (low, high) == (arms[1][0] - arms[0][1], arms[1][1] - arms[0][0])
    assert 1 < low < 2 < high < 3
    assert anytime_quantile_p_value(control, treatment, 0.5, t_opt=500) < 1e-6
    assert anytime_quantile_p_value(control, control, 0.5, t_opt=500) == 1


@pytest.mark.parametrize(
    "wrong",
    [{"p": 1.0}, {"p": 0.5, "over": "all"}, {"p": 0.5, "level": 95}],
)
def test_what_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        anytime_quantile_interval([1.0, 2.0, 3.0], **wrong)  # type: ignore[arg-type]
