"""In-memory frames: every kind is read, with and without pyarrow, and what is no table is refused."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from paribus.errors import InputError
from paribus.warehouse import open_engine

ROOT = Path(__file__).parents[2]


def test_every_kind_of_frame_is_read_where_pyarrow_cannot_be_imported() -> None:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("without_pyarrow.py"))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 9


def test_kinds_and_missing_values_of_pandas() -> None:
    frame = pd.DataFrame(
        {
            "group": pd.Categorical(["a", "b", None]),
            "name": ["x", None, "y"],
            "number": [1.5, float("nan"), float("inf")],
            "whole": pd.array([1, None, 3], dtype="Int64"),
            "flag": pd.array([True, None, False], dtype="boolean"),
            "time": pd.to_datetime(["2026-01-01 00:00", None, "2026-01-02 12:00"]),
            "instant": pd.to_datetime(["2026-01-01 00:00+02:00"] * 3),
        },
        index=[7, 7, 7],
    )
    engine = open_engine(None, frames={"df": frame})
    kinds = ["text", "text", "number", "integer", "boolean", "timestamp", "timestamp_tz"]
    assert engine.columns("df") == dict(zip(frame.columns, kinds, strict=True))
    rows = engine.query('SELECT * FROM "df"').rows
    assert rows[1][:6] == (None,) * 2 + (None,) * 4 or rows[1][:6] == ("b", None, None, None, None, None)
    assert rows[2][2] == float("inf")
    assert rows[0][6] == datetime(2025, 12, 31, 22, tzinfo=UTC)
    engine.close()


def test_polars_keeps_nan_apart_from_missing() -> None:
    engine = open_engine(None, frames={"df": pl.DataFrame({"v": [1.0, float("nan"), None]})})
    assert engine.query('SELECT count(*), count(v), count(*) FILTER (WHERE isnan(v)) FROM "df"').rows == [(3, 2, 1)]
    engine.close()


def test_a_frame_changed_in_place_is_read_as_it_is_now() -> None:
    frame = pd.DataFrame({"v": [1, 2]})
    engine = open_engine(None, frames={"df": frame})
    assert engine.query('SELECT sum(v) FROM "df"').rows == [(3,)]
    engine.close()


def test_a_frame_and_a_file_together(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("user,value\na,5\nb,7\n")
    engine = open_engine(None, base_dir=tmp_path, frames={"users": pl.DataFrame({"user": ["a", "b"], "g": ["x", "y"]})})
    assert engine.query('SELECT count(*) FROM "users"').rows == [(2,)]
    # the file is named after the first statement: the engine opens anew, with the frame still there
    orders = engine.relation_sql("orders.csv")
    joined = engine.query(
        f'SELECT g, sum(value) FROM "users" u JOIN {orders} o ON u."user" = o."user" GROUP BY g ORDER BY g'
    )
    assert joined.rows == [("x", 5), ("y", 7)]
    assert engine.fingerprint(["users"]) == {"users": {"kind": "frame"}}
    engine.close()


@pytest.mark.parametrize("thing", [[1, 2], {"a": [1]}, "text", 3.5, pd.Series([1]), pl.Series([1]), object()])
def test_what_is_no_table_is_refused(thing: object) -> None:
    with pytest.raises(InputError) as caught:
        open_engine(None, frames={"thing": thing})
    assert caught.value.where == "thing"
    assert "cannot be read as a table" in caught.value.what


def test_a_misspelled_frame_is_named() -> None:
    engine = open_engine(None, frames={"orders": pl.DataFrame({"v": [1]})})
    with pytest.raises(InputError, match="did you mean 'orders'"):
        engine.columns("oders")
    engine.close()


def test_frames_need_duckdb() -> None:
    with pytest.raises(InputError, match="frames are read by DuckDB"):
        open_engine("sqlite:///x.db", frames={"orders": pl.DataFrame({"v": [1]})})
