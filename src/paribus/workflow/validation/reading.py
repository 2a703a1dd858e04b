"""Planted users measured as every analysis measures: by the funnel's statement, the links of identity, the sessions."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from paribus.events.identity import LinkTable, resolution
from paribus.events.timing import to_datetime
from paribus.exploration.funnel import measure_funnel
from paribus.exploration.opening import open_source
from paribus.store import DEFAULT_PROJECT, Store
from paribus.workflow.validation.scenario import WINDOW_HOURS, Case

Json = dict[str, Any]


def funnel(rows: Iterable[Json], steps: Sequence[str], folder: Path) -> tuple[tuple[int, ...], str]:
    """Units that reached each step, measured on stored rows, and the statement."""
    path = _written(rows, folder / "funnel.csv")
    if path is None:
        return (0,) * len(steps), ""
    with open_source(str(path)) as log:
        known = set(log.events)
        if not set(steps) <= known:
            return tuple(0 if step not in known else -1 for step in steps), "an event of the funnel did not arrive"
        found = measure_funnel(log, steps, window_hours=WINDOW_HOURS)
    return found.reached, found.statement


def persons(cases: Sequence[Case], stored: Mapping[str, Json], store: Store, environment: str) -> list[int]:
    """By case, how many persons its stored events are read as, by the links that the server kept."""
    links = LinkTable(store, project=DEFAULT_PROJECT, environment=environment).all()
    person = resolution(links, "first")
    found = []
    for case in cases:
        rows = [stored[plant.event_id] for plant in case.plants if plant.event_id in stored]
        ids = {row["user_id"] or row["anonymous_id"] or row["unit"] for row in rows}
        found.append(len({person.get(each, each) for each in ids}))
    return found


def visits(cases: Sequence[Sequence[Json]], folder: Path) -> list[int]:
    """Sessions of each case's rows, split where every analysis splits them; cases begin at different times."""
    path = _written([row for rows in cases for row in rows], folder / "sessions.csv")
    if path is None:
        return [0] * len(cases)
    with open_source(str(path)) as log:
        table = log.query(f"SELECT MIN(at_us) AS first, COUNT(DISTINCT visit) AS n FROM {log.visits()} GROUP BY unit")
    counted = {int(row[0]): int(row[1]) for row in table.rows}
    return [counted.get(min((row["time"] for row in rows), default=-1), 0) for rows in cases]


def _written(rows: Iterable[Json], path: Path) -> Path | None:
    listed = sorted(rows, key=lambda row: (row["time"], row["event_id"]))
    if not listed:
        return None
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("user_id", "event", "timestamp"))
        for row in listed:
            writer.writerow((row["unit"], row["name"], to_datetime(row["time"]).isoformat()))
    return path
