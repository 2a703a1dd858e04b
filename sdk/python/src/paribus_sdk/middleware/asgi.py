"""Middleware for FastAPI, Starlette and any other ASGI application.

app.add_middleware(ParibusMiddleware, client=client, unit="header:X-User-Id")
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

from paribus_sdk.client import Client
from paribus_sdk.middleware.passage import begin, unit_reader

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class ParibusMiddleware:
    """Carries the unit through each HTTP request, and reports how it went.

    Args:
        app: The application.
        client: The client.
        unit: Where the unit is: `"header:NAME"`, `"cookie:NAME"`, or a function of the ASGI scope.
        context: A function of the scope that gives attributes for the rules.
        every_request: Record `$request` also where no flag was used.
    """

    def __init__(
        self,
        app: Application,
        client: Client,
        unit: str | Callable[[Scope], str | int | None] | None = None,
        context: Callable[[Scope], Mapping[str, Any]] | None = None,
        every_request: bool = False,
    ) -> None:
        self._app = app
        self._client = client
        self._unit = unit_reader(unit, _header, _cookie)
        self._context = context
        self._every_request = every_request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        passage = begin(self._client, scope, self._unit, self._context, self._every_request)
        status = 0

        async def send_on(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        except BaseException as error:
            passage.end(scope["method"], _route(scope), status or 500, error)
            raise
        passage.end(scope["method"], _route(scope), status)


def _route(scope: Scope) -> str:
    route = scope.get("route")
    return str(getattr(route, "path", None) or scope.get("path", ""))


def _header(scope: Scope, name: str) -> str | None:
    wanted = name.lower().encode("latin-1")
    return next((value.decode("latin-1") for key, value in scope["headers"] if key.lower() == wanted), None)


def _cookie(scope: Scope, name: str) -> str | None:
    try:
        morsel = SimpleCookie(_header(scope, "cookie") or "").get(name)
    except CookieError:
        return None
    return morsel.value if morsel is not None else None
