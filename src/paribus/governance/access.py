"""Who may do what: API keys, kept as hashes, each for one project and environment, and a table of scopes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from paribus.store import RecordType, Store

Scope = Literal["server", "client", "intake", "admin"]
Action = Literal[
    "evaluate",
    "definitions.read",
    "intake",
    "document.read",
    "document.write",
    "event.read",
    "key.read",
    "key.manage",
    "data.erase",
    "system.manage",
]


@dataclass(frozen=True, slots=True)
class Key:
    """An API key as it is kept: never the secret, only its SHA-256 and its first 12 characters."""

    id: str
    scope: Scope
    project: str
    environment: str
    source: str
    prefix: str
    hash: str
    created_time: datetime
    created_by: str
    expires_time: datetime | None = None
    revoked_time: datetime | None = None
    replaced_by: str | None = None


KEYS = RecordType(Key, name="key", key=("id",), lookup="hash")


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever holds a valid key."""

    key_id: str
    scope: Scope
    project: str
    environment: str
    source: str


def create_key(
    store: Store,
    scope: Scope,
    *,
    project: str = "default",
    environment: str = "dev",
    source: str = "main",
    author: str,
) -> tuple[Key, str]:
    """A new key and its secret, which is shown this once and cannot be read again."""
    raise NotImplementedError


def list_keys(store: Store, *, project: str | None = None) -> list[Key]:
    """The keys, oldest first, ended ones included."""
    raise NotImplementedError


def rotate_key(store: Store, key_id: str, *, author: str, grace: timedelta = timedelta(hours=24)) -> tuple[Key, str]:
    """A new key like the old one, and its secret; the old one stays valid for the grace period."""
    raise NotImplementedError


def revoke_key(store: Store, key_id: str) -> Key:
    """The key, valid no more: at once in this process, within a second in others."""
    raise NotImplementedError


def authenticate(store: Store, secret: str) -> Principal:
    """Whose secret this is.

    Raises:
        AccessError: nobody's, or the key expired or was revoked (`authenticated` False).
    """
    raise NotImplementedError


def authorize(
    principal: Principal, action: Action, *, project: str | None = None, environment: str | None = None
) -> None:
    """Returns when the principal may do this in that project and environment.

    Raises:
        AccessError: it may not (`authenticated` True).
    """
    raise NotImplementedError
