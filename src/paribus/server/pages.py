"""The way to the management API: a body is read once, within limits and strictly, before FastAPI sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from paribus.errors import ParibusError
from paribus.server.answer import Answer
from paribus.server.cors import Cors
from paribus.server.credentials import Door
from paribus.server.live import Live
from paribus.server.problem import problem_answer
from paribus.server.request import Request
from paribus.server.strict_json import strict_json
from paribus.server.watch import Watches

if TYPE_CHECKING:
    from fastapi import FastAPI

    from paribus.app.feature_run import Runs

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

LARGEST_DOCUMENT = 1_000_000  # bytes
_REWRITTEN = {b"content-length", b"content-encoding", b"transfer-encoding", b"content-type"}


class Pages:
    """FastAPI behind the checks that it would make too late."""

    def __init__(self, live: Live, door: Door, watches: Watches, cors: Cors, runs: Runs) -> None:
        self._live = live
        self._door = door
        self._watches = watches
        self._cors = cors
        self._runs = runs
        self._api: FastAPI | None = None

    def load(self) -> FastAPI:
        """The FastAPI application; imported and built when first wanted."""
        if self._api is None:
            from paribus.server.management import management

            self._api = management(self._live, self._door, self._watches, self._runs)
        return self._api

    async def answer(self, request: Request, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if request.method == "OPTIONS":
            await send_answer(self._cors.preflight(request.headers.get(b"access-control-request-headers")), send)
            return
        try:
            body = await request.body(LARGEST_DOCUMENT)
            if body:
                strict_json(body, self._live.settings.max_depth)
        except ParibusError as error:
            await send_answer(problem_answer(error), send)
            return
        await self.load()(rewritten(request.scope, body), replayed(body, receive), send)


def rewritten(scope: Scope, body: bytes) -> Scope:
    """The scope of the body as it was unpacked, matched by the path as it was sent.

    A %2F in a key is part of the key, and dots are never a way up.
    """
    raw = scope.get("raw_path") or scope["path"].encode()
    headers = [each for each in scope["headers"] if each[0] not in _REWRITTEN]
    headers.append((b"content-length", b"%d" % len(body)))
    if body:
        headers.append((b"content-type", b"application/json"))
    return {**scope, "path": raw.decode("latin-1"), "headers": headers}


def replayed(body: bytes, receive: Receive) -> Receive:
    """The body once more, then whatever the connection says."""
    delivered = False

    async def replay() -> Message:
        nonlocal delivered
        if not delivered:
            delivered = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replay


async def send_answer(answer: Answer, send: Send) -> None:
    """Sends a whole answer."""
    headers = [*answer.headers, (b"content-type", answer.content_type), (b"content-length", b"%d" % len(answer.body))]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
