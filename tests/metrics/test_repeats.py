"""Repeats are found exactly, whichever statement finds them; expected counts come from the lists themselves."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paribus.metrics.cells import Measurement
from paribus.metrics.compile import statements
from paribus.metrics.definition import DataModel, Metric, MetricType, UnitTable
from paribus.metrics.measure import measure
from paribus.warehouse import open_engine
from paribus.warehouse.sql import build, dialects

MEAN = Metric("y", MetricType.MEAN, value="y")
DENSE = list(range(1000, 1400))
SPARSE = [i * i * 1_000_003 - 5 for i in range(400)]
NEGATIVE = list(range(-200, 200))
BEYOND = [2**63 + 3 * i for i in range(400)]  # UBIGINT
NAMES = [str(uuid.UUID(int=i)) for i in range(400)]


def written(folder: Path, units: Sequence[object], suffix: str) -> Path:
    """One row per listed unit, in its one variant with its one value: repeats are identical rows."""
    kind = "VARCHAR" if isinstance(units[0], str) else ("UBIGINT" if min(map(int, units)) >= 0 else "BIGINT")  # type: ignore[call-overload]
    path = folder / f"units.{suffix}"
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE t (u {kind})")
        connection.executemany("INSERT INTO t VALUES (?)", [[u] for u in units])
        arm = "CASE WHEN CAST(RIGHT('0' || CAST(u AS VARCHAR), 1) AS VARCHAR) IN ('0', '2', 'a') THEN 'a' ELSE 'b' END"
        connection.execute(f"COPY (SELECT u AS unit, {arm} AS arm, 1.5 AS y FROM t) TO '{path}'")
    return path


def measured(path: Path, **options: str) -> Measurement:
    engine = open_engine(None)
    try:
        return measure(engine, DataModel(units=UnitTable(str(path), "unit", "arm", **options)), (MEAN,), None)
    finally:
        engine.close()


def ran(found: Measurement) -> dict[str, str]:
    return {statement.name: statement.sql for statement in found.statements}


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
@pytest.mark.parametrize(
    "units", [DENSE, SPARSE, NEGATIVE, BEYOND, NAMES], ids=["dense", "sparse", "negative", "big", "text"]
)
@pytest.mark.parametrize("repeated", [0, 1, 3])
def test_repeats_are_counted(tmp_path: Path, units: list[object], repeated: int, suffix: str) -> None:
    found = measured(written(tmp_path, [*units, *units[7 : 7 + repeated]], suffix))
    assert found.counts.rows == 400 + repeated
    assert found.counts.duplicate_rows == repeated
    assert sum(found.counts.units.values()) == 400
    assert ("probe:repeats" in ran(found)) == bool(repeated)


def test_the_cheapest_exact_statement_is_chosen(tmp_path: Path) -> None:
    dense = ran(measured(written(tmp_path, DENSE, "parquet")))
    assert "BITSTRING_AGG(" in dense["probe:distinct"]
    assert "DISTINCT" not in dense["probe"]
    sparse = ran(measured(written(tmp_path, SPARSE, "parquet")))
    assert "COUNT(DISTINCT" in sparse["probe:distinct"]
    text = ran(measured(written(tmp_path, NAMES, "parquet")))
    assert "HASH(" in text["probe"]
    assert "probe:distinct" not in text
    csv = ran(measured(written(tmp_path, DENSE, "csv")))  # parsed once rather than twice
    assert "COUNT(DISTINCT" in csv["probe"]
    # 400 rows with ids from 1 to 300: without looking further, some repeat
    crowded = ran(measured(written(tmp_path, [*range(1, 301), *range(1, 101)], "parquet")))
    assert "probe:distinct" not in crowded
    assert "probe:repeats" in crowded


def test_the_filter_decides_which_rows_repeat(tmp_path: Path) -> None:
    path = written(tmp_path, [*DENSE, 1003, 1004], "parquet")
    assert measured(path, filter="unit < 1003").counts.duplicate_rows == 0
    assert measured(path, filter="unit < 1004").counts.duplicate_rows == 1


def test_hashes_that_collide_are_no_repeats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weak = replace(dialects.HOOKS["duckdb"], as_hash=lambda value: build.function("LENGTH", value))
    monkeypatch.setitem(dialects.HOOKS, "duckdb", weak)
    once = measured(written(tmp_path, NAMES, "parquet"))
    assert "LENGTH(" in ran(once)["probe"]
    assert once.counts.duplicate_rows == 0
    assert sum(once.counts.units.values()) == 400
    assert measured(written(tmp_path, [*NAMES, NAMES[3]], "parquet")).counts.duplicate_rows == 1


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-40, 40), min_size=1, max_size=60))
def test_any_integers(tmp_path_factory: pytest.TempPathFactory, units: list[int]) -> None:
    found = measured(written(tmp_path_factory.mktemp("units"), units, "parquet"))
    assert found.counts.duplicate_rows == sum(n - 1 for n in Counter(units).values())


def test_what_is_shown_is_what_runs(tmp_path: Path) -> None:
    path = written(tmp_path, DENSE, "parquet")
    model = DataModel(units=UnitTable(str(path), "unit", "arm"))
    columns = {str(path): {"unit": "integer", "arm": "text", "y": "number"}}
    shown = {s.name: s.sql for s in statements(model, (MEAN,), "duckdb", columns=columns)}
    real = ran(measured(path))["probe:distinct"].split("FROM")[0]
    assert shown["probe:distinct"].split("FROM")[0] == real.replace("1000", ":low").replace("1399", ":high")
