"""Server-sent events: one state after the other to one listener, until it leaves, stalls, or the server stops."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from paribus.errors import LimitError, ParibusError
from paribus.server import ofrep
from paribus.server.credentials import Door
from paribus.server.request import Request
from paribus.server.watch import Published, Watch, Watches

HEARTBEAT_SECONDS = 15.0
STALLED_SECONDS = 30.0
MOST_STREAMS = 20_000
RETRY_MS = 2_000
HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)
Send = Callable[[dict[str, Any]], Awaitable[None]]
Written = Callable[[Published], bytes]


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer without an end."""

    watch: Watch
    write: Written
    recheck: Callable[[], object]
    """Raises AccessError when the key is valid no more."""

    async def run(self, request: Request, send: Send, headers: list[tuple[bytes, bytes]]) -> None:
        """Sends until one side ends it."""
        listener = self.watch.listen()
        gone = asyncio.ensure_future(_left(request))
        following = asyncio.ensure_future(listener.next())
        try:
            await send({"type": "http.response.start", "status": 200, "headers": [*headers, *HEADERS]})
            await _within(send, b"retry: %d\n\n" % RETRY_MS)
            while True:
                done, _ = await asyncio.wait(
                    {gone, following}, timeout=HEARTBEAT_SECONDS, return_when="FIRST_COMPLETED"
                )
                if gone in done:
                    return
                if following not in done:
                    self.recheck()
                    await _within(send, b": still here\n\n")
                    continue
                state = following.result()
                if state is None:
                    await send({"type": "http.response.body", "body": b""})
                    return
                following = asyncio.ensure_future(listener.next())
                await _within(send, self.write(state))
        except (TimeoutError, ParibusError):
            return  # a stalled reader or an ended key: the connection is cut; who may comes back
        finally:
            self.watch.leave(listener)
            gone.cancel()
            following.cancel()


class Streams:
    """The two streams of definitions."""

    def __init__(self, door: Door, watches: Watches) -> None:
        self._door = door
        self._watches = watches

    async def definitions(self, request: Request) -> Stream:
        """The snapshot at connection and after each change, for our own SDKs."""
        return await self._open(request, "definitions.read", written_definitions)

    async def refetch(self, request: Request) -> Stream:
        """OFREP's notification after each change, and at connection: a change just before it would be missed."""
        return await self._open(request, "evaluate", ofrep.refetch)

    async def _open(self, request: Request, action: Any, write: Written) -> Stream:
        principal = self._door.enter(request, action, in_query=True)
        if self._watches.listeners() >= MOST_STREAMS:
            raise LimitError("too many open streams", retry_after=5, where=request.path, rule=f"{MOST_STREAMS:,}")
        watch = await self._watches.get(principal.project, principal.environment)
        return Stream(watch, write, lambda: self._door.enter(request, action, in_query=True))


def written_definitions(state: Published) -> bytes:
    """The snapshot as one event."""
    return b"event: definitions\nid: %d\ndata: %s\n\n" % (state.revision, state.body)


async def _within(send: Send, body: bytes) -> None:
    await asyncio.wait_for(send({"type": "http.response.body", "body": body, "more_body": True}), STALLED_SECONDS)


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
