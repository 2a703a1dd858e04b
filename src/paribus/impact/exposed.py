"""The units that met a flag, and what they did, on one version of the lake."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from paribus.warehouse import open_engine
from paribus.warehouse.csv_types import quote
from paribus.warehouse.event_views import EventTable, events_of, exposures_of, literal, unit_column

if TYPE_CHECKING:
    from paribus.experiments.on_lake import Snapshot
    from paribus.warehouse.engine import Engine


@dataclass(frozen=True, slots=True)
class Exposed:
    """What statements about exposed units begin with.

    who     SELECT of unit, t0 (its first exposure) and arm; units that met several arms are left out
    unit    the column of the unit in every relation
    before  condition on `time`, to follow another; empty without an end
    """

    engine: Engine
    who: str
    unit: str
    before: str


@contextmanager
def exposed_units(
    snapshot: Snapshot,
    flag: str,
    read: Iterable[tuple[str, str]],
    *,
    environment: str | None = None,
    unit_type: str = "user",
    until: datetime | None = None,
    threads: int | None = None,
) -> Iterator[Exposed]:
    """The engine over the exposures of a flag and the events that are read, closed at the end.

    Args:
        read: an event and the property that is read of it; empty for none.
        environment: of the exposures.
        until: read no event of this time or later.
        threads: of the engine.

    Raises:
        InputError: the lake is empty, or a property is in none of the event's rows.
        EngineError: the engine failed.
    """
    exposures = exposures_of(flag, environment)
    properties: dict[str, tuple[str, ...]] = {exposures: ()}
    for event, name in read:
        own = properties.get(events_of(event), ())
        properties[events_of(event)] = (*own, name) if name else own
    table = EventTable(snapshot.table_id, snapshot.version, snapshot.files, unit_type, properties)
    engine = open_engine(None, base_dir=snapshot.folder, events=table, threads=threads)
    try:
        unit = quote(unit_column(unit_type))
        before = f" AND time < TIMESTAMPTZ {literal(until.isoformat())}" if until else ""
        who = (
            f"SELECT {unit} AS unit, min(time) AS t0, min(assigned) AS arm FROM {engine.relation_sql(exposures)} "
            f"WHERE reason = 'SPLIT' AND {unit} IS NOT NULL{before} GROUP BY 1 HAVING count(DISTINCT assigned) = 1"
        )
        yield Exposed(engine, who, unit, before)
    finally:
        engine.close()
