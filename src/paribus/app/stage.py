"""The installation of a demo: a data folder with a clock of its own, its keys, and a server as a child process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from paribus.app.folder import definitions, make_demo_folder
from paribus.app.live import running_server
from paribus.app.simulated_history import ENVIRONMENT
from paribus.errors import StorageError
from paribus.events.timing import to_datetime
from paribus.settings import Settings

if TYPE_CHECKING:
    from paribus.lake import LandingRow
    from paribus.workflow.context import Endpoint

Json = dict[str, Any]
AUTHOR = "demo"
DATA = "data"
START_SECONDS = 60.0
DRAIN_SECONDS = 60.0
FLUSH_SECONDS = 0.3
POST_ROWS = 4


class Stage:
    """A demo's data folder and server; what it is played on.

    Args:
        out: a new folder; the data folder is `out`/data.
        begin: what the clock says at first.
        plan: the tracking plan's document.
        reason: why it is written.
        store_url: database of the definitions; SQLite in the data folder without it.
    """

    def __init__(self, out: Path, begin: datetime, plan: Json, *, reason: str, store_url: str = "") -> None:
        from paribus.governance.access import create_key

        self.out = out
        self.settings = Settings(data=out / DATA, store_url=store_url, host="127.0.0.1", port=0, log_level="error")
        self.clock = make_demo_folder(self.settings.data, begin)
        self._server: subprocess.Popen[bytes] | None = None
        self._url = ""
        self.events = self.exposures = 0
        with definitions(self.settings) as store:
            keys = [
                create_key(store, scope, environment=ENVIRONMENT, author=AUTHOR)[1] for scope in ("server", "admin")
            ]
            _write_plan(store, plan, reason)
        self._server_key, self._admin_key = keys

    @property
    def endpoint(self) -> Endpoint:
        """The child server."""
        from paribus.workflow.context import Endpoint

        return Endpoint(self._url, self._admin_key)

    def start(self) -> None:
        """Starts the server as a child process and returns at once; `wait` waits for it."""
        command = [sys.executable, "-m", "paribus.cli", "serve", "--port", "0", "--data", str(self.settings.data)]
        log = (self.out / "server.log").open("wb")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PARIBUS_")}
        environment["PARIBUS_FLUSH_SECONDS"] = str(FLUSH_SECONDS)
        if self.settings.store_url:
            environment["PARIBUS_STORE_URL"] = self.settings.store_url
        self._server = subprocess.Popen(command, stdout=log, stderr=log, env=environment)  # noqa: S603
        log.close()

    def wait(self) -> None:
        """Waits until the server answers.

        Raises:
            StorageError: it does not; its log says why.
        """
        import httpx

        server, deadline = self._server, time.monotonic() + START_SECONDS
        assert server is not None  # noqa: S101
        while time.monotonic() < deadline and server.poll() is None:
            found = running_server(self.settings.data)
            if found is not None:
                with suppress(httpx.HTTPError):
                    if httpx.get(f"{found[0]}/health").status_code == 200:
                        self._url, self._token = found
                        return
            time.sleep(0.02)
        said = (self.out / "server.log").read_text(errors="replace")[-2000:]
        raise StorageError(f"the demo's server did not start: {said}", where=str(self.out / "server.log"))

    def write_days(
        self,
        history: Iterable[tuple[int, list[LandingRow], int]],
        days: int,
        end: datetime,
        told: Callable[[float], None] = lambda share: None,
    ) -> int:
        """Writes days of history through the server's door for rows; how many events.

        Args:
            history: each day's number, rows and count of events, in order.
            days: how many there are.
            end: what the clock says afterwards.
            told: hears the share that is done.
        """
        import httpx
        import msgspec

        total = 0
        waiting: list[LandingRow] = []
        for day, rows, events in history:
            waiting += rows
            total += events
            is_last = day == days - 1
            if not self._url and (is_last or self._answers()):
                self.wait()
            if not self._url:
                continue
            while len(waiting) > (0 if is_last else POST_ROWS - 1):
                some, waiting = waiting[:POST_ROWS], waiting[POST_ROWS:]
                self.clock.set(max(self.clock(), to_datetime(max(row.received_time for row in some))))
                answer = httpx.post(
                    f"{self._url}/api/v1/rows",
                    content=msgspec.json.encode(some),
                    headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
                    timeout=60.0,
                )
                answer.raise_for_status()
            told((day + 1) / days)
        self.clock.set(end)
        self.drain()
        return total

    def drain(self) -> None:
        """Waits until everything that was sent is in the lake."""
        from paribus.lake.backup import waiting_in_queue

        deadline = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < deadline:
            if waiting_in_queue(self.settings.data, self.clock()) == "empty":
                return
            time.sleep(0.02)

    def close(self) -> None:
        """Ends the server."""
        if self._server is not None and self._server.poll() is None:
            self._server.terminate()
            try:
                self._server.wait(20)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _answers(self) -> bool:
        return running_server(self.settings.data) is not None


def _write_plan(store: Any, plan: Json, reason: str) -> None:
    from paribus.app import definition

    definition.write(store, "tracking_plan", "default", plan, expected=0, author=AUTHOR, reason=reason)
