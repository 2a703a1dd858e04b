"""Documents of every kind: list, read, write, delete, history, with optimistic locking."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from paribus.errors import NotFound
from paribus.events.plan import KIND as PLAN_KIND
from paribus.server.caller import (
    After,
    Document,
    Expected,
    Key,
    Limit,
    LiveHere,
    Reader,
    Reason,
    WatchesHere,
    Writer,
    author_of,
    problems,
)
from paribus.store import Address, Revision

router = APIRouter(tags=["documents"])


class Collection(StrEnum):
    """The collections, as their paths spell them."""

    FLAGS = "flags"
    AUDIENCES = "audiences"
    LAYERS = "layers"
    HOLDOUTS = "holdouts"
    TRACKING_PLANS = "tracking-plans"
    EXPERIMENTS = "experiments"


KINDS = {
    Collection.FLAGS: "flag",
    Collection.AUDIENCES: "audience",
    Collection.LAYERS: "layer",
    Collection.HOLDOUTS: "holdout",
    Collection.TRACKING_PLANS: PLAN_KIND,
    Collection.EXPERIMENTS: "experiment",
}


class Page(BaseModel):
    """A page of documents, in the order of their keys."""

    items: list[Document]
    next: str | None = None
    """Cursor of the next page; null on the last."""


@router.get("/{collection}", responses=problems())
def list_documents(
    collection: Collection, live: LiveHere, caller: Reader, limit: Limit = 100, after: After = ""
) -> Page:
    """Documents that exist now."""
    found = live.store.list(caller.project, KINDS[collection], after=after, limit=limit)
    cursor = found[-1].address.key if len(found) == limit else None
    return Page(items=[shown(each) for each in found], next=cursor)


@router.get("/{collection}/{key}", responses=problems(404))
def read_document(
    collection: Collection,
    key: Key,
    live: LiveHere,
    caller: Reader,
    response: Response,
    revision: Annotated[int | None, Query(ge=1, le=2**31, description="An earlier revision.")] = None,
) -> Document:
    """A document; its revision stands in the ETag too."""
    found = live.store.get(_address(caller.project, collection, key), revision)
    if revision is None and found.is_tombstone:
        raise NotFound(f"{found.address} was deleted", where=str(found.address))
    return _answered(found, response)


@router.put("/{collection}/{key}", responses=problems(409, 412))
async def write_document(
    collection: Collection,
    key: Key,
    body: Annotated[dict[str, Any], Body()],
    live: LiveHere,
    watches: WatchesHere,
    caller: Writer,
    expected: Expected,
    response: Response,
    reason: Reason = "",
) -> Document:
    """Writes the next revision: with If-Match over the one that was read, without it a new document."""
    return await _write(
        live, watches, caller, _address(caller.project, collection, key), body, expected, reason, response
    )


@router.delete("/{collection}/{key}", responses=problems(404, 409, 412))
async def delete_document(
    collection: Collection,
    key: Key,
    live: LiveHere,
    watches: WatchesHere,
    caller: Writer,
    expected: Expected,
    response: Response,
    reason: Reason = "",
) -> Document:
    """Deletes it, which is a revision too: the history stays."""
    address = _address(caller.project, collection, key)
    found = await run_in_threadpool(live.store.find, address)
    if found is None or found.is_tombstone:
        raise NotFound(f"there is no {address}", where=str(address))
    return await _write(live, watches, caller, address, None, expected, reason, response)


@router.get("/{collection}/{key}/history", responses=problems(404))
def read_history(collection: Collection, key: Key, live: LiveHere, caller: Reader) -> Page:
    """All its revisions, oldest first."""
    address = _address(caller.project, collection, key)
    found = live.store.history(address)
    if not found:
        raise NotFound(f"there is no {address}", where=str(address))
    return Page(items=[shown(each) for each in found])


def shown(revision: Revision) -> Document:
    """A revision as the API shows it."""
    return Document(
        kind=revision.address.kind,
        key=revision.address.key,
        revision=revision.number,
        sequence=revision.sequence,
        body=revision.body,
        author=revision.author,
        time=revision.time.isoformat(),
        reason=revision.reason,
        deleted=revision.is_tombstone,
    )


def _address(project: str, collection: Collection, key: str) -> Address:
    return Address(project, KINDS[collection], key).checked()


def _answered(revision: Revision, response: Response) -> Document:
    response.headers["etag"] = f'"{revision.number}"'
    return shown(revision)


async def _write(
    live: LiveHere,
    watches: WatchesHere,
    caller: Writer,
    address: Address,
    body: dict[str, Any] | None,
    expected: int,
    reason: str,
    response: Response,
) -> Document:
    written = await run_in_threadpool(
        live.write,
        address.project,
        address.kind,
        address.key,
        body,
        author=author_of(caller),
        reason=reason or ("deleted" if body is None else "written through the API"),
        expected=expected,
    )
    await watches.refresh(address.project)
    return _answered(written, response)
