"""What happens in visits, given what is served: the potential outcomes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from paribus.shop.scenario import STEPS, Effect, ErrorDefect, LatencyDefect
from paribus.shop.world import (
    ABANDON,
    DAY,
    ERROR,
    ITEMS,
    LATENCY,
    REFUND,
    REVENUE,
    SCORE,
    STEP,
    SURVEY,
    TICKET,
    Booleans,
    Floats,
    Integers,
    Visits,
    World,
)

CHECKOUT = STEPS.index("checkout_started")
MOST_ITEMS = 60


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened in each visit.

    reached: visits by steps of the funnel · failed: the checkout's request failed · seconds: its latency · sold_out:
    the order found no stock · revenue, items: of the order, had there been one · value, cart_items: of the cart ·
    refund, survey, ticket: whether they follow · score: of the survey
    """

    reached: Booleans
    failed: Booleans
    seconds: Floats
    sold_out: Booleans
    value: Floats
    cart_items: Integers
    revenue: Floats
    items: Integers
    refund: Booleans
    survey: Booleans
    score: Integers
    ticket: Booleans

    @property
    def ordered(self) -> Booleans:
        """Visits with an order."""
        done: Booleans = self.reached[:, -1] & ~self.sold_out
        return done

    def without_stock(self, sold_out: Booleans) -> Outcome:
        """The same, where these orders found no stock."""
        return replace(
            self,
            sold_out=sold_out,
            refund=self.refund & ~sold_out,
            survey=self.survey & ~sold_out,
            ticket=self.ticket & ~sold_out,
        )


def decided_step(world: World) -> int:
    """How many steps of the funnel lie before the decision."""
    after = world.scenario.decision.after
    return 0 if after == "session_started" else STEPS.index(after) + 1


def reach_decision(world: World, visits: Visits, treated: Booleans, days: Integers) -> Booleans:
    """Visits that come to the place where the variant is decided, given whether their users were treated before."""
    before = decided_step(world)
    passed = visits.uniform[:, STEP][:, :before] < _step_chances(world, visits, treated, days)[:, :before]
    reached: Booleans = passed.all(axis=1) & world.fits(world.scenario.decision.who, visits)
    return reached


def outcome(
    world: World, visits: Visits, treated: Booleans, days: Integers, before: Booleans, days_before: Integers
) -> Outcome:
    """What happens when `treated` visits are served the treatment.

    Args:
        days: whole days since the user's first exposure.
        before, days_before: the same as it was for the steps before the decision.
    """
    scenario, n = world.scenario, len(visits)
    early = decided_step(world)
    chances = _step_chances(world, visits, treated, days)
    chances[:, :early] = _step_chances(world, visits, before, days_before)[:, :early]
    reached = np.logical_and.accumulate(visits.uniform[:, STEP] < chances, axis=1)
    failed = reached[:, CHECKOUT] & (visits.uniform[:, ERROR] < _error_rate(world, visits, treated))
    gives_up = failed & (visits.uniform[:, ABANDON] < scenario.requests.abandon_after_error)
    reached[:, CHECKOUT + 1 :] &= ~gives_up[:, None]
    orders = scenario.orders
    spread = orders.revenue_spread
    value = (
        orders.revenue_mean
        * world.revenue_factor(visits)
        * np.exp(
            spread * visits.normal[:, REVENUE]
            + orders.user_spread * world.spending[visits.user]
            - (spread**2 + orders.user_spread**2) / 2
        )
    )
    mean_items = np.full(n, orders.items_mean)
    cart_items = _items(visits.uniform[:, ITEMS], mean_items)
    changed_items = _changed(world, "items", mean_items, visits, treated, days)
    items = cart_items if changed_items is mean_items else _items(visits.uniform[:, ITEMS], changed_items)
    ordered = reached[:, -1]

    def follows(share: float, name: str, column: int) -> Booleans:
        chance = _changed(world, name, np.full(n, share), visits, treated, days)
        happened: Booleans = ordered & (visits.uniform[:, column] < chance)
        return happened

    score = _changed(world, "survey_score", np.full(n, orders.survey_score), visits, treated, days)
    return Outcome(
        reached,
        failed,
        _latency(world, visits, treated),
        np.zeros(n, np.bool_),
        _cents(value),
        cart_items,
        _cents(np.maximum(_changed(world, "revenue", value, visits, treated, days), 0.0)),
        items,
        follows(orders.refunds, "refunds", REFUND),
        follows(orders.surveys, "surveys", SURVEY),
        np.clip(np.round(score + 0.9 * visits.normal[:, SCORE]), 1, 5).astype(np.int64),
        follows(orders.tickets, "tickets", TICKET),
    )


def weight(effect: Effect, days: Integers) -> Floats:
    """How much of an effect is there so many days after the first exposure."""
    there = np.ones(len(days))
    if effect.fades_half_life_days is not None:
        there *= 0.5 ** (days / effect.fades_half_life_days)
    if effect.grows_half_life_days is not None:
        there *= 1 - 0.5 ** (days / effect.grows_half_life_days)
    return there


def whole_days(time: Integers, since: Integers) -> Integers:
    """Whole days from `since` to `time`, 0 where it lies later."""
    days: Integers = np.maximum(time - since, 0) // DAY
    return days


def _step_chances(world: World, visits: Visits, treated: Booleans, days: Integers) -> Floats:
    chances = world.chances(visits)
    for j, step in enumerate(STEPS):
        chances[:, j] = np.clip(_changed(world, step, chances[:, j], visits, treated, days), 0.0, 1.0)
    chances[visits.bot] = world.chances(visits)[visits.bot]
    return chances


def _changed(world: World, name: str, base: Floats, visits: Visits, treated: Booleans, days: Integers) -> Floats:
    """A quantity after all effects on it; the same object when there are none."""
    value = base
    for effect in world.scenario.effects:
        if effect.on == name:
            here = weight(effect, days) * (treated & world.fits(effect.who, visits))
            value = value * (1 + effect.relative * here) + effect.absolute * here
    return value


def _error_rate(world: World, visits: Visits, treated: Booleans) -> Floats:
    rate = np.full(len(visits), world.scenario.requests.error_rate)
    for defect in world.scenario.defects:
        if isinstance(defect, ErrorDefect):
            rate += defect.rate * ((treated == (defect.arm == "treatment")) & world.fits(defect.who, visits))
    return rate


def _latency(world: World, visits: Visits, treated: Booleans) -> Floats:
    requests = world.scenario.requests
    seconds = requests.latency_ms / 1000 * np.exp(requests.latency_spread * visits.normal[:, LATENCY])
    for defect in world.scenario.defects:
        if isinstance(defect, LatencyDefect):
            concerned = (treated == (defect.arm == "treatment")) & world.fits(defect.who, visits)
            seconds = np.where(concerned, seconds * defect.factor + defect.add_ms / 1000, seconds)
    rounded: Floats = np.round(seconds, 5)
    return rounded


def _cents(money: Floats) -> Floats:
    rounded: Floats = np.round(money, 2)
    return rounded


def _items(uniform: Floats, mean: Floats) -> Integers:
    """One and a Poisson number, by inversion, so that more never becomes less."""
    rate = np.maximum(mean - 1, 0.0)
    chance = np.exp(-rate)
    cumulated, items = chance.copy(), np.ones(len(mean), np.int64)
    for k in range(1, MOST_ITEMS):
        more = uniform > cumulated
        if not more.any():
            break
        items[more] = k + 1
        chance = chance * rate / k
        cumulated += chance
    return items
