"""What units did after they were exposed, by arm: counted on the lake, event by event and theme by theme.

A unit counts once, in the arm it was assigned at first; units assigned to two arms count nowhere. The statement stands
beside what was counted, for people to run again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from paribus.impact.exposed import Exposed, exposed_units
from paribus.warehouse.csv_types import quote
from paribus.warehouse.event_views import events_of

if TYPE_CHECKING:
    from paribus.experiments.on_lake import Snapshot

MOST_THEMES = 50


@dataclass(frozen=True, slots=True)
class Counted:
    """Units by arm that had an event (of a theme) after exposure, events, and median seconds to a unit's first."""

    event: str
    theme: str
    units: Mapping[str, int]
    events: Mapping[str, int]
    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is counted: an event, by a text property where one is named."""

    event: str
    by: str = ""


@dataclass(frozen=True)
class AfterExposure:
    """The exposed units by arm, what was counted, and the statements that counted, by name."""

    exposed: Mapping[str, int]
    counted: tuple[Counted, ...]
    statements: Mapping[str, str]


def after_exposure(
    snapshot: Snapshot,
    flag: str,
    asked: Sequence[Asked],
    *,
    environment: str | None = None,
    unit_type: str = "user",
    until: datetime | None = None,
    threads: int | None = None,
) -> AfterExposure:
    """Counts on one version of the lake.

    Raises:
        InputError: the lake is empty, or a property is in none of the event's rows.
        EngineError: the engine failed.
    """
    read = [(each.event, each.by) for each in asked]
    with exposed_units(
        snapshot, flag, read, environment=environment, unit_type=unit_type, until=until, threads=threads
    ) as of:
        rows = of.engine.query(f"SELECT arm, count(*) FROM ({of.who}) GROUP BY 1 ORDER BY 1").rows
        statement = _statement(of, asked)
        counted = _read(asked, of.engine.query(statement).rows) if asked else ()
    return AfterExposure(
        {str(arm): int(n) for arm, n in rows}, counted, {"exposed units": of.who, "events after": statement}
    )


def _statement(of: Exposed, asked: Sequence[Asked]) -> str:
    """One statement for everything, so that exposures are found once."""
    parts = []
    for number, each in enumerate(asked):
        theme = f"coalesce(CAST({quote(each.by)} AS VARCHAR), '')" if each.by else "''"
        parts.append(
            f"SELECT {number} AS asked, {of.unit} AS unit, time, event_id, {theme} AS theme "
            f"FROM {of.engine.relation_sql(events_of(each.event))} WHERE {of.unit} IS NOT NULL{of.before}"
        )
    return (
        f"WITH who AS MATERIALIZED ({of.who}), did AS ("
        "SELECT asked, theme, arm, w.unit AS unit, count(DISTINCT e.event_id) AS n, "
        "min(epoch(e.time) - epoch(w.t0)) AS seconds "
        f"FROM who AS w JOIN ({' UNION ALL '.join(parts)}) AS e ON e.unit = w.unit AND e.time >= w.t0 "
        "GROUP BY 1, 2, 3, 4) "
        "SELECT asked, theme, arm, count(*) AS units, sum(n) AS events, median(seconds) AS seconds FROM did "
        "GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )


def _read(asked: Sequence[Asked], rows: Sequence[Sequence[object]]) -> tuple[Counted, ...]:
    by_theme: dict[tuple[int, str], dict[str, tuple[int, int, float]]] = {}
    for number, theme, arm, units, events, seconds in rows:
        own = by_theme.setdefault((int(str(number)), str(theme)), {})
        own[str(arm)] = (int(str(units)), int(float(str(events))), float(str(seconds or 0.0)))
    found = []
    for number, each in enumerate(asked):
        themes = [place for place in by_theme if place[0] == number]
        themes.sort(key=lambda place: (-sum(n for n, _, _ in by_theme[place].values()), place[1]))
        for place in themes[:MOST_THEMES]:
            arms = by_theme[place]
            found.append(
                Counted(
                    each.event,
                    place[1],
                    {arm: n for arm, (n, _, _) in arms.items()},
                    {arm: n for arm, (_, n, _) in arms.items()},
                    {arm: s for arm, (_, _, s) in arms.items()},
                )
            )
    return tuple(found)
