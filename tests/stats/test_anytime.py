"""Anytime-valid boundaries: definitions, identities of interval and p-value, and the error over many looks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paribus.errors import InputError
from paribus.stats.anytime import (
    AnytimeT,
    AsymptoticSequence,
    MixtureSPRT,
    anytime_t_log_e,
    anytime_t_radius,
    best_g,
    running_intersection,
    running_minimum,
    statsig_critical_value,
    tuned_rho,
)
from paribus.stats.arm import Arm, difference
from paribus.stats.boundary import Fixed
from paribus.stats.reading import read
from paribus.stats.sequential_power import power_over_looks

LOOKS = np.geomspace(100, 1e6, 200)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize("rule", [AsymptoticSequence, MixtureSPRT])
def test_error_over_200_looks_is_at_most_alpha(rule: type, alternative: str) -> None:
    tuning = {AsymptoticSequence: 5000.0, MixtureSPRT: 0.001}[rule]
    below, above = power_over_looks(rule(tuning, 0.95, alternative), 0.0, 2 / np.sqrt(LOOKS), LOOKS)
    assert 0.005 < below[-1] + above[-1] <= 0.05


def test_naive_peeking_and_the_constant_boundary_of_statsig_are_not_valid() -> None:
    below, above = power_over_looks(Fixed(), 0.0, 2 / np.sqrt(LOOKS), LOOKS)
    assert below[-1] + above[-1] > 0.4
    critical = float(statsig_critical_value(1e4))
    assert statsig_critical_value(1e8) == pytest.approx(critical)
    from paribus.stats.integration import exit_probabilities

    looks = np.geomspace(1, 1e200, 4000)
    z = np.full(4000, critical)
    exits = exit_probabilities(-z, z, looks)
    assert exits[0].sum() + exits[1].sum() > 0.05


def test_anytime_t_holds_for_normal_data_from_the_first_units_on() -> None:
    rng = np.random.default_rng(3)
    reps, n = 4000, 300
    y = rng.normal(0, 1, (reps, 2, n // 2))
    units = np.arange(2, n // 2 + 1)
    total = np.cumsum(y, axis=2)[..., 1:]
    squares = np.cumsum(y**2, axis=2)[..., 1:]
    within = (squares - total**2 / units).sum(axis=1)
    se = np.sqrt(within / (2 * units - 2) * 2 / units)
    p = AnytimeT(g=5.0).p_value((total[:, 1] - total[:, 0]) / units, se, 2.0 * units, 2.0 * units - 2)
    assert (p.min(axis=1) <= 0.05).mean() < 0.05


def test_sequence_at_its_tuning_is_near_its_best() -> None:
    def radius(n_opt: float) -> float:
        return float(AsymptoticSequence(n_opt).radius(0.02, 10_000, np.inf))

    assert radius(10_000) == pytest.approx(min(radius(n) for n in np.geomspace(1000, 100_000, 81)), rel=1e-3)


@given(
    z=st.floats(-12, 12),
    n=st.floats(100, 1e6),
    alternative=st.sampled_from(["two-sided", "greater", "less"]),
    level=st.floats(0.6, 0.999),
)
def test_p_and_interval_agree(z: float, n: float, alternative: str, level: float) -> None:
    for rule in (
        AsymptoticSequence(3000.0, level, alternative),
        MixtureSPRT(0.01, level, alternative),
        AnytimeT(20.0, level, alternative),
    ):
        found = read(z * 0.1, rule, se=0.1, n=n, df=n - 2).at()
        excludes = found.lower > 0 or found.upper < 0
        p = found.p_value
        assert excludes == (p < 1 - level) or abs(p - (1 - level)) < 1e-9


def test_mixture_sprt_is_the_integral_that_defines_it() -> None:
    from scipy.integrate import quad
    from scipy.stats import norm

    d, var, tau = 0.7, 0.04, 0.09
    mixed = quad(lambda x: norm.pdf(d, x, np.sqrt(var)) * norm.pdf(x, 0, np.sqrt(tau)), -5, 5)[0]
    log_e = MixtureSPRT(tau).log_e(d, np.sqrt(var))
    assert log_e == pytest.approx(np.log(mixed / norm.pdf(d, 0, np.sqrt(var))))
    half = quad(lambda x: norm.pdf(d, x, np.sqrt(var)) * 2 * norm.pdf(x, 0, np.sqrt(tau)), 0, 5)[0]
    one_sided = MixtureSPRT(tau, alternative="greater").log_e(d, np.sqrt(var))
    assert one_sided <= np.log(half / norm.pdf(d, 0, np.sqrt(var)))  # a lower bound of the half-normal mixture


def test_below_the_burn_in_nothing_is_claimed() -> None:
    n = np.array([20.0, 500.0])
    one, nan = np.ones(2), np.full(2, np.nan)
    control, treatment = Arm(n / 2, 0 * one, one, nan), Arm(n / 2, 5 * one, one, nan)
    found = difference(control, treatment, boundary=AsymptoticSequence(burn_in=100))
    assert found.p_value[0] == 1.0
    assert np.isneginf(found.lower[0])
    assert np.isposinf(found.upper[0])
    assert found.p_value[1] < 1e-6


def test_radius_of_anytime_t_is_where_e_is_one_over_alpha() -> None:
    radius = anytime_t_radius(60, g=4.0, alpha=0.01, n_coef=3)
    assert anytime_t_log_e(radius, 60, g=4.0, n_coef=3) == pytest.approx(np.log(100))
    assert np.isinf(anytime_t_radius(3, g=1.0, alpha=0.05, n_coef=2))  # three units can exclude nothing


def test_best_g_is_narrowest() -> None:
    g = best_g(400)
    here = anytime_t_radius(400, g, df=398)
    assert here <= anytime_t_radius(400, g * 1.3, df=398)
    assert here <= anytime_t_radius(400, g / 1.3, df=398)


def test_running_minimum_and_intersection_never_widen() -> None:
    assert running_minimum([0.5, 0.2, np.nan, 0.9]).tolist() == [0.5, 0.2, 0.2, 0.2]
    lower, upper = running_intersection([-1.0, -2.0, 0.1], [2.0, 1.0, 3.0])
    assert lower.tolist() == [-1.0, -1.0, 0.1]
    assert upper.tolist() == [2.0, 1.0, 1.0]


@pytest.mark.parametrize("wrong", [{"level": 1.5}, {"n_opt": 0.0}])
def test_impossible_tuning_is_refused(wrong: dict) -> None:
    with pytest.raises(InputError):
        AsymptoticSequence(**wrong)
    with pytest.raises(InputError):
        tuned_rho(100, 0.6, "greater")
