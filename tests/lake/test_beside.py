"""The tables are written by a process beside: it does what the writer here does, and its death costs nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path

import duckdb
import pytest
from tests.lake.sending import HandClock, decode, event, request

from paribus.errors import InputError, LockedError
from paribus.lake import Lake, WriterLock
from paribus.lake.notes import counts

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "tests.lake.writing")


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    monkeypatch.chdir(ROOT)
    with Lake.open(tmp_path, clock=HandClock(), decode=decode) as opened:
        opened.start_beside(COMMAND, (str(tmp_path), 0.05))
        yield opened


def _wait_until(is_so: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def _stored(lake: Lake) -> list[str]:
    return sorted(
        each
        for (each,) in duckdb.sql(
            f"SELECT event_id FROM read_parquet({lake.files()[1]}, union_by_name = true)"
        ).fetchall()
    )


def _pid(lake: Lake) -> int:
    assert lake.beside is not None
    _wait_until(lambda: lake.beside is not None and lake.beside.pid is not None)
    return lake.beside.pid or 0


def _is_running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_what_arrives_is_flushed_by_the_other_process_and_counted_here(lake: Lake) -> None:
    sent = [event(f"e{n}", typed={"price": n}) for n in range(50)]
    lake.landing.append([request([*sent, event("held", verdict=2)])])
    _wait_until(lambda: lake.health.events == 50)
    assert _stored(lake) == sorted(each["event_id"] for each in sent)
    assert lake.landing.depth().rows == lake.landing.events_waiting == 0
    tally = lake.landing.run(counts)
    assert (tally["test", "landed"], tally["test", "held"]) == (50, 1)
    assert lake.health.is_alive
    assert lake.health.last_error is None
    assert lake.beside is not None
    assert lake.beside.gauges()["listeners"] == 2
    assert lake.beside.gauges()["lake_writer_restarts"] == 0
    assert lake.beside.gauges()["lake_writer_resident_bytes"] > 10e6
    assert (lake.folder / "said").read_text() == "start\n"


def test_every_word_to_the_tables_reaches_them(lake: Lake) -> None:
    erased: list[list[str]] = []
    lake.erase_also.append(lambda ids: erased.append(list(ids)))
    for number in range(3):
        lake.landing.append([request([event(str(number), unit=f"unit-{number}")])])
        version = lake.drain()
    assert lake.files()[0] == version
    assert lake.flush().rows == 0
    done = lake.compact(min_files=2)
    assert (done.files_before, done.files_after) == (3, 1)
    assert lake.vacuum(retention_hours=0) == 3
    assert lake.erase(["unit-1"], request="r-9").events == 1
    assert erased == [["unit-1"]]
    assert "erase unit-1" in (lake.folder / "said").read_text()
    assert _stored(lake) == ["0", "2"]
    with pytest.raises(InputError, match="an id to erase is empty"):
        lake.erase([""])
    lake.maintain()
    assert lake.expire(date(2026, 3, 11)).events == 2
    assert lake.untyped.total() == 0
    assert lake.landing.run(counts)["test", "erased"] == 1


def test_killed_it_is_started_again_and_no_event_is_lost_or_doubled(
    lake: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    stopping = threading.Event()
    acknowledged: list[str] = []

    def send() -> None:
        while not stopping.is_set():
            ids = [f"{len(acknowledged) + n}" for n in range(10)]
            lake.landing.append([request([event(each) for each in ids])])
            acknowledged.extend(ids)
            time.sleep(0.005)

    sender = threading.Thread(target=send)
    sender.start()
    for number in range(3):
        _wait_until(lambda: lake.health.last_error is None and lake.drain() > 0)
        pid = _pid(lake)
        time.sleep(0.05 * number)
        os.kill(pid, signal.SIGKILL)
        _wait_until(lambda: lake.health.last_error is not None)
        assert "ended (signal 9); it is started again" in str(lake.health.last_error)
    stopping.set()
    sender.join()
    lake.drain()
    assert _stored(lake) == sorted(acknowledged)
    assert lake.landing.run(counts)["test", "landed"] == len(acknowledged)
    assert lake.landing.events_waiting == lake.landing.depth().events == 0
    assert lake.beside is not None
    assert lake.beside.restarts == 3
    assert sum("nothing is lost" in each.message for each in caplog.records) == 3


def test_closing_flushes_what_waits_also_when_the_process_is_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    for number in range(2):
        lake = Lake.open(tmp_path, clock=HandClock(), decode=decode)
        lake.start_beside(COMMAND, (str(tmp_path), 60.0))
        lake.drain()
        lake.landing.append([request([event(f"{number}")])])
        pid = _pid(lake)
        if number:
            os.kill(pid, signal.SIGKILL)
        lake.close()
        assert not _is_running(pid)
    with Lake.open(tmp_path, clock=HandClock(), decode=decode) as lake:
        assert lake.landing.events_waiting == 0
        assert _stored(lake) == ["0", "1"]
    assert (tmp_path / "said").read_text() == "start\nstop\nstart\n"


def test_closing_at_once_does_not_wait_for_a_process_that_nobody_needs(tmp_path: Path) -> None:
    lake = Lake.open(tmp_path, clock=HandClock(), decode=decode)
    lake.start_beside((sys.executable, "-c", "import time; time.sleep(60)"), None)
    began = time.monotonic()
    lake.close()
    assert time.monotonic() - began < 5


def test_a_program_that_cannot_start_is_said_and_tried_again(tmp_path: Path) -> None:
    lake = Lake.open(tmp_path, clock=HandClock(), decode=decode)
    lake.start_beside((sys.executable, "-c", "raise SystemExit(3)"), None)
    _wait_until(lambda: lake.beside is not None and lake.beside.restarts > 1)
    assert "ended (status 3)" in str(lake.health.last_error)
    lake.landing.append([request([event("kept")])])
    lake.close()
    with Lake.open(tmp_path, clock=HandClock(), decode=decode) as again:
        assert _stored(again) == ["kept"]


@pytest.mark.parametrize("is_halted", [False, True])
def test_it_dies_with_its_parent_and_the_folder_is_free_at_once(tmp_path: Path, is_halted: bool) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-m", "tests.lake.holding", str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    writer = int(holder.stdout.readline())
    with suppress(ProcessLookupError):
        os.kill(writer, signal.SIGINT)
        os.kill(writer, signal.SIGTERM)  # its parent decides when it ends
        if is_halted:
            os.kill(writer, signal.SIGSTOP)
    assert _is_running(writer)
    with pytest.raises(LockedError, match=f"process {holder.pid}"):
        WriterLock.acquire(tmp_path, clock=HandClock())
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with Lake.open(tmp_path, clock=HandClock(), decode=decode) as lake:
        assert not _is_running(writer)
        lake.drain()
        assert _stored(lake) == ["first", "last"]
