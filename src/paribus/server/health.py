"""Whether this server lives, whether it can take work, and its numbers."""

from __future__ import annotations

import asyncio

from paribus.server.answer import Answer, json_answer
from paribus.server.live import Live
from paribus.server.observation import Observation
from paribus.server.request import Request

NO_STORE = (b"cache-control", b"no-store")


class Health:
    """The routes that machines watch; they need no key and show no data."""

    def __init__(self, live: Live, observation: Observation) -> None:
        self._live = live
        self._observation = observation
        self.is_stopping = False

    async def health(self, request: Request) -> Answer:
        """200 while every part lives; 503 names those that do not."""
        return await self._answer(ready=True)

    async def ready(self, request: Request) -> Answer:
        """As `health`, and 503 as soon as the server is stopping."""
        return await self._answer(ready=not self.is_stopping)

    async def metrics(self, request: Request) -> Answer:
        """Prometheus text, or OpenMetrics when Accept asks for it."""
        accept = request.headers.get(b"accept", b"").decode("latin-1")
        body, content_type = await asyncio.to_thread(self._observation.exposition, accept)
        return Answer(200, body, content_type.encode(), (NO_STORE,))

    async def _answer(self, *, ready: bool) -> Answer:
        from paribus import __version__

        checks = await asyncio.to_thread(self._live.checks)
        wrong = {name: said for name, said in checks.items() if said}
        if not ready:
            wrong["server"] = "it is stopping"
        status = "ok" if not wrong else "failing"
        shown = {"status": status, "version": __version__, "checks": {**dict.fromkeys(checks, "ok"), **wrong}}
        return json_answer(503 if wrong else 200, shown, NO_STORE)
