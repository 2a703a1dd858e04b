"""Synthetic users whose paths are known: what the funnel, the persons and the sessions must come out as."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from paribus.workflow.validation.door import Plant

Json = dict[str, Any]
SPACE = UUID("6a3f8a66-6d3c-5a7e-9a53-2f5d0f6f3c11")
WINDOW_HOURS = 24.0
Properties = Callable[[str, int], Json]


@dataclass(frozen=True, slots=True)
class Case:
    """Planted events and what must be measured of them."""

    name: str
    plants: tuple[Plant, ...]
    expected: tuple[int, ...]


def planted_id(*parts: object) -> str:
    """The id of a planted event: the same for the same feature, plan, case and place."""
    return str(uuid5(SPACE, "\n".join(map(str, parts))))


def funnel(steps: Sequence[str], begin: datetime, key: str, properties: Properties) -> Case:
    """Users who stop at each depth, and users who only look as if they converted.

    Two users stop at each step; one does all steps in reverse order; one needs longer than the window for the last
    step; one does each step twice.
    """
    plants: list[Plant] = []
    reached = [0] * len(steps)

    def user(name: str, path: Sequence[tuple[str, float]], depth: int) -> None:
        unit = f"staging-funnel-{name}"
        for place, (event, hours) in enumerate(path):
            plants.append(
                Plant(
                    planted_id(key, "funnel", name, place, event),
                    event,
                    unit,
                    begin + timedelta(hours=hours),
                    properties(event, place),
                )
            )
        for step in range(depth):
            reached[step] += 1

    for depth in range(1, len(steps) + 1):
        for copy in range(2):
            path = [(step, 0.1 * place) for place, step in enumerate(steps[:depth])]
            user(f"{depth}-{copy}", path, depth)
    user("reversed", [(step, 0.1 * place) for place, step in enumerate(reversed(steps))], 1)
    late = [(step, 0.1 * place) for place, step in enumerate(steps[:-1])] + [(steps[-1], WINDOW_HOURS + 1)]
    user("late", late, len(steps) - 1)
    twice = [(step, 0.1 * place + 0.05 * again) for place, step in enumerate(steps) for again in range(2)]
    user("twice", twice, len(steps))
    return Case("funnel", tuple(plants), tuple(reached))


def people(event: str, begin: datetime, key: str, properties: Properties) -> tuple[Case, ...]:
    """Anonymous to login, a shared device, two devices, logout: how many persons each must be."""

    def sent(case: str, rows: Sequence[tuple[str | None, str | None]]) -> tuple[Plant, ...]:
        return tuple(
            Plant(
                planted_id(key, "people", case, place),
                event if user is None or anonymous is None else "$identify",
                f"staging-{user}" if user is not None else f"staging-{anonymous}",
                begin + timedelta(minutes=place),
                properties(event, place) if user is None or anonymous is None else {},
                user_id=f"staging-{user}" if user is not None else None,
                anonymous_id=f"staging-{anonymous}" if anonymous is not None else None,
            )
            for place, (user, anonymous) in enumerate(rows)
        )

    return (
        Case("anonymous, then logged in", sent("login", [(None, "a1"), ("p1", "a1"), ("p1", None)]), (1,)),
        Case(
            "a device that two people share",
            sent("shared", [(None, "a2"), ("p2", "a2"), ("p3", "a2"), ("p2", None), ("p3", None)]),
            (2,),
        ),
        Case(
            "a person with two devices",
            sent("devices", [(None, "a3"), ("p4", "a3"), (None, "a4"), ("p4", "a4")]),
            (1,),
        ),
        Case("logged out, then a new visitor", sent("logout", [("p5", "a5"), ("p5", None), (None, "a6")]), (2,)),
    )


def sessions(event: str, begin: datetime, key: str, properties: Properties) -> tuple[Case, ...]:
    """A pause of half an hour ends a session; midnight and a new campaign do not: the rule of the browser SDK too."""
    midnight = begin.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)

    def user(case: str, start: datetime, minutes: Sequence[float], count: int) -> Case:
        plants = tuple(
            Plant(
                planted_id(key, "sessions", case, place),
                event,
                f"staging-session-{case.replace(' ', '-')}",
                start + timedelta(minutes=each),
                properties(event, place),
            )
            for place, each in enumerate(minutes)
        )
        return Case(case, plants, (count,))

    return (
        user("pauses under half an hour", begin, (0, 10, 39), 1),
        user("a pause over half an hour", begin + timedelta(minutes=1), (0, 10, 41), 2),
        user("over midnight", midnight, (-10, -1, 9), 1),
        user("another campaign", begin + timedelta(minutes=2), (0, 5, 10), 1),
    )
