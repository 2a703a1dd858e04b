"""Errors as RFC 9457 problems: the one table from codes to statuses."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from paribus.errors import AccessError, LimitError, ParibusError
from paribus.server.answer import Answer

PROBLEM = b"application/problem+json"
TYPE = "https://paribus.dev/problems/"

STATUS = {
    "malformed": 400,
    "unsupported_encoding": 415,
    "input": 422,
    "definition": 422,
    "fragment": 422,
    "not_found": 404,
    "conflict": 409,
    "limit": 429,
    "locked": 503,
    "storage": 503,
    "plan": 409,
    "proof": 422,
    "engine": 502,
    "transient": 503,
    "missing_extra": 501,
}
TITLE = {
    400: "Malformed request",
    401: "No valid key",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    409: "Conflict",
    412: "Changed meanwhile",
    413: "Too large",
    415: "Unsupported encoding",
    422: "Cannot be used",
    428: "Revision needed",
    429: "Too many requests",
    500: "Internal error",
    501: "Not installed",
    502: "Engine failed",
    503: "Try again later",
}


def status_of(error: ParibusError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, AccessError):
        return 403 if error.authenticated else 401
    if isinstance(error, LimitError):
        return 413 if error.retry_after is None else 429
    return STATUS.get(error.code, 500)


def problem(error: ParibusError, *, status: int | None = None) -> dict[str, Any]:
    """The problem document: type, title, status, detail, and our where, rule, fix and code."""
    status = status or status_of(error)
    fields: dict[str, Any] = error.to_dict()
    fields["detail"] = fields.pop("what", "")
    return {"type": TYPE + error.code, "title": TITLE.get(status, "Error"), "status": status, **fields}


def problem_headers(error: ParibusError, status: int) -> list[tuple[bytes, bytes]]:
    """Retry-After, WWW-Authenticate and Connection, where they apply."""
    found: list[tuple[bytes, bytes]] = []
    wait = getattr(error, "retry_after", None)
    if wait is None and status == 503:
        wait = 1
    if wait is not None:
        found.append((b"retry-after", str(max(1, math.ceil(wait))).encode()))
    if status == 413:
        found.append((b"connection", b"close"))  # what was not read is not wanted
    if status == 401:
        found.append((b"www-authenticate", b'Bearer realm="paribus"'))
    return found


def problem_answer(error: ParibusError, *, status: int | None = None) -> Answer:
    """The same as an answer of a hot route."""
    status = status or status_of(error)
    body = msgspec.json.encode(problem(error, status=status))
    return Answer(status, body, PROBLEM, tuple(problem_headers(error, status)))


class MalformedRequest(ParibusError):
    """The request is not what HTTP or JSON ask for: 400."""

    code = "malformed"


class UnsupportedEncoding(ParibusError):
    """A Content-Encoding that this server cannot undo: 415."""

    code = "unsupported_encoding"
