"""Opening what older, newer and foreign programs left."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.store.conftest import HandClock
from tests.store.test_records import SEATS, Seat

from paribus.errors import InputError, NotFound, StorageError
from paribus.store import Address, open_store
from paribus.store.database import open_database
from paribus.store.glance import SCHEMA
from paribus.store.migration import bring_up, schema_of
from paribus.store.tables import metadata

X = Address("default", "flag", "x")


def test_the_code_knows_the_last_step() -> None:
    from alembic.script import ScriptDirectory

    import paribus.store.migrations as home

    assert ScriptDirectory(str(Path(home.__file__).parent)).get_heads() == [SCHEMA]


def test_the_steps_make_the_tables_that_the_code_reads(place: str) -> None:
    database = open_database(place, create=True)
    bring_up(database, create=True)
    with database.read() as connection:
        found = sa.inspect(connection)
        for table in metadata.tables.values():
            columns = {column["name"]: column["nullable"] for column in found.get_columns(table.name)}
            assert columns == {column.name: column.nullable for column in table.columns}
            primary = found.get_pk_constraint(table.name)["constrained_columns"]
            assert primary == [column.name for column in table.primary_key]
    database.close()


def test_an_older_store_is_upgraded_and_kept_beside(place: str, tmp_path: Path, clock: HandClock) -> None:
    database = open_database(place, create=True)
    bring_up(database, create=True, to="0001")
    assert schema_of(database) == "0001"
    database.close()
    store = open_store(place, clock=clock)
    store.records(SEATS).append(Seat("a", 1, "u"))
    store.close()
    kept = list((tmp_path / "backups").glob("*"))
    if "postgresql" in place:
        assert kept == []
    else:
        assert [path.name for path in kept] == ["definitions-schema-0001.sqlite"]
        with sqlite3.connect(kept[0]) as connection:
            assert connection.execute("SELECT version_num FROM paribus_store_version").fetchall() == [("0001",)]


def test_a_newer_store_is_left_alone(place: str, clock: HandClock) -> None:
    store = open_store(place, clock=clock)
    store.put(X, {}, author="ann", reason="new", expected=0)
    store.close()
    database = open_database(place, create=False)
    with database.write() as connection:
        connection.execute(sa.text("UPDATE paribus_store_version SET version_num = '0099'"))
    database.close()
    with pytest.raises(StorageError, match="written by a newer Paribus") as caught:
        open_store(place, clock=clock)
    assert caught.value.fix == "pip install --upgrade paribus"
    assert "opensesame" not in str(caught.value)


def test_what_does_not_exist_is_made_only_when_asked(tmp_path: Path, clock: HandClock) -> None:
    path = tmp_path / "deep" / "definitions.sqlite"
    with pytest.raises(NotFound, match="no definitions here"):
        open_store(path, clock=clock, create=False)
    assert not path.parent.exists()
    open_store(path, clock=clock).close()
    assert path.stat().st_mode & 0o777 == 0o600
    open_store(path.parent, clock=clock, create=False).close()  # a folder means its definitions.sqlite


def test_an_empty_postgres_is_made_only_when_asked(new_schema, clock: HandClock) -> None:
    with pytest.raises(NotFound, match="no definitions here"):
        open_store(new_schema(), clock=clock, create=False)


def test_a_file_of_something_else_is_refused(tmp_path: Path, clock: HandClock) -> None:
    path = tmp_path / "definitions.sqlite"
    path.write_bytes(b"PK\x03\x04" + b"x" * 5000)
    with pytest.raises(StorageError, match="cannot be read or written"):
        open_store(path, clock=clock)


def test_other_databases_are_refused(clock: HandClock) -> None:
    with pytest.raises(InputError, match="cannot be kept in mysql"):
        open_store("mysql://root@127.0.0.1/x", clock=clock)


def test_a_postgres_that_does_not_answer_keeps_its_password(clock: HandClock) -> None:
    from paribus.errors import TransientError

    with pytest.raises(TransientError, match="does not answer") as caught:
        open_store("postgresql://me:opensesame@127.0.0.1:1/x?connect_timeout=2", clock=clock)
    assert "opensesame" not in str(caught.value)


def test_a_full_disk_is_a_sentence(tmp_path: Path, clock: HandClock) -> None:
    """SQLite's own page limit stands in for the disk: it fails with the same SQLITE_FULL."""
    store = open_store(tmp_path / "definitions.sqlite", clock=clock)
    store.put(X, {"v": 1}, author="ann", reason="new", expected=0)

    @sa.event.listens_for(store._database.engine, "checkout")
    def limit(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute("PRAGMA max_page_count = 20")

    with pytest.raises(StorageError, match="the disk refused"):
        store.put(X, {"v": "x" * 1_000_000}, author="ann", reason="big", expected=1)
    assert store.get(X).body == {"v": 1}
    assert store.verify_chain("default").is_intact
    store.close()
