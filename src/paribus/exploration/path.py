"""What happens after what within a visit, and where visits end."""

from __future__ import annotations

from dataclasses import dataclass

from paribus.exploration.days import Days
from paribus.exploration.event_log import EventLog

END = "(end)"
START = "(start)"
PLACES = 5  # columns of the picture


@dataclass(frozen=True, slots=True)
class Transition:
    """How often one event directly followed another in a visit; `following` is (end) where the visit ended."""

    event: str
    following: str
    count: int
    share: float
    """Of all times the first event happened."""


@dataclass(frozen=True, slots=True)
class Flow:
    """How many visits went from an event at a place of the visit to one at the next; repeats of an event are one."""

    place: int
    event: str
    following: str
    visits: int


@dataclass(frozen=True, slots=True)
class Paths:
    """Transitions, the most frequent first, and the flows of the first places of visits."""

    transitions: tuple[Transition, ...]
    flows: tuple[Flow, ...]
    visits: int
    statement: str
    flow_statement: str


def measure_paths(log: EventLog, days: Days, *, places: int = PLACES) -> Paths:
    """The transitions of all visits of the days; events at one instant follow each other by name."""
    inside = f"day >= {days.first} AND day < {days.until}"
    visits = log.visits()
    statement = (
        "SELECT event, following, COUNT(*) AS n FROM (SELECT event, LEAD(event) OVER (PARTITION BY unit, visit ORDER "
        "BY "
        f"at_us, event) AS following FROM {visits} WHERE {inside}) AS pairs GROUP BY event, following"
    )
    rows = [(str(a), END if b is None else str(b), int(n)) for a, b, n in log.query(statement).rows]
    of: dict[str, int] = {}
    for event, _, n in rows:
        of[event] = of.get(event, 0) + n
    transitions = sorted(
        (Transition(a, b, n, n / of[a]) for a, b, n in rows), key=lambda each: (-each.count, each.event, each.following)
    )
    flow_statement = (
        "WITH turns AS (SELECT unit, visit, event, at_us, CASE WHEN LAG(event) OVER (PARTITION BY unit, visit ORDER "
        "BY "
        f"at_us, event) = event THEN 0 ELSE 1 END AS is_new FROM {visits} WHERE {inside}), placed AS (SELECT unit, "
        "visit, "
        "event, ROW_NUMBER() OVER (PARTITION BY unit, visit ORDER BY at_us, event) AS place FROM turns WHERE is_new = "
        "1), "
        "linked AS (SELECT place, event, LEAD(event) OVER (PARTITION BY unit, visit ORDER BY place) AS following FROM "
        f"placed WHERE place <= {places}) SELECT place, event, following, COUNT(*) AS n FROM linked WHERE place < "
        f"{places} "
        "GROUP BY place, event, following"
    )
    flows = [
        Flow(int(place), str(a), END if b is None else str(b), int(n))
        for place, a, b, n in log.query(flow_statement).rows
    ]
    flows.sort(key=lambda each: (each.place, -each.visits, each.event, each.following))
    total = sum(each.visits for each in flows if each.place == 1)
    return Paths(tuple(transitions), tuple(flows), total, statement, flow_statement)
