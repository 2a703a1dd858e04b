"""The shop's release on staging: a few hundred visits through both variants, every event of the shop among them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from paribus_sdk.client import Client

from paribus.shop.course import Course
from paribus.shop.scenario import InstrumentationDefect, Scenario
from paribus.shop.sending import Shopkeeper, send
from paribus.shop.world import World

PREFIX = "staging-"
USERS, VISITS_PER_DAY = 2_000, 6_000
HOURS = 2
HOUR = 3_600_000_000
PAUSE = 0.25  # of a customer's between two steps: testers know the way
STRETCH = HOUR // 30  # what is sent at once: an event leaves its device within minutes
FLUSH_SECONDS = 30.0


def staged(scenario: Scenario, now: datetime) -> Scenario:
    """The same shop with testers who come from now on, and who do what customers do seldom more often."""
    calendar = scenario.calendar.model_copy(update={"start": now.date(), "peak_strength": 0.0, "growth_per_week": 0.0})
    usual = scenario.population
    known_visits = usual.known_users * usual.visits_per_week / 7
    new_share = usual.new_users_per_day / (usual.new_users_per_day + known_visits)
    population = usual.model_copy(
        update={
            "known_users": USERS,
            "visits_per_week": VISITS_PER_DAY * (1 - new_share) * 7 / USERS,
            "new_users_per_day": VISITS_PER_DAY * new_share,
        }
    )
    orders = scenario.orders.model_copy(update={"refunds": 0.3, "refund_days": 0.002, "surveys": 0.7, "tickets": 0.5})
    requests = scenario.requests.model_copy(update={"error_rate": max(scenario.requests.error_rate, 0.05)})
    defects = [
        each.model_copy(update={"from_day": 0}) if isinstance(each, InstrumentationDefect) else each
        for each in scenario.defects
    ]
    late, bots = scenario.late.model_copy(update={"share": 0.0}), scenario.bots.model_copy(update={"count": 0})
    return scenario.model_copy(
        update={
            "calendar": calendar,
            "population": population,
            "orders": orders,
            "requests": requests,
            "defects": defects,
            "late": late,
            "bots": bots,
            "stock_per_day": None,
        }
    )


def rehearse(
    scenario: Scenario,
    seed: int,
    client: Client,
    begin: int,
    variants: tuple[str, ...],
    *,
    told: Callable[[int], None] = lambda time: None,
) -> int:
    """Plays two hours of testers through a client of the staging environment, each variant given for an equal part.

    Args:
        told: hears of the time (microseconds since 1970) at which the next minutes are sent.
        begin: the midnight (UTC) on which the staged scenario begins, microseconds since 1970.
        variants: of the flag; nothing is forced when there are none.
    """
    world = World(scenario, seed, pause=PAUSE)
    course = Course(world)
    course.policy = Shopkeeper(client, world, course.contexts, prefix=PREFIX)
    parts = variants or ("",)
    events = 0
    for number, variant in enumerate(parts, 1):
        if variant:
            client.override(scenario.feature.key, None, variant)
        end = begin + HOURS * HOUR * number // len(parts)
        while course.time < end:
            groups = course.advance(min(course.time + STRETCH, end))
            told(course.time)
            events += send(client, groups, course.contexts, prefix=PREFIX)
            client.flush(FLUSH_SECONDS)
    client.override(scenario.feature.key, None, None)
    return events
