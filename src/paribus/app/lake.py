"""Experiments on the lake: created from a flag, sealed in the store, analyzed on what has arrived."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.app import definition
from paribus.app.experiment import as_time
from paribus.app.folder import clock_of
from paribus.clock import Clock
from paribus.errors import NotFound, StorageError

if TYPE_CHECKING:
    from paribus.app.keeping import Keeper
    from paribus.experiments.document import Document
    from paribus.experiments.drafting import Method
    from paribus.experiments.on_lake import Snapshot
    from paribus.experiments.plan import Seal
    from paribus.experiments.proof import Proof
    from paribus.experiments.result import Result
    from paribus.experiments.serving import Serving
    from paribus.lake import LakeReader
    from paribus.metrics.cells import Measurement
    from paribus.metrics.definition import DataModel
    from paribus.store import Revision, Store
    from paribus.warehouse.engine import Engine
    from paribus.warehouse.event_links import Links


def analyze_stored(
    key: str,
    *,
    data: Path | None = None,
    as_of: datetime | str | None = None,
    segments: Sequence[str] = (),
    since_exposure: bool = False,
    threads: int = 1,
) -> Result:
    """The verdict of an experiment on a flag, on the events that the data folder holds now.

    Raises:
        NotFound: no such folder or experiment, or nothing has arrived yet.
    """
    from paribus.app.folder import definitions
    from paribus.settings import from_environment

    settings = from_environment(data=data)
    with definitions(settings) as store:
        return analyze_experiment(
            store,
            reader_of(settings.data),
            key,
            as_of=as_of,
            segments=segments,
            since_exposure=since_exposure,
            threads=threads,
        )


def create_experiment(
    store: Store,
    key: str,
    *,
    flag: str,
    environment: str,
    success: Sequence[str],
    guardrails: Sequence[str] = (),
    secondary: Sequence[str] = (),
    window_days: int | None = None,
    method: Method = "anytime",
    runtime_days: int | None = None,
    author: str,
    project: str = definition.PROJECT,
) -> tuple[Revision, tuple[str, ...]]:
    """The stored document of an experiment on a flag, and what was assumed for it; see `experiments.drafting`."""
    from paribus.experiments.drafting import draft
    from paribus.experiments.registry import save

    found = definition.read(store, "flag", flag, project=project)
    drafted = draft(
        key,
        flag,
        found.body or {},
        environment,
        success=success,
        guardrails=guardrails,
        secondary=secondary,
        window_days=window_days,
        method=method,
        runtime_days=runtime_days,
    )
    revision = save(store, drafted.body, author=author, reason="created", expected=0, project=project)
    return revision, drafted.assumed


def seal_experiment(
    store: Store,
    key: str,
    *,
    folder: Path,
    author: str | None = None,
    amend: str | None = None,
    project: str = definition.PROJECT,
    clock: Clock | None = None,
) -> Seal:
    """Registers a stored plan, with the watermark and how many exposures were readable then."""
    from paribus.experiments.on_lake import snapshot_of
    from paribus.experiments.registry import seal_stored, stored

    reader = reader_of(folder, clock=clock)
    data = stored(store, key, project=project).data
    return seal_stored(
        store,
        key,
        clock=clock or clock_of(folder),
        snapshot=snapshot_of(reader) if reader else None,
        links=links_of(store, data, project=project),
        author=author,
        amend=amend,
        project=project,
    )


def analyze_experiment(
    store: Store,
    reader: LakeReader | None,
    key: str,
    *,
    project: str = definition.PROJECT,
    as_of: datetime | str | None = None,
    segments: Sequence[str] = (),
    keeper: Keeper | None = None,
    since_exposure: bool = False,
    threads: int = 1,
) -> Result:
    """The verdict of a stored experiment on the newest version of the lake.

    The maintained tables are read where they hold it: `keeper` brings them up first, in the process that has one.
    With `since_exposure` one more statement measures effects by days since exposure (`Result.novelty`). Several
    `threads` are quicker on a large lake; the last digits of sums then vary from run to run.

    Raises:
        NotFound: no such experiment, or nothing has arrived yet.
    """
    from paribus.app.keeping import kept_name, serving_beside
    from paribus.experiments.on_lake import analyze_on_lake, snapshot_of
    from paribus.experiments.registry import created_at, killed_at, stored, stored_seal

    document = stored(store, key, project=project)
    if reader is None:
        raise NotFound(
            "no event has arrived yet",
            where=f"experiment {key}",
            rule="an analysis reads the exposures and events of the lake",
            fix="paribus serve, and send some: client.variant(…), client.track(…)",
        )
    seal = stored_seal(store, key, project=project)
    flag, environment = _flag_of(store, key, project)
    closed = killed_at(store, flag, environment, since=created_at(store, key, project=project), project=project)
    name, before = kept_name(project, key), as_time(as_of)

    def taken() -> tuple[Snapshot, Serving | None]:
        if before is None and keeper is not None:
            return keeper.serving(name)
        snapshot = snapshot_of(reader)
        return snapshot, serving_beside(store, reader, name, snapshot) if before is None else None

    return _on_whole_files(
        taken,
        lambda snapshot, kept: analyze_on_lake(
            document,
            snapshot,
            registered=seal,
            killed_at=closed,
            as_of=before,
            segments=segments or None,
            kept=kept,
            links=links_of(store, document.data, project=project),
            threads=threads,
            since_exposure=since_exposure,
        ),
    )


def _on_whole_files(
    taken: Callable[[], tuple[Snapshot, Serving | None]], read: Callable[[Snapshot, Serving | None], Result]
) -> Result:
    """The result on the newest files; once more, on a fresh list, when one of them was cleaned away meanwhile."""
    from paribus.lake.fresh import read_fresh

    def once() -> Result:
        snapshot, kept = taken()
        result = read(snapshot, kept)
        gone = [file for file in snapshot.files if not file.is_file()]
        if gone:  # the statements were done, but the proof names no checksum of it
            raise StorageError(
                f"{len(gone)} files of the lake were replaced while they were read",
                where=str(gone[0]),
                fix="analyze again",
            ) from FileNotFoundError(str(gone[0]))
        return result

    return read_fresh(once)


def links_of(store: Store, data: DataModel | None, *, project: str = definition.PROJECT) -> Links | None:
    """From a linked anonymous id to the user it was linked to first; None for a document that joins nobody."""
    from paribus.events.identity import LinkTable, resolution
    from paribus.experiments.on_lake import flag_of, joins_identities
    from paribus.warehouse.event_links import Links

    if data is None or not joins_identities(data):
        return None
    environment = flag_of(data)[1] or "dev"
    links = LinkTable(store, project=project, environment=environment).all()
    return Links(resolution(links, "first"), f"{project}/{environment}")


def reader_of(folder: Path, *, clock: Clock | None = None) -> LakeReader | None:
    """The lake of a data folder; None before anything arrived."""
    from paribus.lake import LakeReader

    try:
        return LakeReader(folder, clock=clock or clock_of(folder))
    except StorageError:
        return None


def analyze_file(
    document: Document,
    seal: Seal | None,
    *,
    as_of: datetime | None = None,
    segments: Sequence[str] = (),
    since_exposure: bool = False,
    threads: int = 1,
) -> Result:
    """The verdict of an experiment file that names a flag, on the lake of the data folder.

    Raises:
        InputError: nothing has arrived yet.
    """
    from paribus.app.folder import definitions
    from paribus.experiments.on_lake import analyze_on_lake, flag_of
    from paribus.experiments.registry import killed_at
    from paribus.settings import from_environment

    settings = from_environment()
    flag, environment = flag_of(document.data)
    killed, links = None, None
    try:
        with definitions(settings) as store:
            killed = killed_at(store, flag, environment, since=document.design.plan.start) if environment else None
            links = links_of(store, document.data)
    except NotFound:
        pass  # no definitions here: nobody killed anything
    return _on_whole_files(
        lambda: (_newest(settings.data), None),
        lambda snapshot, _: analyze_on_lake(
            document,
            snapshot,
            registered=seal,
            killed_at=killed,
            as_of=as_of,
            segments=segments or None,
            links=links,
            threads=threads,
            since_exposure=since_exposure,
        ),
    )


@contextmanager
def lake_engine_of(document: Document) -> Iterator[Engine]:
    """The engine over the data folder's lake for a document that names a flag; empty before anything arrived."""
    from paribus.experiments.on_lake import lake_engine
    from paribus.settings import from_environment

    folder = from_environment().data
    links = _links_in(folder, document.data)
    with lake_engine(document.design, document.data, _newest(folder), links=links) as engine:
        yield engine


def _newest(folder: Path) -> Snapshot:
    from paribus.experiments.on_lake import Snapshot, snapshot_of

    reader = reader_of(folder)
    return snapshot_of(reader) if reader else Snapshot(folder, "", 0, ())


def measured_on_lake(proof: Proof, folders: Iterable[Path], *, clock: Clock | None = None) -> Measurement:
    """What a proof says it measured, measured again in the first of the folders that holds the lake it read.

    Raises:
        InputError: none of them does.
    """
    from paribus.experiments.on_lake import measure_proof_again
    from paribus.lake.fresh import read_fresh

    listed = list(folders)
    for folder in listed:
        reader = reader_of(folder, clock=clock)
        if reader is not None:
            origin = proof.measurement.fingerprint.get("identity")
            project = str(origin["origin"]).partition("/")[0] if isinstance(origin, dict) else definition.PROJECT
            links = _links_in(folder, proof.data, project=project)
            return read_fresh(partial(_measured_again, proof, reader, links))
    return measure_proof_again(proof, listed[-1])


def _measured_again(proof: Proof, reader: LakeReader, links: Links | None) -> Measurement:
    from paribus.experiments.on_lake import measure_proof_again, snapshot_of

    return measure_proof_again(proof, reader.folder, snapshot_of(reader), links)


def _links_in(folder: Path, data: DataModel | None, *, project: str = definition.PROJECT) -> Links | None:
    """The links that the folder's store holds for a document; None without a store, or where none are applied."""
    from paribus.app.folder import definitions
    from paribus.experiments.on_lake import joins_identities
    from paribus.settings import from_environment

    if data is None or not joins_identities(data):
        return None
    try:
        with definitions(from_environment(data=folder)) as store:
            return links_of(store, data, project=project)
    except NotFound:
        return None


def _flag_of(store: Store, key: str, project: str) -> tuple[str, str]:
    body: dict[str, Any] = definition.read(store, "experiment", key, project=project).body or {}
    return str(body["flag"]), str(body.get("environment", "dev"))
