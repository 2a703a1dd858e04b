"""Who calls a management route, and with what precondition: the parameters that its routes share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, cast
from urllib.parse import unquote

from fastapi import Depends, Header, Path, Query, Request
from pydantic import AfterValidator, BaseModel, Field

from paribus.governance.access import Principal
from paribus.server import request as raw
from paribus.server.credentials import Door
from paribus.server.live import Live
from paribus.server.problem import MalformedRequest
from paribus.server.watch import Watches

if TYPE_CHECKING:
    from paribus.governance.access import Action

LONGEST_KEY = 200
Key = Annotated[
    str,
    Path(description="Key of the document; characters such as / are percent-encoded.", max_length=3 * LONGEST_KEY),
    AfterValidator(unquote),
]
Limit = Annotated[int, Query(ge=1, le=1000, description="At most so many items.")]
After = Annotated[str, Query(max_length=LONGEST_KEY, description="Cursor: the `next` of the page before.")]
Reason = Annotated[str, Query(max_length=500, description="Why; kept with the revision for ever.")]


class Problem(BaseModel):
    """What went wrong (RFC 9457), with the rule and what to do."""

    type: str
    title: str
    status: int
    detail: str = ""
    where: str = ""
    rule: str = ""
    fix: str = ""
    code: str = ""


_SAID = {
    400: "The body is not JSON as RFC 7493 asks.",
    401: "No valid key.",
    403: "The key may not do this.",
    404: "It does not exist.",
    409: "It exists already, or was changed meanwhile.",
    412: "It was changed since the revision in If-Match.",
    413: "The body is too large.",
    415: "The body's encoding is unknown.",
    422: "It cannot be used: the rule says why.",
    428: "If-Match is needed.",
    429: "Too often; see Retry-After.",
    503: "Try again; see Retry-After.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route can answer with, beyond those that each can."""
    return {
        status: {
            "description": _SAID[status],
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in sorted({400, 401, 403, 413, 415, 422, 429, 503, *statuses})
    }


def live_of(request: Request) -> Live:
    """The installation behind this server."""
    return cast(Live, request.app.state.live)


def watches_of(request: Request) -> Watches:
    """The definitions in force."""
    return cast(Watches, request.app.state.watches)


def allowed(action: Action) -> Callable[[Request], Principal]:
    """A dependency: the principal, if it may do this."""

    def principal(request: Request) -> Principal:
        door = cast(Door, request.app.state.door)
        return door.enter(raw.Request(dict(request.scope), None), action)

    return principal


def expected_revision(
    if_match: Annotated[
        str | None, Header(description='The revision that was read, such as `"3"`; without it a new document.')
    ] = None,
) -> int:
    """The revision that the caller has read; 0 for a new document."""
    if if_match is None:
        return 0
    text = if_match.strip().removeprefix("W/").strip('"')
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise MalformedRequest(
            f"If-Match {if_match[:40]!r} is no revision", where="If-Match", rule='a number such as "3"'
        )
    return int(text)


Expected = Annotated[int, Depends(expected_revision)]
LiveHere = Annotated[Live, Depends(live_of)]
WatchesHere = Annotated[Watches, Depends(watches_of)]
Reader = Annotated[Principal, Depends(allowed("document.read"))]
Writer = Annotated[Principal, Depends(allowed("document.write"))]
EventReader = Annotated[Principal, Depends(allowed("event.read"))]
KeyReader = Annotated[Principal, Depends(allowed("key.read"))]
Eraser = Annotated[Principal, Depends(allowed("data.erase"))]
KeyManager = Annotated[Principal, Depends(allowed("key.manage"))]


class Document(BaseModel):
    """One revision of a document."""

    kind: str
    key: str
    revision: int = Field(description="1, 2, 3 … within the document; send it back in If-Match.")
    sequence: int = Field(description="1, 2, 3 … within the project.")
    body: dict[str, Any] | None = Field(description="null when it was deleted or its body redacted.")
    author: str
    time: str
    reason: str
    deleted: bool = False


def author_of(principal: Principal) -> str:
    """How a revision names who wrote it."""
    return f"key:{principal.key_id}"
