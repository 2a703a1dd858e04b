"""The truth against closed forms, and the simulation against its own chances."""

from __future__ import annotations

import numpy as np
import pytest
from tests.shop import small

from paribus.shop import Course, Truth, World
from paribus.shop.course import NEVER

ORDERS = {"type": "proportion", "event": "order_completed"}
REVENUE = {"type": "mean", "event": "order_completed", "value": "revenue"}
ONE_VISIT = {
    # Everybody comes once: new users who never return.
    "population": {
        "known_users": 100,
        "visits_per_week": 0.0001,
        "new_users_per_day": 3000,
        "new_users_who_return": 0,
        "propensity_sd": 0,
    },
    "bots": {"count": 0},
    "requests": {"error_rate": 0},
    "late": {"share": 0},
}


def truth_of(given: dict, days: int = 5, until_days: int = 5) -> tuple[Course, Truth]:
    made = small.scenario(**small.merged(ONE_VISIT, given))
    course, _, _ = small.lived(made, days=days)
    until = course.world.midnight(made.calendar.history_days + until_days)
    return course, Truth(made, 1, course.users.enrolled, until)


def test_effect_on_a_step_is_its_effect_on_orders() -> None:
    _, truth = truth_of({"effects": [{"on": "payment_submitted", "relative": 0.1}]})
    effect = truth.effect(ORDERS)
    assert effect is not None
    assert effect.relative is not None
    # Users come once, at the checkout: P(order) = .78 × .96, with treatment .858 × .96; a sample of 10,000 users.
    n = effect.units
    assert n > 9_000
    assert effect.control == pytest.approx(0.78 * 0.96, abs=4 * np.sqrt(0.75 * 0.25 / n))
    assert effect.absolute == pytest.approx(0.078 * 0.96, abs=4 * np.sqrt(0.075 * 0.925 / n))


def test_effect_on_revenue_multiplies_it() -> None:
    _, truth = truth_of({"effects": [{"on": "revenue", "relative": 0.25}]})
    effect, orders = truth.effect(REVENUE), truth.effect(ORDERS)
    assert effect is not None
    assert orders is not None
    assert effect.relative == pytest.approx(0.25, abs=1e-3)  # cents are rounded
    assert orders.absolute == 0


def test_no_effect_is_exactly_none() -> None:
    _, truth = truth_of({})
    for metric in (ORDERS, REVENUE, {"type": "quantile", "event": "request", "value": "seconds", "quantile": 0.95}):
        effect = truth.effect(metric)
        assert effect is not None
        assert effect.absolute == 0


def test_latency_quantile_is_that_of_the_lognormal() -> None:
    _, truth = truth_of({"defects": [{"kind": "latency", "factor": 2, "add_ms": 10}]})
    effect = truth.effect({"type": "quantile", "event": "request", "value": "seconds", "quantile": 0.95})
    assert effect is not None
    expected = 0.180 * np.exp(0.45 * 1.6448536269514722)
    assert effect.control == pytest.approx(expected, rel=0.03)
    assert effect.treatment == pytest.approx(2 * effect.control + 0.010, rel=1e-6)


def test_effects_only_where_they_belong() -> None:
    _, truth = truth_of({"effects": [{"on": "payment_submitted", "relative": 0.1, "who": {"country": "NO"}}]})
    by_country = truth.by_segment(ORDERS)["country"]
    assert by_country["NO"].absolute > 0.05
    assert {by_country[name].absolute for name in ("DE", "US", "GB")} == {0.0}


def test_novelty_fades_with_days_since_exposure() -> None:
    made = small.scenario(
        population={"known_users": 3000, "visits_per_week": 7, "new_users_per_day": 0},
        effects=[{"on": "payment_submitted", "relative": 0.25, "fades_half_life_days": 1}],
    )
    course, _, _ = small.lived(made, days=12)
    truth = Truth(made, 1, course.users.enrolled, course.time)
    days = [each.relative or 0.0 for each in truth.by_day()]
    assert days[0] > 0.15
    assert np.mean(days[6:10]) < 0.02


def test_shared_stock_takes_from_control_what_treatment_sells() -> None:
    """Compared users differ; with everybody treated, the same stock is sold as with nobody."""
    made = small.scenario(
        population={"known_users": 3000, "visits_per_week": 7, "new_users_per_day": 0},
        effects=[{"on": "payment_submitted", "relative": 0.25}],
        stock_per_day=600,
    )
    course, groups, _ = small.lived(made, days=4)
    truth = Truth(made, 1, course.users.enrolled, course.time)
    effect = truth.effect({"type": "count", "event": "order_completed"})
    assert effect is not None
    assert abs(effect.relative or 0) < 0.02
    begin = course.world.midnight(made.calendar.history_days)
    enrolled = course.users.enrolled < NEVER
    orders = np.zeros(len(enrolled))
    for group in groups:
        if group.name == "order_completed":
            np.add.at(orders, group.user[group.time >= begin], 1)
    arms = [orders[enrolled & (course.users.treated == arm)].mean() for arm in (False, True)]
    assert arms[1] > arms[0] * 1.08  # users compared with users see an effect that nobody would gain


def test_visits_follow_the_scenario() -> None:
    made = small.scenario(calendar={"weekday": [1, 1, 1, 1, 1, 2, 1]}, bots={"count": 0})
    world = World(made, 3)
    counts = [len(world.day()) for _ in range(28)]
    expected = 2000 * 1.5 / 7 + 30
    saturdays = np.mean([counts[day] for day in range(28) if day % 7 == 5])
    others = np.mean([counts[day] for day in range(28) if day % 7 != 5])
    assert saturdays / others == pytest.approx(2, rel=0.1)
    assert np.mean(counts) == pytest.approx(expected, rel=0.12)  # new users who stay come on top


def test_average_chance_over_users_is_the_one_of_the_scenario() -> None:
    made = small.scenario(population={"known_users": 20_000, "propensity_sd": 1.2}, bots={"count": 0})
    world = World(made, 5)
    visits = world.day()
    known = visits[visits.user < 20_000]
    chances = world.chances(known)
    assert chances.mean(axis=0) == pytest.approx([0.95, 0.88, 0.92, 0.78, 0.96], abs=0.02)
