"""The maintained tables in use: kept up by the process that writes the folder, read by every analysis that can."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from paribus.app import definition
from paribus.errors import ParibusError

if TYPE_CHECKING:
    from paribus.experiments.document import Document
    from paribus.experiments.maintaining import Upkeep
    from paribus.experiments.on_lake import Snapshot
    from paribus.experiments.serving import Serving
    from paribus.lake import Lake, LakeReader
    from paribus.lake.maintained import MaintainedTables
    from paribus.store import Revision, Store

_log = logging.getLogger(__name__)
_PAGE = 500
_MEMORY = "1GB"
_WAIT_SECONDS = 1.0  # an analysis that would wait longer for an update reads the lake


class KeptExperiments:
    """Which stored experiments are kept, by the type of their units; worked out again when a definition changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._at: tuple[tuple[str, int], ...] | None = None
        self._found: dict[str, Upkeep] = {}

    def by_unit_type(self) -> dict[str, Upkeep]:
        """What the tables of each type of unit are to hold."""
        at = tuple((project, self._store.position(project)) for project in self._store.projects())
        if at != self._at:
            self._found = self._worked_out([project for project, _ in at])
            self._at = at
        return self._found

    def holding(self, name: str) -> tuple[str, Upkeep] | None:
        """The type of unit and the upkeep that an experiment belongs to; None when it is not kept."""
        return next((found for found in self.by_unit_type().items() if name in found[1].documents), None)

    def _worked_out(self, projects: Sequence[str]) -> dict[str, Upkeep]:
        from paribus.experiments.maintaining import upkeep

        documents: dict[str, list[Document]] = {}
        for project in projects:
            for document in self._documents(project):
                exposures = document.data.exposures
                if exposures is not None:
                    documents.setdefault(exposures.unit.removesuffix("_unit"), []).append(document)
        return {unit_type: upkeep(listed) for unit_type, listed in documents.items()}

    def _documents(self, project: str) -> Iterator[Document]:
        """The experiments that can be kept, as they were sealed."""
        from paribus.experiments.maintaining import not_kept
        from paribus.experiments.registry import document_of_body, stored_seal
        from paribus.experiments.seal import sealed_design

        for revision in _all(self._store, project):
            key = revision.address.key
            try:
                document = document_of_body(revision.body or {}, key)
                seal = stored_seal(self._store, key, project=project)
                design = document.design if seal is None else sealed_design(seal, title=document.design.title)
                document = replace(document, design=replace(design, key=kept_name(project, key)))
                reason = not_kept(document)
            except ParibusError as error:
                reason = error.what
            if reason is None:
                yield document
            else:
                _log.debug("the experiment %s is not kept: %s", key, reason)


class Keeper:
    """Keeps the tables of a lake that this process writes, in a thread of its own until `stop`.

    Args:
        store: of the experiments.
        lake: held for writing.
        seconds: between two looks whether the lake has moved; 0 keeps nothing.
    """

    def __init__(self, store: Store, lake: Lake, *, seconds: float) -> None:
        self._lake = lake
        self._seconds = seconds
        self._experiments = KeptExperiments(store)
        self._lock = threading.Lock()  # whoever holds it reads new files or rewrites those of the tables
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        lake.erase_also.append(self.erase)

    def start(self) -> None:
        """Runs in the background."""
        if self._seconds > 0:
            self._thread = threading.Thread(target=self._run, name="paribus-keep", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ends the thread; an update under way is finished first."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def keep_up(self) -> int:
        """The number of tables brought up to the lake as it is now; those that nothing needs any more are deleted."""
        from paribus.experiments.maintaining import keep_up
        from paribus.experiments.on_lake import snapshot_of
        from paribus.lake.maintained import unit_types_kept

        with self._lock:
            wanted = self._experiments.by_unit_type()
            for unit_type in set(unit_types_kept(self._folder)) - wanted.keys():
                self._tables(unit_type).clear()
            brought = 0
            for unit_type, kept in wanted.items():
                tables, snapshot = self._tables(unit_type), snapshot_of(self._lake)
                state = tables.state(kept.definition, snapshot.table_id)
                if state is None or (state.version, state.mark) != (snapshot.version, snapshot.mark):
                    keep_up(tables, kept, self._lake, snapshot, threads=1)
                    brought += 1
            return brought

    def erase(self, ids: Sequence[str]) -> None:
        """Rewrites every file of the tables that names one of the ids."""
        from paribus.lake.maintained import unit_types_kept

        with self._lock:
            for unit_type in unit_types_kept(self._folder):
                self._tables(unit_type).erase(ids)

    def serving(self, name: str) -> tuple[Snapshot, Serving | None]:
        """The lake as it is now, and the experiment in tables that stand at that very version, when it is kept.

        The tables are brought up by new files only: what must be built anew waits for the background.
        """
        from paribus.experiments.maintaining import keep_up, new_files
        from paribus.experiments.on_lake import snapshot_of
        from paribus.experiments.serving import serving

        with _held(self._lock, _WAIT_SECONDS) as is_held:
            snapshot = snapshot_of(self._lake)
            found = self._experiments.holding(name) if is_held and self._seconds > 0 else None
            if found is None:
                return snapshot, None
            tables, kept = self._tables(found[0]), found[1]
            try:
                if new_files(tables, kept, self._lake, snapshot) is None:
                    return snapshot, None
                keep_up(tables, kept, self._lake, snapshot, threads=1)
                return snapshot, serving(tables, kept, name, self._lake, snapshot)
            except ParibusError as error:
                _log.warning("the maintained tables were passed over: %s", error)
                return snapshot, None

    @property
    def _folder(self) -> str:
        return str(self._lake.folder / "lake")

    def _tables(self, unit_type: str) -> MaintainedTables:
        from paribus.lake.maintained import MaintainedTables

        return MaintainedTables(self._folder, unit_type, threads=1, memory_limit=_MEMORY)

    def _run(self) -> None:
        while not self._stopping.wait(self._seconds):
            try:
                self.keep_up()
            except Exception:  # noqa: BLE001 - intake and analyses go on without them
                _log.exception("the maintained tables were not brought up; analyses read the lake meanwhile")


def serving_beside(store: Store, reader: LakeReader, name: str, snapshot: Snapshot) -> Serving | None:
    """The experiment in the tables as another process left them; None unless they stand at the snapshot's version.

    Nothing is built here: a process that does not write the folder only reads.
    """
    from paribus.experiments.serving import serving
    from paribus.lake.maintained import MaintainedTables, unit_types_kept

    folder = reader.folder / "lake"
    if not unit_types_kept(folder):
        return None
    try:
        found = KeptExperiments(store).holding(name)
        return serving(MaintainedTables(folder, found[0]), found[1], name, reader, snapshot) if found else None
    except ParibusError as error:
        _log.warning("the maintained tables were passed over: %s", error)
        return None


def kept_name(project: str, key: str) -> str:
    """The name of an experiment among those that are kept."""
    return key if project == definition.PROJECT else f"{project}/{key}"


def _all(store: Store, project: str) -> Iterator[Revision]:
    after = ""
    while page := store.list(project, "experiment", after=after, limit=_PAGE):
        yield from page
        after = page[-1].address.key


@contextmanager
def _held(lock: threading.Lock, seconds: float) -> Iterator[bool]:
    """Whether the lock was had within the time; it is given back at the end."""
    is_held = lock.acquire(timeout=seconds)
    try:
        yield is_held
    finally:
        if is_held:
            lock.release()
