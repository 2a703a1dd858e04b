"""Backups: one format for both databases, whole or refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.store.conftest import HandClock
from tests.store.test_records import SEATS, Seat

from paribus.errors import Conflict, NotFound, StorageError
from paribus.store import Address, Store, open_store, restore

X = Address("default", "flag", "x")


def fill(store: Store) -> None:
    store.put(X, {"name": "jane", "n": 1e20}, author="ann", reason="new", expected=0)
    store.put(X, {"n": 2}, author="bob", reason="ü\n", expected=1)
    store.redact(X, 1, author="dpo", reason="request")
    store.put(Address("other", "metric", "m"), {"v": [1, None]}, author="ann", reason="new", expected=0)
    store.put(Address("other", "metric", "m"), None, author="ann", reason="gone", expected=1)
    store.records(SEATS).append(*(Seat("a", n, f"u{n}") for n in range(1500)))


def assert_same(store: Store, copy: Store) -> None:
    for project in ("default", "other"):
        assert copy.changes(project, 0) == store.changes(project, 0)
        assert copy.verify_chain(project) == store.verify_chain(project)
    assert copy.get(X) == store.get(X)
    assert copy.find(Address("other", "metric", "m")) is None
    assert copy.records(SEATS).scan(limit=5000) == store.records(SEATS).scan(limit=5000)
    assert copy.erase(["u7"]).records == {"seat": 1}


@pytest.fixture(params=["sqlite", "postgres"])
def target(request: pytest.FixtureRequest, tmp_path: Path, new_schema: Callable[[], str]) -> str:
    return str(tmp_path / "target" / "definitions.sqlite") if request.param == "sqlite" else new_schema()


def test_a_backup_restores_everything_on_either_database(
    store: Store, target: str, tmp_path: Path, clock: HandClock
) -> None:
    fill(store)
    path = store.backup(tmp_path / "backups" / "b.jsonl")
    assert path.stat().st_mode & 0o777 == 0o600
    copy = restore(path, target, clock=clock)
    assert_same(store, copy)
    copy.put(X, {"n": 3}, author="ann", reason="life goes on", expected=2)
    copy.close()
    with pytest.raises(Conflict, match="stand here already"):
        restore(path, target, clock=clock)


def test_a_copy_of_the_file_restores_too(tmp_path: Path, target: str, clock: HandClock) -> None:
    store = open_store(tmp_path / "definitions.sqlite", clock=clock)
    fill(store)
    path = store.backup(tmp_path / "copy.sqlite")
    assert [file.name for file in tmp_path.glob("copy*")] == ["copy.sqlite"]
    copy = restore(path, target, clock=clock)
    assert_same(store, copy)
    copy.close()
    store.close()


def _cut(lines: list[str]) -> list[str]:
    return lines[:-1]


def _drop_middle(lines: list[str]) -> list[str]:
    return lines[:5] + lines[6:]


def _edit(lines: list[str]) -> list[str]:
    return [line.replace("u77", "u78") for line in lines]


def _half_a_line(lines: list[str]) -> list[str]:
    return [*lines[:-2], lines[-2][:20]]


@pytest.mark.parametrize("damage", [_cut, _drop_middle, _edit, _half_a_line])
def test_a_damaged_backup_is_refused(tmp_path: Path, clock: HandClock, damage) -> None:
    store = open_store(tmp_path / "definitions.sqlite", clock=clock)
    fill(store)
    path = store.backup(tmp_path / "b.jsonl")
    store.close()
    path.write_text("".join(damage(path.read_text().splitlines(keepends=True))))
    with pytest.raises(StorageError, match="the backup is damaged"):
        restore(path, tmp_path / "new.sqlite", clock=clock)
    fresh = open_store(tmp_path / "new.sqlite", clock=clock)
    assert list(fresh.projects()) == []
    fresh.close()


def test_a_backup_of_a_broken_chain_is_refused(tmp_path: Path, clock: HandClock) -> None:
    import sqlite3

    store = open_store(tmp_path / "definitions.sqlite", clock=clock)
    fill(store)
    with sqlite3.connect(tmp_path / "definitions.sqlite") as connection:
        connection.execute("UPDATE paribus_revisions SET author = 'mallory' WHERE sequence = 2")
    connection.close()
    path = store.backup(tmp_path / "b.jsonl")
    store.close()
    with pytest.raises(StorageError, match="history of default is broken: revision 2"):
        restore(path, tmp_path / "new.sqlite", clock=clock)


def test_what_is_no_backup_is_refused(tmp_path: Path, clock: HandClock) -> None:
    path = tmp_path / "b.jsonl"
    with pytest.raises(NotFound):
        restore(path, tmp_path / "new.sqlite", clock=clock)
    for content in (b"", b"\xff\xfe\n", b"[1]\n[2]\n", b"hello"):
        path.write_bytes(content)
        with pytest.raises(StorageError, match="not a backup"):
            restore(path, tmp_path / "new.sqlite", clock=clock)
    path.write_text(json.dumps({"paribus": "store", "format": 2}) + "\n")
    with pytest.raises(StorageError, match="newer Paribus"):
        restore(path, tmp_path / "new.sqlite", clock=clock)


def test_a_backup_that_cannot_be_written_says_so(tmp_path: Path, clock: HandClock) -> None:
    store = open_store(tmp_path / "definitions.sqlite", clock=clock)
    (tmp_path / "file").write_text("")
    for name in ("b.jsonl", "b.sqlite"):
        with pytest.raises(StorageError, match="cannot be written"):
            store.backup(tmp_path / "file" / name)
    store.close()
