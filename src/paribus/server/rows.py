"""Landing rows from commands beside the server: an import sends what it made of its files, and the server lands it."""

from __future__ import annotations

import msgspec

from paribus.errors import AccessError, LimitError, StorageError
from paribus.lake.record import LandingRow
from paribus.server.answer import Answer, json_answer
from paribus.server.credentials import Door
from paribus.server.intake import not_durable
from paribus.server.live import Live
from paribus.server.problem import MalformedRequest
from paribus.server.request import Request

PATH = "/api/v1/rows"
LOCAL = "local/"  # how the key ids of the folder's owner begin
LARGEST_ROWS = 64_000_000  # bytes
_decode = msgspec.json.Decoder(list[LandingRow]).decode


class Rows:
    """The door for rows that were judged already; only for whoever can read the folder's own token."""

    def __init__(self, live: Live, door: Door) -> None:
        self._live = live
        self._door = door

    async def post(self, request: Request) -> Answer:
        """200 once all rows are on disk."""
        principal = self._door.enter(request, "system.manage")
        if not principal.key_id.startswith(LOCAL):
            raise AccessError(
                "rows come from a command beside the server only",
                authenticated=True,
                where=PATH,
                rule="the token stands in the data folder",
                fix="paribus events import, on the server's machine",
            )
        try:
            rows = _decode(await request.body(LARGEST_ROWS))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise MalformedRequest(f"these are no landing rows: {error}", where="body") from error
        try:
            last = await self._live.landing.append_async(rows) if rows else 0
        except (LimitError, StorageError) as error:
            return not_durable(error)
        return json_answer(200, {"landed": len(rows), "last_id": last})
