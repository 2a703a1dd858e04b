"""Analysis on the lake: the exposures of a flag and the events after them, at one version of the event table.

A document that names a `flag` needs no other source. The statements are those of any warehouse; here they run over the
relations of `warehouse.event_views`. What was read is named by table id, version and file checksums, so that the same
files give the same digits again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from paribus.errors import EngineError, InputError
from paribus.experiments.analysis import analyze
from paribus.experiments.document import Document
from paribus.experiments.measuring import earliest, measure_again
from paribus.experiments.plan import Design, Seal
from paribus.experiments.reading import planned_end
from paribus.experiments.result import Result
from paribus.experiments.seal import deviations, sealed_design
from paribus.metrics.cells import LakeState, Measurement
from paribus.metrics.columns_read import names_in_fragments
from paribus.metrics.definition import DataModel, Exposures
from paribus.warehouse import open_engine
from paribus.warehouse.event_links import Links
from paribus.warehouse.event_views import ENTRIES, EXPOSURES, EventTable, entries_of, events_of

if TYPE_CHECKING:
    from paribus.experiments.proof import Proof
    from paribus.lake.reading import LakeReader
    from paribus.metrics.kept import KeptUnits
    from paribus.warehouse.engine import Engine

SOURCE_URL = "lake:"  # what a proof names as the place of its data; its folder is the data folder


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The event table at one version, with what is known about its completeness.

    folder                the data folder: files are named relative to it in proofs
    files                 the Parquet files of the version
    watermark             every event acknowledged before it is in these files
    lateness_p99_seconds  99% of events arrived within this time of happening
    mark                  tells the version from another one of the same number, as after a restored backup
    """

    folder: Path
    table_id: str
    version: int
    files: tuple[Path, ...]
    watermark: datetime | None = None
    lateness_p99_seconds: float | None = None
    mark: str = ""

    def state(self, closed_at: datetime | None = None) -> LakeState:
        """What a result says about the lake that it read."""
        return LakeState(self.table_id, self.version, self.watermark, self.lateness_p99_seconds, closed_at)


class Kept(Protocol):
    """An experiment in the maintained tables at the version of a snapshot; see `experiments.serving`."""

    def holds(self, design: Design, data: DataModel) -> bool:
        """Whether they answer this design."""
        ...

    def units(self, end: datetime | None) -> AbstractContextManager[KeptUnits]:
        """The units that enrolled before `end`. Raises EngineError."""
        ...


def snapshot_of(lake: LakeReader, version: int | None = None) -> Snapshot:
    """The lake of a data folder at a version, the newest by default.

    Raises:
        StorageError: the lake cannot be read.
    """
    found = lake.snapshot(version)
    late = lake.lateness()
    return Snapshot(
        lake.folder,
        found.table_id,
        found.version,
        tuple(Path(file) for file in found.files),
        found.watermark,
        None if late is None else late.total_seconds(),
        lake.commit_mark(found.version),
    )


def reads_lake(data: DataModel | None) -> bool:
    """Whether the data model reads the exposures of a flag from the lake."""
    return data is not None and data.exposures is not None and data.exposures.relation.startswith((EXPOSURES, ENTRIES))


def as_history(
    document: Document, event: str, *, since: datetime, where: Mapping[str, Sequence[str]] | None = None
) -> Document:
    """The experiment's metrics on what happened before there was a flag, for sizing and certification.

    Args:
        document: the experiment; its exposures are set aside.
        event: stands directly before the decision; a unit's first one since `since` takes the place of its exposure.
        since: leave as much history before it as covariates reach back.
        where: accepted values, as text, by attribute: the units that the feature is for.

    Raises:
        InputError: the document names no flag.
    """
    data = document.data
    if data.exposures is None or not reads_lake(data):
        raise InputError("the experiment names no flag", where="flag")
    relation, own = entries_of(event, since=since.isoformat(), where=where), data.exposures.own_unit
    entry = Exposures(relation, data.exposures.unit, "", "time", cluster=data.exposures.cluster, own_unit=own)
    return replace(document, data=replace(data, exposures=entry))


def joins_identities(data: DataModel) -> bool:
    """Whether linked anonymous ids are read as their users."""
    return data.exposures is not None and data.exposures.own_unit is not None


def flag_of(data: DataModel) -> tuple[str, str | None]:
    """The flag whose exposures the data model reads, and the environment that it is restricted to.

    Raises:
        InputError: it reads no flag.
    """
    if data.exposures is None or not reads_lake(data):
        raise InputError("the experiment names no flag", where="flag")
    flag, _, environment = data.exposures.relation.removeprefix(EXPOSURES).partition("@")
    return flag, environment or None


def analyze_on_lake(
    document: Document,
    snapshot: Snapshot,
    *,
    registered: Seal | None = None,
    killed_at: datetime | None = None,
    as_of: datetime | None = None,
    segments: Sequence[str] | None = None,
    threads: int = 1,
    kept: Kept | None = None,
    links: Links | None = None,
    since_exposure: bool = False,
) -> Result:
    """The result of an experiment whose document names a flag, on a version of the lake.

    Args:
        document: the experiment as it stands.
        snapshot: what to read.
        registered: its seal; what was sealed is analyzed, and what differs now is listed.
        killed_at: when a kill or rollback of the flag closed enrollment.
        as_of: read no event of this time or later; the watermark where that is earlier.
        segments: attributes to break effects down by (default: the document's).
        threads: of the engine. With more than one, the last digits of sums depend on which of them ended first.
        kept: the maintained tables at this very version. They are read where they answer the question that is asked;
            the result is the same, and its lake says which way it went.
        links: from a linked anonymous id to its user, for a document that joins identities.
        since_exposure: also measure effects by days since exposure, to see whether they fade (one more statement).

    Raises:
        InputError, FragmentError: the document cannot be answered by these events.
        PlanError: the plan contradicts itself.
        EngineError: the engine failed.
    """
    design = sealed_design(registered, title=document.design.title) if registered else document.design
    if segments is not None:
        design = replace(design, segments=tuple(segments))
    with lake_engine(design, document.data, snapshot, threads=threads, links=links) as engine:

        def result(units: KeptUnits | None = None) -> Result:
            return analyze(
                design,
                document.data,
                engine,
                registered=registered,
                as_of=earliest(as_of, snapshot.watermark),
                deviations=deviations(registered, document.design, document.data) if registered else (),
                source_url=SOURCE_URL,
                folder=str(snapshot.folder),
                lake=replace(snapshot.state(killed_at), way="statement" if units is None else "tables"),
                kept=units,
                links=links,
                since_exposure=since_exposure,
            )

        if kept is not None and as_of is None and kept.holds(design, document.data):
            end = earliest(planned_end(design.plan, design.plan.start), killed_at)
            # An update may have replaced the tables' files meanwhile, or they cannot tell: the statement always can.
            with suppress(EngineError), kept.units(end) as units:
                return result(units)
        return result()


def stale_days(result: Result, lake: LakeReader) -> tuple[date, ...]:
    """The days before a result's watermark whose events changed after it was made: late, erased or expired ones.

    Empty for a result that still stands. The watermark's own day is not told apart from what came after it.

    Raises:
        InputError: the result did not read this lake.
    """
    read, now = result.lake, lake.snapshot()
    if read is None or read.table != now.table_id:
        raise InputError(f"the result of {result.experiment!r} did not read this lake", where=str(lake.folder))
    until = result.as_of or read.watermark
    days = lake.stale_since(read.version)
    return tuple(sorted(day for day in days if until is None or day < until.astimezone(UTC).date()))


def measure_proof_again(
    proof: Proof, folder: Path, current: Snapshot | None = None, links: Links | None = None
) -> Measurement:
    """The measurement of a proof made anew on the very files it names, or where they are gone on the current version.

    Args:
        proof: of an analysis on the lake.
        folder: the data folder.
        current: the lake as it is now; what compaction or erasure changed is then told by how much.
        links: the links of now, for an analysis that joined identities.

    Raises:
        InputError: the files are gone and there is no current version, or links are missing.
    """
    if proof.data is None or not reads_lake(proof.data):
        raise InputError("the proof is not of an analysis on the lake")
    recorded = proof.measurement.fingerprint.get("lake")
    read = recorded if isinstance(recorded, dict) else {}
    files = tuple(folder / str(one["path"]) for one in read.get("files", ()))
    snapshot = Snapshot(folder, str(read.get("table", "")), int(read.get("version", 0)), files)
    if not files or not all(file.is_file() for file in files):
        if current is None:
            gone = [str(file) for file in files if not file.is_file()]
            raise InputError(
                f"{len(gone)} of {len(files)} files of the lake's version {snapshot.version} are gone",
                where=gone[0] if gone else str(folder),
                rule="compaction and erasure replace files, and cleaning removes the replaced ones",
                fix="verify in the data folder, to compare with the version of now",
            )
        snapshot = current
    with lake_engine(proof.design, proof.data, snapshot, links=links) as engine:
        return measure_again(proof, engine, links=links)


@contextmanager
def lake_engine(
    design: Design, data: DataModel, snapshot: Snapshot, *, threads: int = 1, links: Links | None = None
) -> Iterator[Engine]:
    """The engine that answers the design's statements over the snapshot, closed at the end.

    Raises:
        InputError: the document does not read the lake, or joins identities and no links are given.
    """
    if not reads_lake(data):
        raise InputError(
            f"the experiment {design.key!r} does not read the lake",
            where="flag",
            rule="on the lake a document names the flag whose exposures are analyzed",
            fix="write flag: KEY in place of source, units, exposures and events",
        )
    joins = joins_identities(data)
    if joins and links is None:
        raise InputError(
            f"the experiment {design.key!r} joins identities, and no links are at hand",
            where="identity",
            rule="the links from anonymous ids to users are kept in the data folder's store",
            fix="read it in the data folder",
        )
    table = event_table(design, data, snapshot)
    with ExitStack() as opened:
        if joins and links is not None:
            table.links = opened.enter_context(links.file())
        engine = open_engine(None, base_dir=snapshot.folder, events=table, threads=threads)
        opened.callback(engine.close)
        table.is_kept = table.is_small
        if table.is_kept:
            for relation in table.properties:  # before the first statement: it locks the files away
                engine.relation_sql(relation)
        yield engine


def event_table(design: Design, data: DataModel, snapshot: Snapshot) -> EventTable:
    """The relations of the snapshot, with the columns that the design's fragments read."""
    exposures = data.exposures
    unit_type = exposures.unit.removesuffix("_unit") if exposures is not None else "user"
    properties = {events_of(name): names for name, names in names_in_fragments(design.metrics, data, "duckdb").items()}
    if exposures is not None:
        asked = (*design.segments, *data.segments, exposures.stratum, exposures.cluster)
        properties[exposures.relation] = tuple(dict.fromkeys(name for name in asked if name))
    return EventTable(snapshot.table_id, snapshot.version, snapshot.files, unit_type, properties)
