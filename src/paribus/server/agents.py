"""The door of agents: /mcp, with a key of scope agent or admin, behind the signed policy of the folder."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from paribus.app.feature_run import Runs
from paribus.errors import ParibusError
from paribus.server.credentials import Door
from paribus.server.live import Live
from paribus.server.pages import Receive, Send, send_answer
from paribus.server.problem import problem_answer
from paribus.server.request import Request

PATH = "/mcp"


class Agents:
    """Lets agents in, and hands their requests to the protocol; it is loaded with the first of them."""

    def __init__(self, live: Live, door: Door, runs: Runs) -> None:
        self._live = live
        self._door = door
        self._runs = runs
        self._ready: asyncio.Future[Callable[..., Awaitable[None]]] | None = None
        self._serving: asyncio.Task[None] | None = None
        self._stopped = asyncio.Event()

    async def answer(self, request: Request, receive: Receive, send: Send) -> None:
        """Answers one request."""
        try:
            principal = self._door.enter(request, "agent.act")
        except ParibusError as error:
            await send_answer(problem_answer(error), send)
            return
        from paribus.mcp.http import AUTHOR

        application = await self._loaded()
        await application({**request.scope, AUTHOR: f"agent:{principal.key_id}"}, receive, send)

    def end(self) -> None:
        """Ends what is open, soon."""
        self._stopped.set()

    async def stop(self) -> None:
        """Returns when nothing is open any more."""
        self.end()
        if self._serving is not None:
            await self._serving

    async def _loaded(self) -> Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]:
        if self._ready is None:
            self._ready = asyncio.get_running_loop().create_future()
            self._serving = asyncio.create_task(self._serve(self._ready))
        return await asyncio.shield(self._ready)

    async def _serve(self, ready: asyncio.Future[Callable[..., Awaitable[None]]]) -> None:
        """Holds the protocol open in one task, as its cancel scopes want it, until the server stops."""
        from paribus.mcp.http import streamable

        try:
            async with streamable(self._live.settings, self._runs) as application:
                ready.set_result(application)
                await self._stopped.wait()
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
                self._ready = None
            raise
