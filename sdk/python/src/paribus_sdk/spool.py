"""Where encoded events wait until the server has them: on disk (`disk_spool`), or in memory where there is no disk."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines read from a spool, and the place to go on from once the server has them."""

    lines: tuple[bytes, ...]
    segment: int = 0
    offset: int = 0


class Spool(Protocol):
    """Encoded events in order of arrival; at most `limit` bytes."""

    limit: int

    @property
    def depth(self) -> int:
        """Events that wait."""
        ...

    def append(self, lines: Sequence[bytes]) -> int:
        """How many of the lines, from the first on, were kept; the rest did not fit."""
        ...

    def read(self, count: int, size: int) -> Batch:
        """The oldest lines: at most `count`, and at most `size` bytes unless one line is larger."""
        ...

    def forget(self, batch: Batch) -> None:
        """Gives the batch's place back; it must be the one read last."""
        ...

    def close(self) -> None:
        """Stops; a disk spool that is empty is removed, another stays for the next start."""
        ...


class MemorySpool:
    """A spool that ends with its process; at most `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self._lines: deque[bytes] = deque()
        self._lock = threading.Lock()

    @property
    def depth(self) -> int:
        return len(self._lines)

    def append(self, lines: Sequence[bytes]) -> int:
        with self._lock:
            kept = fitting(lines, self.limit - self.size)
            self._lines.extend(lines[:kept])
            self.size += sum(len(line) + 1 for line in lines[:kept])
        return kept

    def read(self, count: int, size: int) -> Batch:
        with self._lock:
            lines: list[bytes] = []
            for line in self._lines:
                size -= len(line) + 1
                if len(lines) >= count or (lines and size < 0):
                    break
                lines.append(line)
        return Batch(tuple(lines))

    def forget(self, batch: Batch) -> None:
        with self._lock:
            for line in batch.lines:
                self._lines.popleft()
                self.size -= len(line) + 1

    def close(self) -> None:
        return None


def fitting(lines: Sequence[bytes], room: int) -> int:
    """How many of the lines, from the first on, fit into `room` bytes, each with its end."""
    for index, line in enumerate(lines):
        room -= len(line) + 1
        if room < 0:
            return index
    return len(lines)
