"""The routes of a generated service as OpenAPI 3.1, the same for every framework."""

from __future__ import annotations

from typing import Any

from paribus.workflow.code.journey import Field, Interaction, Screen
from paribus.workflow.code.service import Service

TYPES = {
    "text": {"type": "string"},
    "whole": {"type": "integer"},
    "number": {"type": "number"},
    "truth": {"type": "boolean"},
    "moment": {"type": "string", "format": "date-time"},
    "document": {"type": "string", "contentMediaType": "application/json"},
}
NEXT = {"type": "object", "required": ["next"], "properties": {"next": {"type": "string"}}}


def describe(service: Service) -> dict[str, Any]:
    """The document; `x-events` names the planned events of each route."""
    paths: dict[str, Any] = {}
    for screen in service.journey.screens:
        paths.setdefault(screen.path, {})["get"] = _screen(screen)
    for each in service.journey.interactions:
        paths.setdefault(each.path, {})[each.method.lower()] = _interaction(each)
    for path, summary in (("/health", "Whether it serves."), ("/metrics", "What Prometheus reads.")):
        paths[path] = {
            "get": {"operationId": path[1:], "summary": summary, "responses": {"200": {"description": "it serves"}}}
        }
    return {
        "openapi": "3.1.0",
        "info": {"title": service.requirement, "version": "0.1.0"},
        "paths": dict(sorted(paths.items())),
    }


def _screen(screen: Screen) -> dict[str, Any]:
    return {
        "operationId": screen.function,
        "summary": screen.title,
        "x-events": [sending.event for sending in (*screen.enters, *screen.outcomes)],
        "x-decisions": [point.id for point in screen.decisions],
        "responses": {"200": {"description": "the page", "content": {"text/html": {"schema": {"type": "string"}}}}},
    }


def _interaction(each: Interaction) -> dict[str, Any]:
    form = {
        "type": "object",
        "required": sorted(field.name for field in each.fields if field.is_required),
        "properties": {field.name: _schema(field) for field in each.fields},
    }
    described: dict[str, Any] = {
        "operationId": each.function,
        "summary": each.label,
        "x-element": each.id,
        "x-events": [sending.event for sending in each.sends],
        "responses": {
            "200": {"description": "done, asked for JSON", "content": {"application/json": {"schema": NEXT}}},
            "303": {"description": f"done; the next page is {each.leads_to}"},
            "400": {"description": "a field is missing or of another type; nothing was sent"},
        },
    }
    if each.method == "POST":
        described["requestBody"] = {"content": {"application/x-www-form-urlencoded": {"schema": form}}}
    return described


def _schema(field: Field) -> dict[str, Any]:
    if field.reader == "choice":
        return {"enum": list(field.choices)}
    return dict(TYPES[field.reader])
