"""The tables' writer in a process of its own, as its parent sees it.

A flush decodes every event in Python. Beside the intake, in one interpreter, it held up every request; in a process of
its own it only shares the machine. The parent keeps the landing queue: the child reads rows from the file by itself and
asks the parent to remove them, so the queue has one writer, and its senders never wait for a lock.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from paribus.lake.background import Health
from paribus.lake.compaction import Compacted
from paribus.lake.erasure import Erased
from paribus.lake.flusher import Flushed
from paribus.lake.landing import Landing
from paribus.lake.link import LinkLost
from paribus.lake.retention import Expired
from paribus.lake.supervisor import Supervisor
from paribus.lake.table_writer import READER_RETENTION_HOURS
from paribus.lake.writer_lock import WriterLock


class WriterProcess:
    """The process, asked as `TableWriter` is; started and kept running until `stop`, see `Supervisor`."""

    def __init__(
        self,
        command: Sequence[str],
        setup: object,
        *,
        landing: Landing,
        lock: WriterLock,
        erase_also: Sequence[Callable[[Sequence[str]], object]],
    ) -> None:
        self._supervisor = Supervisor(command, setup, landing=landing, lock=lock, erase_also=erase_also)

    @property
    def health(self) -> Health:
        """How the writer does; one that is being started counts as alive, one that died says so until it is back."""
        return self._supervisor.health

    @property
    def untyped(self) -> Counter[str]:
        """Values left out of their typed column since the process began, by property."""
        return self._supervisor.state.untyped

    @property
    def pid(self) -> int | None:
        """The process that runs now."""
        return self._supervisor.pid

    @property
    def restarts(self) -> int:
        """How often it was started again."""
        return self._supervisor.restarts

    def gauges(self) -> Mapping[str, float]:
        """Restarts, resident memory (where the system tells it), and the numbers of those who listen to the flush."""
        return {
            "lake_writer_restarts": self.restarts,
            "lake_writer_resident_bytes": _resident_bytes(self.pid),
            **self._supervisor.state.gauges,
        }

    def flush(self) -> Flushed:
        """As `TableWriter.flush`."""
        return self._ask("flush")  # type: ignore[no-any-return]

    def drain(self) -> int:
        """As `TableWriter.drain`."""
        return self._ask("drain")  # type: ignore[no-any-return]

    def compact(self, day: date | None = None, *, is_full: bool = False, min_files: int = 2) -> Compacted:
        """As `TableWriter.compact`."""
        return self._ask("compact", day, is_full=is_full, min_files=min_files)  # type: ignore[no-any-return]

    def vacuum(self, *, retention_hours: int = READER_RETENTION_HOURS) -> int:
        """As `TableWriter.vacuum`."""
        return self._ask("vacuum", retention_hours=retention_hours)  # type: ignore[no-any-return]

    def expire(self, before: date) -> Expired:
        """As `TableWriter.expire`."""
        return self._ask("expire", before)  # type: ignore[no-any-return]

    def erase(self, ids: list[str], *, request: str = "") -> Erased:
        """As `TableWriter.erase`."""
        return self._ask("erase", ids, request=request)  # type: ignore[no-any-return]

    def maintain(self) -> None:
        """As `TableWriter.maintain`."""
        self._ask("maintain")

    def stop(self, *, drain: bool) -> None:
        """Ends the process, after it has moved what waits when `drain`; see `Supervisor.stop`."""
        self._supervisor.stop(drain=drain)

    def _ask(self, name: str, *given: Any, **named: Any) -> Any:
        """The process's answer; asked once more when it died meanwhile, as everything asked may be done again."""
        try:
            return self._supervisor.ready_link().call("write", name, given, named)
        except LinkLost:
            return self._supervisor.ready_link(after_loss=True).call("write", name, given, named)


def _resident_bytes(pid: int | None) -> float:
    try:
        return float(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
    except (OSError, ValueError, IndexError):
        return float("nan")
