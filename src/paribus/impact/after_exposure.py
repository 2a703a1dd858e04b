"""What units did after they were exposed, by arm: counted on the lake, event by event and theme by theme.

A unit counts once, in the arm it was assigned at first; units assigned to two arms count nowhere. The statement stands
beside what was counted, for people to run again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from paribus.warehouse import open_engine
from paribus.warehouse.csv_types import quote
from paribus.warehouse.event_views import EventTable, events_of, exposures_of, literal, unit_column

if TYPE_CHECKING:
    from paribus.experiments.on_lake import Snapshot
    from paribus.warehouse.engine import Engine

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
    """The exposed units by arm, what was counted, and the statements by event (and property)."""

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
    exposures = exposures_of(flag, environment)
    properties: dict[str, tuple[str, ...]] = {exposures: ()}
    for each in asked:
        own = properties.get(events_of(each.event), ())
        properties[events_of(each.event)] = (*own, each.by) if each.by else own
    table = EventTable(snapshot.table_id, snapshot.version, snapshot.files, unit_type, properties)
    engine = open_engine(None, base_dir=snapshot.folder, events=table, threads=threads)
    try:
        unit = quote(unit_column(unit_type))
        before = f" AND time < TIMESTAMPTZ {literal(until.isoformat())}" if until else ""
        who = (
            f"SELECT {unit} AS unit, min(time) AS t0, min(assigned) AS arm FROM {engine.relation_sql(exposures)} "
            f"WHERE reason = 'SPLIT' AND {unit} IS NOT NULL{before} GROUP BY 1 HAVING count(DISTINCT assigned) = 1"
        )
        rows = engine.query(f"SELECT arm, count(*) FROM ({who}) GROUP BY 1 ORDER BY 1").rows
        counted: list[Counted] = []
        statements = {"exposed": who}
        for each in asked:
            statement = _statement(engine, each, who, unit, before)
            statements[f"{each.event}{' by ' + each.by if each.by else ''}"] = statement
            counted += _read(each, engine.query(statement).rows)
        return AfterExposure({str(arm): int(n) for arm, n in rows}, tuple(counted), statements)
    finally:
        engine.close()


def _statement(engine: Engine, asked: Asked, who: str, unit: str, before: str) -> str:
    theme = f"coalesce(CAST({quote(asked.by)} AS VARCHAR), '')" if asked.by else "''"
    return (
        f"SELECT theme, arm, count(*) AS units, sum(n) AS events, median(seconds) AS seconds FROM ("
        f"SELECT theme, arm, w.unit AS unit, count(DISTINCT e.event_id) AS n, "
        f"min(epoch(e.time) - epoch(w.t0)) AS seconds FROM ({who}) AS w "
        f"JOIN (SELECT {unit} AS unit, time, event_id, {theme} AS theme "
        f"FROM {engine.relation_sql(events_of(asked.event))} WHERE {unit} IS NOT NULL{before}) AS e "
        f"ON e.unit = w.unit AND e.time >= w.t0 GROUP BY 1, 2, 3) GROUP BY 1, 2 ORDER BY 1, 2"
    )


def _read(asked: Asked, rows: Sequence[Sequence[object]]) -> list[Counted]:
    by_theme: dict[str, dict[str, tuple[int, int, float]]] = {}
    for theme, arm, units, events, seconds in rows:
        own = by_theme.setdefault(str(theme), {})
        own[str(arm)] = (int(str(units)), int(float(str(events))), float(str(seconds or 0.0)))
    largest = sorted(by_theme, key=lambda t: (-sum(n for n, _, _ in by_theme[t].values()), t))[:MOST_THEMES]
    return [
        Counted(
            asked.event,
            theme,
            {arm: n for arm, (n, _, _) in by_theme[theme].items()},
            {arm: n for arm, (_, n, _) in by_theme[theme].items()},
            {arm: s for arm, (_, _, s) in by_theme[theme].items()},
        )
        for theme in largest
    ]
