"""History as it is written, and the same events through the doors: one lake table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from paribus_sdk import Client
from tests.server.installation import serving
from tests.shop import small

from paribus.app.folder import make_demo_folder
from paribus.app.lake import reader_of
from paribus.app.live import Installation
from paribus.app.simulated_history import ENVIRONMENT, history
from paribus.app.simulation import Simulation
from paribus.clock import FileClock
from paribus.governance.access import create_key
from paribus.lake import LakeReader
from paribus.server import create_app
from paribus.settings import Settings
from paribus.shop import Course, World
from paribus.shop.sending import send
from paribus.shop.vocabulary import tracking_plan

MADE = small.scenario(
    population={"known_users": 300},
    late={"share": 0.1},
    defects=[
        {"kind": "property_mistyped", "event": "order_completed", "property": "revenue", "share": 0.3, "from_day": 2},
        {"kind": "event_doubled", "event": "product_viewed", "share": 0.2, "from_day": 2},
    ],
)
OF_THE_WAY = "event_id, event_key, source, received_time, sent_time, corrected_time, context, sequence, landing_id, "
OF_THE_WAY += "landing_index"


def rows_of(folder: Path) -> tuple[list[Any], list[Any], int]:
    """Columns with their types, rows without what the way they came by decides, and how many are held back."""
    files = [str(file) for file in _reader(folder).snapshot().files]
    with duckdb.connect() as connection:
        columns = connection.execute(
            "DESCRIBE SELECT * FROM read_parquet($files, union_by_name = true)", {"files": files}
        ).fetchall()
        rows = connection.execute(
            f"SELECT * EXCLUDE ({OF_THE_WAY}) FROM read_parquet($files, union_by_name = true) ORDER BY ALL",
            {"files": files},
        ).fetchall()
    held = sum(each.held for each in _reader(folder).reconcile())
    return sorted(column[:2] for column in columns), rows, held


def test_history_is_the_same_table_as_events_through_the_doors(tmp_path: Path) -> None:
    written = Simulation(tmp_path / "written", MADE, 1)
    with Installation(written.settings) as live:
        for _, rows, _ in history(MADE, 1, written.settings):
            live.landing.append(rows)
        live.lake.drain()
    sent = tmp_path / "sent"
    clock = make_demo_folder(sent, MADE.calendar.begin)
    with Installation(Settings(data=sent, log_level="error")) as live:
        live.write("default", "tracking_plan", "default", tracking_plan(), author="t", reason="t", expected=0)
        _, key = create_key(live.store, "server", environment=ENVIRONMENT, author="t")
        world = World(MADE, 1)
        course = Course(world)
        now = FileClock(clock.path)
        with (
            serving(create_app(live)) as url,
            Client(url, key, cache_dir=tmp_path / "cache", clock=lambda: now.microseconds / 1e6) as client,
        ):
            for day in range(MADE.calendar.history_days):
                end = world.midnight(day + 1)
                clock.set(datetime.fromtimestamp(end / 1e6, UTC))
                send(client, course.advance(end), course.contexts)
                assert client.flush(20)
        live.lake.drain()
    one, other = rows_of(written.settings.data), rows_of(sent)
    assert one[0] == other[0]
    assert one[1] == other[1]
    assert one[2] == other[2] > 20  # revenue as text is held back
    assert len(one[1]) > 1_000


def test_corrected_times_are_those_that_happened(tmp_path: Path) -> None:
    """The clock stands still while a day is sent, so that late events keep their time."""
    written = Simulation(tmp_path / "written", MADE, 1)
    with Installation(written.settings) as live:
        for _, rows, _ in history(MADE, 1, written.settings):
            live.landing.append(rows)
        live.lake.drain()
    files = [str(file) for file in _reader(written.settings.data).snapshot().files]
    with duckdb.connect() as connection:
        wrong, late = connection.execute(
            "SELECT count(*) FILTER (corrected_time <> original_time), "
            "count(*) FILTER (received_time > original_time + INTERVAL 25 HOUR) FROM read_parquet($files)",
            {"files": files},
        ).fetchall()[0]
    assert wrong == 0
    assert late > 0


def test_traffic_through_the_sdk_reaches_the_lake(tmp_path: Path) -> None:
    """A child server, two senders, one day: everything acknowledged is there, with the times of the clock."""
    (tmp_path / "demo").mkdir()
    with Simulation(tmp_path / "demo", MADE, 1, senders=2) as simulation:
        simulation.start()
        events = simulation.write_history()
        server = simulation._server
        until = simulation.history_end + timedelta(hours=12)
        assert simulation.play(until) == until
        assert simulation.clock() == until
        sent = simulation.events + simulation.exposures
        reader = _reader(simulation.settings.data)
        found = {each.dialect: each for each in reader.reconcile()}["paribus"]
        # a rejected or lost event would be missing; what the plan refuses is held
        assert found.landed + found.held == events + sent > 1_000
        assert found.missing == 0
    assert server is not None
    assert server.poll() is not None  # it ended with the demo


def _reader(folder: Path) -> LakeReader:
    found = reader_of(folder)
    assert found is not None
    return found
