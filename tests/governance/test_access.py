"""Keys: what they open, how long, and that their secrets are nowhere."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from paribus.errors import AccessError, Conflict, InputError, NotFound
from paribus.governance.access import (
    PERMITTED,
    SCOPES,
    Keyring,
    Principal,
    authenticate,
    authorize,
    create_key,
    list_keys,
    revoke_key,
    rotate_key,
)
from paribus.store import Store, open_store


class HandClock:
    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "definitions.sqlite"


@pytest.fixture
def store(path: Path, clock: HandClock) -> Iterator[Store]:
    opened = open_store(path, clock=clock)
    yield opened
    opened.close()


def test_a_key_is_its_scope_project_environment_and_source(store: Store) -> None:
    key, secret = create_key(store, "client", project="shop", environment="prod", source="web", author="ann")
    assert authenticate(store, secret) == Principal(key.id, "client", "shop", "prod", "web")
    assert secret.startswith("pb_client_")
    assert len(secret) == len("pb_client_") + 43
    assert key.prefix == secret[:12]
    assert key.hash == hashlib.sha256(secret.encode()).hexdigest()
    assert (key.created_by, key.created_time) == ("ann", datetime(2026, 3, 1, 12, tzinfo=UTC))


def test_secrets_are_never_kept_shown_or_logged(store: Store, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    key, secret = create_key(store, "admin", author="ann")
    authenticate(store, secret)
    new, other = rotate_key(store, key.id, author="ann")
    revoke_key(store, key.id)
    with pytest.raises(AccessError) as refused:
        authenticate(store, secret)
    with pytest.raises(AccessError) as unknown:
        authenticate(store, secret + "x")
    said = f"{caplog.text}{key!r}{new!r}{refused.value}{unknown.value}{list_keys(store)!r}"
    kept = b"".join(file.read_bytes() for file in path.parent.iterdir())
    for text in (secret, other):
        assert text[12:] not in said
        assert text[12:].encode() not in kept


@pytest.mark.parametrize("secret", ["", "x", "pb_server_", "pb_server_" + "x" * 43, "x" * 100_000, "\ud800", "é" * 50])
def test_an_unknown_secret_opens_nothing(store: Store, secret: str) -> None:
    create_key(store, "server", author="ann")
    with pytest.raises(AccessError) as caught:
        authenticate(store, secret)
    assert not caught.value.authenticated
    assert "paribus key create" in (caught.value.fix or "")


def test_a_hash_is_not_a_secret(store: Store) -> None:
    key, _ = create_key(store, "server", author="ann")
    with pytest.raises(AccessError):
        authenticate(store, key.hash)


def test_keys_are_listed_oldest_first(store: Store, clock: HandClock) -> None:
    made = []
    for scope in SCOPES:
        made.append(create_key(store, scope, author="ann")[0])
        clock.now += timedelta(seconds=1)
    other, _ = create_key(store, "server", project="other", author="ann")
    assert list_keys(store) == [*made, other]
    assert list_keys(store, project="other") == [other]


def test_a_rotated_key_stays_valid_for_its_grace(store: Store, clock: HandClock) -> None:
    old, secret = create_key(store, "server", environment="prod", source="api", author="ann")
    new, fresh = rotate_key(store, old.id, author="bob", grace=timedelta(hours=1))
    assert (new.scope, new.environment, new.source, new.created_by) == ("server", "prod", "api", "bob")
    clock.now += timedelta(minutes=59)
    assert authenticate(store, secret).key_id == old.id
    assert authenticate(store, fresh).key_id == new.id
    clock.now += timedelta(minutes=1)
    with pytest.raises(AccessError, match="was replaced and ended at 2026-03-01 13:00 UTC") as caught:
        authenticate(store, secret)
    assert new.id in (caught.value.fix or "")
    assert authenticate(store, fresh).key_id == new.id
    with pytest.raises(Conflict, match="replaced by"):
        rotate_key(store, old.id, author="bob")


def test_a_revoked_key_ends_at_once(store: Store) -> None:
    key, secret = create_key(store, "server", author="ann")
    assert authenticate(store, secret).key_id == key.id
    revoked = revoke_key(store, key.id, author="bob")
    assert (revoked.revoked_time, revoked.revoked_by) == (datetime(2026, 3, 1, 12, tzinfo=UTC), "bob")
    with pytest.raises(AccessError, match="was revoked at 2026-03-01 12:00 UTC"):
        authenticate(store, secret)
    assert revoke_key(store, key.id) == list_keys(store)[0]
    with pytest.raises(Conflict, match="revoked already"):
        rotate_key(store, key.id, author="ann")


def test_a_revocation_elsewhere_counts_within_a_second(store: Store, path: Path, clock: HandClock) -> None:
    now = [100.0]
    keyring = Keyring(store, monotonic=lambda: now[0])
    key, secret = create_key(store, "server", author="ann")
    keyring.authenticate(secret)
    other = open_store(path, clock=clock)
    revoke_key(other, key.id)
    other.close()
    assert keyring.authenticate(secret).key_id == key.id  # believed for half a second
    now[0] += 0.99
    with pytest.raises(AccessError, match="revoked"):
        keyring.authenticate(secret)


def test_a_key_made_elsewhere_opens_within_a_second(store: Store, path: Path, clock: HandClock) -> None:
    other = open_store(path, clock=clock)
    _, secret = create_key(other, "server", author="ann")
    other.close()
    assert authenticate(store, secret).scope == "server"


def test_guesses_do_not_fill_the_memory(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from paribus.governance import access_keyring

    monkeypatch.setattr(access_keyring, "MOST_REMEMBERED", 10)
    keyring = Keyring(store)
    for i in range(50):
        with pytest.raises(AccessError):
            keyring.authenticate(f"guess {i}")
    assert len(keyring._known) <= 10


@pytest.mark.parametrize(
    ("scope", "may"),
    [
        ("intake", {"intake"}),
        ("client", {"intake", "evaluate"}),
        ("server", {"intake", "evaluate", "definitions.read"}),
        ("agent", {"document.read", "agent.act"}),
        ("admin", set(PERMITTED["admin"])),
    ],
)
def test_each_scope_opens_its_own_doors(scope, may: set[str]) -> None:
    principal = Principal("k", scope, "default", "dev", "main")
    for action in PERMITTED["admin"]:
        if action in may:
            authorize(principal, action, project="default", environment="dev")
            continue
        with pytest.raises(AccessError) as caught:
            authorize(principal, action)
        assert caught.value.authenticated
        assert action in (caught.value.rule or "")
        assert "paribus key create --scope" in (caught.value.fix or "")


def test_a_key_stays_in_its_project_and_environment() -> None:
    principal = Principal("k", "admin", "default", "dev", "main")
    with pytest.raises(AccessError, match="belongs to the project default, not to other"):
        authorize(principal, "document.read", project="other")
    with pytest.raises(AccessError, match="belongs to the environment dev, not to prod"):
        authorize(principal, "evaluate", project="default", environment="prod")


def test_mistakes_are_explained(store: Store) -> None:
    with pytest.raises(InputError, match="'sever' is no scope") as caught:
        create_key(store, "sever", author="ann")
    assert caught.value.fix == "did you mean 'server'?"
    for names in ({"environment": ""}, {"source": "a b"}, {"project": "../x"}):
        with pytest.raises(InputError, match="cannot be the name of a"):
            create_key(store, "server", author="ann", **names)
    for end in (revoke_key, lambda store, key: rotate_key(store, key, author="ann")):
        with pytest.raises(NotFound, match="no key 'nope'"):
            end(store, "nope")


def test_a_known_key_costs_under_20_microseconds(store: Store) -> None:
    _, secret = create_key(store, "server", author="ann")
    authenticate(store, secret)

    def per_call() -> float:
        begin = time.process_time()
        for _ in range(1000):
            authenticate(store, secret)
        return (time.process_time() - begin) / 1000

    assert min(per_call() for _ in range(5)) < 20e-6
