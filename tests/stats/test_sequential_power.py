"""Sequential power against the fixed test, exact recursion, GrowthBook's tests and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from paribus.errors import InputError
from paribus.stats.anytime import AsymptoticSequence
from paribus.stats.boundary import Fixed
from paribus.stats.estimate import Undetermined
from paribus.stats.group_sequential import group_sequential_design, peeking_error
from paribus.stats.power import sample_size_means
from paribus.stats.prior_power import assurance, expected_power, power_bayesian, power_expected_loss, power_upward
from paribus.stats.runtime import constant_arrivals, observed_arrivals, runtime_days, saturating_arrivals
from paribus.stats.sequential_power import (
    additional_units_factor,
    power_over_looks,
    sample_size_anytime,
    sample_size_sequential,
)
from paribus.stats.spending import Spending


def test_sequential_size_has_its_power_in_simulated_trials() -> None:
    rng = np.random.default_rng(1)
    plan = group_sequential_design(Spending("pocock"), looks=4, power=0.9)
    size = sample_size_sequential(plan, 0.3, 1.0)
    n = size.maximum.control * np.asarray(plan.information)
    step = np.diff(n, prepend=0.0)
    score = np.cumsum(rng.normal(0.3 * step, np.sqrt(2 * step), (20_000, 4)), axis=1)
    z = score / np.sqrt(2 * n)
    crossed = np.abs(z) >= plan.critical
    stop = np.where(crossed.any(axis=1), crossed.argmax(axis=1), 3)
    assert crossed.any(axis=1).mean() == pytest.approx(0.9, abs=0.01)
    assert 2 * n[stop].mean() == pytest.approx(size.expected_h1, rel=0.01)
    assert size.expected_h1 < sample_size_means(0.3, 1.0, power=0.9, reference="z").total < size.maximum.total


def test_peeking_at_fixed_tests_by_the_same_recursion() -> None:
    n = np.arange(1.0, 6.0) * 100
    below, above = power_over_looks(Fixed(), 0.0, 2 / np.sqrt(n), n)
    assert below[-1] + above[-1] == pytest.approx(peeking_error(5, norm.isf(0.025)))
    assert power_over_looks(Fixed(alternative="greater"), 0.3, 2 / np.sqrt(n), n)[0].sum() == 0
    with pytest.raises(InputError, match="decrease"):
        power_over_looks(Fixed(), 0.0, [0.1, 0.2], [10, 20])


@pytest.mark.parametrize("alternative", ["two-sided", "greater"])
def test_anytime_size_has_its_power(alternative: str) -> None:
    size = sample_size_anytime(0.2, 1.0, alternative=alternative, ratio=2.0, n_opt=2000)
    n = size.total
    se = np.sqrt(1 / size.control + 1 / size.treatment)
    radius = AsymptoticSequence(2000, alternative=alternative, burn_in=0).radius(se, n, np.inf)
    assert norm.sf((radius - 0.2) / se) == pytest.approx(0.8)
    assert n > sample_size_means(0.2, 1.0, alternative=alternative, ratio=2.0).total


def test_reading_earlier_finds_more() -> None:
    size = sample_size_anytime(0.2, 1.0)
    n = np.linspace(size.total / 20, size.total, 20)
    below, above = power_over_looks(AsymptoticSequence(size.total, burn_in=0), 0.2, 2 / np.sqrt(n), n)
    assert 0.8 < above[-1] < 0.95
    assert below[-1] < 1e-3


def test_additional_units_of_growthbook() -> None:
    """growthbook tests/test_midexperimentpower.py: n 500 per arm, means 1 and 1.05, variances 2.004."""
    variance = 1000 / 499
    se = np.sqrt(variance / 500 * (1 + 1.05**2))
    assert additional_units_factor(se, 0.05) == pytest.approx(25.45703125, rel=2e-4)
    assert additional_units_factor(se, 0.05, prior=(0.05, 0.001)) == pytest.approx(13.9404296875, rel=2e-4)


def test_additional_units_reach_the_power_and_not_more() -> None:
    factor = additional_units_factor(1.0, 1.0, power=0.8)
    assert (norm.isf(0.025) + norm.isf(0.2)) ** 2 - 1 == pytest.approx(factor, rel=1e-4)
    assert additional_units_factor(0.1, 1.0) == 0.0
    sequential = additional_units_factor(1.0, 1.0, n=1000, n_opt=5000)
    assert isinstance(sequential, float)
    assert isinstance(factor, float)
    assert sequential > factor
    assert isinstance(additional_units_factor(1.0, 0.5, prior=(-3.0, 1e-9)), Undetermined)
    with pytest.raises(InputError):
        additional_units_factor(1.0, 1.0, n_opt=5000)


def test_assurance_is_power_averaged_over_the_prior() -> None:
    from functools import partial

    closed = assurance(0.1, 0.5, 0.2)
    for se in (0.2, 0.004, 1e-6, 30.0):  # steep and flat against the prior
        averaged = expected_power(partial(power_upward, se=se), 0.1, 0.5)
        assert averaged == pytest.approx(assurance(0.1, 0.5, se), abs=1e-9)
    assert expected_power(partial(power_upward, se=0.2), 0.1, 0.0) == pytest.approx(assurance(0.1, 0.0, 0.2), abs=1e-9)
    rng = np.random.default_rng(2)
    z = (rng.normal(0.1, 0.5, 400_000) + rng.normal(0, 0.2, 400_000)) / 0.2
    assert (z > norm.isf(0.025)).mean() == pytest.approx(closed, abs=3e-3)


def test_bayesian_power_is_simulated() -> None:
    rng = np.random.default_rng(3)
    effect, se, m, tau = 0.15, 0.1, 0.02, 0.2
    estimate = rng.normal(effect, se, 200_000)
    variance = 1 / (1 / tau**2 + 1 / se**2)
    mean = variance * (m / tau**2 + estimate / se**2)
    z = mean / np.sqrt(variance)
    for chance in (0.9, 0.975):
        options = {"prior_mean": m, "prior_sd": tau, "chance_to_win": chance}
        assert power_bayesian(effect, se, **options) == pytest.approx((z > norm.ppf(chance)).mean(), abs=4e-3)
        assert power_bayesian(-effect, se, alternative="less", **options) == pytest.approx(
            float(
                norm.cdf((-norm.ppf(chance) * np.sqrt(variance) * se**2 / variance - m * se**2 / tau**2 + effect) / se)
            )
        )
    loss = np.sqrt(variance) * norm.pdf(z) - mean * norm.sf(z)
    assert power_expected_loss(effect, se, 0.005, prior_mean=m, prior_sd=tau) == pytest.approx(
        (loss < 0.005).mean(), abs=4e-3
    )


def test_runtime() -> None:
    assert runtime_days(7000, constant_arrivals(1000)) == 7
    assert runtime_days(7001, constant_arrivals(1000)) == 14
    assert isinstance(runtime_days(11_000, saturating_arrivals(1000, 10_000)), Undetermined)
    seen = observed_arrivals([100.0, 180.0, 240.0])
    assert seen(2) == 180.0
    assert seen(5) == pytest.approx(240 + 2 * 80)
    with pytest.raises(InputError):
        observed_arrivals([5.0, 4.0])
