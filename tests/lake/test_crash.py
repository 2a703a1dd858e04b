"""Killed at any moment, the writer loses nothing that was acknowledged and doubles nothing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest
from tests.lake.sending import decode

from paribus.clock import system_clock
from paribus.lake import Lake
from paribus.lake.notes import counts

ROOT = Path(__file__).parents[2]


def _kill_writer(folder: Path, run: int, generator: random.Random) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-m", "tests.lake.crashing", str(folder), f"r{run}"], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert writer.stdout is not None
    if run and generator.random() < 0.2:  # while it opens what the last one left, or soon after
        time.sleep(generator.uniform(0.3, 1.0))
    else:
        assert writer.stdout.readline() == b"ready\n"
        time.sleep(generator.uniform(0.05, 0.7))
    assert writer.poll() is None
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    writer.stdout.close()


def _check(folder: Path) -> int:
    lines = (folder / "acknowledged").read_text().splitlines()
    acknowledged = {event_id for line in lines for event_id in line.split()[1:]}
    with Lake.open(folder / "data", clock=system_clock, decode=decode) as lake:
        lake.drain()
        tables = [lake.files()[1], duckdb.sql(lake.quarantine_sql()).fetchall()]
        events = duckdb.sql(
            f"SELECT event_id, landing_id, landing_index FROM read_parquet({tables[0]}, union_by_name = true)"
        ).fetchall()
        held = duckdb.sql(f"SELECT event_id, landing_id, landing_index FROM ({lake.quarantine_sql()})").fetchall()
        tally = lake.landing.run(counts)
    rows = events + held
    stored = [row[0] for row in rows]
    assert len(stored) == len(set(stored)), "an event is doubled"
    assert len(rows) == len({row[1:] for row in rows})
    assert acknowledged <= set(stored), "an acknowledged event is lost"
    assert tally["test", "accepted"] == tally["test", "landed"] == len(events)
    assert tally["test", "quarantined"] == tally["test", "held"] == len(held)
    assert tally.get(("test", "deduplicated"), 0) == 0
    return len(acknowledged)


def crash(folder: Path, kills: int, seed: int) -> int:
    """How many events were acknowledged over that many killed runs, all of them found once."""
    generator = random.Random(seed)
    for run in range(kills):
        _kill_writer(folder, run, generator)
    return _check(folder)


def test_ten_kills(tmp_path: Path) -> None:
    assert crash(tmp_path, 10, seed=4) > 1_000


@pytest.mark.slow
def test_two_hundred_kills(tmp_path: Path) -> None:
    assert crash(tmp_path, 200, seed=20261128) > 20_000
