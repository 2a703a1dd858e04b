"""The people around a feature, over HTTP: comments, assignments, history, closing, follow-ups, learnings."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from paribus.server.caller import Key, LiveHere, Reader, Writer, author_of, problems
from paribus.server.features import FeatureShown, RunsHere, Slug, StepShown, in_shop

router = APIRouter(prefix="/features", tags=["features"])
learned = APIRouter(prefix="/learnings", tags=["features"])


class Said(BaseModel):
    """A comment."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=5_000, pattern=r"\S")


class Assignment(BaseModel):
    """Whose a step is from now on; an empty name: nobody's."""

    model_config = ConfigDict(extra="forbid")

    assignee: str = Field(default="", max_length=200)
    why: str = Field(default="", max_length=500)


class Insight(BaseModel):
    """What was learned, in a sentence that the next team can use."""

    model_config = ConfigDict(extra="forbid")

    insight: str = Field(min_length=1, max_length=2_000)
    tags: list[str] = Field(default_factory=list, max_length=20)


class Comment(BaseModel):
    """A comment as it was made; `current` tells whether the artifact is still the same."""

    number: int
    author: str
    time: str
    text: str
    artifact: str
    current: bool


class CommentList(BaseModel):
    """What was said about a step, in order."""

    items: list[Comment]


@router.get("/{key}/steps/{step}/comments", responses=problems(404))
async def list_comments(key: Key, step: Slug, live: LiveHere, caller: Reader) -> CommentList:
    """What was said about a step, in order."""
    return CommentList(items=[Comment(**each) for each in await in_shop(live, lambda shop: shop.comments(key, step))])


@router.post("/{key}/steps/{step}/comments", status_code=201, responses=problems(404))
async def add_comment(key: Key, step: Slug, said: Said, live: LiveHere, caller: Writer) -> Comment:
    """Says something about a step's artifact as it stands; comments are never removed."""
    author = author_of(caller)
    return Comment(**await in_shop(live, lambda shop: shop.comment(key, step, said.text, author=author)))


@router.put("/{key}/steps/{step}/assignee", responses=problems(404))
async def assign_step(key: Key, step: Slug, wanted: Assignment, live: LiveHere, caller: Writer) -> StepShown:
    """Gives a step to a person; the history keeps whose it was."""
    author, whom = author_of(caller), wanted.assignee
    return StepShown(**await in_shop(live, lambda shop: shop.assign(key, step, whom, author=author, why=wanted.why)))


@router.get("/{key}/history", responses=problems(404))
async def read_history(key: Key, live: LiveHere, caller: Reader) -> list[dict[str, Any]]:
    """Everything that was written about a feature, in order."""
    return await in_shop(live, lambda shop: shop.history(key))


@router.post("/{key}/close", responses=problems(404, 409))
async def close_feature(key: Key, wanted: Insight, live: LiveHere, caller: Writer) -> dict[str, Any]:
    """Closes a feature with what was learned; refused without its learning card."""
    author = author_of(caller)
    return await in_shop(live, lambda shop: shop.close(key, wanted.insight, tags=wanted.tags, author=author))


@router.post("/{key}/follow-ups/{follow_up}", status_code=201, responses=problems(404))
async def follow_feature(
    key: Key,
    follow_up: Annotated[str, Path(pattern=r"^f[0-9]{1,3}$")],
    live: LiveHere,
    runs: RunsHere,
    caller: Writer,
) -> FeatureShown:
    """Opens the next feature from a follow-up, linked to this one, and runs it up to its sealed plan (step 3)."""
    author = author_of(caller)
    made = await in_shop(live, lambda shop: shop.follow(key, follow_up, author=author))
    await asyncio.to_thread(runs.start, made["key"], until="design", author=author)
    return FeatureShown(**made)


@learned.get("", responses=problems())
async def list_learnings(
    live: LiveHere, caller: Reader, query: Annotated[str, Query(max_length=200)] = ""
) -> dict[str, Any]:
    """Learning cards that hold every word of the query, best first, and the learning rate over all features."""
    return await in_shop(live, lambda shop: shop.learnings(query))
