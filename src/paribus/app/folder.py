"""The data folder: made, recognized by its format, opened; backed up, restored and examined."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from paribus.clock import Clock, FileClock, system_clock
from paribus.errors import InputError, NotFound, StorageError
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
CLOCK = "clock"
DEMO = "demo"


def open_folder(settings: Settings, *, create: bool, clock: Clock | None = None) -> Path:
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
            _write_mark(mark, {"format": FORMAT, "created": (clock or system_clock)().isoformat()})
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


def make_demo_folder(folder: Path, time: datetime) -> FileClock:
    """A new data folder for a demo, whose clock is simulated and stands at `time`.

    Raises:
        StorageError: the folder exists and is not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise StorageError(
            f"{folder} is not empty", where=str(folder), rule="a demo begins in a new folder", fix="name another one"
        )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    clock = FileClock.create(folder / CLOCK, time)
    _write_mark(folder / MARK, {"format": FORMAT, "created": time.isoformat(), DEMO: True})
    return clock


def is_demo(folder: Path) -> bool:
    """Whether the data folder belongs to a demo, its data simulated."""
    try:
        return json.loads((folder / MARK).read_text()).get(DEMO) is True
    except (OSError, ValueError, AttributeError):
        return False


def clock_of(folder: Path) -> Clock:
    """What time it is in a data folder: the system's time, and in a demo folder the simulated one.

    Raises:
        StorageError: a folder that is no demo has a simulated clock, or a demo has none.
    """
    if is_demo(folder):
        return _simulated_clock(folder)
    if (folder / CLOCK).exists():
        raise StorageError(
            "there is a simulated clock in a data folder that is no demo",
            where=str(folder / CLOCK),
            rule="only a demo folder has a simulated clock: real events keep real times",
            fix="remove the file",
        )
    return system_clock


def set_clock(folder: Path, time: datetime) -> None:
    """Moves the simulated clock of a demo folder.

    Raises:
        InputError: the folder is no demo's, or the time lies before what its clock says.
    """
    if not is_demo(folder):
        raise InputError(
            "the time of this data folder cannot be set",
            where=str(folder),
            rule="only a demo folder has a simulated clock",
            fix="paribus demo makes one",
        )
    clock = _simulated_clock(folder)
    if time < clock():
        raise InputError(
            f"the simulated clock cannot go back to {time.isoformat()}",
            where=str(folder / CLOCK),
            rule=f"time goes forward; it is {clock().isoformat()}",
        )
    clock.set(time)


@contextmanager
def definitions(settings: Settings, *, create: bool = False, clock: Clock | None = None) -> Iterator[Store]:
    """The store of definitions, open to any process beside a running server."""
    from paribus.store import open_store

    folder = open_folder(settings, create=create, clock=clock)
    store = open_store(settings.store_url or folder / DEFINITIONS, clock=clock or clock_of(folder))
    try:
        yield store
    finally:
        store.close()


def _simulated_clock(folder: Path) -> FileClock:
    try:
        return FileClock(folder / CLOCK)
    except (OSError, ValueError) as error:
        raise StorageError(
            f"the simulated clock cannot be read: {error}",
            where=str(folder / CLOCK),
            rule="the clock of a demo is a file of eight bytes, made with its folder",
            fix="paribus demo makes a new folder",
        ) from error


def _write_mark(mark: Path, said: dict[str, object]) -> None:
    draft = mark.with_suffix(".new")
    draft.write_text(json.dumps(said) + "\n")
    draft.replace(mark)
