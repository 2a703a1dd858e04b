"""The days before the feature, written as the door would land them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from paribus.app.folder import definitions

if TYPE_CHECKING:
    from paribus.lake import LandingRow
    from paribus.settings import Settings
    from paribus.shop.scenario import Scenario

ENVIRONMENT = "production"
ROW_EVENTS = 5_000


def history(scenario: Scenario, seed: int, settings: Settings) -> Iterator[tuple[int, list[LandingRow], int]]:
    """The days before the feature as landing rows, judged by the plan in force as at the door: (day, rows, events)."""
    from paribus.app import definition
    from paribus.shop.course import Course
    from paribus.shop.sending import Letters
    from paribus.shop.world import World

    world = World(scenario, seed)
    course = Course(world)
    letters = Letters(world, course.contexts)
    with definitions(settings) as store:
        plan = definition.tracking_plan(store, definition.PROJECT, ENVIRONMENT)
    for day in range(scenario.calendar.history_days):
        end = world.midnight(day + 1)
        texts = letters.write(course.advance(end))
        yield day, landing_rows(texts, end, plan), len(texts)


def landing_rows(texts: Sequence[str], received: int, plan: Any) -> list[LandingRow]:
    """Events as the door lands them when they come at a time (microseconds since 1970)."""
    from paribus.app.decoder import local_key
    from paribus.app.definition import PROJECT
    from paribus.events.dialects import dialect_named
    from paribus.events.request import IntakeRequest
    from paribus.events.timing import to_datetime

    dialect, key = dialect_named("paribus"), local_key(PROJECT, ENVIRONMENT)
    at = to_datetime(received)
    rows = []
    for first in range(0, len(texts), ROW_EVENTS):
        batch = ",".join(texts[first : first + ROW_EVENTS])
        body = f'{{"sent_at":"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond:06d}Z","batch":[{batch}]}}'.encode()
        checked = dialect.check(IntakeRequest("POST", "/api/v1/events", {}, {}, body, at), plan)
        rows.append(checked.row(key))
    return rows
