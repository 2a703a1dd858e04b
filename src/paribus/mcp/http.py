"""The protocol over streamable HTTP, as an ASGI application without a door of its own: the server asks for the key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from mcp.server.mcpserver import Context
from mcp.server.transport_security import TransportSecuritySettings

from paribus.app.feature_run import Runs
from paribus.mcp.desk import Desk
from paribus.mcp.running import apart
from paribus.mcp.server import build

if TYPE_CHECKING:
    from paribus.settings import Settings

Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[None]]
AUTHOR = "paribus.author"
"""Where the server notes in the scope in whose name a request acts."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@asynccontextmanager
async def streamable(settings: Settings, runs: Runs) -> AsyncIterator[Application]:
    """The application while the block lasts; requests stand alone, so that any server of a folder answers any of them.

    A server on a loopback address refuses other hosts and origins: a page cannot reach it by a name of its own.
    """
    server = build(Desk(settings, apart(runs)), _author)
    local = settings.host in LOOPBACK
    hosts = ["127.0.0.1", "localhost", "[::1]", "127.0.0.1:*", "localhost:*", "[::1]:*"]
    server.streamable_http_app(
        stateless_http=True,
        transport_security=TransportSecuritySettings(
            enable_dns_rebinding_protection=local,
            allowed_hosts=hosts,
            allowed_origins=[f"http://{host}" for host in hosts],
        ),
    )
    manager = server.session_manager
    async with manager.run():
        yield manager.handle_request


def _author(context: Context) -> str:
    request = context.request_context.request
    scope: Scope = getattr(request, "scope", {})
    return str(scope.get(AUTHOR, "agent"))
