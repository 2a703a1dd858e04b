"""A client's connection: definitions come in, events go out, each by threads of their own."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paribus_sdk.counters import Stats
from paribus_sdk.current import CurrentDefinitions
from paribus_sdk.delivery import Delivery
from paribus_sdk.disk_spool import DiskSpool
from paribus_sdk.event import Event
from paribus_sdk.lastgood import LastGood
from paribus_sdk.outbox import Outbox
from paribus_sdk.spool import MemorySpool, Spool
from paribus_sdk.stream import Definitions, FileDefinitions, ServerDefinitions
from paribus_sdk.transport import Transport

DROPPED = "$dropped"
DROPPED_SECONDS = 60.0
MEMORY_BYTES = 16_000_000


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a client connects to, and its limits; see `Client` for each."""

    url: str | None
    key: str | None
    file: Path | None
    cache_dir: Path
    poll_seconds: float
    flush_seconds: float
    spool_bytes: int
    queue_events: int
    timeout_seconds: float
    exit_seconds: float
    clock: Callable[[], float] = time.time

    @property
    def folder(self) -> Path:
        """The cache's folder for this server and key: events of one environment never reach another."""
        import hashlib

        return self.cache_dir / hashlib.sha256(f"{self.url}\0{self.key}".encode()).hexdigest()[:16]


class Connection:
    """Started when made.

    Args:
        settings: Where to, and the limits.
        current: What takes the definitions.
        stats: What counts.
        process: The name of this process in each event.
        emit: Records an event of the client's own; False when there is no room.
    """

    def __init__(
        self,
        settings: Settings,
        current: CurrentDefinitions,
        stats: Stats,
        process: str,
        emit: Callable[[str, dict[str, Any]], bool],
    ) -> None:
        self._settings = settings
        self._current = current
        self._stats = stats
        self._emit = emit
        self._next_dropped = 0.0
        self._outbox: Outbox | None = None
        self._delivery: Delivery | None = None
        self._definitions: Definitions | None = None
        self._keeping = threading.Lock()
        self._last_good = LastGood(settings.folder / "definitions.json") if settings.url else None
        self.record: Callable[[Event], bool] = self.unsent
        """Takes an event; False when it was dropped. Never blocks. Where there is no server, events are counted."""
        if settings.url:
            self._connect(Transport(settings.url, settings.key, settings.timeout_seconds), process)
        elif settings.file is not None:
            self._definitions = FileDefinitions(settings.file, current.apply, stats)
            self._definitions.start()

    @property
    def pending(self) -> int:
        """Events that the server does not have yet."""
        return 0 if self._delivery is None else self._delivery.depth

    def flush(self, timeout: float) -> bool:
        """Whether the server has everything, trying for at most `timeout` seconds."""
        if self._outbox is None or self._delivery is None:
            return not self._stats.unsent
        self._outbox.drain()
        return self._delivery.flush(timeout)

    def close(self, timeout: float | None = None) -> None:
        """Delivers what is left for at most `timeout` seconds, and stops; no definitions are written any more."""
        self.record = self.unsent
        if self._definitions is not None:
            self._definitions.close()
        with self._keeping:
            self._last_good = None
        if self._outbox is not None and self._delivery is not None:
            self._outbox.close()
            self._delivery.close(self._settings.exit_seconds if timeout is None else timeout)

    def forked(self) -> None:
        """In a forked child: lets go of what stays the parent's."""
        if self._delivery is not None:
            self._delivery.forked()

    def _connect(self, transport: Transport, process: str) -> None:
        settings, stats = self._settings, self._stats
        spool = self._spool()
        root = settings.folder / "spool"
        self._delivery = Delivery(
            transport.post_events,
            spool,
            stats,
            flush_seconds=settings.flush_seconds,
            adopt=(lambda: DiskSpool.orphans(root, settings.spool_bytes)) if settings.spool_bytes else None,
            waiting=DiskSpool.waiting(root) if settings.spool_bytes else 0,
            on_delivered=self._report_dropped,
            clock=settings.clock,
        )
        self._outbox = Outbox(spool, stats, process, settings.queue_events, self._delivery.notify)
        self.record = self._outbox.record
        self._definitions = ServerDefinitions(transport, self._take, self._fall_back, stats, settings.poll_seconds)
        self._delivery.start()
        self._definitions.start()

    def _spool(self) -> Spool:
        settings = self._settings
        if settings.spool_bytes:
            try:
                return DiskSpool.create(settings.folder / "spool", settings.spool_bytes)
            except OSError as error:
                self._stats.trouble("spool", f"events wait in memory, {settings.folder} cannot be used: {error}")
        return MemorySpool(settings.spool_bytes or MEMORY_BYTES)

    def _take(self, snapshot: Mapping[str, Any]) -> bool:
        used = self._current.apply(snapshot)
        with self._keeping:
            if used and self._last_good is not None and snapshot is self._current.snapshot:
                try:
                    self._last_good.save(snapshot)
                except OSError as error:
                    where = self._last_good.path
                    self._stats.trouble("lastgood", f"the definitions cannot be kept in {where}: {error}")
        return used

    def _fall_back(self) -> None:
        if self._current.evaluator is not None:
            return
        last_good = self._last_good
        stored = last_good.load() if last_good is not None else None
        if (stored is None or not self._current.apply(stored)) and self._settings.file is not None:
            FileDefinitions(self._settings.file, self._current.apply, self._stats).read()

    def _report_dropped(self) -> None:
        outbox, now = self._outbox, time.monotonic()
        if outbox is None or not outbox.dropped or now < self._next_dropped:
            return
        self._next_dropped = now + DROPPED_SECONDS
        dropped, outbox.dropped = outbox.dropped, type(outbox.dropped)()
        if not self._emit(DROPPED, {"count": dropped.total(), "events": dict(dropped)}):
            outbox.dropped.update(dropped)

    def unsent(self, event: Event) -> bool:
        """Counts an event that has nowhere to go."""
        self._stats.unsent += 1
        return True


def default_cache() -> Path:
    """PARIBUS_CACHE_DIR, else `paribus` in the user's cache."""
    named = os.environ.get("PARIBUS_CACHE_DIR")
    return Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "paribus"
