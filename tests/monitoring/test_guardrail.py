"""The error guardrail: its e-process against a computation by hand, its budget and its speed by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta

from paribus.monitoring.guardrail import Counts, read
from paribus.monitoring.operating import simulate
from paribus.monitoring.watch import Guard, guards_of

GUARD = guards_of(())[0]
EVEN = {"control": 0.5, "treatment": 0.5}


def counts(control: tuple[int, int], treatment: tuple[int, int], weights: dict[str, float] | None = None) -> Counts:
    return Counts(
        {"control": control[0], "treatment": treatment[0]},
        {"control": control[1], "treatment": treatment[1]},
        weights or EVEN,
    )


def test_the_evidence_is_the_mixture_of_likelihood_ratios() -> None:
    found = read(GUARD, "treatment", "control", {1: counts((1000, 4), (1000, 19))})
    null = 1.2 / 2.2
    prior = beta(10 * null, 10 * (1 - null))

    def ratio(share: float) -> float:
        return float((share / null) ** 19 * ((1 - share) / (1 - null)) ** 4 * prior.pdf(share))

    expected = quad(ratio, null, 1)[0] / prior.sf(null)
    assert math.exp(found.log_e) == pytest.approx(expected, rel=1e-6)
    assert math.exp(found.limit) == pytest.approx(100)


def test_epochs_of_other_weights_multiply() -> None:
    one, other = counts((500, 3), (500, 12)), counts((900, 5), (100, 9), {"control": 0.9, "treatment": 0.1})
    both = read(GUARD, "treatment", "control", {1: one, 2: other}).log_e
    alone = [read(GUARD, "treatment", "control", {1: each}).log_e for each in (one, other)]
    assert both == pytest.approx(sum(alone))
    uneven = read(GUARD, "treatment", "control", {1: counts((9000, 90), (1000, 10), other.weights)})  # type: ignore[arg-type]
    assert uneven.log_e < 1


def test_it_convicts_only_beyond_the_smallest_difference() -> None:
    large = read(GUARD, "treatment", "control", {1: counts((10**6, 100), (10**6, 400))})
    assert large.log_e > large.limit
    assert not large.convicts  # 0.03 points are below the tenth of a point that is acted on
    assert read(GUARD, "treatment", "control", {1: counts((10_000, 10), (10_000, 60))}).convicts
    assert not read(GUARD, "treatment", "control", {}).convicts


def test_the_budget_is_one_for_the_experiment() -> None:
    guards = guards_of(["failed"], {"refunds": ["refund_requested"], "tickets": ["ticket_opened"]}, arms=3)
    assert sum(guard.budget for guard in guards) * 2 == pytest.approx(0.01)  # twice: two treatments
    assert guards[0].events == ("$error", "$request", "failed")


@pytest.mark.parametrize(("control", "treatment"), [(0.01, 0.01), (0.01, 0.012)])
def test_false_convictions_stay_within_the_budget_under_continuous_looking(control: float, treatment: float) -> None:
    """A/A, and the least favorable treatment within tolerance: 1.2 times control's rate."""
    guard = Guard(name="errors", events=("$error",), budget=0.05, minimum_difference=0.0)
    found = simulate(guard, control, treatment, horizon_units=10_000, runs=400, seed=3)
    assert found.convicted <= guard.budget + 3.3 * np.sqrt(guard.budget * (1 - guard.budget) / found.runs)
    if control == treatment:
        assert found.convicted < 0.01


def test_planted_harm_is_found_soon() -> None:
    strong = simulate(GUARD, 0.0006, 0.0306, horizon_units=6000, runs=200, seed=4)
    assert strong.convicted == 1
    assert strong.units is not None
    assert strong.units_90 is not None
    assert strong.units < 1200
    assert strong.units_90 < 2000
    triple = simulate(GUARD, 0.01, 0.03, horizon_units=10_000, runs=200, seed=5)
    assert triple.units_90 is not None
    assert triple.units_90 < 8000


def test_uneven_arms_are_no_harm() -> None:
    found = simulate(GUARD, 0.02, 0.02, horizon_units=10_000, treatment_share=0.1, runs=200, seed=6)
    assert found.convicted <= 0.01
