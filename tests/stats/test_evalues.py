"""E-values: expectation at most one, published values, simulated errors."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import binom

from paribus.errors import InputError
from paribus.stats.evalues import (
    e_average,
    e_bh,
    e_product,
    e_to_p,
    error_rates_log_e,
    error_share_log_e,
    evan_miller_barrier,
    p_to_e,
    random_walk_crossing,
)


def test_e_bh_rejects_by_its_definition() -> None:
    e = [15.29, 19.37, 17.28, 870.28, 3.85, 6.45, 25.22, 16.72]  # m / alpha = 160
    assert e_bh(e).positions == [4]
    assert e_bh([41.0, 41.0, 1.0, 1.0]).count == 2  # 2 * 41 >= 4 / .05
    assert e_bh([39.0, 39.0, 1.0, 1.0]).count == 0


@pytest.mark.parametrize("kappa", [None, 0.1, 0.5, 0.9])
def test_calibrators_integrate_to_one(kappa: float | None) -> None:
    # substituting p = exp(-x) tames the pole at zero
    total = quad(lambda x: float(p_to_e(np.exp(-x), kappa)) * np.exp(-x), 0, 60 if kappa != 0.1 else 400, limit=400)[0]
    assert total == pytest.approx(1.0, abs=0.02 if kappa is None else 1e-6)
    assert e_to_p(p_to_e(0.001, 0.5)) == pytest.approx(1 / (0.5 / np.sqrt(0.001)))


def test_products_and_averages() -> None:
    assert e_product([2.0, 0.5, 3.0]) == pytest.approx(3.0)
    assert e_average([1.0, 3.0]) == pytest.approx(2.0)
    assert e_average([1.0, 3.0], [0.75, 0.25]) == pytest.approx(1.5)
    with pytest.raises(InputError):
        e_average([1.0, 3.0], [1.0, 1.0])


@pytest.mark.parametrize("alternative", ["greater", "less", "two-sided"])
@pytest.mark.parametrize("share", [0.5, 0.1])
def test_error_share_has_expectation_one_under_the_null(alternative: str, share: float) -> None:
    events = 25
    t = np.arange(events + 1)
    log_e = error_share_log_e(events - t, t, treatment_share=share, alternative=alternative)
    assert binom.pmf(t, events, share) @ np.exp(log_e) == pytest.approx(1.0)


def test_error_share_under_a_rate_below_the_tolerated_one() -> None:
    t = np.arange(41)
    log_e = error_share_log_e(40 - t, t, tolerated_ratio=1.5)
    assert binom.pmf(t, 40, 0.5) @ np.exp(log_e) < 1.0
    assert binom.pmf(t, 40, 0.6) @ np.exp(log_e) == pytest.approx(1.0)  # 1.5 : 1


def test_error_share_crosses_rarely_at_any_time_and_finds_doubled_errors() -> None:
    rng = np.random.default_rng(4)

    def ever(share: float) -> float:
        t = np.cumsum(rng.random((3000, 300)) < share, axis=1)
        return (error_share_log_e(np.arange(1, 301) - t, t) >= np.log(20)).any(axis=1).mean()

    assert ever(0.5) < 0.05
    assert ever(2 / 3) > 0.95


def test_error_rates_hold_for_any_split() -> None:
    rng = np.random.default_rng(8)
    reps, looks = 2000, 60
    units_c, units_t = np.full(looks, 40.0), np.full(looks, 10.0)
    x_c = np.cumsum(rng.binomial(40, 0.05, (reps, looks)), axis=1)
    x_t = np.cumsum(rng.binomial(10, 0.05, (reps, looks)), axis=1)
    log_e = error_rates_log_e(x_c, np.cumsum(units_c), x_t, np.cumsum(units_t))
    assert (log_e >= np.log(20)).any(axis=1).mean() < 0.05
    assert error_rates_log_e(50, 1000, 120, 1000) > np.log(20)
    assert error_rates_log_e(120, 1000, 50, 1000) < 0  # the other way is no evidence of harm
    with pytest.raises(InputError):
        error_rates_log_e(5, 4, 0, 4)


def test_crossing_probability_by_recursion_over_the_walk() -> None:
    n, barrier = 41, 7
    walk, crossed = {0: 1.0}, 0.0
    for _ in range(n):
        moved: dict[int, float] = {}
        for at, mass in walk.items():
            for to in (at - 1, at + 1):
                if to == barrier:
                    crossed += mass / 2
                else:
                    moved[to] = moved.get(to, 0.0) + mass / 2
        walk = moved
    assert random_walk_crossing(n, barrier) == pytest.approx(crossed, rel=1e-12)
    assert evan_miller_barrier(100) == 20
    assert evan_miller_barrier(1000) == 64
    with pytest.raises(InputError):
        random_walk_crossing(0, 1)
