"""Knowing at once that someone wrote, in this process or another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from paribus.store.database import Database

LOOK_SECONDS = 0.05  # how often a waiter looks when nothing can call it
CALLED_SECONDS = 1.0  # how often it looks although PostgreSQL calls it
_CHANNEL = "paribus_store"


class Bell:
    """Wakes waiters: by a condition within the process, PostgreSQL's NOTIFY or a cheap look every 50 ms beyond it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rung = threading.Condition()
        self._count = 0
        self._closed = False
        self._listener: threading.Thread | None = None
        self._listening = False

    def ring(self) -> None:
        """Wakes everyone who waits."""
        with self._rung:
            self._count += 1
            self._rung.notify_all()

    def wait(self, look: Callable[[], int], since: int, timeout: float) -> int:
        """What `look` sees as soon as it is beyond `since`, or at the end of `timeout` seconds."""
        if not self._database.is_sqlite:
            self._listen()
        deadline = time.monotonic() + timeout
        while True:
            with self._rung:
                heard = self._count
            seen, left = look(), deadline - time.monotonic()
            if seen > since or left <= 0 or self._closed:
                return seen
            pause = CALLED_SECONDS if self._listening else LOOK_SECONDS
            with self._rung:
                self._rung.wait_for(lambda heard=heard: self._count != heard, min(left, pause))  # type: ignore[misc]

    def close(self) -> None:
        """Sends waiters home and ends the listener."""
        self._closed = True
        self.ring()
        if self._listener is not None:
            self._listener.join(timeout=5)

    def _listen(self) -> None:
        with self._rung:
            if self._listener is None and not self._closed:
                self._listener = threading.Thread(target=self._hear, name="paribus-store-bell", daemon=True)
                self._listener.start()

    def _hear(self) -> None:
        import psycopg

        url = self._database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        while not self._closed:
            try:
                with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
                    connection.execute(f"LISTEN {_CHANNEL}")
                    self._listening = True
                    self.ring()
                    self._follow(connection)
            except psycopg.Error:
                self._listening = False  # waiters look for themselves meanwhile
                time.sleep(0.2)
        self._listening = False

    def _follow(self, connection: Any) -> None:
        while not self._closed:
            for _ in connection.notifies(timeout=0.5, stop_after=1):
                self.ring()
