"""The portable constructs and the dialects' hooks."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta, timezone

import duckdb
import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from paribus.errors import InputError
from paribus.warehouse.sql import build as sql
from paribus.warehouse.sql.dialects import HOOKS, hooks

CONNECTION = duckdb.connect()


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_read_back_to_the_last_bit(value: float) -> None:
    text = sql.number(value).sql("duckdb")
    found = CONNECTION.execute(f"SELECT {text}").fetchone()
    assert found is not None
    assert found[0] == value
    assert "e" in text  # never a DECIMAL literal


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30))
def test_text_reads_back_unchanged(value: str) -> None:
    for dialect, run in (
        ("duckdb", lambda q: CONNECTION.execute(q).fetchone()),
        ("sqlite", lambda q: sqlite3.connect(":memory:").execute(q).fetchone()),
    ):
        assert run(f"SELECT {sql.text(value).sql(dialect)}") == (value,)
    for dialect in HOOKS:
        tree = sqlglot.parse_one(sql.text(value).sql(dialect), dialect=dialect)
        assert tree.this == value, dialect


def test_text_with_nul_is_refused() -> None:
    with pytest.raises(InputError, match="NUL"):
        sql.text("a\x00b")


@pytest.mark.parametrize("name", ["order", "user id", 'a"b', "Revenue", "a`b", "a]b", "größe"])
def test_identifiers_mean_exactly_their_name(name: str) -> None:
    for dialect in HOOKS:
        tree = sqlglot.parse_one(f"SELECT {hooks(dialect).column(name).sql(dialect)} FROM t", dialect=dialect)
        wanted = name.upper() if dialect == "snowflake" and name == "order" else name
        assert tree.selects[0].name == wanted, dialect
    assert CONNECTION.execute(
        f"SELECT {hooks('duckdb').column(name).sql('duckdb')} FROM "
        f"(SELECT 7 AS {hooks('duckdb').identify(name).sql('duckdb')})"
    ).fetchone() == (7,)


def test_finite_knows_nan_and_infinities() -> None:
    check = sql.finite(sql.own("x")).sql("duckdb")
    rows = CONNECTION.execute(
        f"SELECT {check} FROM (VALUES (1.5::DOUBLE), ('nan'), ('inf'), ('-inf'), (NULL)) t(x)"
    ).fetchall()
    assert rows == [(True,), (False,), (False,), (False,), (None,)]


@pytest.mark.parametrize(
    ("fragment", "value"), [("1 / 3", 1 / 3), ("7 / 2 / 2", 1.75), ("1 / 0", None), ("(1 + 2) / (3 / 2)", 2.0)]
)
def test_division_is_of_doubles(fragment: str, value: float | None) -> None:
    tree = sql.portable(sqlglot.parse_one(fragment, dialect="duckdb"))
    assert CONNECTION.execute(f"SELECT {tree.sql('duckdb')}").fetchone() == (value,)
    found = sqlite3.connect(":memory:").execute(f"SELECT {tree.sql('sqlite')}").fetchone()
    assert found == (value,)


def test_conditions_keep_their_grouping() -> None:
    a, b, c = (sql.equal(sql.own(x), sql.integer(1)) for x in "abc")
    assert sql.always(sql.every([sql.either([a, b]), None, c])).sql() == "(a = 1 OR b = 1) AND c = 1"
    assert sql.every([None]) is None
    assert sql.always(None).sql() == "1 = 1"


def test_a_level_is_named_once() -> None:
    statement = sql.Statement()
    statement.level("zx", sql.Select({"z": sql.integer(1)}, sql.verbatim("t")))
    with pytest.raises(ValueError, match="zx already"):
        statement.level("zx", sql.Select({"z": sql.integer(1)}, sql.verbatim("t")))


TIMES = [
    datetime(2026, 3, 1),
    datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC),
    datetime(2026, 3, 1, 1, 0, tzinfo=timezone(timedelta(hours=5, minutes=30))),
]


@pytest.mark.parametrize("time", TIMES)
def test_times_are_utc_literals(time: datetime) -> None:
    utc = (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC).replace(tzinfo=None)
    named = hooks("duckdb")
    assert CONNECTION.execute(f"SELECT {named.literal(time).sql('duckdb')}").fetchone() == (utc,)
    later = named.add(named.literal(time), 7, "DAY").sql("duckdb")
    assert CONNECTION.execute(f"SELECT {later}").fetchone() == (utc + timedelta(days=7),)
    lite = hooks("sqlite")
    query = f"SELECT {lite.add(lite.literal(time), -5, 'SECOND').sql('sqlite')}"
    found = sqlite3.connect(":memory:").execute(query).fetchone()[0]
    assert datetime.fromisoformat(found) == utc - timedelta(seconds=5)


def test_zones_that_an_engine_cannot_compute_are_refused() -> None:
    for dialect in ("sqlite", "tsql"):
        assert hooks(dialect).day(sql.own("t"), "UTC")
        with pytest.raises(InputError, match="cannot compute the date"):
            hooks(dialect).day(sql.own("t"), "Europe/Berlin")
    berlin = hooks("duckdb").day(hooks("duckdb").literal(datetime(2026, 6, 1, 22, 30)), "Europe/Berlin").sql("duckdb")
    found = CONNECTION.execute(f"SELECT CAST({berlin} AS TEXT)").fetchone()
    assert found == ("2026-06-02",)


def test_engines_that_fold_case_compare_text_by_its_characters() -> None:
    assert {name for name, hook in HOOKS.items() if hook.exact is not None} == {"mysql", "tsql"}


def test_unknown_dialects_are_refused() -> None:
    assert hooks("postgresql") is hooks("postgres")
    with pytest.raises(InputError, match="no SQL for the dialect 'snowflke'") as wrong:
        hooks("snowflke")
    assert wrong.value.fix == "did you mean 'snowflake'?"
