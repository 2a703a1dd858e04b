"""Events of files and databases in the lake's form: the same rows, whatever they come from."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from tests.exploration.shopping import visits

from paribus.errors import InputError
from paribus.exploration.history_file import history_file
from paribus.warehouse import open_engine
from paribus.warehouse.event_views import EventTable, entries_of, events_of

NAMES = ("checkout_started", "order_completed")


def as_csv(frame: pd.DataFrame, folder: Path) -> str:
    frame.to_csv(folder / "events.csv", index=False)
    return str(folder / "events.csv")


def as_parquet(frame: pd.DataFrame, folder: Path) -> str:
    """Properties in one JSON column, as many exports have them."""
    amounts = [f'{{"revenue": {value}}}' if value == value else None for value in frame["revenue"]]
    columns = {"properties": amounts, "time": frame["time"].dt.tz_convert(None).astype("datetime64[us]")}
    made = frame.drop(columns="revenue").assign(**columns)
    with duckdb.connect() as connection:
        connection.register("made", made)
        connection.execute(f"COPY made TO '{folder / 'events.parquet'}'")
    return str(folder / "events.parquet")


def as_sqlite(frame: pd.DataFrame, folder: Path) -> str:
    with sqlite3.connect(folder / "events.db") as connection:
        made = frame.assign(time=frame["time"].dt.strftime("%Y-%m-%d %H:%M:%S.%f"))
        made.to_sql("shop_events", connection, index=False)
    return f"sqlite:///{folder / 'events.db'}#shop_events"


@pytest.mark.parametrize("written", [as_csv, as_parquet, as_sqlite])
def test_it_answers_as_the_source_does(tmp_path: Path, written: Callable[[pd.DataFrame, Path], str]) -> None:
    frame = visits(400)
    made = history_file(written(frame, tmp_path), NAMES, tmp_path / "history.parquet")
    orders, entries = events_of("order_completed"), entries_of("checkout_started", where={"device": ["mobile"]})
    table = EventTable("history", 0, (made.path,), properties={orders: ("revenue",)})
    engine = open_engine(None, base_dir=tmp_path, events=table)
    rows, revenue = engine.query(
        f"SELECT count(*), sum(revenue) FROM {engine.relation_sql(orders)} WHERE event_id IS NOT NULL"
    ).rows[0]
    units, first = engine.query(
        f"SELECT count(DISTINCT user_unit), min(time) FROM {engine.relation_sql(entries)}"
    ).rows[0]
    engine.close()
    ordered = frame[frame["event"] == "order_completed"]
    met = frame[(frame["event"] == "checkout_started") & (frame["device"] == "mobile")]
    assert (rows, revenue) == (len(ordered), pytest.approx(ordered["revenue"].sum()))
    assert units == met["user_id"].nunique()
    assert abs(pd.Timestamp(first) - met["time"].min()) < pd.Timedelta(milliseconds=1)
    held = duckdb.execute(f"SELECT DISTINCT name FROM '{made.path}' ORDER BY 1").fetchall()
    assert held == [(name,) for name in NAMES]  # no event that nobody asked for is copied


def test_one_id_is_one_event(tmp_path: Path) -> None:
    (tmp_path / "twice.csv").write_text(
        "event_id,user_id,event,time\na,u1,paid,2026-10-01T10:00:00Z\na,u1,paid,2026-10-01T10:00:00Z\n"
        "b,u1,paid,2026-10-01T10:00:00Z\n"
    )
    made = history_file(str(tmp_path / "twice.csv"), ("paid",), tmp_path / "history.parquet")
    assert duckdb.execute(f"SELECT count(*) FROM '{made.path}'").fetchall() == [(2,)]


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        history_file(str(tmp_path / "nothing.csv"), NAMES, tmp_path / "history.parquet")
