"""Care of the data folder: backup, restore, doctor, erasure; and the two ways between definitions and files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.app import definition
from paribus.app.folder import DEFINITIONS, FORMAT, MARK, clock_of, definitions, open_folder
from paribus.app.lake import reader_of
from paribus.clock import Clock, system_clock
from paribus.errors import InputError, NotFound, ParibusError, StorageError

if TYPE_CHECKING:
    from paribus.lake.backup import Copied
    from paribus.settings import Settings
    from paribus.store.folder import Folder

DEFINITIONS_BACKUP = "definitions.jsonl"
LOW_DISK_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what, how it is, and whether that is well."""

    what: str
    state: str
    is_well: bool = True


def backup(settings: Settings, to: Path, *, clock: Clock | None = None) -> Copied | None:
    """Copies a data folder into a new one, beside a running server; the copy of the lake, None when there is none.

    Raises:
        InputError: the target exists and is not empty.
    """
    from paribus.lake.backup import copy_lake

    folder = open_folder(settings, create=False, clock=clock)
    clock = clock or clock_of(folder)
    if to.exists() and any(to.iterdir()):
        raise InputError(f"{to} is not empty", where="backup", rule="a backup is a new folder", fix="name a new one")
    to.mkdir(parents=True, exist_ok=True, mode=0o700)
    with definitions(settings, clock=clock) as store:
        store.backup(to / DEFINITIONS_BACKUP)
    copied = copy_lake(folder, to) if reader_of(folder, clock=clock) else None
    # The mark comes last: a folder without it is no backup.
    (to / MARK).write_text(json.dumps({"format": FORMAT, "backup": True, "created": clock().isoformat()}) + "\n")
    return copied


def restore(source: Path, settings: Settings, *, clock: Clock = system_clock) -> Path:
    """A data folder from a backup; definitions go into the database of the settings.

    Raises:
        NotFound: it is no backup.
        InputError: the data folder exists already.
    """
    from paribus.store import restore as restore_store

    mark = source / MARK
    if not mark.is_file() or not json.loads(mark.read_text()).get("backup"):
        raise NotFound(f"{source} is no backup", where="restore", fix="name a folder that paribus backup made")
    if settings.data.exists() and any(settings.data.iterdir()):
        raise InputError(
            f"{settings.data} is not empty",
            where="--data",
            rule="a backup is restored into a new folder",
            fix="--data with a new folder",
        )
    try:
        shutil.copytree(
            source, settings.data, dirs_exist_ok=True, ignore=shutil.ignore_patterns(MARK, DEFINITIONS_BACKUP)
        )
    except OSError as error:
        raise StorageError(f"the backup cannot be copied: {error}", where=str(settings.data)) from error
    restore_store(source / DEFINITIONS_BACKUP, settings.store_url or settings.data / DEFINITIONS, clock=clock).close()
    (settings.data / MARK).write_text(json.dumps({"format": FORMAT, "created": clock().isoformat()}) + "\n")
    return settings.data


def doctor(settings: Settings, *, clock: Clock | None = None) -> list[Finding]:
    """How a data folder does: format, disk, writer, queue, watermark, chain."""
    from paribus.lake import lock_holder
    from paribus.lake.backup import waiting_in_queue

    folder = open_folder(settings, create=False, clock=clock)
    clock = clock or clock_of(folder)
    usage = shutil.disk_usage(folder)
    holder = lock_holder(folder)
    found = [
        Finding("folder", f"{folder}, format {json.loads((folder / MARK).read_text())['format']}"),
        Finding("disk", f"{usage.free / 1e9:,.1f} GB free of {usage.total / 1e9:,.1f} GB", usage.free > LOW_DISK_BYTES),
        Finding("writer", holder or "no server is running"),
    ]
    with definitions(settings, clock=clock) as store:
        for project in store.projects() or [definition.PROJECT]:
            report = store.verify_chain(project)
            found.append(Finding(f"history of {project}", report.sentences[0], report.is_intact))
    reader = reader_of(folder, clock=clock)
    if reader is None:
        return [*found, Finding("lake", "nothing has arrived yet")]

    def lake() -> str:
        snapshot = reader.snapshot()
        missing = [file for file in snapshot.files if not Path(file).exists()]
        if missing:
            raise StorageError(f"{len(missing)} of {len(snapshot.files)} files are missing, the first is {missing[0]}")
        lag = (clock() - snapshot.watermark).total_seconds()
        return f"version {snapshot.version}, {len(snapshot.files)} files, complete up to {max(lag, 0):,.0f} s ago"

    return [*found, *_checked("queue", lambda: waiting_in_queue(folder, clock())), *_checked("lake", lake)]


def documents_folder(path: Path, *, project: str = definition.PROJECT) -> Folder:
    """A folder of YAML files, one per document, checked as the store checks them."""
    from paribus.experiments.marked_yaml import read
    from paribus.store.folder import Folder

    kinds: Mapping[str, Callable[[str, dict[str, Any]], dict[str, Any]]] = {
        kind: definition.checker(kind) for kind in definition.WRITABLE
    }
    return Folder(path, project, kinds, lambda text, name: read(text, name).value)


def _checked(what: str, look: Callable[[], str]) -> list[Finding]:
    try:
        return [Finding(what, look())]
    except ParibusError as error:
        return [Finding(what, error.what, is_well=False)]
