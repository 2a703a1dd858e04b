"""Databases behind SQLAlchemy: SQLite always, PostgreSQL and MariaDB as real servers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests import services
from tests.warehouse.loading import load

from paribus.errors import EngineError, InputError, MissingExtra, ParibusError, TransientError
from paribus.warehouse import Engine, open_engine
from paribus.warehouse.sqlalchemy_engine import SQLAlchemyEngine, kind_of

NOON = datetime(2026, 3, 1, 12, 0, 0, 500_000, tzinfo=UTC)
ORDERS = {
    "id": [1, 2],
    "user": ["a", "b%s"],
    "value": [1.5, None],
    "time": [NOON.replace(tzinfo=None)] * 2,
    "instant": [NOON, None],
}
SERVERS = ["postgres", "mariadb"]


@pytest.fixture(params=["sqlite", *SERVERS])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    url = request.getfixturevalue(f"{request.param}_url") if request.param in SERVERS else None
    opened = load(request.param, {"orders": ORDERS, "Mixed Case": {"a": [1]}}, folder=tmp_path, url=url)
    yield opened
    opened.close()


def test_columns_with_kinds(engine: Engine) -> None:
    kinds = engine.columns("orders")
    assert list(kinds) == list(ORDERS)
    assert [kinds[name] for name in ("id", "user", "value", "time")] == ["integer", "text", "number", "timestamp"]
    assert kinds["instant"] == ("timestamp_tz" if engine.dialect == "postgres" else "timestamp")


def test_names_are_quoted_where_needed_and_found_by_any_case(engine: Engine) -> None:
    for relation in ("Mixed Case", "mixed case"):
        rows = engine.query(f"SELECT a FROM {engine.relation_sql(relation)}").rows
        assert rows == [(1,)]
    with pytest.raises(InputError) as caught:
        engine.columns("order")
    assert "did you mean 'orders'?" in str(caught.value)


@pytest.mark.parametrize("text", ["100%", "%s", "%(x)s", ":x", "{}", "?", "a''b", "%%"])
def test_statements_are_sent_as_written(engine: Engine, text: str) -> None:
    assert engine.query(f"SELECT '{text}' AS A").rows == [(text.replace("''", "'"),)]
    assert engine.query(f"SELECT '{text}' AS A").names == ("a",)


def test_times_are_utc(engine: Engine) -> None:
    value = engine.query("SELECT MAX(instant) FROM orders").rows[0][0]
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    assert (value if value.tzinfo else value.replace(tzinfo=UTC)) == NOON


def test_nothing_can_be_written(engine: Engine) -> None:
    for statement in ("INSERT INTO orders (id) VALUES (3)", "DROP TABLE orders", "CREATE TABLE t (x INT)"):
        with pytest.raises(EngineError):
            engine.query(statement)
    assert engine.query("SELECT COUNT(*) FROM orders").rows == [(2,)]


def test_an_error_leaves_the_connection_usable(engine: Engine) -> None:
    with pytest.raises(EngineError) as caught:
        engine.query("SELECT no_such_column FROM orders")
    assert "no_such_column" in caught.value.what
    assert "FROM orders" not in caught.value.what.partition("LINE 1")[0]
    assert engine.query("SELECT COUNT(*) FROM orders").rows == [(2,)]


def test_tables_are_fingerprinted_by_name(engine: Engine) -> None:
    assert engine.fingerprint(["orders"]) == {"orders": {"kind": "table", "table": "orders"}}


@pytest.mark.parametrize("server", SERVERS)
def test_a_statement_that_runs_too_long_is_stopped(server: str, request: pytest.FixtureRequest) -> None:
    engine = open_engine(request.getfixturevalue(f"{server}_url"), timeout_seconds=0.3)
    slow = {"postgres": "SELECT pg_sleep(20)", "mariadb": "SELECT SLEEP(20) FROM (SELECT 1) x"}[server]
    with pytest.raises(EngineError, match=r"longer than 0.3 s"):
        engine.query(slow)
    assert engine.query("SELECT 1").rows == [(1,)]
    engine.close()


def test_sqlite_is_stopped_too(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "x.db").execute("CREATE TABLE t (x INT)")
    engine = open_engine("sqlite:///x.db", base_dir=tmp_path, timeout_seconds=0.2)
    endless = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT COUNT(*) FROM r"
    with pytest.raises(EngineError, match=r"longer than 0.2 s"):
        engine.query(endless)
    assert engine.query("SELECT 1").rows == [(1,)]
    engine.close()


@pytest.mark.parametrize("server", SERVERS)
def test_all_statements_see_one_snapshot(server: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    url = request.getfixturevalue(f"{server}_url")
    engine = load(server, {"growing": {"a": [1]}}, folder=tmp_path, url=url)
    assert engine.query("SELECT COUNT(*) FROM growing").rows == [(1,)]
    writer = sa.create_engine(url)
    with writer.begin() as connection:
        connection.exec_driver_sql("INSERT INTO growing VALUES (2)")
    writer.dispose()
    assert engine.query("SELECT COUNT(*) FROM growing").rows == [(1,)]
    engine.close()


def test_schemas_of_postgres(postgres_url: str) -> None:
    writer = sa.create_engine(postgres_url)
    with writer.begin() as connection:
        connection.exec_driver_sql('CREATE SCHEMA IF NOT EXISTS "Sales"')
        connection.exec_driver_sql(
            'CREATE TABLE IF NOT EXISTS "Sales".orders (id INT, props JSONB, ok BOOLEAN, d DATE)'
        )
    writer.dispose()
    engine = open_engine(postgres_url)
    assert engine.relation_sql("Sales.orders") == '"Sales".orders'
    assert engine.columns("Sales.orders") == {"id": "integer", "props": "json", "ok": "boolean", "d": "date"}
    with pytest.raises(InputError):
        engine.columns("Nowhere.orders")
    engine.close()


def test_mariadb_joins_by_hash_and_reads_literals_as_written(mariadb_url: str) -> None:
    engine = open_engine(mariadb_url)
    found = engine.query("SELECT @@join_cache_level, @@time_zone, @@sql_mode").rows[0]
    assert found[:2] == (8, "+00:00")
    assert "ANSI" not in found[2]
    assert "NO_BACKSLASH_ESCAPES" not in found[2]
    engine.close()


# ── addresses, secrets, drivers ──


def test_no_message_holds_the_password(postgres_url: str, mariadb_url: str) -> None:
    wrong = [url.replace(services.PASSWORD, f"wrong-{services.PASSWORD}") for url in (postgres_url, mariadb_url)]
    elsewhere = [url.replace("127.0.0.1", "127.0.0.1:1/x?y=") for url in (postgres_url, mariadb_url)]
    closed = [f"{scheme}://u:{services.PASSWORD}@127.0.0.1:1/db" for scheme in ("postgresql", "mysql")]
    others = [
        f"oracle://u:{services.PASSWORD}@host/db",
        f"snowflake://u:{services.PASSWORD}@account/db",
        f"postgresql://u:{services.PASSWORD}@host:notaport/db",
        f"://u:{services.PASSWORD}@host/db",
        f"postgresql://u@127.0.0.1:1/db?password={services.PASSWORD}",
    ]
    for url in [*wrong, *elsewhere, *closed, *others]:
        with pytest.raises(ParibusError) as caught:
            open_engine(url)
        error: BaseException | None = caught.value
        while error is not None:  # nor what a traceback would print
            assert services.PASSWORD not in str(error)
            error = None if error.__suppress_context__ else error.__cause__ or error.__context__


def test_a_server_that_does_not_answer_is_worth_another_try() -> None:
    with pytest.raises(TransientError):
        open_engine("mysql://u@127.0.0.1:1/db")
    with pytest.raises(EngineError):
        open_engine("postgresql://u@127.0.0.1:1/db")


def test_a_connection_that_was_cut_is_worth_another_try(postgres_url: str) -> None:
    engine = open_engine(postgres_url)
    pid = engine.query("SELECT pg_backend_pid()").rows[0][0]
    killer = sa.create_engine(postgres_url)
    with killer.connect() as connection:
        connection.exec_driver_sql(f"SELECT pg_terminate_backend({pid})")
    killer.dispose()
    with pytest.raises(TransientError):
        engine.query("SELECT 1")
    engine.close()


@pytest.mark.parametrize(
    ("url", "extra"), [("postgresql://u@h/d", "postgres"), ("mysql://u@h/d", "mysql"), ("mariadb://u@h/d", "mysql")]
)
def test_a_missing_driver_names_its_extra(url: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for module in ("psycopg", "pymysql"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=rf'pip install "paribus\[{extra}\]"'):
        open_engine(url)


def test_a_missing_dialect_names_its_package() -> None:
    with pytest.raises(EngineError, match="pip install snowflake-sqlalchemy"):
        open_engine("snowflake://u@account/db")


@pytest.mark.parametrize(
    ("url", "says"), [("postgers://h/d", "postgresql"), ("nonsense", "no scheme"), ("oracle://h/d", "databases:")]
)
def test_addresses_that_cannot_be_used(url: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        open_engine(url)


def test_a_missing_sqlite_file_is_not_created(tmp_path: Path) -> None:
    (tmp_path / "shop.db").touch()
    with pytest.raises(InputError, match=r"did you mean 'shop.db'"):
        open_engine("sqlite:///shp.db", base_dir=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["shop.db"]


def test_a_join_without_an_index_is_named(tmp_path: Path) -> None:
    engine = load("sqlite", {"a": {"u": [1]}, "b": {"u": [1]}}, folder=tmp_path, indexes={"b": ["u"]})
    assert isinstance(engine, SQLAlchemyEngine)
    assert "CREATE INDEX a_u ON a (u)" in str(engine.join_note("a", "u"))
    assert engine.join_note("b", "U") is None
    engine.close()


@pytest.mark.parametrize(
    ("declared", "kind"),
    [
        ("BIGINT", "integer"),
        ("DOUBLE PRECISION", "number"),
        ("NUMERIC(10,2)", "number"),
        ("TEXT", "text"),
        ("STRING", "text"),
        ("DATETIME", "timestamp"),
        ("DATE", "date"),
        ("BOOLEAN", "boolean"),
        ("GEOMETRY", "other"),
        ("", "other"),
    ],
)
def test_kinds_of_sqlites_declared_types(tmp_path: Path, declared: str, kind: str) -> None:
    sqlite3.connect(tmp_path / "x.db").execute(f"CREATE TABLE t (x {declared})")
    engine = open_engine("sqlite:///x.db", base_dir=tmp_path)
    assert engine.columns("t") == {"x": kind}
    engine.close()


def test_kinds_of_generic_types() -> None:
    assert kind_of(sa.Float()) == "number"
    assert kind_of(sa.Uuid()) == "text"
    assert kind_of(sa.JSON()) == "json"
    assert kind_of(sa.LargeBinary()) == "other"
