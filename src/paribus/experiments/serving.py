"""Experiments read from the maintained tables: the units of one of them, when the tables stand where the lake does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from paribus.errors import InputError
from paribus.experiments.analysis import earliest
from paribus.experiments.maintaining import Upkeep, new_files
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

UNITS = "unit_metric"
_COUNTED = "counted:"


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
        definition = self.kept.definition
        attributes = definition.enrolments[self.name].attributes
        relations = _Relations(self, end)
        engine = open_engine(None, base_dir=self.tables.folder, events=relations, threads=self.threads)

        names = list(definition.values)
        answered: dict[str, dict[str, KeptEvents]] = {}

        def counted(bounds: Bounds) -> dict[str, KeptEvents]:
            relation = relations.add_counted(bounds)
            if relation not in answered:
                rows = engine.query(f"SELECT n, events, matched FROM {engine.relation_sql(relation)}").records()
                found = {names[row["n"]]: KeptEvents(int(row["events"]), int(row["matched"])) for row in rows}
                answered[relation] = {name: found.get(name, KeptEvents(0, 0)) for name in bounds}
            return answered[relation]

        try:
            yield KeptUnits(
                engine,
                UNITS,
                self.kept.column_of,
                {source: f"n{i + 1}_early" for i, source in enumerate(names)},
                {attribute: f"a{i + 1}" for i, attribute in enumerate(attributes)},
                counted,
            )
        finally:
            engine.close()


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
    document = kept.documents[key]
    design = document.design
    state = tables.state(kept.definition)
    if state is None:
        raise InputError("the maintained tables do not hold these experiments", fix="bring them up to date first")
    end = earliest(planned_end(design.plan, design.plan.start), killed_at)
    scope = make_scope(
        variants=[variant.name for variant in design.variants],
        as_of=state.horizon,
        start=design.plan.start,
        end=end,
        by_day=True,
        segments=design.segments,
        tolerance=design.tolerance_seconds,
    )
    caps = {m.name: (m.cap.lower, m.cap.upper) for m in design.metrics if m.cap is not None}
    with Serving(tables, kept, state, key, threads).units(end) as units:
        return units.read(design.metrics, document.data, scope, caps=caps)


class _Relations:
    """What one experiment has in the tables, as relations of an engine."""

    def __init__(self, serving: Serving, end: datetime | None) -> None:
        tables, definition, state = serving.tables, serving.kept.definition, serving.state
        listed = (path for paths in state.files.values() for path in paths)
        self._files = tuple(tables.folder / path for path in listed)
        self._texts = {UNITS: tables.units_sql(definition, serving.name, end=end, state=state)}
        self._counted = partial(tables.counted_sql, definition, serving.name, state=state, end=end)

    def add_counted(self, bounds: Bounds) -> str:
        relation = f"{_COUNTED}{bounds}"
        if relation not in self._texts:
            self._texts[relation] = self._counted(bounds)
        return relation

    def offers(self, relation: str) -> bool:
        """Whether it is one of them."""
        return relation in self._texts

    def view(self, relation: str, connection: object) -> FileView:
        """The relation."""
        del connection
        return FileView(FileSet(relation, "parquet", self._files), self._texts[relation], self._files)
