"""Runs the application under uvicorn until a signal, and stops so that nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from paribus.errors import StorageError
from paribus.server.application import Application, create_app
from paribus.server.live import Live
from paribus.server.logs import configure

DRAIN_SECONDS = 20
"""Running requests may take this long after a signal."""
BACKLOG = 2048
TURN_SECONDS = 0.0005
"""How long a thread keeps the interpreter from another that waits for it. A request waits for it several times; with
Python's own 5 ms, half of the requests took 30 ms while the lake was flushed."""
Ready = Callable[[str], None]


def serve(live: Live, host: str | None = None, port: int | None = None, *, ready: Ready | None = None) -> None:
    """Serves until SIGINT or SIGTERM.

    On a signal: no new connections, streams end, running requests finish, gathered exposures land. Then it returns,
    and the caller closes `live`, which flushes the queue and lets go of the writer lock.

    Args:
        live: the running installation.
        host: address to bind; that of the settings without it.
        port: 0 takes a free one; that of the settings without it.
        ready: called once with the URL, when connections are accepted; prints a line without it.

    Raises:
        StorageError: the address is in use or not allowed.
    """
    configure(live.settings.log_level)
    server = Server(
        create_app(live),
        live.settings.host if host is None else host,
        live.settings.port if port is None else port,
        ready or announce,
    )
    with short_turns(), short_collections():
        server.run()


@contextmanager
def short_turns() -> Iterator[None]:
    """Threads give way to each other quickly, so that a flush holds no request up."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(TURN_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextmanager
def short_collections() -> Iterator[None]:
    """Leaves what was imported and opened until now out of the search for garbage, which stops every request."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def announce(url: str) -> None:
    """Prints where the server is, at once."""
    print(f"Paribus is ready at {url}", flush=True)  # noqa: T201  # the one line a person waits for


class Server(uvicorn.Server):
    """uvicorn with our way of stopping; `run` in the main thread obeys signals, `stop` works from any."""

    def __init__(self, application: Application, host: str, port: int, ready: Ready = announce) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                host=host,
                port=port,
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,
                date_header=False,
                backlog=BACKLOG,
                timeout_graceful_shutdown=DRAIN_SECONDS,
                timeout_keep_alive=75,
                h11_max_incomplete_event_size=64 * 1024,
                lifespan="on",
                ws="none",
            )
        )
        self._application = application
        self._ready = ready
        self._loop: asyncio.AbstractEventLoop | None = None
        self.url = ""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Binds, then says so."""
        self._loop = asyncio.get_running_loop()
        try:
            await super().startup(sockets)
        except SystemExit as error:
            raise StorageError(
                f"{self.config.host}:{self.config.port} cannot be bound",
                where="--port",
                fix="another server may be running there; choose another port",
            ) from error
        if self.started and self.servers:
            port = self.servers[0].sockets[0].getsockname()[1]
            host = self.config.host if ":" not in self.config.host else f"[{self.config.host}]"
            self.url = f"http://{host}:{port}"
            self._ready(self.url)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends the streams first: they would otherwise never finish."""
        self._application.stop_streams()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals begin the graceful stop, and are not raised again after it: the caller has still to close."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def stop(self) -> None:
        """Begins the graceful stop."""
        self.should_exit = True
