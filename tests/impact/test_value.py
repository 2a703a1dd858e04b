"""Value by simulation against closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from paribus.impact.effect import normal_effect
from paribus.impact.value import Case, Costs, Persistence, Uncertain, center, diluted, tornado, worth

UNITS, BASE, MONEY = 40_000.0, 0.3, 15.0
CASE = Case(
    normal_effect(0.06, 0.02, "posterior"),
    Uncertain(UNITS),
    Uncertain(BASE),
    Uncertain(MONEY),
    costs=Costs(build=5_000, running=2_000, support=500, model=100),
)


def test_with_only_the_effect_unknown_the_value_is_normal() -> None:
    found = worth(CASE, seed=1)
    scale = UNITS * BASE * MONEY
    mean, sd = scale * 0.06 - 2_600, scale * 0.02
    assert found.yearly.mean() == pytest.approx(mean, rel=1e-4)
    assert found.yearly.std() == pytest.approx(sd, rel=2e-3)
    assert found.chance_of_loss == pytest.approx(norm.cdf((5_000 - mean) / sd), abs=2e-3)
    assert found.first_year.mean() == pytest.approx(mean - 5_000, rel=1e-4)
    assert found.cost_of_delay(7).mean() == pytest.approx(mean * 7 / 365, rel=1e-4)


def test_break_even_is_build_over_what_a_day_earns() -> None:
    known = replace(CASE, effect=normal_effect(0.06, 0.0, "known"))
    yearly = UNITS * BASE * 0.06 * MONEY - 2_600
    assert np.unique(worth(known, seed=1).break_even_days()) == pytest.approx([5_000 / yearly * 365])
    never = replace(known, effect=normal_effect(-0.06, 0.0, "known"))
    assert np.all(np.isinf(worth(never, seed=1).break_even_days()))


def test_uncertain_inputs_multiply() -> None:
    case = replace(
        CASE,
        units_per_year=Uncertain(UNITS, 4_000),
        base=Uncertain(BASE, 0.03),
        money_per_success=Uncertain(MONEY, 1.5),
        persistence=Persistence(1.0, 0.5),
        costs=Costs(),
    )
    draws = worth(case, seed=3).yearly
    # Independent factors: mean of products, and product of 1 + cv^2 for the second moment.
    assert draws.mean() == pytest.approx(UNITS * BASE * 0.06 * 0.75 * MONEY, rel=0.01)
    squares = [(0.02 / 0.06) ** 2, 0.1**2, 0.1**2, 0.1**2, (0.5 / 12**0.5 / 0.75) ** 2]
    cv = (np.prod([1 + s for s in squares]) - 1) ** 0.5
    assert draws.std() / draws.mean() == pytest.approx(cv, rel=0.02)


def test_the_same_seed_gives_the_same_draws_and_another_does_not() -> None:
    case = replace(CASE, base=Uncertain(BASE, 0.01))
    assert np.array_equal(worth(case, seed=1).yearly, worth(case, seed=1).yearly)
    assert not np.array_equal(worth(case, seed=1).yearly, worth(case, seed=2).yearly)


def test_twice_the_units_is_twice_the_gain() -> None:
    free = replace(CASE, costs=Costs())
    double = replace(free, units_per_year=Uncertain(2 * UNITS))
    assert worth(double, seed=1).yearly == pytest.approx(2 * worth(free, seed=1).yearly)


def test_swings_move_one_input_at_a_time_and_the_widest_stands_first() -> None:
    swings = tornado(replace(CASE, base=Uncertain(BASE, 0.003)), level=0.9)
    assert [s.name for s in swings] == ["effect", "yearly costs", "share that succeeds without it"]
    effect = swings[0]
    z = norm.ppf(0.95)
    assert effect.low == pytest.approx(0.06 - z * 0.02, rel=1e-3)
    assert effect.at_high == pytest.approx(UNITS * BASE * effect.high * MONEY - 2_600)
    costs = swings[1]
    assert costs.at_low - costs.at_high == pytest.approx(2_600)
    assert center(CASE) == pytest.approx(UNITS * BASE * 0.06 * MONEY - 2_600)


def test_dilution_goes_by_successes_not_by_units() -> None:
    # 10% of units meet it, and make 30% of all successes: +10% among them is +3% in all.
    assert diluted(0.10, 300, 1_000) == pytest.approx(0.03)
    assert diluted(0.10, 2_000, 1_000) == pytest.approx(0.10)
