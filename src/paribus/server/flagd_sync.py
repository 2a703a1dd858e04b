"""flagd's sync service over gRPC: flagd itself and the in-process providers of OpenFeature follow our definitions.

    flagd start --sources='[{"uri": "127.0.0.1:8015", "provider": "grpc", "providerID": "pb_server_…"}]'

The key travels as `authorization: Bearer …` or `x-api-key` in the call's metadata, or as the request's `provider_id` or
`selector`, which are what these clients let one choose. It needs the scope server: rules tell who gets what.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import structlog

from paribus.errors import AccessError, LimitError, MissingExtra, ParibusError, StorageError
from paribus.events.dialects.protobuf import LENGTH, fields, text
from paribus.events.hygiene import Unreadable
from paribus.governance.access import authorize
from paribus.server.flagd_definitions import translate
from paribus.server.live import Live
from paribus.server.watch import Published, Watch, Watches

if TYPE_CHECKING:
    import grpc  # type: ignore[import-untyped]

PROVIDER_ID, SELECTOR = 1, 2  # fields of a request
SERVICE = "flagd.sync.v1.FlagSyncService"
SPLITS_ALIKE = "grpc-node-js"  # begins the name of the one client known to hash as we do
RECHECK_SECONDS = 15.0
STOP_SECONDS = 2.0
MOST_STREAMS = 1_000
log = structlog.get_logger("paribus.server")


class FlagdSync:
    """The service on a port of its own, in the event loop of the HTTP server."""

    def __init__(self, live: Live, watches: Watches) -> None:
        self._live = live
        self._watches = watches
        self._server: grpc.aio.Server | None = None
        self._written: dict[str, tuple[bytes, bytes]] = {}
        self._streams = 0
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Begins to serve.

        Raises:
            MissingExtra: grpcio is not installed.
            StorageError: the address is in use.
        """
        try:
            import grpc
        except ImportError as error:
            raise MissingExtra("grpcio", "flagd", "flagd's sync service") from error
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        server.add_generic_rpc_handlers(
            [
                grpc.method_handlers_generic_handler(
                    SERVICE,
                    {
                        "SyncFlags": grpc.unary_stream_rpc_method_handler(self._sync),
                        "FetchAllFlags": grpc.unary_unary_rpc_method_handler(self._fetch),
                    },
                )
            ]
        )
        try:
            self.port = server.add_insecure_port(f"{host}:{port}")
        except RuntimeError as error:
            raise StorageError(
                f"{host}:{port} cannot be bound",
                where="flagd_port",
                fix="another server may be running there; choose another port",
            ) from error
        await server.start()
        self._server = server

    async def stop(self) -> None:
        """Ends all streams."""
        if self._server is not None:
            await self._server.stop(STOP_SECONDS)

    async def _sync(self, request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> AsyncIterator[bytes]:
        """The definitions at once and after each change, until the client leaves or its key ends."""
        secret, watch = await self._enter(request, context)
        if self._streams >= MOST_STREAMS:
            await self._refuse(LimitError("too many open streams", retry_after=5, rule=f"{MOST_STREAMS:,}"), context)
        self._streams += 1
        agent = _agent(context)
        if not agent.startswith(SPLITS_ALIKE):
            log.warning("flagd_client_may_split_differently", agent=agent, rule="fractional in its second version")
        listener = watch.listen()
        following = asyncio.ensure_future(listener.next())
        try:
            while True:
                done, _ = await asyncio.wait({following}, timeout=RECHECK_SECONDS)
                if not done:
                    try:
                        self._admit(secret)
                    except ParibusError as error:
                        await self._refuse(error, context)
                    continue
                state = following.result()
                if state is None:
                    return
                following = asyncio.ensure_future(listener.next())
                yield self._response(state)
        finally:
            self._streams -= 1
            watch.leave(listener)
            following.cancel()

    async def _fetch(self, request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        _, watch = await self._enter(request, context)
        return self._response(watch.current)

    async def _enter(self, request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> tuple[str, Watch]:
        given = {str(name).lower(): value for name, value in context.invocation_metadata() or ()}
        bearer = str(given.get("authorization", ""))
        asked = _texts(request)
        listed = (
            bearer[7:] if bearer[:7].lower() == "bearer " else "",
            str(given.get("x-api-key", "")),
            asked.get(PROVIDER_ID, ""),
            asked.get(SELECTOR, "") or str(given.get("flagd-selector", "")),
        )
        secret = next((each.strip() for each in listed if each.strip()), "")
        try:
            project, environment = self._admit(secret)
            return secret, await self._watches.get(project, environment)
        except ParibusError as error:
            await self._refuse(error, context)
            raise

    def _admit(self, secret: str) -> tuple[str, str]:
        """Project and environment of a key that may read definitions.

        Raises:
            AccessError: there is no key, or it may not.
        """
        if not secret or not secret.isascii():
            raise AccessError(
                "this call carries no API key",
                authenticated=False,
                where=SERVICE,
                fix="send it as authorization metadata, providerID or selector; paribus key create prints one",
            )
        principal = self._live.authenticate(secret)
        authorize(principal, "definitions.read", project=principal.project, environment=principal.environment)
        return principal.project, principal.environment

    async def _refuse(self, error: ParibusError, context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
        import grpc

        code = grpc.StatusCode.INTERNAL
        if isinstance(error, AccessError):
            code = grpc.StatusCode.PERMISSION_DENIED if error.authenticated else grpc.StatusCode.UNAUTHENTICATED
        elif isinstance(error, LimitError):
            code = grpc.StatusCode.RESOURCE_EXHAUSTED
        await context.abort(code, error.what)

    def _response(self, state: Published) -> bytes:
        """A SyncFlagsResponse, or a FetchAllFlagsResponse: both hold the configuration as field 1."""
        place = f"{state.snapshot['project']}/{state.snapshot['environment']}"
        known = self._written.get(place)
        if known is not None and known[0] == state.etag:
            return known[1]
        broken = [problem.flag for problem in state.evaluator.problems if problem.broken and problem.flag is not None]
        made = translate(state.snapshot, broken)
        for key, reason in made.left_out.items():
            log.warning("flag_not_for_flagd", flag=key, environment=place, reason=reason)
        written = _field(1, json.dumps(made.configuration, separators=(",", ":")).encode())
        self._written[place] = (state.etag, written)
        return written


def _agent(context: grpc.aio.ServicerContext[bytes, bytes]) -> str:
    given = {str(name).lower(): value for name, value in context.invocation_metadata() or ()}
    return str(given.get("user-agent", ""))


def _texts(request: bytes) -> dict[int, str]:
    """The request's fields, which are texts."""
    try:
        return {number: text(value) for number, kind, value in fields(memoryview(request)) if kind == LENGTH}
    except Unreadable:
        return {}


def _field(number: int, value: bytes) -> bytes:
    """A length-delimited field of Protocol Buffers."""
    head, left = bytearray([number << 3 | LENGTH]), len(value)
    while left > 0x7F:
        head.append(left & 0x7F | 0x80)
        left >>= 7
    head.append(left)
    return bytes(head) + value
