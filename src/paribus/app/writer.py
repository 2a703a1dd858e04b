"""Whoever writes the data folder, as a command sees it: the running server, or this process while none runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from paribus.app import definition
from paribus.app.folder import definitions
from paribus.app.live import Installation, running_server
from paribus.errors import InputError, TransientError

if TYPE_CHECKING:
    from paribus.events.compile import CompiledPlan
    from paribus.lake import LandingRow
    from paribus.settings import Settings
    from paribus.store import Store

Json = dict[str, Any]
TIMEOUT_SECONDS = 600.0


class Writer(Protocol):
    """What a command asks of the writer."""

    def append(self, rows: Sequence[LandingRow]) -> object:
        """Lands rows; returns when they are durable."""

    def plan(self, environment: str) -> CompiledPlan:
        """The tracking plan in force."""

    def replay(self, environment: str, reason: str | None) -> Json:
        """Judges quarantined events again."""

    def erase(self, ids: Sequence[str], request: str) -> Json:
        """Removes everything of these ids."""


@contextmanager
def writer_of(settings: Settings) -> Iterator[Writer]:
    """The server that holds the folder, else this process, which holds it meanwhile.

    Raises:
        LockedError: another command holds the folder.
    """
    server = running_server(settings.data)
    if server is None:
        with Installation(settings) as live:
            yield _Here(live)
    else:
        with definitions(settings) as store:
            yield _There(store, *server)


class _Here:
    def __init__(self, live: Installation) -> None:
        self._live = live

    def append(self, rows: Sequence[LandingRow]) -> object:
        return self._live.landing.append(rows)

    def plan(self, environment: str) -> CompiledPlan:
        return self._live.plans(definition.PROJECT, environment)

    def replay(self, environment: str, reason: str | None) -> Json:
        return self._live.replay(definition.PROJECT, environment, reason=reason)

    def erase(self, ids: Sequence[str], request: str) -> Json:
        return self._live.erase(ids, request=request)


class _There:
    """Speaks to the server with the token that only the folder's owner can read."""

    def __init__(self, store: Store, url: str, token: str) -> None:
        self._store = store
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def append(self, rows: Sequence[LandingRow]) -> object:
        import msgspec

        return self._post("/api/v1/rows", msgspec.json.encode(list(rows)))

    def plan(self, environment: str) -> CompiledPlan:
        return definition.tracking_plan(self._store, definition.PROJECT, environment)

    def replay(self, environment: str, reason: str | None) -> Json:
        return self._post("/api/v1/events/quarantine/replay", json.dumps({"reason": reason}).encode())

    def erase(self, ids: Sequence[str], request: str) -> Json:
        return self._post("/api/v1/events/erase", json.dumps({"ids": list(ids), "request": request}).encode())

    def _post(self, path: str, body: bytes) -> Json:
        import httpx

        from paribus.app.loopback import options

        try:
            answer = httpx.post(
                self._url + path,
                content=body,
                headers=self._headers,
                timeout=TIMEOUT_SECONDS,
                **options(self._url),
            )
            found: Json = json.loads(answer.text)
        except (httpx.HTTPError, ValueError) as error:
            raise TransientError(
                f"the server did not answer: {error}", where=self._url, fix="see its log, and try again"
            ) from error
        if answer.status_code >= 500:
            raise TransientError(found.get("detail", answer.text), where=self._url + path, fix=found.get("fix"))
        if answer.status_code >= 400:
            what = found.get("detail", answer.text)
            raise InputError(what, where=self._url + path, rule=found.get("rule"), fix=found.get("fix"))
        return found
