"""What arrived: the last events, the quarantine and its replay, and whether the counts add up."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from paribus.server.caller import Eraser, EventReader, Limit, LiveHere, Writer, problems

router = APIRouter(prefix="/events", tags=["events"])
Cursor = Annotated[str, Query(max_length=500, description="Cursor: the `next` of the page before.")]


class Events(BaseModel):
    """Events as stored, newest first."""

    items: list[dict[str, Any]]


class Quarantine(BaseModel):
    """Events that the contract refused, with the reason of each."""

    items: list[dict[str, Any]]
    next: str | None = None
    reasons: dict[str, int] = {}


class Replay(BaseModel):
    """Which of the quarantined events to try again."""

    model_config = ConfigDict(extra="forbid")

    reason: str | None = Field(default=None, max_length=200, description="Only those with this reason.")


class Erasure(BaseModel):
    """Whose events go."""

    model_config = ConfigDict(extra="forbid")

    ids: list[Annotated[str, Field(min_length=1, max_length=500, pattern=r"\S")]] = Field(
        min_length=1, max_length=1000, description="Unit, user and anonymous ids of the person."
    )
    request: str = Field(default="", max_length=200, description="Your reference; it stands in the proof.")


@router.get("/tail", responses=problems())
def tail(live: LiveHere, caller: EventReader, limit: Limit = 20) -> Events:
    """The events that arrived last."""
    return Events(items=list(live.tail(caller.project, caller.environment, limit)))


@router.get("/quarantine", responses=problems())
def quarantine(
    live: LiveHere,
    caller: EventReader,
    reason: Annotated[str | None, Query(max_length=200)] = None,
    after: Cursor = "",
    limit: Limit = 100,
) -> Quarantine:
    """Why events are not in the lake."""
    found = live.quarantine(caller.project, caller.environment, reason=reason, after=after, limit=limit)
    return Quarantine.model_validate(found)


@router.post("/quarantine/replay", responses=problems())
def replay(order: Replay, live: LiveHere, caller: Writer) -> dict[str, Any]:
    """Checks quarantined events against the plan in force now; those that pass land."""
    return live.replay(caller.project, caller.environment, reason=order.reason)


@router.get("/reconcile", responses=problems())
def reconcile(live: LiveHere, caller: EventReader) -> dict[str, Any]:
    """Received = accepted + quarantined + rejected, and accepted = landed."""
    return live.reconcile(caller.project, caller.environment)


@router.post("/erase", responses=problems())
def erase(order: Erasure, live: LiveHere, caller: Eraser) -> dict[str, Any]:
    """Removes everything of these ids from queue, lake and records, to the last byte; the proof names nobody."""
    return live.erase(order.ids, request=order.request)
