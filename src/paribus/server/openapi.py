"""The OpenAPI 3.1 description: FastAPI's of the management routes, and ours of the hot ones."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from paribus.server.caller import Problem, problems

OPENAPI = "3.1.0"
Json = dict[str, Any]
_CONTEXT = {
    "type": "object",
    "properties": {
        "context": {
            "type": "object",
            "description": "Attributes that rules read; targetingKey is the unit.",
            "properties": {"targetingKey": {"type": ["string", "integer"]}},
        }
    },
}
_FAILURE = {
    "type": "object",
    "required": ["errorCode", "errorDetails"],
    "properties": {name: {"type": "string"} for name in ("key", "errorCode", "errorDetails")},
}
_FLAG = {
    "type": "object",
    "required": ["key", "value", "variant", "reason", "metadata"],
    "properties": {
        "key": {"type": "string"},
        "value": {"description": "Of the flag's type."},
        "variant": {"type": "string"},
        "reason": {"enum": ["SPLIT", "TARGETING_MATCH", "DISABLED", "DEFAULT", "ERROR"]},
        "metadata": {"type": "object"},
    },
}
_BULK = {
    "type": "object",
    "required": ["flags", "metadata"],
    "properties": {
        "flags": {
            "type": "array",
            "items": {
                "anyOf": [{"$ref": "#/components/schemas/OfrepFlag"}, {"$ref": "#/components/schemas/OfrepFailure"}]
            },
        },
        "metadata": {"type": "object"},
        "eventStreams": {"type": "array", "items": {"type": "object"}},
    },
}
_EVENT = {
    "type": "object",
    "required": ["event_id", "name", "time"],
    "properties": {
        "event_id": {"type": "string", "description": "Sent again with the same id it stays one event."},
        "name": {"type": "string"},
        "time": {"type": ["string", "integer"], "description": "RFC 3339, or epoch milliseconds."},
        "unit_type": {"type": ["string", "null"]},
        "unit": {"type": ["string", "null"]},
        "user_id": {"type": ["string", "null"]},
        "anonymous_id": {"type": ["string", "null"]},
        "session_id": {"type": ["string", "null"]},
        "properties": {"type": "object"},
        "context": {"type": "object"},
        "sequence": {"type": ["integer", "null"]},
    },
}
_BATCH = {
    "type": "object",
    "required": ["batch"],
    "properties": {
        "sent_at": {"type": "string", "description": "RFC 3339, by the sender's clock."},
        "batch": {"type": "array", "items": {"$ref": "#/components/schemas/Event"}},
    },
}
_COUNTS = {
    "type": "object",
    "required": ["accepted", "quarantined", "rejected"],
    "properties": {
        "accepted": {"type": "integer"},
        "quarantined": {"type": "integer"},
        "rejected": {"type": "array", "items": {"type": "object"}},
    },
}
_AGENT_MESSAGE = {
    "type": "object",
    "required": ["jsonrpc", "method"],
    "properties": {
        "jsonrpc": {"const": "2.0"},
        "id": {"type": ["string", "integer"], "description": "Without it the message asks for no answer."},
        "method": {"type": "string", "examples": ["initialize", "tools/list", "tools/call"]},
        "params": {"type": "object"},
    },
}
SCHEMAS: Json = {
    "OfrepRequest": _CONTEXT,
    "OfrepFailure": _FAILURE,
    "OfrepFlag": _FLAG,
    "OfrepBulk": _BULK,
    "Event": _EVENT,
    "Batch": _BATCH,
    "Counts": _COUNTS,
    "AgentMessage": _AGENT_MESSAGE,
}


def describe(api: FastAPI) -> Callable[[], Json]:
    """A function that makes the description once."""

    def openapi() -> Json:
        if api.openapi_schema is None:
            api.openapi_schema = description(api)
        return api.openapi_schema

    return openapi


def description(api: FastAPI) -> Json:
    """The whole description."""
    document = get_openapi(
        title=api.title, version=api.version, summary=api.summary, openapi_version=OPENAPI, routes=api.routes
    )
    schemas = document["components"]["schemas"]
    schemas |= SCHEMAS | {"Problem": Problem.model_json_schema()}
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    document["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    document["security"] = [{"bearer": []}, {"header": []}]
    document["paths"] = {**_hot_paths(), **document["paths"]}
    return document


def _hot_paths() -> Json:
    key = {"name": "key", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    exposure = {
        "name": "paribus-exposure",
        "in": "header",
        "schema": {"enum": ["off"]},
        "description": "off: this evaluation is a look, not an exposure.",
    }
    known = {"name": "If-None-Match", "in": "header", "schema": {"type": "string"}}
    failure = {"description": "Not evaluated.", "content": _json("OfrepFailure")}
    stream = {"description": "Server-sent events.", "content": {"text/event-stream": {}}}
    fresh = {"304": {"description": "Nothing changed."}}
    open_routes: Json = {"security": [], "tags": ["health"]}
    return {
        "/ofrep/v1/evaluate/flags/{key}": {
            "post": _operation(
                "evaluate_flag",
                "ofrep",
                "One flag for one context (OFREP).",
                "OfrepFlag",
                body="OfrepRequest",
                more={"400": failure, "404": failure},
            )
            | {"parameters": [key, exposure]}
        },
        "/ofrep/v1/evaluate/flags": {
            "post": _operation(
                "evaluate_flags",
                "ofrep",
                "All flags for one context (OFREP).",
                "OfrepBulk",
                body="OfrepRequest",
                more={"400": failure, **fresh},
            )
            | {"parameters": [known]}
        },
        "/ofrep/v1/events": {
            "get": {
                "operationId": "refetch_stream",
                "tags": ["ofrep"],
                "summary": "Says when to evaluate again; the key may stand in ?key=.",
                "responses": {"200": stream},
            }
        },
        "/api/v1/definitions": {
            "get": _operation(
                "read_definitions", "definitions", "The definitions of the key's environment.", None, more=fresh
            )
            | {"parameters": [known]}
        },
        "/api/v1/definitions/stream": {
            "get": {
                "operationId": "definitions_stream",
                "tags": ["definitions"],
                "summary": "The definitions now and after each change.",
                "responses": {"200": stream},
            }
        },
        "/api/v1/events": {
            "post": _operation(
                "send_events",
                "events",
                "Takes events; 200 when they are durable.",
                "Counts",
                body="Batch",
                more={"400": {"description": "Not one event could be read.", "content": _json("Counts")}},
            )
        },
        "/mcp": {
            "post": _operation(
                "agent_message",
                "agents",
                "A message of the Model Context Protocol (streamable HTTP), with a key of scope agent or admin.",
                None,
                body="AgentMessage",
            )
            | {"externalDocs": {"url": "https://modelcontextprotocol.io/specification"}}
        },
        "/health": {"get": open_routes | _plain("health", "Whether every part lives.")},
        "/ready": {"get": open_routes | _plain("ready", "Whether it takes work.")},
        "/metrics": {
            "get": open_routes
            | {
                "operationId": "metrics",
                "summary": "Prometheus or OpenMetrics text.",
                "responses": {"200": {"description": "Numbers.", "content": {"text/plain": {}}}},
            }
        },
    }


def _operation(
    name: str, tag: str, summary: str, answer: str | None, body: str | None = None, more: Json | None = None
) -> Json:
    content = _json(answer) if answer else {"application/json": {"schema": {"type": "object"}}}
    responses = {"200": {"description": summary, "content": content}}
    responses |= {str(status): each for status, each in problems().items()} | (more or {})
    operation: Json = {"operationId": name, "tags": [tag], "summary": summary, "responses": responses}
    if body:
        operation["requestBody"] = {"required": True, "content": _json(body)}
    return operation


def _plain(name: str, summary: str) -> Json:
    failing = {"description": "Something does not.", "content": {"application/json": {"schema": {"type": "object"}}}}
    fine = {"description": summary, "content": {"application/json": {"schema": {"type": "object"}}}}
    return {"operationId": name, "summary": summary, "responses": {"200": fine, "503": failing}}


def _json(schema: str) -> Json:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def document() -> Json:
    """The description without a running server."""
    from paribus.server.management import routes

    return description(routes())


def write(path: str) -> None:
    """Writes the description as a file: `python -m paribus.server.openapi spec/openapi.json`."""
    Path(path).write_text(json.dumps(document(), indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    write(sys.argv[1])
