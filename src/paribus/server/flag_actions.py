"""What is done to a flag in a hurry: kill, revive, switch, ramp; and the explanation of a decision."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from paribus.errors import NotFound
from paribus.flags import change
from paribus.server.caller import Document, Key, LiveHere, Reader, WatchesHere, Writer, author_of, problems
from paribus.server.documents import shown

router = APIRouter(prefix="/flags/{key}", tags=["flags"])


class Order(BaseModel):
    """Where, and why."""

    model_config = ConfigDict(extra="forbid")

    environment: str | None = Field(default=None, max_length=100, description="That of the key without it.")
    reason: str = Field(default="", max_length=500)


class Ramp(Order):
    """How much traffic takes part from now on."""

    traffic_bp: int = Field(ge=0, le=10_000, description="Basis points: 2500 is 25%.")
    rule: str | None = Field(default=None, max_length=100, description="The rule, when several split.")


class Switch(Order):
    """On or off."""

    enabled: bool


class Question(BaseModel):
    """A unit and what is known of it."""

    model_config = ConfigDict(extra="forbid")

    unit: str | int | None = None
    context: dict[str, Any] = {}


@router.post("/kill", responses=problems(404, 409))
async def kill(key: Key, order: Order, live: LiveHere, watches: WatchesHere, caller: Writer) -> Document:
    """Everyone gets the default variant, within a second."""
    return await _step(live, watches, caller, key, order, "killed", change.killed)


@router.post("/revive", responses=problems(404, 409))
async def revive(key: Key, order: Order, live: LiveHere, watches: WatchesHere, caller: Writer) -> Document:
    """Undoes kill."""

    def step(key: str, body: change.Body, environment: str) -> change.Body:
        return change.killed(key, body, environment, revive=True)

    return await _step(live, watches, caller, key, order, "revived", step)


@router.post("/switch", responses=problems(404, 409))
async def switch(key: Key, order: Switch, live: LiveHere, watches: WatchesHere, caller: Writer) -> Document:
    """Turns the flag on or off in one environment."""

    def step(key: str, body: change.Body, environment: str) -> change.Body:
        return change.enabled(key, body, environment, on=order.enabled)

    return await _step(live, watches, caller, key, order, "switched on" if order.enabled else "switched off", step)


@router.post("/ramp", responses=problems(404, 409))
async def ramp(key: Key, order: Ramp, live: LiveHere, watches: WatchesHere, caller: Writer) -> Document:
    """Widens or narrows traffic; no unit changes its variant."""

    def step(key: str, body: change.Body, environment: str) -> change.Body:
        return change.ramped(key, body, environment, order.traffic_bp, order.rule)

    return await _step(live, watches, caller, key, order, f"traffic {order.traffic_bp / 100:g}%", step)


@router.post("/explain", responses=problems(404))
async def explain(key: Key, question: Question, watches: WatchesHere, caller: Reader) -> dict[str, Any]:
    """The decision for a unit and each step to it, in sentences; exposes nobody."""
    published = (await watches.get(caller.project, caller.environment)).current
    if key not in published.snapshot["flags"]:
        raise NotFound(f"there is no flag {key!r} in {caller.environment}", where=f"project {caller.project}")
    explained = published.evaluator.explain(key, question.unit, question.context)
    steps = [dataclasses.asdict(step) for step in explained.steps]
    return {"decision": explained.decision.to_dict(), "steps": steps}


async def _step(
    live: LiveHere,
    watches: WatchesHere,
    caller: Writer,
    key: str,
    order: Order,
    said: str,
    step: Callable[[str, change.Body, str], change.Body],
) -> Document:
    environment = order.environment or caller.environment
    revision = await run_in_threadpool(
        live.change,
        caller.project,
        "flag",
        key,
        lambda body: step(key, body, environment),
        author=author_of(caller),
        reason=order.reason or f"{said} in {environment}",
    )
    await watches.refresh(caller.project)
    return shown(revision)
