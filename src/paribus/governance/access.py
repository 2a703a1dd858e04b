"""Who may do what: API keys, kept as hashes, each for one project and environment, and a table of scopes."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, get_args
from weakref import WeakKeyDictionary

from paribus.errors import AccessError, Conflict, InputError, NotFound, did_you_mean
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
SCOPES: tuple[Scope, ...] = get_args(Scope)
PERMITTED: dict[Scope, frozenset[Action]] = {
    "server": frozenset({"evaluate", "definitions.read", "intake"}),
    "client": frozenset({"evaluate", "intake"}),  # client flags only: the server leaves the others out
    "intake": frozenset({"intake"}),
    "admin": frozenset(get_args(Action)),
}
REMEMBERED_SECONDS = 0.5
"""How long a key is believed without another look; a revocation elsewhere is in force after it."""
MOST_REMEMBERED = 10_000
LONGEST_SECRET = 200
SHOWN = 12  # characters of a secret that lists show


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
    """A new key and its secret, which is shown this once and cannot be read again.

    Raises:
        InputError: there is no such scope.
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
    _keyring(store).forget(old.hash)
    return new, secret


def revoke_key(store: Store, key_id: str) -> Key:
    """The key, valid no more: at once in this process, within a second in others.

    Raises:
        NotFound: there is no such key.
    """
    key = _named(store, key_id)
    if key.revoked_time is None:
        key = replace(key, revoked_time=store.clock())
        store.records(KEYS).upsert(key)
    _keyring(store).forget(key.hash)
    return key


def authenticate(store: Store, secret: str) -> Principal:
    """Whose secret this is; what was looked up is believed for half a second.

    Raises:
        AccessError: nobody's, or the key expired or was revoked (`authenticated` False).
    """
    return _keyring(store).authenticate(secret)


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


class Keyring:
    """Keys as they were last read from a store, believed for half a second each; safe to share among threads."""

    def __init__(self, store: Store, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._keys = store.records(KEYS)
        self._clock = store.clock
        self._monotonic = monotonic
        self._known: dict[str, tuple[float, Key | None]] = {}

    def authenticate(self, secret: str) -> Principal:
        """Whose secret this is.

        Raises:
            AccessError: nobody's, or the key expired or was revoked (`authenticated` False).
        """
        if len(secret) > LONGEST_SECRET:
            raise _unknown("")
        digest = _hash(secret)
        until, key = self._known.get(digest, (0.0, None))
        if self._monotonic() >= until:
            key = self._look_up(digest)
        if key is None or not hmac.compare_digest(key.hash, digest):
            raise _unknown(secret)
        if key.revoked_time is not None:
            raise _ended(key, f"was revoked at {key.revoked_time:%Y-%m-%d %H:%M} UTC")
        if key.expires_time is not None and key.expires_time <= self._clock():
            raise _ended(key, f"was replaced and ended at {key.expires_time:%Y-%m-%d %H:%M} UTC")
        return Principal(key.id, key.scope, key.project, key.environment, key.source)

    def forget(self, digest: str) -> None:
        """Reads the key anew when it is used next."""
        self._known.pop(digest, None)

    def _look_up(self, digest: str) -> Key | None:
        now = self._monotonic()
        key = next(iter(self._keys.by(digest)), None)
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        self._known[digest] = (now + REMEMBERED_SECONDS, key)
        return key


_KEYRINGS: WeakKeyDictionary[Store, Keyring] = WeakKeyDictionary()


def _keyring(store: Store) -> Keyring:
    if (keyring := _KEYRINGS.get(store)) is None:
        keyring = _KEYRINGS.setdefault(store, Keyring(store))
    return keyring


def _make(scope: Scope, project: str, environment: str, source: str, author: str, now: datetime) -> tuple[Key, str]:
    if scope not in SCOPES:
        raise InputError(f"{scope!r} is no scope of keys", fix=did_you_mean(str(scope), SCOPES))
    secret = f"pb_{scope}_{secrets.token_urlsafe(32)}"
    key = Key(
        id=f"key_{secrets.token_hex(6)}",
        scope=scope,
        project=project,
        environment=environment,
        source=source,
        prefix=secret[:SHOWN],
        hash=_hash(secret),
        created_time=now,
        created_by=author,
    )
    return key, secret


def _named(store: Store, key_id: str) -> Key:
    if (key := store.records(KEYS).find(key_id)) is None:
        raise NotFound(f"there is no key {key_id[:80]!r}", fix="paribus key list shows their ids")
    return key


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def _unknown(secret: str) -> AccessError:
    known_form = any(secret.startswith(f"pb_{scope}_") for scope in SCOPES)
    return AccessError(
        f"no key {secret[:SHOWN]}… is known here" if known_form else "this is not the secret of a key",
        authenticated=False,
        rule="a secret begins with pb_ and its scope, and belongs to one data folder or database",
        fix="paribus key list shows the keys; paribus key create makes one",
    )


def _ended(key: Key, how: str) -> AccessError:
    return AccessError(
        f"the key {key.prefix}… {how}",
        authenticated=False,
        rule="an ended key opens nothing",
        fix=f"use its successor {key.replaced_by}" if key.replaced_by else "paribus key create makes a new one",
    )
