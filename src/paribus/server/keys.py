"""API keys: listed without their secrets, made, rotated, revoked."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from paribus.errors import NotFound
from paribus.governance import access
from paribus.server.caller import Key, KeyManager, KeyReader, LiveHere, author_of, problems

router = APIRouter(prefix="/keys", tags=["keys"])
NAME = r"^[a-z0-9][a-z0-9_-]{0,62}$"


class NewKey(BaseModel):
    """What the key is for."""

    model_config = ConfigDict(extra="forbid")

    scope: Literal["server", "client", "intake", "admin", "agent"]
    environment: str | None = Field(default=None, pattern=NAME, description="That of the caller's key without it.")
    source: str = Field(default="main", pattern=NAME, description="Events of one source are told apart by their ids.")


class Rotation(BaseModel):
    """How long the old key goes on."""

    model_config = ConfigDict(extra="forbid")

    grace_hours: float = Field(default=24, ge=0, le=24 * 90)


class ShownKey(BaseModel):
    """A key without its secret."""

    id: str
    scope: str
    project: str
    environment: str
    source: str
    prefix: str
    created_time: str
    created_by: str
    expires_time: str | None
    revoked_time: str | None
    replaced_by: str | None


class CreatedKey(BaseModel):
    """A key with its secret, this once."""

    key: ShownKey
    secret: str


class KeyList(BaseModel):
    """All keys of the project, oldest first."""

    items: list[ShownKey]


@router.get("", responses=problems())
def list_keys(live: LiveHere, caller: KeyReader) -> KeyList:
    """The keys of the project, ended ones included."""
    return KeyList(items=[_shown(each) for each in access.list_keys(live.store, project=caller.project)])


@router.post("", status_code=201, responses=problems())
def create_key(wanted: NewKey, live: LiveHere, caller: KeyManager) -> CreatedKey:
    """A new key; its secret is shown this once."""
    key, secret = access.create_key(
        live.store,
        wanted.scope,
        project=caller.project,
        environment=wanted.environment or caller.environment,
        source=wanted.source,
        author=author_of(caller),
    )
    return CreatedKey(key=_shown(key), secret=secret)


@router.post("/{key}/rotate", status_code=201, responses=problems(404))
def rotate_key(key: Key, rotation: Rotation, live: LiveHere, caller: KeyManager) -> CreatedKey:
    """A new key in the place of the old, which stays valid for the grace period."""
    _own(live, caller, key)
    grace = timedelta(hours=rotation.grace_hours)
    made, secret = access.rotate_key(live.store, key, author=author_of(caller), grace=grace)
    return CreatedKey(key=_shown(made), secret=secret)


@router.delete("/{key}", responses=problems(404))
def revoke_key(key: Key, live: LiveHere, caller: KeyManager) -> ShownKey:
    """Ends a key for good, within a second everywhere."""
    _own(live, caller, key)
    return _shown(access.revoke_key(live.store, key))


def _own(live: LiveHere, caller: KeyManager, key_id: str) -> None:
    if not any(each.id == key_id for each in access.list_keys(live.store, project=caller.project)):
        raise NotFound(f"there is no key {key_id[:80]!r}", where=f"project {caller.project}", fix="paribus key list")


def _shown(key: access.Key) -> ShownKey:
    return ShownKey(
        id=key.id,
        scope=key.scope,
        project=key.project,
        environment=key.environment,
        source=key.source,
        prefix=key.prefix,
        created_time=key.created_time.isoformat(),
        created_by=key.created_by,
        expires_time=key.expires_time.isoformat() if key.expires_time else None,
        revoked_time=key.revoked_time.isoformat() if key.revoked_time else None,
        replaced_by=key.replaced_by,
    )
