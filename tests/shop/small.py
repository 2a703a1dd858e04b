"""A shop that is quick to simulate, and a flag for it."""

from __future__ import annotations

from typing import Any

from paribus_sdk.testing import InMemoryClient

from paribus.flags import change
from paribus.flags.snapshot import build
from paribus.shop import Course, Scenario, World
from paribus.shop.group import Group
from paribus.shop.sending import Shopkeeper

KEY = "one-click-checkout"
DAY = 86_400_000_000


def scenario(**given: Any) -> Scenario:
    """Two thousand users who come every few days, for a week of history."""
    base: dict[str, Any] = {
        "paribus_scenario": 1,
        "title": "a small shop",
        "calendar": {"history_days": 7},
        "population": {"known_users": 2000, "visits_per_week": 1.5, "new_users_per_day": 30},
        "bots": {"count": 2},
    }
    return Scenario.model_validate(merged(base, given))


def merged(base: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """`given` over `base`, key by key."""
    found = dict(base)
    for name, value in given.items():
        old = found.get(name)
        found[name] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return found


def snapshot(traffic_bp: int = 10_000) -> dict[str, Any]:
    """Definitions with the feature's flag, split in half."""
    salts = iter(("traffic", "split"))
    flag = change.create(KEY, environment="production", traffic_bp=traffic_bp, salt=lambda: next(salts))
    return build(
        project="default",
        environment="production",
        revision=1,
        flags={KEY: (1, flag)},
        audiences={},
        layers={},
        holdouts={},
        placements={},
    )


def lived(made: Scenario, *, seed: int = 1, days: int = 14, strides: int = 1) -> tuple[Course, list[Group], Any]:
    """A course through history and an experiment that begins after it, its groups, and the client's exposures."""
    world = World(made, seed)
    course = Course(world)
    begin = world.midnight(made.calendar.history_days)
    groups = course.advance(begin)
    client = InMemoryClient(snapshot(), exposure_memory=1_000_000)
    course.policy = Shopkeeper(client, world, course.contexts, since=begin)
    for stride in range(days * strides):
        groups += course.advance(begin + (stride + 1) * DAY // strides)
    return course, groups, client


def texts(groups: list[Group]) -> list[tuple[Any, ...]]:
    """Every event as plain values, in an order that is always the same."""
    found = [
        (group.name, *row, repr(properties))
        for group in groups
        for *row, properties in zip(
            group.user.tolist(),
            group.visit.tolist(),
            group.known.tolist(),
            group.context.tolist(),
            group.time.tolist(),
            group.due.tolist(),
            group.copy.tolist(),
            group.properties(),
            strict=True,
        )
    ]
    return sorted(found)
