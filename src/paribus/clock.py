"""Time as an argument: rooms take a `Clock`, and only `app` reads the system's.

A demo folder has a simulated clock, a file of eight bytes that every process of the demo maps into its memory: the
server, the workflow and the shop's traffic agree on what time it is.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

Clock = Callable[[], datetime]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TIME = struct.Struct("<q")


def system_clock() -> datetime:
    """Now, in UTC, with its time zone."""
    return datetime.now(UTC)


class FileClock:
    """The time that a file says, in UTC: microseconds since 1970, 64 bits, little-endian.

    Args:
        path: the file, made beforehand by `FileClock.create`.

    Raises:
        OSError: the file cannot be opened.
        ValueError: it is shorter than a time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("r+b") as file:
            self._time = mmap.mmap(file.fileno(), _TIME.size)

    @classmethod
    def create(cls, path: Path, time: datetime) -> FileClock:
        """A clock that stands at `time`; one that is there already is set to it."""
        if not path.exists():
            draft = path.with_suffix(".new")
            draft.write_bytes(_TIME.pack(_microseconds(time)))
            os.replace(draft, path)
        made = cls(path)
        made.set(time)
        return made

    def __call__(self) -> datetime:
        """The time, with its time zone."""
        return _EPOCH + timedelta(microseconds=self.microseconds)

    @property
    def microseconds(self) -> int:
        """The time as microseconds since 1970."""
        time: int = _TIME.unpack_from(self._time)[0]
        return time

    def set(self, time: datetime) -> None:
        """Moves the clock, for every process at once."""
        _TIME.pack_into(self._time, 0, _microseconds(time))


def _microseconds(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND
