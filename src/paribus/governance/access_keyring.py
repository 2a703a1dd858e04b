"""From a secret to who holds it: keys as they are kept, and as a process remembers them."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args
from weakref import WeakKeyDictionary

from paribus.errors import AccessError
from paribus.store import RecordType, Store

Scope = Literal["server", "client", "intake", "admin", "agent"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
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
    revoked_by: str | None = None


KEYS = RecordType(Key, name="key", key=("id",), lookup="hash")


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever holds a valid key."""

    key_id: str
    scope: Scope
    project: str
    environment: str
    source: str


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
        digest = hash_of(secret)
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


def keyring_of(store: Store) -> Keyring:
    """The one keyring that this process has for a store."""
    if (keyring := _KEYRINGS.get(store)) is None:
        keyring = _KEYRINGS.setdefault(store, Keyring(store))
    return keyring


def authenticate(store: Store, secret: str) -> Principal:
    """Whose secret this is; what was looked up is believed for half a second.

    Raises:
        AccessError: nobody's, or the key expired or was revoked (`authenticated` False).
    """
    return keyring_of(store).authenticate(secret)


def hash_of(secret: str) -> str:
    """SHA-256 of a secret, as keys keep it."""
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
