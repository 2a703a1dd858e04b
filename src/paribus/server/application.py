"""The one ASGI application: hot routes answered directly, the management API by FastAPI, the same rules around both."""

from __future__ import annotations

import itertools
import re
import secrets
import time
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from paribus.app.feature_run import Runs
from paribus.errors import ParibusError
from paribus.server import agents, definitions, intake, ofrep, rows
from paribus.server.answer import Answer, Headers
from paribus.server.cors import Cors
from paribus.server.credentials import Door
from paribus.server.definitions import Definitions
from paribus.server.exposures import Exposures
from paribus.server.flagd_sync import FlagdSync
from paribus.server.health import Health
from paribus.server.intake import Intake
from paribus.server.live import Live
from paribus.server.observation import Observation
from paribus.server.ofrep import Ofrep
from paribus.server.pages import Message, Pages, Receive, Scope, Send, send_answer
from paribus.server.problem import problem_answer
from paribus.server.request import Disconnected, Request
from paribus.server.streams import Stream, Streams
from paribus.server.watch import Watches

Handler = Callable[[Request], Awaitable[Answer | Stream]]
Managed = Callable[[Request, Receive, Send], Awaitable[None]]
Failed = Callable[[ParibusError, Request], Answer]

MANAGEMENT = "/api/v1"
REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}\Z")
NO_SNIFFING = (b"x-content-type-options", b"nosniff")
PAGES: Headers = [
    NO_SNIFFING,
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
]
"""For what a person may open in a browser; hot routes answer programs, and each header costs a microsecond."""
log = structlog.get_logger("paribus.server")


def create_app(live: Live) -> Application:
    """The ASGI application on a running installation; whoever opened `live` closes it after `stop`."""
    return Application(live)


@dataclass(frozen=True, slots=True)
class Route:
    """A hot route."""

    name: str
    methods: frozenset[str]
    handler: Handler
    failed: Failed = lambda error, request: problem_answer(error)


class Application:
    """Dispatches, and puts around every answer: request id, security headers, CORS, counting, logging."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.watches = Watches(live)
        self.observation = Observation([live.gauges, self._gauges])
        self.health = Health(live, self.observation)
        self._door = Door(live)
        arrivals = Intake(live, self._door, self.watches, self.observation)
        self.exposures = Exposures(arrivals.land_own, live.clock)
        self._flagd = FlagdSync(live, self.watches)
        self._cors = Cors(live.settings.cors_origins)
        self._logs_all = live.settings.log_level == "debug"
        runs = Runs(live.settings)
        self._pages = Pages(live, self._door, self.watches, self._cors, runs)
        self._agents = agents.Agents(live, self._door, runs)
        self._ids = itertools.count(1)
        self._id_prefix = secrets.token_hex(6).encode()
        flags = Ofrep(self._door, self.watches, self.exposures)
        streams = Streams(self._door, self.watches)
        single_definitions = Definitions(self._door, self.watches)
        get, post = frozenset({"GET", "HEAD"}), frozenset({"POST"})
        self._single = Route("ofrep_single", post, flags.single, ofrep.failed)
        self._intake = Route("intake", frozenset({"GET", "HEAD", "POST"}), arrivals.events)
        self._exact = {
            ofrep.BULK: Route("ofrep_bulk", post, flags.bulk, ofrep.failed),
            ofrep.STREAM: Route("ofrep_stream", frozenset({"GET"}), streams.refetch),
            definitions.PATH: Route("definitions", get, single_definitions.get),
            definitions.STREAM: Route("definitions_stream", frozenset({"GET"}), streams.definitions),
            intake.OWN_PATH: Route("events", post, arrivals.events),
            rows.PATH: Route("rows", post, rows.Rows(live, self._door).post),
            "/health": Route("health", get, self.health.health),
            "/ready": Route("ready", get, self.health.ready),
            "/metrics": Route("metrics", get, self.health.metrics),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http":
            path = scope["path"]
            route = self._exact.get(path)
            if route is None:
                if path.startswith(ofrep.SINGLE):
                    route = self._single
                elif path == MANAGEMENT or path.startswith(MANAGEMENT + "/"):
                    await self._managed(self._pages.answer, scope, receive, send)
                    return
                elif path == agents.PATH:
                    await self._managed(self._agents.answer, scope, receive, send)
                    return
                else:
                    route = self._intake
            await self._hot(route, scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})

    def stop_streams(self) -> None:
        """Ends the streams and lets `/ready` say no; the first step of stopping."""
        self.health.is_stopping = True
        self.watches.end()
        self._agents.end()

    async def stop(self) -> None:
        """Lands what is left; the last step of stopping, when no request runs any more."""
        self.stop_streams()
        await self._flagd.stop()
        await self._agents.stop()
        await self.exposures.close()
        await self.watches.stopped()

    async def _hot(self, route: Route, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        request = Request(scope, receive)
        request_id = self._request_id(request)
        try:
            answer = await self._answer(route, request, request_id)
        except Disconnected:
            return
        headers = [(b"x-request-id", request_id), NO_SNIFFING]
        origin = request.headers.get(b"origin")
        if origin is not None:
            headers += self._cors.headers(origin, public=True)
        if isinstance(answer, Stream):
            await answer.run(request, send, headers)
            return
        headers += answer.headers
        if answer.status != 304:
            headers.append((b"content-length", b"%d" % len(answer.body)))
            if answer.body:
                headers.append((b"content-type", answer.content_type))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else answer.body})
        seconds = time.perf_counter() - started
        self.observation.request(route.name, answer.status, seconds)
        if answer.status >= 500 or self._logs_all:
            self._log(request.method, request.path, answer.status, seconds, request_id)

    async def _answer(self, route: Route, request: Request, request_id: bytes) -> Answer | Stream:
        if request.method not in route.methods:
            if request.method == "OPTIONS":
                return self._cors.preflight(request.headers.get(b"access-control-request-headers"))
            return not_allowed(request, route.methods)
        try:
            return await route.handler(request)
        except ParibusError as error:
            return route.failed(error, request)
        except Disconnected:
            raise
        except Exception:  # noqa: BLE001  # the client gets 500 without inside knowledge, the log gets the rest
            log_failure(route.name, request_id)
            return internal_error(request_id)

    async def _managed(self, handler: Managed, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        request = Request(scope, receive)
        request_id = self._request_id(request)
        extra = [(b"x-request-id", request_id), *PAGES]
        extra += self._cors.headers(request.headers.get(b"origin"), public=False)
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = {name.lower() for name, _ in message.get("headers", [])}
                more = [each for each in extra if each[0] not in own]
                message = {**message, "headers": [*message.get("headers", []), *more]}
            await send(message)

        try:
            await handler(request, receive, sending)
        except Disconnected:
            return
        except Exception:  # noqa: BLE001  # the client gets 500 without inside knowledge, the log gets the rest
            log_failure(request.path[:300], request_id)
            if not status:
                await send_answer(internal_error(request_id), sending)
        seconds = time.perf_counter() - started
        self.observation.request("api", status, seconds)
        self._log(request.method, request.path, status, seconds, request_id)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._pages.load()
                if self.live.settings.flagd_port:
                    await self._flagd.start(self.live.settings.host, self.live.settings.flagd_port)
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    def _request_id(self, request: Request) -> bytes:
        given = request.headers.get(b"x-request-id")
        if given is not None and REQUEST_ID.match(given):
            return given
        return b"%s-%x" % (self._id_prefix, next(self._ids))

    def _gauges(self) -> dict[str, float]:
        exposures = self.exposures
        return {
            "streams_open": self.watches.listeners(),
            "exposures_waiting": exposures.waiting,
            "exposures_landed": exposures.landed,
            "exposures_repeated": exposures.repeated,
            "exposures_lost": exposures.lost,
        }

    @staticmethod
    def _log(method: str, path: str, status: int, seconds: float, request_id: bytes) -> None:
        log.info(
            "request",
            method=method,
            path=path[:300],
            status=status,
            ms=round(seconds * 1000, 2),
            request_id=request_id.decode(),
        )


def log_failure(where: str, request_id: bytes) -> None:
    """Logs the exception at hand; as plain text, for a richer rendering shows local variables, secrets among them."""
    log.error("request_failed", where=where, request_id=request_id.decode(), traceback=traceback.format_exc())


def not_allowed(request: Request, methods: frozenset[str]) -> Answer:
    """405 with Allow."""
    allow = ", ".join(sorted({*methods, "OPTIONS"}))
    error = ParibusError(f"{request.method} is not possible here", where=request.path[:200], rule=f"allowed: {allow}")
    answer = problem_answer(error, status=405)
    return Answer(405, answer.body, answer.content_type, ((b"allow", allow.encode()),))


def internal_error(request_id: bytes) -> Answer:
    """500 without any inside knowledge; the log has the rest under the request id."""
    error = ParibusError("something went wrong inside", fix=f"look for {request_id.decode()} in the server's log")
    return problem_answer(error, status=500)
