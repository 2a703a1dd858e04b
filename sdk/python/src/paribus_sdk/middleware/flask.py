"""Middleware for Flask: `init_app(app, client, unit="cookie:uid")`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, Response, g, request

from paribus_sdk.client import Client
from paribus_sdk.middleware.passage import begin, unit_reader


def init_app(
    app: Flask,
    client: Client,
    unit: str | Callable[[Any], str | int | None] | None = None,
    context: Callable[[Any], Mapping[str, Any]] | None = None,
    every_request: bool = False,
) -> None:
    """Carries the unit through each request of `app`, and reports how it went.

    Args:
        app: The application.
        client: The client.
        unit: Where the unit is: `"header:NAME"`, `"cookie:NAME"`, or a function of Flask's request.
        context: A function of the request that gives attributes for the rules.
        every_request: Record `$request` also where no flag was used.
    """
    find_unit = unit_reader(unit, lambda it, name: it.headers.get(name), lambda it, name: it.cookies.get(name))

    def start() -> None:
        g.paribus_passage = begin(client, request, find_unit, context, every_request)
        g.paribus_status = 500

    def note_status(response: Response) -> Response:
        g.paribus_status = response.status_code
        return response

    def end(error: BaseException | None) -> None:
        passage = g.pop("paribus_passage", None)
        if passage is not None:
            route = request.url_rule.rule if request.url_rule is not None else request.path
            passage.end(request.method, route, g.paribus_status, error)

    app.before_request(start)
    app.after_request(note_status)
    app.teardown_request(end)
