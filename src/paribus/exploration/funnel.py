"""Ordered funnels within a window, per unit: how far each came, how fast, by segment.

A unit reaches step k when it has events of steps 1 to k, in this order, the last within the window after the first, and
no exclusion event between. Every entry of the unit counts as a start, so one late success is enough. Events at the same
instant may follow each other in the order of the funnel, but a step whose event stood in it before must be later than
the step before it; an exclusion event at the instant of a step comes before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from paribus.errors import InputError, did_you_mean
from paribus.exploration.event_log import NONE, OTHER, EventLog
from paribus.exploration.shape import Attribute
from paribus.warehouse.event_views import literal

HOUR = 3_600_000_000  # microseconds
MOST_CELLS_PER_ATTRIBUTE = 6


@dataclass(frozen=True, slots=True)
class Cell:
    """The units of one combination of attribute values at entry: how many reached each step at least."""

    values: tuple[str, ...]
    reached: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FunnelResult:
    """A funnel over a stretch of days.

    Attributes:
        events: the steps.
        window_hours: from the first step to the last.
        exclude: events that break an attempt.
        reached: units that reached each step.
        median_seconds: from entry to each step, of the units that reached it, at their first success; None for step 1
            and for steps that nobody reached.
        attributes: what cells are told apart by.
        cells: the same counts by combination.
        statement: the SQL.
    """

    events: tuple[str, ...]
    window_hours: float
    exclude: tuple[str, ...]
    reached: tuple[int, ...]
    median_seconds: tuple[float | None, ...]
    attributes: tuple[Attribute, ...]
    cells: tuple[Cell, ...]
    statement: str

    def rate(self, step: int) -> float:
        """Share of the units at step `step - 1` that reached step `step` (0-based; 1 is the first transition)."""
        return self.reached[step] / self.reached[step - 1] if self.reached[step - 1] else 0.0


def measure_funnel(
    log: EventLog,
    events: Sequence[str],
    *,
    window_hours: float = 24.0,
    exclude: Sequence[str] = (),
    days: tuple[int, int] | None = None,
    leave_out: Sequence[int] = (),
    attributes: Sequence[Attribute] = (),
) -> FunnelResult:
    """How many units reach each step.

    Args:
        log: the events.
        events: names in order; the same name may stand twice.
        window_hours: the longest time from the first step to the last.
        exclude: events that break an attempt when they stand between two of its steps.
        days: entries on these days only, [from, until) in days since 1970; later steps may follow until the window
            closes, so units that entered at the end are seen shorter where the data end.
        leave_out: days on which nobody enters, because their data are known to be wrong.
        attributes: also count by combination of these, as they were at the unit's first entry.

    Raises:
        InputError: fewer than two steps, an unknown event, or a step that is also excluded.
    """
    events, exclude = tuple(events), tuple(exclude)
    _check(log, events, exclude, window_hours)
    statement = funnel_statement(log, events, window_hours, exclude, days, leave_out, attributes)
    relation = log.keep("funnel_units", statement)
    steps = range(len(events))
    counts = ", ".join(f"SUM(CASE WHEN depth >= {k + 1} THEN 1 ELSE 0 END) AS n{k}" for k in steps)
    keys = [each.column for each in attributes]
    grouped = f" GROUP BY {', '.join(keys)} ORDER BY {', '.join(keys)}" if keys else ""
    table = log.query(f"SELECT {', '.join([*keys, counts])} FROM {relation}{grouped}")
    cells = tuple(
        Cell(tuple(str(value) for value in row[: len(keys)]), tuple(int(n or 0) for n in row[len(keys) :]))
        for row in table.rows
    )
    reached = tuple(sum(cell.reached[k] for cell in cells) for k in steps)
    medians = tuple(_median(log, relation, k) if k and reached[k] else None for k in steps)
    return FunnelResult(events, window_hours, exclude, reached, medians, tuple(attributes), cells, statement)


def funnel_statement(
    log: EventLog,
    events: Sequence[str],
    window_hours: float,
    exclude: Sequence[str] = (),
    days: tuple[int, int] | None = None,
    leave_out: Sequence[int] = (),
    attributes: Sequence[Attribute] = (),
) -> str:
    """The SELECT of one row per unit that entered: depth, time from entry to each step, attributes at first entry."""
    window = round(window_hours * HOUR)
    n = len(events)
    inside = f" AND day >= {days[0]} AND day < {days[1] + int(window_hours // 24) + 2}" if days else ""
    entered = f"event = {literal(events[0])}" + (f" AND day < {days[1]}" if days else "")
    if leave_out:
        entered += f" AND day NOT IN ({', '.join(str(day) for day in sorted(leave_out))})"
    rows, part = "events", "unit"
    levels: list[str] = []
    if exclude:  # an attempt lies between two exclusion events; at one instant the exclusion comes first
        named = log.names(sorted({*events, *exclude}))
        order = f"at_us, CASE WHEN event IN ({log.names(exclude)}) THEN 0 ELSE 1 END"
        levels.append(
            f"attempts AS (SELECT *, SUM(CASE WHEN event IN ({log.names(exclude)}) THEN 1 ELSE 0 END) OVER (PARTITION "
            "BY "
            f"unit ORDER BY {order} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS block FROM events WHERE "
            "event IN "
            f"({named}){inside})"
        )
        rows, part = "attempts", "unit, block"
    levels.append(f"step_1 AS (SELECT {part}, at_us, at_us AS s FROM {rows} WHERE {entered}{inside})")
    for k in range(2, n + 1):
        # of the entries that lead here through step k - 1 the latest is best, because the window starts there
        repeats = events[k - 1] in events[: k - 1]  # then the row must be a later one
        before, here = (1, 0) if repeats else (0, 1)
        levels.append(
            f"open_{k} AS (SELECT {part}, at_us, is_here, MAX(s) OVER (PARTITION BY {part} ORDER BY at_us, turn ROWS "
            "BETWEEN "
            f"UNBOUNDED PRECEDING AND CURRENT ROW) AS s FROM (SELECT {part}, at_us, s, {before} AS turn, 0 AS is_here "
            "FROM "
            f"step_{k - 1} UNION ALL SELECT {part}, at_us, NULL AS s, {here} AS turn, 1 AS is_here FROM {rows} WHERE "
            "event = "
            f"{literal(events[k - 1])}{inside}) AS both_{k})"
        )
        levels.append(
            f"step_{k} AS (SELECT {part}, at_us, s FROM open_{k} WHERE is_here = 1 AND s IS NOT NULL AND at_us - s <= "
            f"{window})"
        )
    # the entries of a unit's successes never go back in time, so the least time and the least entry are of the first
    best = " UNION ALL ".join(
        f"SELECT unit, {k} AS depth, MIN(at_us) - MIN(s) AS t FROM step_{k} GROUP BY unit" for k in range(1, n + 1)
    )
    times = "".join(f", MAX(CASE WHEN depth = {k} THEN t END) AS t{k}" for k in range(2, n + 1))
    levels.append(f"depths AS (SELECT unit, MAX(depth) AS depth{times} FROM ({best}) AS reached GROUP BY unit)")
    text = f"WITH {', '.join(levels)}"
    if not attributes:
        return f"{text} SELECT * FROM depths"
    names = "".join(f", {each.column}" for each in attributes)
    firsts = ", ".join(f"{_bounded(each)} AS {each.column}" for each in attributes)
    asked = "depths.unit AS unit, depth" + "".join(f", t{k}" for k in range(2, n + 1))
    return (
        f"{text}, entries AS (SELECT unit{names}, ROW_NUMBER() OVER (PARTITION BY unit ORDER BY at_us{names}) AS nth "
        "FROM "
        f"events WHERE {entered}{inside}) SELECT {asked}, {firsts} FROM depths INNER JOIN entries ON entries.unit = "
        "depths.unit WHERE entries.nth = 1"
    )


def bounded_values(attribute: Attribute) -> tuple[str, ...]:
    """The values of an attribute that cells tell apart."""
    return attribute.values[:MOST_CELLS_PER_ATTRIBUTE]


def _bounded(attribute: Attribute) -> str:
    kept = ", ".join(literal(value) for value in bounded_values(attribute))
    return (
        f"CASE WHEN {attribute.column} IN ({kept}) THEN {attribute.column} "
        f"WHEN {attribute.column} IS NULL THEN {literal(NONE)} ELSE {literal(OTHER)} END"
    )


def _median(log: EventLog, relation: str, step: int) -> float | None:
    """The median of the seconds from entry to a step."""
    column = f"t{step + 1}"
    rows = log.query(
        f"SELECT AVG({column}) AS middle FROM (SELECT {column}, ROW_NUMBER() OVER (ORDER BY {column}) AS nth, "
        f"COUNT(*) OVER () AS n FROM {relation} WHERE {column} IS NOT NULL) AS ranked WHERE 2 * nth BETWEEN n AND n + 2"
    ).rows
    return None if not rows or rows[0][0] is None else float(rows[0][0]) / 1e6


def _check(log: EventLog, events: tuple[str, ...], exclude: tuple[str, ...], window_hours: float) -> None:
    if len(events) < 2:
        raise InputError("a funnel has at least two steps", where="funnel", fix="name events in order: a,b,c")
    for name in (*events, *exclude):
        if name not in log.events:
            raise InputError(f"there is no event {name!r}", where="funnel", fix=did_you_mean(name, log.events))
    if both := set(events) & set(exclude):
        raise InputError(f"{min(both)!r} is a step and excluded", where="funnel")
    if not window_hours > 0:
        raise InputError("the window of a funnel is longer than zero", where="window_hours")


def segment_counts(result: FunnelResult, fixed: Mapping[str, str]) -> tuple[int, ...]:
    """Units that reached each step, of the cells where these attributes have these values."""
    places = {each.name: i for i, each in enumerate(result.attributes)}
    wanted = [(places[name], value) for name, value in fixed.items()]
    chosen = [cell for cell in result.cells if all(cell.values[i] == value for i, value in wanted)]
    return tuple(sum(cell.reached[k] for cell in chosen) for k in range(len(result.events)))
