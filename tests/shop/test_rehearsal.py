"""The release on staging: what testers do arrives within minutes."""

from datetime import UTC, datetime

from paribus.shop.course import Course, sent_rows
from paribus.shop.reading import case
from paribus.shop.rehearsal import HOUR, HOURS, PAUSE, STRETCH, staged
from paribus.shop.world import World

FIVE_MINUTES = 300_000_000


def test_events_leave_within_five_minutes() -> None:
    world = World(staged(case("winner"), datetime(2026, 3, 30, tzinfo=UTC)), 7, pause=PAUSE)
    course = Course(world)
    late = total = 0
    while course.time < world.midnight(0) + HOURS * HOUR:
        for _, time, *_ in sent_rows(course.advance(course.time + STRETCH)):
            total += 1
            late += course.time - time > FIVE_MINUTES
    assert total > 500
    assert late / total < 0.02
