"""The locks of a data folder: one process writes it, one runs its features."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import time
from pathlib import Path

from paribus.clock import Clock
from paribus.errors import LockedError, StorageError

LOCK_FILE = "writer.lock"
WORKER_FILE = "worker.lock"
_ENDING_SECONDS = 5.0
_RULES = {
    LOCK_FILE: (
        "the data folder is in use by",
        "one process writes a data folder",
        "stop that process, or send commands to its server",
    ),
    WORKER_FILE: (
        "features of this folder are run by",
        "one worker runs the features of a data folder",
        "wait until it stops; paribus feature show tells how far it is",
    ),
}


class WriterLock:
    """`DIR/writer.lock`, held from `acquire` to `release` or the end of the process, however it ends.

    The operating system's lock decides; the file's text only tells who holds it. The lock of a killed process is free
    at once, and its text is overwritten.
    """

    def __init__(self, folder: Path, descriptor: int) -> None:
        self.folder = folder
        self._descriptor: int | None = descriptor
        os.register_at_fork(after_in_child=self._forget)

    @classmethod
    def acquire(cls, folder: str | Path, *, clock: Clock, file: str = LOCK_FILE) -> WriterLock:
        """The held lock, by default of the writer; the folder is made when it does not exist.

        Raises:
            LockedError: another process, or another part of this one, holds it; names pid, host and start.
            StorageError: the folder cannot be made or written.
        """
        folder = Path(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(folder / file, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as failure:
            raise StorageError(
                f"the data folder cannot be written: {failure.strerror}",
                where=str(folder),
                fix="give this user write access to the folder, or name another with --data",
            ) from failure
        try:
            _lock(descriptor)
        except BlockingIOError:
            holder = _described(os.pread(descriptor, 4096, 0))
            os.close(descriptor)
            what, rule, fix = _RULES[file]
            raise LockedError(f"{what} {holder}", where=str(folder), rule=rule, fix=fix) from None
        text = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "started": clock().isoformat()})
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, text.encode(), 0)
        except OSError as failure:
            os.close(descriptor)
            raise StorageError(f"the lock cannot be written: {failure.strerror}", where=str(folder)) from failure
        return cls(folder, descriptor)

    @property
    def is_held(self) -> bool:
        """Whether this object still holds the lock."""
        return self._descriptor is not None

    @property
    def descriptor(self) -> int:
        """The held file; a process that is given it holds the lock, too, for as long as it keeps it open.

        Raises:
            StorageError: the lock was given back.
        """
        if self._descriptor is None:
            raise StorageError("the lock was given back", where=str(self.folder))
        return self._descriptor

    def release(self) -> None:
        """Gives the lock back; no-op when it was given back already."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            self._forget()

    def _forget(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> WriterLock:
        return self

    def __exit__(self, *exception: object) -> None:
        self.release()


def _lock(descriptor: int) -> None:
    """Takes the lock; waits for a while when only children of a holder that is dead hold it still: they are ending."""
    end = time.monotonic() + _ENDING_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end or not _is_dead(os.pread(descriptor, 4096, 0)):
                raise
            time.sleep(0.02)
        else:
            return


def _is_dead(text: bytes) -> bool:
    """Whether the holder that a lock's text names is a process of this host that has ended."""
    try:
        holder = json.loads(text)
        if holder["host"] != socket.gethostname():
            return False
        os.kill(int(holder["pid"]), 0)
    except ProcessLookupError:
        return True
    except (ValueError, KeyError, TypeError, OSError):
        return False
    return False


def lock_holder(folder: str | Path, file: str = LOCK_FILE) -> str | None:
    """Who writes the folder now (or holds another of its locks), in words; None when nobody does."""
    try:
        descriptor = os.open(Path(folder) / file, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _described(os.pread(descriptor, 4096, 0))
    finally:
        os.close(descriptor)
    return None


def _described(text: bytes) -> str:
    try:
        holder = json.loads(text)
        return f"process {holder['pid']} on {holder['host']}, since {holder['started']}"
    except (ValueError, KeyError, TypeError):
        return "another process"
