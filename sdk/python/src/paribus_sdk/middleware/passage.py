"""One web request from its start to its answer, the same for each framework."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextvars import Token
from typing import Any

from paribus_sdk.client import Client
from paribus_sdk.decision import Reason
from paribus_sdk.request import Request, current_request

REQUEST, ERROR = "$request", "$error"
Name = str | None


class Passage:
    """Sets the request that decisions are made in, and reports how it went."""

    def __init__(
        self, client: Client, unit: str | int | None, context: Mapping[str, Any] | None, every_request: bool
    ) -> None:
        self.request = Request(unit, context)
        self._client = client
        self._every_request = every_request
        self._token: Token[Request | None] | None = current_request.set(self.request)
        self._start = time.perf_counter()

    def end(self, method: str, route: str, status: int, error: BaseException | None = None) -> None:
        """Reports to the breaker and, when variants were in force, records `$request` (and `$error`); once."""
        if self._token is None:
            return
        token, self._token = self._token, None
        seconds = time.perf_counter() - self._start
        failed = error is not None or status >= 500
        for flag, decision in self.request.decisions.items():
            if decision.served is not None and decision.reason in (Reason.SPLIT, Reason.BREAKER):
                self._client.report(flag, decision.served, failed, seconds)
        if self.request.decisions or self._every_request:
            properties = {
                "method": method,
                "route": route,
                "status": status,
                "seconds": seconds,
                "error": failed,
                "exception": type(error).__name__ if error is not None else None,
                "variants": self.request.variants,
            }
            self._client.track(REQUEST, self._unit(), properties=properties)
            if failed:
                self._client.track(ERROR, self._unit(), properties={**properties, "origin": "request"})
        try:
            current_request.reset(token)
        except ValueError:  # the answer was streamed from another context: that context ends by itself
            current_request.set(None)

    def _unit(self) -> str | int | None:
        if self.request.unit is not None:
            return self.request.unit
        return next((decision.unit for decision in self.request.decisions.values() if decision.unit), None)


def begin(
    client: Client,
    request: Any,
    unit: Callable[[Any], str | int | None],
    context: Callable[[Any], Mapping[str, Any]] | None,
    every_request: bool,
) -> Passage:
    """The passage of a request; a function that fails to find unit or context costs these, not the request."""
    found: str | int | None = None
    attributes: Mapping[str, Any] | None = None
    try:
        found = unit(request)
        attributes = context(request) if context is not None else None
    except Exception as error:  # noqa: BLE001  (the caller's functions: the request goes on whatever they raise)
        client.stats.trouble("middleware", f"the unit or context of a request cannot be found: {error!r}")
    return Passage(client, found, attributes, every_request)


def unit_reader(
    unit: str | Callable[[Any], str | int | None] | None,
    header: Callable[[Any, str], Name],
    cookie: Callable[[Any, str], Name],
) -> Callable[[Any], str | int | None]:
    """The function that finds the unit of a request.

    Raises:
        ValueError: The text is neither `header:NAME` nor `cookie:NAME`.
    """
    if unit is None:
        return lambda request: None
    if callable(unit):
        return unit
    place, _, name = unit.partition(":")
    if place == "header" and name:
        return lambda request: header(request, name) or None
    if place == "cookie" and name:
        return lambda request: cookie(request, name) or None
    raise ValueError(f"the unit {unit!r} is no place in a request; give 'header:NAME', 'cookie:NAME' or a function")
