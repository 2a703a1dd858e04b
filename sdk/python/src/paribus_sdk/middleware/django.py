"""Middleware for Django, sync and async.

    MIDDLEWARE = ["paribus_sdk.middleware.django.ParibusMiddleware", ...]
    PARIBUS = {"client": client, "unit": "cookie:uid"}      # also "context", "every_request"

`client` is a `Client` or the dotted path of one; `unit` is `"header:NAME"`, `"cookie:NAME"` or a function of Django's
request; `context` is a function of the request that gives attributes for the rules.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings  # type: ignore[import-untyped]
from django.http import HttpRequest, HttpResponse  # type: ignore[import-untyped]
from django.utils.module_loading import import_string  # type: ignore[import-untyped]

from paribus_sdk.middleware.passage import Passage, begin, unit_reader


class ParibusMiddleware:
    """Carries the unit through each request, and reports how it went."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        given = settings.PARIBUS
        client = given["client"]
        self._client = import_string(client) if isinstance(client, str) else client
        self._unit = unit_reader(
            given.get("unit"), lambda it, name: it.headers.get(name), lambda it, name: it.COOKIES.get(name)
        )
        self._context = given.get("context")
        self._every_request = bool(given.get("every_request", False))
        self._get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponse | Awaitable[HttpResponse]:
        if self._is_async:
            return self._answer_async(request)
        passage = self._begin(request)
        try:
            response: HttpResponse = self._get_response(request)
        except BaseException as error:
            self._end(passage, request, 500, error)
            raise
        self._end(passage, request, response.status_code, None)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Remembers the exception that Django turns into an answer."""
        request.paribus_error = exception

    async def _answer_async(self, request: HttpRequest) -> HttpResponse:
        passage = self._begin(request)
        try:
            response: HttpResponse = await self._get_response(request)
        except BaseException as error:
            self._end(passage, request, 500, error)
            raise
        self._end(passage, request, response.status_code, None)
        return response

    def _begin(self, request: HttpRequest) -> Passage:
        return begin(self._client, request, self._unit, self._context, self._every_request)

    def _end(self, passage: Passage, request: HttpRequest, status: int, error: BaseException | None) -> None:
        match = getattr(request, "resolver_match", None)
        route = f"/{match.route}" if match is not None else request.path
        error = error or getattr(request, "paribus_error", None)
        passage.end(request.method or "", route, status, error)
