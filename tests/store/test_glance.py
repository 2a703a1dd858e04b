"""Reading at a glance answers as the whole database does, and imports nothing heavy."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from paribus.errors import NotFound, StorageError
from paribus.store import Address, open_store
from paribus.store.database import open_database
from paribus.store.store import Store


def clock() -> datetime:
    return datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with_documents = open_store(tmp_path, clock=clock)
    for key in ("a", "b", "c"):
        for number in range(3):
            body = {"text": f"{key}{number}é", "n": number / 3}
            with_documents.put(Address("default", "flag", key), body, author="me", reason="why", expected=number)
    with_documents.put(Address("default", "flag", "b"), None, author="me", reason="gone", expected=3)
    with_documents.redact(Address("default", "flag", "a"), 1, author="me", reason="secret")
    with_documents.close()
    return tmp_path / "definitions.sqlite"


def test_both_ways_answer_alike(path: Path) -> None:
    glancing, whole = open_store(path, clock=clock), Store(open_database(path, create=False), clock)
    for key in ("a", "b", "c", "none"):
        address = Address("default", "flag", key)
        assert glancing.find(address) == whole.find(address)
        assert glancing.history(address) == whole.history(address)
    assert glancing.get(Address("default", "flag", "a"), 1) == whole.get(Address("default", "flag", "a"), 1)
    for after, limit in (("", 100), ("a", 100), ("", 1)):
        assert glancing.list("default", "flag", after=after, limit=limit) == whole.list(
            "default", "flag", after=after, limit=limit
        )
    assert glancing.changes("default", 3) == whole.changes("default", 3)
    assert [glancing.position(name) for name in ("default", "other")] == [whole.position("default"), 0]
    with pytest.raises(NotFound, match="me removed it"):
        glancing.get(Address("default", "flag", "b"))
    glancing.put(Address("default", "flag", "d"), {"x": 1}, author="me", reason="new", expected=0)
    assert glancing.find(Address("default", "flag", "d")) == whole.find(Address("default", "flag", "d"))
    glancing.close()
    whole.close()


def test_reading_imports_no_sqlalchemy(path: Path) -> None:
    program = (
        "import sys; from paribus.clock import system_clock; from paribus.store import open_store\n"
        f"store = open_store({str(path)!r}, clock=system_clock); print(len(store.list('default', 'flag')))\n"
        "store.close(); print('sqlalchemy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2", "False"]


def test_another_schema_is_left_to_the_whole_database(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE paribus_store_version SET version_num = '9999'")
    with pytest.raises(StorageError, match="newer Paribus"):
        open_store(path, clock=clock)


def test_damage_is_told_in_our_words(tmp_path: Path) -> None:
    (tmp_path / "definitions.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(StorageError, match="cannot be read"):
        open_store(tmp_path, clock=clock)
