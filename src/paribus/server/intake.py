"""Events in every dialect, at the vendor's path and under /intake/<dialect>/: 200 only when they are durable."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from paribus.errors import LimitError, NotFound, ParibusError, StorageError
from paribus.events.dialects import dialect_named, match, root_routes
from paribus.events.request import IntakeRequest
from paribus.server.answer import Answer
from paribus.server.credentials import Door
from paribus.server.live import Live
from paribus.server.observation import Observation
from paribus.server.problem import problem_answer
from paribus.server.request import Request
from paribus.server.watch import Watches

if TYPE_CHECKING:
    from paribus.events.request import Checked
    from paribus.governance.access import Principal

LARGE_BODY = 128 * 1024
"""Bytes beyond which a body is checked in a thread, so that flags are not kept waiting."""
OWN = "paribus"
OWN_PATH = "/api/v1/events"


class Intake:
    """From a request to rows in the landing queue."""

    def __init__(self, live: Live, door: Door, watches: Watches, observation: Observation) -> None:
        self._live = live
        self._door = door
        self._watches = watches
        self._observation = observation
        self._limit = int(live.settings.max_body_megabytes * 1e6)
        self._own = dialect_named(OWN)
        self._paths = {path.rstrip("/") for _, _, path in root_routes()}

    async def events(self, request: Request) -> Answer:
        """The dialect's own answer, once everything it promises is on disk."""
        if request.path.rstrip("/") not in self._paths:
            raise nowhere(request)
        body = await request.raw_body(self._limit)
        incoming = self._incoming(request, body)
        dialect = match(incoming)
        if dialect is None:
            raise nowhere(request)
        principal = self._door.admit(dialect.key(incoming), "intake", request)
        plan = (await self._watches.get(principal.project, principal.environment)).plan
        if len(body) > LARGE_BODY:
            checked = await asyncio.to_thread(dialect.check, incoming, plan)
        else:
            checked = dialect.check(incoming, plan)
        try:
            await self._land(checked, principal)
        except (LimitError, StorageError) as error:
            return not_durable(error)
        answer = checked.answer
        headers = tuple((name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers.items())
        return Answer(answer.status, answer.body, answer.content_type.encode(), headers)

    async def land_own(self, principal: Principal, body: bytes) -> None:
        """Lands a body of our own dialect that this server wrote itself."""
        plan = (await self._watches.get(principal.project, principal.environment)).plan
        incoming = IntakeRequest("POST", OWN_PATH, {}, {}, body, self._live.clock())
        await self._land(self._own.check(incoming, plan), principal)

    async def _land(self, checked: Checked, principal: Principal) -> None:
        if checked.is_landing:
            await self._live.landing.append_async([checked.row(principal.key_id)])
        elif checked.rejected:
            self._live.landing.count_rejected(checked.dialect, len(checked.rejected))
        self._observation.events(checked.dialect, checked.accepted, checked.quarantined, len(checked.rejected))

    def _incoming(self, request: Request, body: bytes) -> IntakeRequest:
        query = request.scope["query_string"]
        return IntakeRequest(
            method=request.method,
            path=request.path,
            query=dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)) if query else {},
            headers={name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers.items()},
            body=body,
            received_time=self._live.clock().astimezone(UTC),
        )


def nowhere(request: Request) -> NotFound:
    """The answer to a path that is none."""
    return NotFound(f"nothing is at {request.method} {request.path[:200]}", fix="GET /api/v1/openapi.json")


def not_durable(error: ParibusError) -> Answer:
    """503 with Retry-After: nothing was acknowledged, every client sends it again."""
    answer = problem_answer(error, status=503)
    wait = getattr(error, "retry_after", None) or 5
    headers = tuple(each for each in answer.headers if each[0] != b"retry-after")
    return Answer(503, answer.body, answer.content_type, (*headers, (b"retry-after", b"%d" % math.ceil(wait))))
