"""The clock of a demo folder: shared by processes, refused everywhere else."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from paribus.app.folder import CLOCK, clock_of, is_demo, make_demo_folder, open_folder, set_clock
from paribus.app.live import Installation
from paribus.clock import FileClock, system_clock
from paribus.errors import InputError, StorageError
from paribus.settings import Settings

BEGIN = datetime(2026, 3, 2, 12, 30, 0, 123456, tzinfo=UTC)


def test_a_clock_is_eight_bytes_of_microseconds(tmp_path: Path) -> None:
    clock = FileClock.create(tmp_path / "clock", BEGIN)
    assert clock() == BEGIN
    content = (tmp_path / "clock").read_bytes()
    assert int.from_bytes(content, "little", signed=True) == 1772454600123456
    assert len(content) == 8


def test_every_process_sees_it_move(tmp_path: Path) -> None:
    clock = FileClock.create(tmp_path / "clock", BEGIN)
    program = (
        "import sys; from pathlib import Path; from paribus.clock import FileClock\n"
        "clock = FileClock(Path(sys.argv[1]))\n"
        "print(clock().isoformat(), flush=True); sys.stdin.readline(); print(clock().isoformat(), flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "clock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline().strip() == BEGIN.isoformat()
        later = BEGIN + timedelta(days=1)
        clock.set(later)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline().strip() == later.isoformat()


def test_a_demo_folder_has_its_own_time(tmp_path: Path) -> None:
    make_demo_folder(tmp_path / "data", BEGIN)
    assert is_demo(tmp_path / "data")
    with Installation(Settings(data=tmp_path / "data")) as live:
        assert live.clock() == BEGIN
        set_clock(tmp_path / "data", BEGIN + timedelta(hours=6))
        assert live.clock() == BEGIN + timedelta(hours=6)
        assert live.store.position("default") == 0


def test_time_does_not_go_back(tmp_path: Path) -> None:
    make_demo_folder(tmp_path / "data", BEGIN)
    with pytest.raises(InputError, match="cannot go back"):
        set_clock(tmp_path / "data", BEGIN - timedelta(seconds=1))


def test_no_other_folder_has_a_simulated_clock(tmp_path: Path) -> None:
    folder = open_folder(Settings(data=tmp_path / "data"), create=True)
    assert clock_of(folder) is system_clock
    with pytest.raises(InputError, match="cannot be set"):
        set_clock(folder, BEGIN)
    FileClock.create(folder / CLOCK, BEGIN)
    with pytest.raises(StorageError, match="no demo"):
        Installation(Settings(data=folder))


def test_a_demo_without_its_clock_is_refused(tmp_path: Path) -> None:
    make_demo_folder(tmp_path / "data", BEGIN)
    (tmp_path / "data" / CLOCK).write_bytes(b"123")
    with pytest.raises(StorageError, match="cannot be read"):
        clock_of(tmp_path / "data")


def test_a_demo_begins_in_a_new_folder(tmp_path: Path) -> None:
    (tmp_path / "something").write_text("")
    with pytest.raises(StorageError, match="not empty"):
        make_demo_folder(tmp_path, BEGIN)
