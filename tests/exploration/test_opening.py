"""Any source gives the same answers; what is no event table is refused with a way out."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pandas as pd
import pytest
from tests.exploration.shopping import visits

from paribus.errors import InputError
from paribus.exploration.event_log import EventLog
from paribus.exploration.exploration import explore
from paribus.exploration.opening import open_files, open_frame, open_source
from paribus.exploration.roles import Columns, infer


@pytest.fixture(scope="module")
def small() -> pd.DataFrame:
    return visits(400, days=15)


def everything(log: EventLog) -> tuple[object, ...]:
    """What all analyses count, rounded to what no engine's arithmetic moves."""
    found = explore(log)
    e = found.engagement
    assert found.funnel is not None
    return (
        found.units,
        found.arrivals,
        found.funnel.reached,
        [None if x is None else round(x, 2) for x in found.funnel.median_seconds],
        found.funnel.cells,
        [(b.definition["name"], b.units, round(b.mean, 8), round(b.sd, 8)) for b in found.baselines],
        (round(e.daily, 6), e.weekly, e.visits, round(e.session_events, 6)),
        found.retention.active,
        found.paths.transitions,
        found.paths.flows,
        [(t.a, t.b, t.both) for t in found.patterns.together],
        [round(h, 8) for h in found.patterns.hours],
        [(s.rule, s.units) for s in found.behavior.segments],
    )


@pytest.fixture(scope="module")
def expected(small: pd.DataFrame) -> tuple[object, ...]:
    with open_frame(small) as log:
        return everything(log)


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_files_of_every_kind_give_the_same_answers(
    small: pd.DataFrame, expected: tuple[object, ...], tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"events.{ending}"
    if ending == "csv":
        small.to_csv(path, index=False)
    elif ending == "parquet":
        small.to_parquet(path)
    else:
        small.assign(time=small["time"].dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ")).to_json(
            path, orient="records", lines=True
        )
    with open_files(path) as log:
        assert everything(log) == expected


def test_a_database_is_asked_where_it_is_and_gives_the_same_answers(
    small: pd.DataFrame, expected: tuple[object, ...], tmp_path: Path
) -> None:
    path = tmp_path / "events.sqlite"
    whole = small["time"].dt.floor("ms")  # SQLite keeps milliseconds
    frame = small.assign(
        time=whole.dt.strftime("%Y-%m-%d %H:%M:%S.%f"), returning=small["returning"].map(str).str.lower()
    )
    with sqlite3.connect(path) as connection:
        frame.to_sql("happenings", connection, index=False)
    with open_frame(small.assign(time=whole)) as log:
        rounded = everything(log)
    with open_source(f"sqlite:///{path}#happenings") as log:
        assert everything(log) == rounded
    assert rounded[0] == expected[0]


def test_postgresql_gives_the_same_answers(
    small: pd.DataFrame, expected: tuple[object, ...], postgres_url: str
) -> None:
    import sqlalchemy as sa

    server = sa.create_engine(postgres_url)
    small.to_sql("happenings", server, index=False, if_exists="replace")
    server.dispose()
    with open_source(f"{postgres_url}#happenings") as log:
        assert everything(log) == expected


def test_properties_in_json_are_found_and_read(tmp_path: Path) -> None:
    rows = [
        f'{{"userId": "u{i % 40}", "name": "{name}", "timestamp": "2026-10-{5 + i % 20:02d}T10:00:{i % 60:02d}Z", '
        f'"properties": {{"plan": "{"pro" if i % 40 < 10 else "free"}", "amount": {i}}}}}'
        for i in range(400)
        for name in ("opened", "bought")
    ]
    path = tmp_path / "export.jsonl"
    path.write_text("\n".join(rows))
    with open_files(path) as log:
        assert (log.columns.unit, log.columns.event, log.columns.time) == ("userId", "name", "timestamp")
        assert [(a.name, set(a.values)) for a in log.attributes] == [("plan", {"free", "pro"})]
        amount = log.number("amount")
        assert amount is not None
        total = log.query(f"SELECT SUM({amount.column}) AS s FROM events WHERE event = 'bought'").rows[0][0]
        assert total == sum(range(400))
        by_plan = log.query(f"SELECT COUNT(DISTINCT unit) AS n FROM events WHERE {log.attributes[0].column} = 'pro'")
        assert by_plan.rows[0][0] == 10


def test_what_comes_with_every_event_can_be_decided_by(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    rows = ["user_id,event,time,surface,color"]
    for i in range(300):
        color = ("red", "blue")[i % 2]
        rows.append(f"u{i % 50},opened,2026-10-{1 + i % 20:02d}T10:00:00Z,{('web', 'ios')[i % 2]},{color}")
        rows.append(f"u{i % 50},shared,2026-10-{1 + i % 20:02d}T10:01:00Z,{('web', 'ios')[i % 2]},")
    path.write_text("\n".join(rows))
    with open_files(path) as log:
        assert {a.name: a.in_context for a in log.attributes} == {"surface": True, "color": False}


def test_rows_without_unit_name_or_time_are_counted_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text("user,event,time\nu1,a,2026-10-05\n,a,2026-10-05\nu1,,2026-10-05\nu2,b,\nu3,b,2026-10-06\n")
    with open_files(path) as log:
        assert (log.rows, log.unread) == (5, 3)
        assert log.query("SELECT COUNT(*) AS n FROM events").rows == [(2,)]


def test_an_event_id_counts_once(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text("id,event_id,user,event,time\n1,e1,u1,a,2026-10-05\n2,e1,u1,a,2026-10-05\n3,e2,u1,a,2026-10-05\n")
    with open_files(path) as log:
        assert log.copies == 1
        assert log.query("SELECT COUNT(*) AS n FROM events").rows == [(2,)]


@pytest.mark.parametrize(("factor", "name"), [(1, "s"), (1000, "ms"), (1_000_000, "us")])
def test_times_as_numbers_are_told_by_their_size(tmp_path: Path, factor: int, name: str) -> None:
    path = tmp_path / f"{name}.csv"
    path.write_text(f"user,event,ts\nu1,a,{1_790_000_000 * factor}\nu1,b,{1_790_000_060 * factor}\n")
    with open_files(path) as log:
        assert (log.first, log.last) == (1_790_000_000_000_000, 1_790_000_060_000_000)


def test_roles_are_told_by_name_and_kind() -> None:
    kinds = {"Customer ID": "integer", "Activity": "text", "created_at": "timestamp", "type": "text"}
    assert infer(kinds) == Columns(unit="Customer ID", event="Activity", time="created_at")
    assert infer(kinds, Columns(event="type")).event == "type"


def test_a_table_without_a_role_is_refused_with_a_way_out() -> None:
    with pytest.raises(InputError, match="looks like the unit") as caught:
        infer({"thing": "text", "event": "text", "time": "timestamp"})
    assert "--unit thing" in (caught.value.fix or "")
    with pytest.raises(InputError, match="no column 'user'") as caught:
        infer({"users": "text", "event": "text", "time": "timestamp"}, Columns(unit="user"))
    assert "users" in (caught.value.fix or "")


def test_no_password_is_shown(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "x.sqlite") as connection:
        connection.execute("CREATE TABLE events (user_id TEXT, event TEXT, time TEXT)")
        connection.execute("INSERT INTO events VALUES ('u', 'a', '2026-10-05')")
    with open_source(f"sqlite:///{tmp_path / 'x.sqlite'}") as log:
        assert log.source.startswith("sqlite:///")
    from paribus.exploration.opening import without_secret

    assert without_secret("postgresql://me:secret@host/db?password=x") == "postgresql://host/db"
