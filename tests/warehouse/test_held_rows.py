"""Rows that stay in memory while an experiment is measured: the same digits, files that were decoded once."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.experiments.lake_files import FLAG, START, Shop

from paribus.errors import EngineError
from paribus.warehouse import held_rows
from paribus.warehouse.duckdb_engine import DuckDBEngine
from paribus.warehouse.event_views import EventTable, events_of, exposures_of

ORDERS, EXPOSED = events_of("order_completed"), exposures_of(FLAG)
COLUMNS = {EXPOSED: ("user_unit", "assigned", "TIME"), ORDERS: ("user_unit", "time", "revenue", "absent")}


@pytest.fixture
def engine(tmp_path: Path):
    shop = Shop(tmp_path)
    for i in range(40):
        shop.expose(f"u{i}", "control" if i % 2 else "treatment", START)
        shop.add("order_completed", f"u{i}", START, {"revenue": float(i)})
    shop.write()
    table = EventTable("t", 1, shop.files, properties={ORDERS: ["revenue"], EXPOSED: []})
    engine = DuckDBEngine(base_dir=tmp_path, events=table, threads=1)
    yield engine
    engine.close()


def rows(engine: DuckDBEngine, text: str) -> list[tuple[object, ...]]:
    return engine.query(text.format(orders=engine.relation_sql(ORDERS), exposed=engine.relation_sql(EXPOSED))).rows


SUMS = (
    "SELECT count(*) AS n, sum(revenue) AS total FROM {orders} "
    "JOIN {exposed} AS x USING (user_unit) WHERE x.assigned = 'control'"
)


def test_held_rows_are_the_rows_of_the_files(engine: DuckDBEngine) -> None:
    expected = [(20, float(sum(range(1, 40, 2))))]
    assert rows(engine, SUMS) == expected
    with engine.holding(COLUMNS):
        assert rows(engine, SUMS) == expected
        assert set(engine.columns(ORDERS)) >= {"user_unit", "source"}  # what the relation has does not change
    assert rows(engine, SUMS) == expected


def test_the_files_are_not_read_again_inside_and_are_afterwards(engine: DuckDBEngine, tmp_path: Path) -> None:
    with engine.holding(COLUMNS):
        for path in tmp_path.rglob("*.parquet"):
            path.rename(path.with_suffix(".gone"))
        assert rows(engine, SUMS)[0][0] == 20
        with pytest.raises(EngineError):
            rows(engine, "SELECT source FROM {orders}")  # not among the columns that were announced
    with pytest.raises(EngineError):
        rows(engine, SUMS)


def test_a_relation_that_is_too_large_is_read_as_ever(engine: DuckDBEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_rows, "MOST_VALUES", 40 * 3 + 40 * 3 - 1)
    with engine.holding(COLUMNS):
        assert rows(engine, "SELECT count(source) FROM {orders}") == [(40,)]
        with pytest.raises(EngineError):
            rows(engine, "SELECT count(reason) FROM {exposed}")  # the exposures come first, and fit


def test_a_failure_inside_leaves_the_relations_as_they_were(engine: DuckDBEngine) -> None:
    with pytest.raises(ZeroDivisionError), engine.holding(COLUMNS):
        raise ZeroDivisionError
    assert rows(engine, "SELECT count(source) FROM {orders}") == [(40,)]
