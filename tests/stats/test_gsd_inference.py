"""Repeated and stage-wise inference: identities with the boundary, fixed-sample limits, simulated truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from paribus.errors import InputError
from paribus.stats.arm import Arm, difference
from paribus.stats.estimate import Undetermined
from paribus.stats.group_sequential import actual_looks, group_sequential_design
from paribus.stats.gsd_inference import (
    GroupSequentialLook,
    arms_by_look,
    conditional_power,
    information_of_means,
    repeated_p_value,
    stopped_estimate,
    watched_design,
    without_futility,
)
from paribus.stats.spending import POCOCK, Spending

PLAN = group_sequential_design(Spending(), looks=3, alpha=0.05)


def arms(z: np.ndarray, n: float = 500.0) -> tuple[Arm, Arm]:
    """Two arms whose difference is `z` standard errors."""
    one, nan = np.ones_like(z), np.full_like(z, np.nan)
    return Arm(n * one, 0 * one, one, nan), Arm(n * one, z * np.sqrt(2 / n), one, nan)


@pytest.mark.parametrize("look", [1, 2, 3])
@pytest.mark.parametrize("count", [5, 400])
def test_repeated_p_is_at_most_alpha_exactly_when_the_interval_excludes_zero(look: int, count: int) -> None:
    critical = PLAN.critical[look - 1]
    z = np.concatenate([np.linspace(-5, 5, count), [critical - 1e-7, critical + 1e-7, -critical - 1e-7]])
    result = difference(*arms(z), boundary=GroupSequentialLook(PLAN, look), normal=True)
    excludes = (result.lower > 0) | (result.upper < 0)
    assert (excludes == (result.p_value <= 0.05)).all()


def test_table_of_repeated_p_values_agrees_with_the_exact_ones() -> None:
    z = np.linspace(0.05, 5.5, 40)
    for look in (1, 2, 3):
        exact = np.concatenate([repeated_p_value(PLAN, look, part) for part in np.split(z, 8)])
        assert repeated_p_value(PLAN, look, z) == pytest.approx(exact, rel=2e-3)


def test_first_repeated_p_of_lan_demets_in_closed_form() -> None:
    """Look 1 spends 4 (1 - Phi(z_{1 - a/4} / sqrt t)); solved for a at z = 2.5 by hand with t = 1/3."""
    z = 2.5
    a = 4 * norm.sf(np.sqrt(1 / 3) * norm.isf(norm.sf(z) / 2))
    assert repeated_p_value(PLAN, 1, z) == pytest.approx(a, rel=1e-8)


def test_one_sided_design_gives_a_two_sided_interval_at_twice_alpha() -> None:
    plan = group_sequential_design(Spending(), looks=3, alpha=0.025, sides=1)
    assert GroupSequentialLook(plan, 2).level == pytest.approx(0.95)
    assert GroupSequentialLook(plan, 2, "greater").level == pytest.approx(0.975)
    up = difference(*arms(np.array([2.0])), boundary=GroupSequentialLook(plan, 2, "greater"), normal=True)
    both = difference(*arms(np.array([2.0])), boundary=GroupSequentialLook(plan, 2), normal=True)
    assert both.p_value == pytest.approx(2 * up.p_value)
    assert both.lower == pytest.approx(up.lower)


def test_t_reference_keeps_the_nominal_level() -> None:
    from scipy.stats import t

    radius = GroupSequentialLook(PLAN, 2).radius(1.0, 20.0, 12.0)
    assert radius == pytest.approx(t.isf(norm.sf(PLAN.critical[1]), 12))


def test_arms_by_look_are_those_of_the_pooled_rows() -> None:
    rng = np.random.default_rng(5)
    stages = [rng.normal(1e6, 2.0, 40), rng.normal(1e6 + 1, 3.0, 25)]
    arm = arms_by_look([40, 25], [s.mean() for s in stages], [s.std(ddof=1) for s in stages])
    rows = np.concatenate(stages)
    assert arm.value[1] == pytest.approx(rows.mean(), rel=1e-14)
    assert arm.var[1] == pytest.approx(rows.var(ddof=1), rel=1e-9)


def test_conditional_power_with_one_look_left_in_closed_form() -> None:
    z, effect, n = 1.1, 0.2, 300
    c, t = PLAN.critical[2], np.array([2 / 3, 1.0])
    expected = norm.sf((c - z * np.sqrt(t[0])) / np.sqrt(1 / 3) - effect * np.sqrt(n / 4))
    found = conditional_power(PLAN, z, 2, effect=effect, information=information_of_means(n))
    assert found == pytest.approx(expected, rel=1e-9)


def test_conditional_power_over_two_looks_is_simulated() -> None:
    rng = np.random.default_rng(7)
    z1, drift = 1.0, 2.8
    stage = np.sqrt(1 / 3) * z1 + np.cumsum(rng.normal(drift / 3, np.sqrt(1 / 3), (200_000, 2)), axis=1)
    crossed = stage / np.sqrt([2 / 3, 1]) >= np.array(PLAN.critical[1:])
    fell = stage[:, 0] / np.sqrt(2 / 3) <= -PLAN.critical[1]
    truth = (crossed[:, 0] | (~fell & crossed[:, 1])).mean()
    found = conditional_power(PLAN, z1, 1, effect=drift, information=[1 / 3, 1 / 3])
    assert found == pytest.approx(truth, abs=4e-3)
    with pytest.raises(InputError, match="stages to come"):
        conditional_power(PLAN, z1, 1, effect=1.0, information=[1.0])


def test_stopping_at_the_first_look_is_the_fixed_interval() -> None:
    found = stopped_estimate(PLAN, 4.2, 1, information=25.0)
    assert not isinstance(found, Undetermined)
    assert found.value == pytest.approx(4.2 / 5)
    assert found.lower == pytest.approx((4.2 - norm.isf(0.025)) / 5)
    assert found.p_value == pytest.approx(2 * norm.sf(4.2))


def test_stopped_estimate_covers_and_is_median_unbiased() -> None:
    rng = np.random.default_rng(11)
    plan = group_sequential_design(POCOCK, looks=3, alpha=0.05)
    drift, trials = 2.2, 250
    values, covered, plain = [], 0, []
    for _ in range(trials):
        score = np.cumsum(rng.normal(drift / 3, np.sqrt(1 / 3), 3))
        z = score / np.sqrt(plan.information)
        stops = np.flatnonzero(np.abs(z) >= plan.critical)
        look = int(stops[0]) if len(stops) else 2
        found = stopped_estimate(plan, z[look], look + 1, information=plan.information[look])
        assert not isinstance(found, Undetermined)
        values.append(found.value)
        plain.append(found.plain)
        covered += found.lower <= drift <= found.upper
    assert abs((np.array(values) > drift).mean() - 0.5) < 4 * 0.5 / np.sqrt(trials)
    assert abs(covered / trials - 0.95) < 4 * np.sqrt(0.05 * 0.95 / trials)
    assert np.mean(plain) > drift + 0.1  # the plain estimate is biased upward


def test_under_run_final_look_has_matching_p_and_interval() -> None:
    actual = actual_looks(PLAN, [30.0, 60.0], planned=100.0, final=True)
    critical = actual.critical[1]
    assert repeated_p_value(actual, 2, critical) == pytest.approx(0.05, rel=1e-6)
    assert critical < PLAN.critical[1]


def test_binding_futility_cannot_be_overruled() -> None:
    bound = group_sequential_design(Spending(), looks=3, alpha=0.025, sides=1, futility=Spending(), binding=True)
    with pytest.raises(InputError, match="binding"):
        without_futility(bound)
    free = group_sequential_design(Spending(), looks=3, alpha=0.025, sides=1, futility=Spending())
    assert without_futility(free).futility == ()


def test_a_watched_boundary_is_corrected_like_the_design_that_has_it() -> None:
    """Information in another unit, and a first look that could not stop, change nothing."""
    watched = watched_design([np.inf, *PLAN.critical], [20.0, *(250 * t for t in PLAN.information)], alpha=PLAN.alpha)
    want, found = (stopped_estimate(design, 2.6, 3, 0.04) for design in (PLAN, watched))
    assert not isinstance(want, Undetermined)
    assert not isinstance(found, Undetermined)
    assert (found.value, found.lower, found.upper) == pytest.approx((want.value, want.lower, want.upper))


def test_looks_that_bring_nothing_new_are_joined() -> None:
    watched = watched_design([3.0, 3.0, 2.9, 2.8], [1.0, 1.005, 3.0, 3.01], alpha=0.05)
    assert watched.looks == 2
    with pytest.raises(InputError, match="last look"):
        watched_design([3.0, np.inf], [1.0, 2.0], alpha=0.05)
