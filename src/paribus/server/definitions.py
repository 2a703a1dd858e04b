"""The definitions as one document, for SDKs that evaluate where they run."""

from __future__ import annotations

from paribus.server.answer import JSON, Answer
from paribus.server.credentials import Door
from paribus.server.request import Request
from paribus.server.watch import Watches

PATH = "/api/v1/definitions"
STREAM = "/api/v1/definitions/stream"


class Definitions:
    """GET of the snapshot, with its ETag."""

    def __init__(self, door: Door, watches: Watches) -> None:
        self._door = door
        self._watches = watches

    async def get(self, request: Request) -> Answer:
        """The whole snapshot, or 304."""
        principal = self._door.enter(request, "definitions.read")
        published = (await self._watches.get(principal.project, principal.environment)).current
        headers = ((b"etag", published.etag), (b"cache-control", b"no-cache, private"))
        known = request.headers.get(b"if-none-match", b"")
        if published.etag in {each.strip().removeprefix(b"W/") for each in known.split(b",")}:
            return Answer(304, headers=headers)
        return Answer(200, published.body, JSON, headers)
