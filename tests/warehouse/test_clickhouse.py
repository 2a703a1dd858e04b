"""ClickHouse in the process: types, times, infinities, and that nothing can be written."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from tests.warehouse.loading import load

from paribus.errors import EngineError, InputError, MissingExtra
from paribus.warehouse import Engine, open_engine


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    orders = {
        "id": [2**62, 2],
        "value": [float("inf"), None],
        "name": ["a\nb", "\u2028"],
        "day": [date(2026, 3, 1)] * 2,
        "time": [datetime(2026, 3, 1, 12, 0, 0, 5)] * 2,
        "ok": [True, False],
    }
    opened = load("chdb", {"orders": orders}, folder=tmp_path)
    yield opened
    opened.close()


def test_columns_and_values(engine: Engine) -> None:
    assert engine.columns("orders") == {
        "id": "integer",
        "value": "number",
        "name": "text",
        "day": "date",
        "time": "timestamp_tz",
        "ok": "boolean",
    }
    rows = engine.query("SELECT * FROM orders ORDER BY id").rows
    noon = datetime(2026, 3, 1, 12, 0, 0, 5)
    assert rows == [
        (2, None, "\u2028", date(2026, 3, 1), noon, False),
        (2**62, float("inf"), "a\nb", date(2026, 3, 1), noon, True),
    ]


def test_numbers_keep_their_digits(engine: Engine) -> None:
    table = engine.query("SELECT 0.1 + 0.2 AS A, toDecimal64('1.25', 2) AS b, -1 / 0 AS c, isNaN(0 / 0) AS d")
    assert table.names == ("a", "b", "c", "d")
    assert table.rows == [(0.1 + 0.2, Decimal("1.25"), float("-inf"), 1)]


def test_times_of_other_zones_come_back_in_utc(engine: Engine) -> None:
    rows = engine.query("SELECT toDateTime('2026-03-01 12:00:00', 'Asia/Tokyo') AS t").rows
    assert rows == [(datetime(2026, 3, 1, 3),)]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO orders (id) VALUES (1)",
        "DROP TABLE orders",
        "CREATE TABLE t (x Int8) ENGINE = Memory",
        "SET readonly = 0",
        "SELECT 1; SELECT 2",
        "SELECT nothing FROM orders",
    ],
)
def test_only_one_select_runs(engine: Engine, statement: str) -> None:
    with pytest.raises(EngineError):
        engine.query(statement)


def test_unknown_tables(engine: Engine) -> None:
    with pytest.raises(InputError, match="did you mean 'orders'"):
        engine.columns("order")
    assert engine.relation_sql("default.orders") in {"`default`.`orders`", "`orders`"}
    assert engine.fingerprint(["orders"]) == {"orders": {"kind": "table", "table": "orders"}}


def test_another_folder_in_the_same_process(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(EngineError, match="already reads another chdb folder"):
        open_engine("chdb:///other", base_dir=tmp_path)
    with pytest.raises(InputError, match="no chdb folder"):
        open_engine("chdb:///missing", base_dir=tmp_path)


def test_without_chdb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "chdb", None)
    with pytest.raises(MissingExtra, match=r"paribus\[clickhouse\]"):
        open_engine("chdb:")
