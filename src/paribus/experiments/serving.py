"""Experiments read from the maintained tables: the units of one of them, when the tables stand where the lake does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from paribus.errors import InputError
from paribus.experiments.maintaining import Upkeep, new_files
from paribus.experiments.measuring import earliest
from paribus.experiments.on_lake import Snapshot
from paribus.experiments.plan import Design
from paribus.experiments.reading import planned_end
from paribus.lake.maintained import MaintainedTables, State
from paribus.metrics.compile import make_scope
from paribus.metrics.definition import DataModel
from paribus.metrics.kept import Bounds, KeptEvents, KeptUnits
from paribus.metrics.reading import Reading
from paribus.warehouse import open_engine
from paribus.warehouse.file_views import FileView
from paribus.warehouse.files import FileSet

if TYPE_CHECKING:
    from paribus.lake.reading import LakeReader
    from paribus.warehouse.engine import Engine

UNITS = "unit_metric"
_COUNTED = "counted:"
TOGETHER = 5  # experiments in one statement: more of them no longer fit into the processor's caches


@dataclass(frozen=True, slots=True)
class Serving:
    """One experiment in the maintained tables, as they stood at one version of the lake and its watermark.

    name  of the experiment among those that are kept
    """

    tables: MaintainedTables
    kept: Upkeep
    state: State
    name: str
    threads: int = 1

    def holds(self, design: Design, data: DataModel) -> bool:
        """Whether the tables answer this design: the one they were made for, by fewer attributes at most."""
        known = self.kept.documents[self.name]
        if not set(design.segments) <= set(known.design.segments):
            return False
        same = replace(known.design, key=design.key, title=design.title, segments=design.segments)
        return same == design and replace(known.data, segments=data.segments) == data

    @contextmanager
    def units(self, end: datetime | None) -> Iterator[KeptUnits]:
        """The units of the experiment that enrolled before `end`.

        Raises:
            EngineError: the engine failed, for instance because an update has replaced the files meanwhile.
        """
        relations = _Relations(self.tables, self.kept, self.state)
        engine = open_engine(None, base_dir=self.tables.folder, events=relations, threads=self.threads)
        try:
            ends = {self.name: end}
            yield _units(engine, relations, self.kept, relations.add_units(ends), ends)
        finally:
            engine.close()


def _units(
    engine: Engine, relations: _Relations, kept: Upkeep, relation: str, ends: Mapping[str, datetime | None]
) -> KeptUnits:
    names = list(kept.definition.values)
    key, end = next(iter(ends.items()))
    answered: dict[str, dict[str, KeptEvents]] = {}

    def counted(bounds: Bounds) -> dict[str, KeptEvents]:
        events = relations.add_counted(key, end, bounds)
        if events not in answered:
            rows = engine.query(f"SELECT n, events, matched FROM {engine.relation_sql(events)}").records()
            found = {names[row["n"]]: KeptEvents(int(row["events"]), int(row["matched"])) for row in rows}
            answered[events] = {name: found.get(name, KeptEvents(0, 0)) for name in bounds}
        return answered[events]

    return KeptUnits(
        engine,
        relation,
        kept.column_of,
        {source: f"n{i + 1}_early" for i, source in enumerate(names)},
        {attribute: f"a{i + 1}" for i, attribute in enumerate(kept.definition.enrolments[key].attributes)},
        counted,
    )


def serving(
    tables: MaintainedTables,
    kept: Upkeep,
    name: str,
    lake: LakeReader,
    snapshot: Snapshot,
    *,
    threads: int = 1,
) -> Serving | None:
    """An experiment in the tables when they hold the very rows of the snapshot; None when the lake must be read.

    Raises:
        StorageError: the tables cannot be read.
    """
    if name not in kept.documents or new_files(tables, kept, lake, snapshot) != () or snapshot.watermark is None:
        return None
    state = tables.state(kept.definition, snapshot.table_id)
    reached = None if state is None else tables.reached(kept.definition, state, snapshot.watermark)
    return None if reached is None else Serving(tables, kept, reached, name, threads)


def read_cells(
    tables: MaintainedTables,
    kept: Upkeep,
    key: str,
    *,
    killed_at: datetime | None = None,
    threads: int = 1,
) -> Reading:
    """The cells of an experiment up to the tables' horizon, equal to those of the statement over the lake.

    Raises:
        InputError: the tables hold another definition, or none.
        EngineError: the engine failed.
    """
    return read_many(tables, kept, {key: killed_at}, threads=threads)[key]


def read_many(
    tables: MaintainedTables, kept: Upkeep, keys: Mapping[str, datetime | None], *, threads: int = 1
) -> dict[str, Reading]:
    """The cells of experiments as `read_cells` gives them; those that ask the same share a statement.

    Args:
        tables, kept: as for `read_cells`.
        keys: the experiments, with the time at which a kill of the flag closed enrolment, if it did.
        threads: of the engine.

    Raises:
        InputError: the tables hold another definition, or none.
        EngineError: the engine failed.
    """
    state = tables.state(kept.definition)
    if state is None:
        raise InputError("the maintained tables do not hold these experiments", fix="bring them up to date first")
    relations = _Relations(tables, kept, state)
    engine = open_engine(None, base_dir=tables.folder, events=relations, threads=threads)
    found: dict[str, Reading] = {}
    try:
        parts = {relations.add_units(part): part for part in _alike(kept, keys)}
        for relation in parts:  # all before the first statement, which locks the engine
            engine.relation_sql(relation)
        for relation, part in parts.items():
            document = kept.documents[next(iter(part))]
            design = document.design
            scope = make_scope(
                variants=None,
                as_of=state.horizon,
                start=None,
                end=None,
                by_day=True,
                segments=design.segments,
                tolerance=design.tolerance_seconds,
            )
            units = _units(engine, relations, kept, relation, part)
            reading = units.read_each(design.metrics, document.data, scope, caps=_caps(design))
            found |= {key: reading(kept.definition.experiments.index(key)) for key in part}
    finally:
        engine.close()
    return {key: found[key] for key in keys}


def _alike(kept: Upkeep, keys: Mapping[str, datetime | None]) -> list[dict[str, datetime | None]]:
    """The experiments, with the ends of their enrolment, in parts that one statement answers.

    Neighbors in the tables stand in the same row groups.
    """
    parts: dict[object, list[dict[str, datetime | None]]] = {}
    for key in sorted(keys):
        design, data = kept.documents[key].design, kept.documents[key].data
        events, caps = tuple(data.events.items()), tuple(_caps(design).items())
        asked = (design.metrics, design.segments, design.tolerance_seconds, data.time_zone, events, caps)
        of_them = parts.setdefault(asked, [])
        if not of_them or len(of_them[-1]) == TOGETHER:
            of_them.append({})
        of_them[-1][key] = earliest(planned_end(design.plan, design.plan.start), keys[key])
    return [part for of_them in parts.values() for part in of_them]


def _caps(design: Design) -> dict[str, tuple[float | None, float | None]]:
    return {m.name: (m.cap.lower, m.cap.upper) for m in design.metrics if m.cap is not None}


class _Relations:
    """What experiments have in the tables, as relations of an engine."""

    def __init__(self, tables: MaintainedTables, kept: Upkeep, state: State) -> None:
        self._tables, self._definition, self._state = tables, kept.definition, state
        self._files = tuple(tables.folder / path for paths in state.files.values() for path in paths)
        self._texts: dict[str, str] = {}

    def add_units(self, ends: Mapping[str, datetime | None]) -> str:
        """The name of the relation of the units of experiments."""
        relation = f"{UNITS}:{','.join(ends)}"
        self._texts[relation] = self._tables.units_sql(self._definition, ends, state=self._state)
        return relation

    def add_counted(self, key: str, end: datetime | None, bounds: Bounds) -> str:
        """The name of the relation of the events that `bounds` let in."""
        relation = f"{_COUNTED}{key}:{bounds}"
        if relation not in self._texts:
            text = self._tables.counted_sql(self._definition, key, bounds, end=end, state=self._state)
            self._texts[relation] = text
        return relation

    def offers(self, relation: str) -> bool:
        """Whether it is one of them."""
        return relation in self._texts

    def view(self, relation: str, connection: object) -> FileView:
        """The relation."""
        del connection
        return FileView(FileSet(relation, "parquet", self._files), self._texts[relation], self._files)
