"""The data folder: made, recognized by its format, opened; backed up, restored and examined."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from paribus.clock import Clock, system_clock
from paribus.errors import NotFound, StorageError
from paribus.settings import Settings

if TYPE_CHECKING:
    from paribus.store import Store

FORMAT = 1
MARK = "folder.json"
DEFINITIONS = "definitions.sqlite"
LANDING = "landing.sqlite"
LAKE = "lake"
LOCK = "writer.lock"
SERVER = "server.json"


def open_folder(settings: Settings, *, create: bool, clock: Clock = system_clock) -> Path:
    """The data folder, checked; made when `create` and it is not there.

    Raises:
        NotFound: there is none.
        StorageError: it is no data folder, cannot be written, or a newer Paribus made it.
    """
    folder = settings.data
    mark = folder / MARK
    try:
        if not mark.exists():
            if not create:
                raise NotFound(
                    f"there is no data folder {folder}",
                    where="--data",
                    rule="events, flags and experiments live in one folder, made by paribus serve",
                    fix="paribus serve, or --data with the folder of your server",
                )
            if folder.exists() and any(folder.iterdir()):
                raise StorageError(
                    f"{folder} holds other files and no {MARK}",
                    where="--data",
                    rule="a data folder is new, or was made by Paribus",
                    fix="name another folder",
                )
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = mark.with_suffix(".new")
            draft.write_text(json.dumps({"format": FORMAT, "created": clock().isoformat()}) + "\n")
            draft.replace(mark)
        written = json.loads(mark.read_text())["format"]
    except (OSError, ValueError, KeyError) as error:
        raise StorageError(f"the data folder cannot be used: {error}", where=str(folder)) from error
    if written > FORMAT:
        raise StorageError(
            f"the data folder has format {written}; this Paribus knows formats up to {FORMAT}",
            where=str(folder),
            rule="a newer format is never written by an older version",
            fix="upgrade: pip install --upgrade paribus",
        )
    return folder


@contextmanager
def definitions(settings: Settings, *, create: bool = False, clock: Clock = system_clock) -> Iterator[Store]:
    """The store of definitions, open to any process beside a running server."""
    from paribus.store import open_store

    folder = open_folder(settings, create=create, clock=clock)
    store = open_store(settings.store_url or folder / DEFINITIONS, clock=clock)
    try:
        yield store
    finally:
        store.close()
