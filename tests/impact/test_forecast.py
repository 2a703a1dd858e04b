"""Forecasts against closed forms of decision theory, and their scores."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from paribus.impact.effect import normal_effect
from paribus.impact.forecast import Scored, calibration, forecast
from paribus.impact.value import Case, Costs, Uncertain

Z, SD, SE = 1.959963984540054, 0.06, 0.025
CASE = Case(normal_effect(0.0, SD, "prior"), Uncertain(40_000), Uncertain(0.3), Uncertain(15.0))


def test_the_chance_to_ship_is_the_assurance() -> None:
    found = forecast(CASE, se=SE, z=Z, seed=1)
    assert found.chance_of_success == pytest.approx(norm.sf(Z * SE / (SD**2 + SE**2) ** 0.5), abs=0.01)


def test_value_under_the_rule_is_what_is_kept_where_it_was_shown() -> None:
    # For theta ~ N(0, s^2), X ~ N(theta, se^2): E[theta; X > c] = s^2 / w phi(c / w) with w^2 = s^2 + se^2.
    w = (SD**2 + SE**2) ** 0.5
    kept = SD**2 / w * norm.pdf(Z * SE / w)
    found = forecast(CASE, se=SE, z=Z, seed=1)
    assert found.worth.yearly.mean() == pytest.approx(40_000 * 0.3 * 15 * kept, rel=0.03)


def test_costs_of_running_fall_only_where_it_ships_and_building_always() -> None:
    costly = Case(CASE.effect, CASE.units_per_year, CASE.base, CASE.money_per_success, costs=Costs(1_000, 500))
    free, dear = forecast(CASE, se=SE, z=Z, seed=1), forecast(costly, se=SE, z=Z, seed=1)
    lost = free.worth.yearly.mean() - dear.worth.first_year.mean()
    assert lost == pytest.approx(1_000 + 500 * free.chance_of_success)


def test_guardrails_that_do_not_pass_stop_it() -> None:
    half = forecast(CASE, se=SE, z=Z, guardrails_pass=0.5, seed=1).chance_of_success
    assert half == pytest.approx(forecast(CASE, se=SE, z=Z, seed=1).chance_of_success / 2, abs=0.01)
    assert forecast(CASE, se=1.0, z=np.inf, guardrails_pass=0.0, seed=1).chance_of_success == 0.0


def test_brier_score_skill_coverage_and_bins() -> None:
    scored = [
        Scored("a", 0.9, True, True),
        Scored("b", 0.85, True, False),
        Scored("c", 0.1, False, True),
        Scored("d", 0.3, True),
    ]
    found = calibration(scored)
    assert found is not None
    brier = (0.1**2 + 0.15**2 + 0.1**2 + 0.7**2) / 4
    assert found.brier == pytest.approx(brier)
    assert found.skill == pytest.approx(1 - brier / (0.75 * 0.25))
    assert found.coverage == pytest.approx(2 / 3)
    assert [(b.low, b.count, b.observed) for b in found.bins] == [
        (0.0, 1, 0.0),
        (pytest.approx(0.2), 1, 1.0),
        (pytest.approx(0.8), 2, 1.0),
    ]
    assert calibration([]) is None
    assert calibration([Scored("a", 0.5, True)]).skill is None  # type: ignore[union-attr]


def test_a_calibrated_forecaster_is_seen_as_one() -> None:
    rng = np.random.default_rng(3)
    chances = rng.random(20_000)
    found = calibration([Scored(str(i), float(p), bool(rng.random() < p)) for i, p in enumerate(chances)])
    assert found is not None
    assert found.brier == pytest.approx(1 / 6, abs=0.005)  # the mean of p (1 - p), p uniform
    assert all(b.forecast == pytest.approx(b.observed, abs=0.03) for b in found.bins)
