"""Exploring a source of events outside of any feature."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.errors import NotFound
from paribus.settings import from_environment

if TYPE_CHECKING:
    from paribus.exploration.roles import Columns
    from paribus.workflow.artifact import Artifact

Json = dict[str, Any]


def explore(
    source: str | None = None,
    *,
    data: Path | None = None,
    funnel: Sequence[str] = (),
    window_hours: float = 24.0,
    exclude: Sequence[str] = (),
    columns: Columns | None = None,
    level: float = 0.95,
    progress: Callable[[float, str], None] = lambda share, word: None,
) -> Artifact:
    """The exploration report: how the product is used, where users are lost, what is wrong with the data.

    Args:
        source: files (a path, a folder, a glob) or a database's URL#table; the lake of the data folder when left out.
        data: the data folder; its tracking plan's funnels and meanings are used for the lake.
        funnel: event names in order; found in the data when left out.
        window_hours: the longest time from the funnel's first step to its last.
        exclude: events that break an attempt at the funnel.
        columns: which column is what, where names do not tell.
        level: confidence level.
        progress: told what goes on.

    Raises:
        NotFound: no data folder, or nothing has arrived.
        InputError: the source cannot be read, or its columns cannot be told.
    """
    from paribus.exploration.opening import open_lake, open_source
    from paribus.workflow.exploring import report

    asked: Json = {
        "funnel": funnel,
        "window_hours": window_hours,
        "exclude": exclude,
        "level": level,
        "progress": progress,
    }
    if source is not None:
        with open_source(source, columns=columns) as log:
            return report(log, name=log.source, **asked)
    from paribus.app.folder import MARK, definitions
    from paribus.app.lake import reader_of

    settings = from_environment(data=data)
    with definitions(settings) as store:
        found = store.find(_address())
        plan = found.body if found is not None else None
    reader = reader_of(settings.data)
    if reader is None:
        raise NotFound(
            "no event has arrived yet",
            where=str(settings.data),
            fix="paribus serve, and send some; paribus events import FILE; or paribus explore --source FILE",
        )
    simulated = bool(json.loads((settings.data / MARK).read_text()).get("demo"))
    with open_lake(reader) as log:
        return report(log, name="the lake", plan=plan, simulated=simulated, **asked)


def page(artifact: Artifact) -> str:
    """The report as one HTML page."""
    from paribus.workflow.exploring.page import page_of

    return page_of(artifact)


def _address() -> Any:
    from paribus.app import definition
    from paribus.events.plan import KEY, KIND
    from paribus.store import Address

    return Address(definition.PROJECT, KIND, KEY)
