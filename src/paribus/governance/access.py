"""Who may do what: API keys, kept as hashes, each for one project and environment, and a table of scopes."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal, get_args

from paribus.errors import AccessError, Conflict, InputError, NotFound, did_you_mean
from paribus.governance.access_keyring import (
    KEYS,
    SCOPES,
    SHOWN,
    Key,
    Keyring,
    Principal,
    Scope,
    authenticate,
    hash_of,
    keyring_of,
)
from paribus.store import Store
from paribus.store.address import check_name

__all__ = [
    "KEYS",
    "PERMITTED",
    "SCOPES",
    "Action",
    "Key",
    "Keyring",
    "Principal",
    "Scope",
    "authenticate",
    "authorize",
    "create_key",
    "list_keys",
    "revoke_key",
    "rotate_key",
]

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
    "agent.act",
]
PERMITTED: dict[Scope, frozenset[Action]] = {
    "server": frozenset({"evaluate", "definitions.read", "intake"}),
    "client": frozenset({"evaluate", "intake"}),  # client flags only: the server leaves the others out
    "intake": frozenset({"intake"}),
    "admin": frozenset(get_args(Action)),
    "agent": frozenset({"document.read", "agent.act"}),  # what it does goes through the policy of agents
}


def create_key(
    store: Store,
    scope: Scope,
    *,
    project: str = "default",
    environment: str = "dev",
    source: str = "main",
    author: str,
) -> tuple[Key, str]:
    """A new key and its secret, which is shown this once and cannot be read again.

    Raises:
        InputError: there is no such scope, or project, environment or source is not a name.
    """
    key, secret = _make(scope, project, environment, source, author, store.clock())
    store.records(KEYS).append(key)
    return key, secret


def list_keys(store: Store, *, project: str | None = None) -> list[Key]:
    """The keys, oldest first, ended ones included."""
    records = store.records(KEYS)
    keys = page = records.scan()
    while len(page) == 1000:
        page = records.scan(after=page[-1])
        keys = keys + page
    return sorted(
        (key for key in keys if project is None or key.project == project), key=lambda key: (key.created_time, key.id)
    )


def rotate_key(store: Store, key_id: str, *, author: str, grace: timedelta = timedelta(hours=24)) -> tuple[Key, str]:
    """A new key like the old one, and its secret; the old one stays valid for the grace period.

    Raises:
        NotFound: there is no such key.
        Conflict: the key has ended already, or was rotated.
    """
    records, now = store.records(KEYS), store.clock()
    old = _named(store, key_id)
    if old.revoked_time is not None or old.expires_time is not None:
        state = "revoked" if old.revoked_time else f"replaced by {old.replaced_by}"
        raise Conflict(
            f"the key {key_id} was {state} already", rule="a key is rotated once", fix="rotate the newest one"
        )
    new, secret = _make(old.scope, old.project, old.environment, old.source, author, now)
    records.upsert(new, replace(old, expires_time=now + grace, replaced_by=new.id))
    keyring_of(store).forget(old.hash)
    return new, secret


def revoke_key(store: Store, key_id: str, *, author: str | None = None) -> Key:
    """The key, valid no more: at once in this process, within a second in others.

    Raises:
        NotFound: there is no such key.
    """
    key = _named(store, key_id)
    if key.revoked_time is None:
        key = replace(key, revoked_time=store.clock(), revoked_by=author)
        store.records(KEYS).upsert(key)
    keyring_of(store).forget(key.hash)
    return key


def authorize(
    principal: Principal, action: Action, *, project: str | None = None, environment: str | None = None
) -> None:
    """Returns when the principal may do this in that project and environment.

    Raises:
        AccessError: it may not (`authenticated` True).
    """
    if action not in PERMITTED[principal.scope]:
        able = [scope for scope in SCOPES if action in PERMITTED[scope]]
        raise AccessError(
            f"a key of scope {principal.scope} may not do this ({action})",
            authenticated=True,
            rule=f"{action} takes a key of scope {' or '.join(able)}",
            fix=f"paribus key create --scope {able[0]}",
        )
    for what, asked, own in (
        ("project", project, principal.project),
        ("environment", environment, principal.environment),
    ):
        if asked is not None and asked != own:
            raise AccessError(
                f"this key belongs to the {what} {own}, not to {asked}",
                authenticated=True,
                rule="a key opens one project and environment",
                fix=f"use a key of {asked}",
            )


def _make(scope: Scope, project: str, environment: str, source: str, author: str, now: datetime) -> tuple[Key, str]:
    if scope not in SCOPES:
        raise InputError(f"{scope!r} is no scope of keys", fix=did_you_mean(str(scope), SCOPES))
    for what, name in (("project", project), ("environment", environment), ("source", source)):
        check_name(what, name)
    secret = f"pb_{scope}_{secrets.token_urlsafe(32)}"
    key = Key(
        id=f"key_{secrets.token_hex(6)}",
        scope=scope,
        project=project,
        environment=environment,
        source=source,
        prefix=secret[:SHOWN],
        hash=hash_of(secret),
        created_time=now,
        created_by=author,
    )
    return key, secret


def _named(store: Store, key_id: str) -> Key:
    if (key := store.records(KEYS).find(key_id)) is None:
        raise NotFound(f"there is no key {key_id[:80]!r}", fix="paribus key list shows their ids")
    return key
