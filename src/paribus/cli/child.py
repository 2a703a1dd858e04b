"""A server for the length of one command: `python -m paribus.cli.child PARENT DATA`, which ends with its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from paribus.errors import StorageError

if TYPE_CHECKING:
    from paribus.settings import Settings
    from paribus.workflow.context import Endpoint

START_SECONDS = 60.0
STOP_SECONDS = 30.0
LOOK_SECONDS = 0.5
LOG = "child-server.log"
ERROR = "error: "


class ChildServer:
    """The endpoint of the folder's server; started when first asked for, and none runs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    @property
    def is_own(self) -> bool:
        """Whether this command started one."""
        return self._process is not None

    def endpoint(self) -> Endpoint:
        """URL and token of the running server.

        Raises:
            StorageError: it did not start; its log says why.
        """
        from paribus.app.live import running_server
        from paribus.workflow.context import Endpoint

        with self._lock:
            found = running_server(self._settings.data)
            if found is None:
                self._start()
                found = self._announced()
        return Endpoint(*found)

    def stop(self) -> None:
        """Ends the server that this command started; what it acknowledged is in the lake."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _start(self) -> None:
        command = [sys.executable, "-m", "paribus.cli.child", str(os.getpid()), str(self._settings.data)]
        with (self._settings.data / LOG).open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )

    def _announced(self) -> tuple[str, str]:
        from paribus.app.live import running_server

        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process is not None and self._process.poll() is None:
            if (found := running_server(self._settings.data)) is not None:
                return found
            time.sleep(0.02)
        self.stop()
        log = self._settings.data / LOG
        lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
        said = [line.removeprefix(ERROR) for line in lines if line.startswith(ERROR)] or lines or ["it said nothing"]
        raise StorageError(
            f"the server of this run did not start: {said[-1]}",
            where=str(log),
            fix="paribus serve in another terminal, then run again",
        )


@contextmanager
def child_server(settings: Settings) -> Iterator[ChildServer]:
    """A server that starts when its endpoint is asked for, and stops with the block."""
    server = ChildServer(settings)
    try:
        yield server
    finally:
        server.stop()


def main(parent: int, data: Path) -> None:
    """Serves on a free port until a signal, or until the parent is gone."""
    from paribus.cli import app

    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    app(["serve", "--host", "127.0.0.1", "--port", "0", "--data", str(data)])


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
