"""A spool in files.

It is a folder of its own, locked by the process that writes it. A kill leaves the folder behind, unlocked, and the next
start (or a neighbor that is still alive) adopts it. Files are written without fsync: they survive the end of the
process, not of the machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from paribus_sdk.spool import Batch, MemorySpool, fitting

try:
    import fcntl
except ImportError:  # pragma: no cover  (not POSIX: events wait in memory)
    fcntl = None  # type: ignore[assignment]

SEGMENT_BYTES = 4 * 1024 * 1024
POSITION = struct.Struct("<QQ")


class DiskSpool:
    """A spool in files: one folder, numbered segments, the position of the first line not yet delivered.

    What cannot be written (disk full, folder removed) waits in memory, at most an eighth of the limit.
    """

    def __init__(self, folder: Path, lock: int, limit: int) -> None:
        self.folder = folder
        self.limit = limit
        self.depth_on_disk = 0
        self.size = 0
        self.damaged = 0
        self._lock_handle = lock
        self._lock = threading.Lock()
        self._overflow = MemorySpool(limit // 8)
        self._segment, self._offset = 0, 0
        self._last, self._end = 0, 0
        self._writer: int | None = None
        self._reader: tuple[int, int] | None = None
        self._closed = False
        self._line_bytes = 600
        self._position = os.open(folder / "position", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @classmethod
    def create(cls, root: Path, limit: int) -> DiskSpool:
        """A new spool under `root`, locked by this process.

        Raises:
            OSError: The folder cannot be written, or the system has no file locks.
        """
        if fcntl is None:
            raise OSError("no file locks on this system")
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = f"{os.getpid()}-{os.urandom(4).hex()}"
        hidden = root / f".{name}"
        hidden.mkdir(mode=0o700)
        lock = os.open(hidden / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return cls(hidden.rename(root / name), lock, limit)

    @classmethod
    def orphans(cls, root: Path, limit: int) -> Iterator[DiskSpool]:
        """Spools under `root` whose process is gone, now locked by this one."""
        for folder, lock in _unheld(root):
            try:
                spool = cls(folder, lock, limit)
            except OSError:
                os.close(lock)
                continue
            with contextlib.suppress(OSError):
                spool._recover()
                yield spool

    @staticmethod
    def waiting(root: Path) -> int:
        """Bytes of the spools under `root` whose process is gone."""
        size = 0
        with contextlib.suppress(OSError):
            for folder, lock in _unheld(root):
                try:
                    size += sum(path.stat().st_size for path in folder.glob("*.jsonl"))
                finally:
                    os.close(lock)
        return size

    @property
    def depth(self) -> int:
        return self.depth_on_disk + self._overflow.depth

    def append(self, lines: Sequence[bytes]) -> int:
        with self._lock:
            kept = 0 if self._closed else fitting(lines, self.limit - self.size)
            if not kept:
                return 0
            data = b"\n".join(lines[:kept]) + b"\n"
            try:
                self._write(data)
            except OSError:
                return self._overflow.append(lines)
            self.depth_on_disk += kept
            self.size += len(data)
            return kept

    def read(self, count: int, size: int) -> Batch:
        with self._lock:
            while self.depth_on_disk:
                lines, end = self._lines_at(self._segment, self._offset, count, size)
                if lines:
                    return Batch(tuple(lines), self._segment, end)
                if self._segment >= self._last:
                    self.damaged += self.depth_on_disk
                    self.depth_on_disk = self.size = 0
                self._leave_segment()
        return self._overflow.read(count, size)

    def forget(self, batch: Batch) -> None:
        if not batch.segment:
            self._overflow.forget(batch)
            return
        with self._lock:
            self.depth_on_disk -= len(batch.lines)
            self.size -= batch.offset - self._offset
            self._offset = batch.offset
            with contextlib.suppress(OSError):
                os.pwrite(self._position, POSITION.pack(self._segment, self._offset), 0)
            if not self.depth_on_disk and self._offset > SEGMENT_BYTES // 16:
                self._leave_segment()

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self.abandon()
            if not self.depth_on_disk:
                self._remove()
            os.close(self._lock_handle)

    def abandon(self) -> None:
        """Closes the files of a spool that stays another's (after a fork), without touching them."""
        for handle in (self._writer, self._reader and self._reader[1], self._position):
            if handle is not None:
                with contextlib.suppress(OSError):
                    os.close(handle)
        self._writer = self._reader = None

    def release(self) -> None:
        """In a forked child: lets go of files and of this copy of the lock, which stays the parent's."""
        self.abandon()
        with contextlib.suppress(OSError):
            os.close(self._lock_handle)

    def _write(self, data: bytes) -> None:
        if self._writer is None or self._end >= min(SEGMENT_BYTES, max(self.limit // 4, 65536)):
            if self._writer is not None:
                os.close(self._writer)
                self._writer = None
            path = self._path(self._last + 1)
            self._writer = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self._last, self._end = self._last + 1, 0
            if not self._segment:
                self._segment = self._last
        written = 0
        try:
            while written < len(data):
                written += os.write(self._writer, data[written:])
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._writer, self._end)
            raise
        self._end += len(data)

    def _lines_at(self, segment: int, offset: int, count: int, size: int) -> tuple[list[bytes], int]:
        if self._reader is None or self._reader[0] != segment:
            if self._reader is not None:
                os.close(self._reader[1])
                self._reader = None
            try:
                self._reader = (segment, os.open(self._path(segment), os.O_RDONLY | os.O_CLOEXEC))
            except OSError:
                return [], offset
        want = min(size, count * self._line_bytes)
        while True:
            data = os.pread(self._reader[1], want, offset)
            found = data.count(b"\n")
            if found >= count or len(data) < want or (found and want >= size):
                break
            want *= 4
        lines = data.split(b"\n", count)[:-1]
        if lines:
            self._line_bytes = len(data) // found + 50
        lines = lines[: max(fitting(lines, size), 1)]
        return lines, offset + sum(len(line) + 1 for line in lines)

    def _leave_segment(self) -> None:
        if self._segment == self._last and self._writer is not None:
            os.close(self._writer)
            self._writer = None
        if self._reader is not None:
            os.close(self._reader[1])
            self._reader = None
        with contextlib.suppress(OSError):
            self._path(self._segment).unlink()
        self._segment, self._offset = (self._segment + 1 if self._segment < self._last else 0), 0

    def _recover(self) -> None:
        segments = sorted(int(path.stem) for path in self.folder.glob("*.jsonl") if path.stem.isdigit())
        position = os.pread(self._position, POSITION.size, 0)
        start, offset = POSITION.unpack(position) if len(position) == POSITION.size else (0, 0)
        remaining: list[bytes] = []
        for segment in segments:
            if segment < start:
                continue
            data = self._path(segment).read_bytes()[offset if segment == start else 0 :]
            remaining += data.split(b"\n")
        whole = [line for line in remaining if line and _is_event(line)]
        self.damaged = sum(1 for line in remaining if line) - len(whole)
        self._last = segments[-1] if segments else 0
        if self.damaged:
            self._rewrite(segments, whole)
        else:
            self._segment = next((segment for segment in segments if segment >= start), 0)
            self._offset = offset if self._segment == start else 0
        self.depth_on_disk = len(whole)
        self.size = sum(len(line) + 1 for line in whole)

    def _rewrite(self, segments: Sequence[int], lines: Sequence[bytes]) -> None:
        self._segment = self._last = (segments[-1] if segments else 0) + 1
        fresh = self._path(self._segment).with_suffix(".new")
        fresh.write_bytes(b"".join(line + b"\n" for line in lines))
        fresh.rename(self._path(self._segment))
        os.pwrite(self._position, POSITION.pack(self._segment, 0), 0)
        for segment in segments:
            self._path(segment).unlink(missing_ok=True)

    def _remove(self) -> None:
        with contextlib.suppress(OSError):
            for path in self.folder.iterdir():
                path.unlink()
            self.folder.rmdir()

    def _path(self, segment: int) -> Path:
        return self.folder / f"{segment:08d}.jsonl"


def _unheld(root: Path) -> Iterator[tuple[Path, int]]:
    """Folders of spools whose process is gone, each with its lock, which this process now holds."""
    if fcntl is None or not root.is_dir():
        return
    for folder in sorted(root.iterdir()):
        if folder.name.startswith("."):
            continue
        with contextlib.suppress(OSError):
            lock = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(lock)
                continue
            yield folder, lock


def _is_event(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
