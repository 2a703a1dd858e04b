"""Which funnel to look at: the tracking plan's, else the ordered events that nearly all who converted went through.

Where no event looks like a conversion, the rarest action that others lead to stands in for one, and that is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from paribus.exploration.event_log import EventLog
from paribus.exploration.funnel import HOUR
from paribus.exploration.shape import CONVERSION, FAILURE, MONEY, REGRET
from paribus.warehouse.event_views import literal

NEARLY_ALL = 0.8  # of the units that converted had the event before, within the window
MOST_STEPS = 7
LEAST_SHARE = 0.01  # of the units of the most frequent action
FEWEST = 10  # units that do what is taken for a success
GUESSED = "guessed"
WINDOW_HOURS = 24.0


@dataclass(frozen=True, slots=True)
class Choice:
    """A funnel and where it came from: `plan`, `data` or `given`; `guessed` where not even its end is known.

    Attributes:
        coverage: share of the converted units that had the event before, by event; empty unless from the data.
        statement: the SQL that it came from.
    """

    events: tuple[str, ...]
    origin: str
    name: str = "main"
    coverage: tuple[float, ...] = ()
    statement: str = ""
    conversion: str = ""


def choose_funnel(
    log: EventLog,
    *,
    plan: Mapping[str, Any] | None = None,
    given: Sequence[str] = (),
    window_hours: float = WINDOW_HOURS,
) -> Choice | None:
    """The funnel to look at; None when nothing in the data looks like a conversion that something leads to.

    Args:
        log: the events.
        plan: the tracking plan's document: its funnels and semantics come first.
        given: events that somebody named.
        window_hours: how long before its conversion a unit's events may lie.
    """
    if given:
        return Choice(tuple(given), "given", conversion=given[-1])
    declared = planned_funnels(plan or {}, log.events)
    if declared:
        name, events = max(declared.items(), key=lambda item: (len(item[1]), item[0]))
        return Choice(events, "plan", name, conversion=events[-1])
    conversion = conversion_event(log, plan or {})
    if conversion is not None:
        return _leading_to(log, conversion, window_hours)
    rarest = rarest_action(log)
    found = None if rarest is None else _leading_to(log, rarest, window_hours)
    return None if found is None else replace(found, origin=GUESSED)


def planned_funnels(plan: Mapping[str, Any], events: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The plan's funnels by name, of the events that occur; those of one step are none."""
    found: dict[str, list[tuple[int, str]]] = {}
    for name, event in (plan.get("events") or {}).items():
        place = event.get("funnel")
        if place and name in events:
            found.setdefault(place["funnel"], []).append((place["step"], name))
    return {name: tuple(event for _, event in sorted(steps)) for name, steps in found.items() if len(steps) > 1}


def semantics_of(plan: Mapping[str, Any], kind: str, events: Sequence[str]) -> tuple[str, ...]:
    """The events that the plan gives this meaning, of those that occur."""
    declared = plan.get("events") or {}
    return tuple(name for name in events if declared.get(name, {}).get("semantics") == kind)


def conversion_event(log: EventLog, plan: Mapping[str, Any]) -> str | None:
    """The event that counts as success: by the plan, by its name and money, else by money alone."""
    if declared := semantics_of(plan, "conversion", log.actions):
        return declared[-1]
    paid = {event for each in log.numbers if MONEY.search(each.name) for event in each.events}
    fitting = [name for name in log.actions if not FAILURE.search(name) and not REGRET.search(name)]
    named = [name for name in fitting if CONVERSION.search(name)]
    if both := [name for name in named if name in paid]:
        return both[-1]  # of several the rarest: the last step
    if strong := [name for name in named if not name.endswith(("_started", "_viewed"))]:
        return strong[-1]
    with_money = [name for name in fitting if name in paid]
    return with_money[-1] if with_money else None


def rarest_action(log: EventLog) -> str | None:
    """What fewest users do, of what at least one in a hundred does: a success, where nothing else says what one is."""
    fitting = [name for name in log.actions if not FAILURE.search(name) and not REGRET.search(name)]
    counted = log.query(
        f"SELECT event, COUNT(DISTINCT unit) AS n FROM events WHERE event IN ({log.names(fitting)}) GROUP BY event"
    ).rows
    units = {str(event): int(n) for event, n in counted}
    least = max(LEAST_SHARE * max(units.values(), default=0), FEWEST)
    enough = sorted((n, event) for event, n in units.items() if n >= least)
    return enough[0][1] if len(enough) > 1 else None


def _leading_to(log: EventLog, conversion: str, window_hours: float) -> Choice | None:
    """The events before the first conversion of each unit, in the order in which they usually first happen."""
    goal = literal(conversion)
    others = [name for name in log.actions if name != conversion and not FAILURE.search(name)]
    statement = (
        f"WITH goals AS (SELECT unit AS goal_unit, MIN(at_us) AS goal_at FROM events WHERE event = {goal} GROUP BY "
        "unit), "
        "firsts AS (SELECT unit, event, MIN(at_us) AS first_at FROM events INNER JOIN goals ON goals.goal_unit = "
        f"events.unit WHERE event IN ({log.names(others)}) AND at_us <= goal_at AND at_us >= goal_at - "
        f"{round(window_hours * HOUR)} GROUP BY unit, event), ranked AS (SELECT event, ROW_NUMBER() OVER (PARTITION BY "
        "unit ORDER BY first_at, event) AS place FROM firsts) SELECT event, COUNT(*) AS n, AVG(place * 1.0) AS place "
        "FROM ranked GROUP BY event"
    )
    converted = log.query(f"SELECT COUNT(DISTINCT unit) AS n FROM events WHERE event = {goal}").rows[0][0]
    found = [(float(place), str(event), int(n) / converted) for event, n, place in log.query(statement).rows]
    for needed in (NEARLY_ALL, 0.5):
        leading = sorted(each for each in found if each[2] >= needed)
        if leading:
            break
    else:
        return None
    while len(leading) >= MOST_STEPS:  # keep the ends and the surest
        leading.remove(min(leading[1:], key=lambda each: (each[2], each[1])))
    events = (*(event for _, event, _ in leading), conversion)
    return Choice(events, "data", "main", (*(share for *_, share in leading), 1.0), statement, conversion)
