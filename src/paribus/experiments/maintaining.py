"""Many experiments kept up to date on the lake: what the maintained tables are to hold, and how they get it.

One pass over the new files serves every experiment whose units are of one type. What a metric asks must be additive
over events: sums, counts, whether there was any. Funnels, quantiles, numbers of sessions and clusters are measured by
the statement over the lake.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from paribus.errors import InputError
from paribus.experiments.document import Document
from paribus.experiments.measuring import earliest
from paribus.experiments.on_lake import Snapshot, event_table, flag_of, reads_lake, snapshot_of
from paribus.lake.maintained import MaintainedTables, State
from paribus.lake.maintained_definition import Definition, Enrolment, NewRows, UnitSum
from paribus.metrics.definition import MetricType
from paribus.metrics.demand import Demand, demands
from paribus.metrics.source import Source
from paribus.warehouse.csv_types import quote
from paribus.warehouse.duckdb_engine import DuckDBEngine
from paribus.warehouse.event_views import EventTable, events_of, exposures_of, unit_column
from paribus.warehouse.sql import build as sql
from paribus.warehouse.sql.dialects import hooks

if TYPE_CHECKING:
    from paribus.lake.reading import LakeReader

ALL_EXPOSURES = exposures_of("")


@dataclass(frozen=True, slots=True)
class Upkeep:
    """The experiments that are maintained together, by key, and the definition of their tables."""

    documents: dict[str, Document]
    definition: Definition

    def column_of(self, demand: Demand) -> str:
        """The column of the maintained table with what a metric asks."""
        name = demand.source
        n = list(self.definition.values).index(name) + 1
        wanted = _unit_sum(self.definition, demand)
        return f"n{n}_c{self.definition.columns(name).index(wanted) + 1}"


def not_kept(document: Document) -> str | None:
    """Why an experiment cannot be read from maintained tables; None when it can."""
    design, data = document.design, document.data
    if not reads_lake(data):
        return "it does not read the lake"
    if data.exposures is not None and (data.exposures.cluster or data.exposures.stratum):
        return "it is randomized in clusters, or stratified"
    if data.exposures is not None and data.exposures.own_unit is not None:
        return "it joins identities, whose links change what was summed before"
    if any(part.filter for part in (data.exposures, *data.events.values()) if part is not None):
        return "its exposures or events are filtered"
    for metric in design.metrics:
        if metric.type in {MetricType.FUNNEL, MetricType.QUANTILE}:
            return f"{metric.name} is a {metric.type}"
        if metric.cap is not None and (metric.cap.lower_percentile or metric.cap.upper_percentile):
            return f"{metric.name} is capped at a percentile"
        asked = demands(metric, data.events)
        if any(demand.how == "sessions" for demand in asked.outcomes):
            return f"{metric.name} counts sessions"
    return None


def upkeep(documents: Sequence[Document]) -> Upkeep:
    """What the tables of these experiments are to hold.

    Raises:
        InputError: one of them cannot be kept, two have the same key, or their units are of several types.
    """
    if not documents:
        raise InputError("no experiment is to be maintained")
    enrolments: dict[str, Enrolment] = {}
    values: dict[str, dict[str, None]] = {}
    asked: dict[str, list[Demand]] = {}
    tolerance: dict[str, int] = {}
    for document in documents:
        design, exposures = document.design, document.data.exposures
        reason = not_kept(document)
        if reason is not None or exposures is None:
            raise InputError(f"the experiment {design.key!r} cannot be maintained: {reason}", where=design.key)
        if design.key in enrolments:
            raise InputError(f"two experiments have the key {design.key!r}")
        flag, environment = flag_of(document.data)
        variants = tuple(variant.name for variant in design.variants)
        start = earliest(design.plan.start)
        enrolments[design.key] = Enrolment(flag, environment, variants, start, tuple(design.segments))
        tolerance[design.key] = -int(-design.tolerance_seconds // 1)
        listed = asked.setdefault(design.key, [])
        for metric in design.metrics:
            found = demands(metric, document.data.events)
            listed += [*found.outcomes, *(demand for _, demand in found.covariates), *found.history]
        for demand in listed:
            values.setdefault(demand.source, {})[_identity(demand)] = None
    units = {document.data.exposures.unit for document in documents if document.data.exposures is not None}
    if len(units) > 1:
        raise InputError("the units of the experiments are of several types", rule="one type of unit per table")
    definition = Definition(
        units.pop().removesuffix("_unit"),
        enrolments,
        {name: tuple(each) for name, each in values.items()},
        {},
        tolerance,
    )
    sums: dict[str, dict[str, tuple[UnitSum, ...]]] = {}
    for key, listed in asked.items():
        for demand in listed:
            own = sums.setdefault(key, {})
            own[demand.source] = tuple(dict.fromkeys((*own.get(demand.source, ()), _unit_sum(definition, demand))))
    return Upkeep({document.design.key: document for document in documents}, replace(definition, sums=sums))


def keep(
    tables: MaintainedTables,
    kept: Upkeep,
    snapshot: Snapshot,
    added: Sequence[Path] | None,
    *,
    threads: int | None = None,
) -> State:
    """The tables brought up to the snapshot.

    Args:
        tables: of the type of unit of the experiments.
        kept: the experiments.
        snapshot: the lake as it is; its watermark is the horizon.
        added: the files of new events since `tables.state(kept.definition).version`; None builds the tables anew, as
            after erasure, or where the log does not say what is new.
        threads: of the engine that looks at the new files.

    Raises:
        InputError: the snapshot has no watermark.
    """
    if snapshot.watermark is None:
        raise InputError("the lake has no watermark", rule="events up to a known time are kept")
    files = snapshot.files if added is None else tuple(added)
    rows = new_rows(kept, replace(snapshot, files=files), threads=threads) if files else NewRows(None, {})
    if added is None:
        return tables.build(
            kept.definition,
            rows,
            table=snapshot.table_id,
            version=snapshot.version,
            horizon=snapshot.watermark,
            mark=snapshot.mark,
        )
    return tables.update(
        kept.definition, rows, version=snapshot.version, horizon=snapshot.watermark, mark=snapshot.mark
    )


def keep_up(
    tables: MaintainedTables,
    kept: Upkeep,
    lake: LakeReader,
    snapshot: Snapshot | None = None,
    *,
    threads: int | None = None,
) -> State:
    """The tables brought up to the lake as it is now, from its new files alone where that is possible.

    They are built anew for other experiments than before, after erasure or retention, and where the table's log no
    longer reaches back. The caller holds the folder's writer lock.

    Args:
        tables, kept, threads: as for `keep`.
        lake: whose tables they are.
        snapshot: of the lake; taken now when omitted.

    Raises:
        StorageError: the lake cannot be read.
    """
    newest = snapshot_of(lake) if snapshot is None else snapshot
    added = new_files(tables, kept, lake, newest)
    return keep(tables, kept, newest, added, threads=threads)


def new_files(tables: MaintainedTables, kept: Upkeep, lake: LakeReader, snapshot: Snapshot) -> tuple[Path, ...] | None:
    """The files that bring the tables up to the snapshot; None when they must be built anew from all of them."""
    before = tables.state(kept.definition, snapshot.table_id)
    if before is None or before.version > snapshot.version or snapshot.watermark is None:
        return None
    if snapshot.watermark < before.horizon:
        return None
    if not before.mark or lake.commit_mark(before.version) != before.mark:
        return None  # the lake went back behind that version, and on from there
    changes = lake.changes(before.version, snapshot.version)
    if changes.rewritten_days or not changes.is_complete:
        return None
    return tuple(Path(file.path) for file in changes.added)


def new_rows(kept: Upkeep, snapshot: Snapshot, *, threads: int | None = None) -> NewRows:
    """The SELECTs over the snapshot's files that feed the tables."""
    properties: dict[str, dict[str, None]] = {ALL_EXPOSURES: {}}
    for document in kept.documents.values():
        own = event_table(document.design, document.data, snapshot).properties
        for relation, asked in own.items():
            place = ALL_EXPOSURES if relation.startswith("exposures:") else relation
            properties.setdefault(place, {}).update(dict.fromkeys(asked))
    unit_type = kept.definition.unit_type
    table = EventTable(snapshot.table_id, snapshot.version, snapshot.files, unit_type, properties, is_part=True)
    engine = DuckDBEngine(base_dir=snapshot.folder, events=table, threads=threads)
    try:
        unit = unit_column(unit_type)
        exposures = (
            f'SELECT flag, environment, "{unit}" AS unit, assigned AS variant, reason, epoch, probability, time'
            + "".join(f", {quote(each)}" for each in properties[ALL_EXPOSURES])
            + f" FROM ({engine.reader_sql(ALL_EXPOSURES)}) AS t"
        )
        events = {name: _event_rows(engine, kept.definition, name, unit) for name in kept.definition.values}
    finally:
        engine.close()
    return NewRows(exposures, events)


def _event_rows(engine: DuckDBEngine, definition: Definition, name: str, unit: str) -> str:
    relation = events_of(name)
    source = Source(relation, sql.verbatim("t"), engine.columns(relation), hooks("duckdb"), "duckdb")
    values = [
        f"{_value(source, identity, name).sql(dialect='duckdb')} AS v{i + 1}"
        for i, identity in enumerate(definition.values[name])
    ]
    is_key = engine.columns(relation)["event_id"] == "integer"
    key = "event_id" if is_key else "(md5_number(event_id) >> 65)::BIGINT"
    columns = ", ".join((f'"{unit}" AS unit', "time", f"{key} AS event_key", *values))
    return f"SELECT {columns} FROM ({engine.reader_sql(relation)}) AS t"


def _identity(demand: Demand) -> str:
    """What is summed of a row, by name; whether there was any row is asked of the number of rows."""
    if demand.how == "sum":
        return json.dumps(["sum", demand.value, demand.filter])
    if demand.value is not None:
        return json.dumps(["true", demand.value, demand.filter])
    return json.dumps(["row", None, demand.filter])


def _unit_sum(definition: Definition, demand: Demand) -> UnitSum:
    slot = definition.values[demand.source].index(_identity(demand))
    return UnitSum(slot, demand.window.first, demand.window.last)


def _value(source: Source, identity: str, name: str) -> sql.Expr:
    """The number that a row adds, NULL for none; a value that is not finite counts as missing."""
    how, fragment, condition = json.loads(identity)
    where = f"events.{name}"
    conditions = [source.condition(condition, where)]
    if how == "row":
        return sql.case((sql.every(conditions), sql.number(1)))
    value = source.number(fragment, where)
    conditions.append(sql.finite(value))
    if how == "true":
        conditions.append(sql.differ(value, sql.number(0)))
    return sql.case((sql.every(conditions), value if how == "sum" else sql.number(1)))
