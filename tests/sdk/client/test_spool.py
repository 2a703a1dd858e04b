"""The spool: order, bounds, damage, and a new owner after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from paribus_sdk.disk_spool import DiskSpool
from paribus_sdk.spool import MemorySpool, Spool


def lines(start: int, end: int, filler: int = 0) -> list[bytes]:
    return [json.dumps({"n": number, "filler": "x" * filler}).encode() for number in range(start, end)]


@pytest.fixture(params=["disk", "memory"])
def spool(request: pytest.FixtureRequest, tmp_path: Path) -> Spool:
    return DiskSpool.create(tmp_path, 1_000_000) if request.param == "disk" else MemorySpool(1_000_000)


def drain(spool: Spool, count: int = 7, size: int = 10_000) -> list[bytes]:
    found: list[bytes] = []
    while spool.depth:
        batch = spool.read(count, size)
        found += batch.lines
        spool.forget(batch)
    return found


def test_gives_back_what_came_in_order(spool: Spool) -> None:
    assert spool.append(lines(0, 20)) == 20
    first = spool.read(7, 10_000)
    assert first.lines == tuple(lines(0, 7))
    assert spool.read(7, 10_000).lines == first.lines
    spool.forget(first)
    spool.append(lines(20, 40))
    assert spool.depth == 33
    assert drain(spool) == lines(7, 40)
    assert spool.read(5, 100).lines == ()
    assert spool.append(lines(0, 1)) == 1
    assert drain(spool) == lines(0, 1)


def test_batches_end_at_their_size_but_one_line_always_fits(spool: Spool) -> None:
    spool.append(lines(0, 10, filler=1000))
    assert len(spool.read(100, 3500).lines) == 3
    assert len(spool.read(100, 10).lines) == 1


def test_keeps_what_fits(spool: Spool) -> None:
    each = len(lines(0, 1, filler=1000)[0]) + 1
    kept = spool.append(lines(100, 2000, filler=1000))
    assert 1_000_000 // (each + 3) - 1 <= kept <= 1_000_000 // each
    assert spool.append(lines(0, 1, filler=2000)) == 0
    batch = spool.read(10, 100_000)
    spool.forget(batch)
    assert spool.append(lines(0, 5, filler=1000)) == 5
    assert len(drain(spool, 100, 100_000)) == kept - 10 + 5


def test_segments_are_removed_once_delivered(tmp_path: Path) -> None:
    spool = DiskSpool.create(tmp_path, 1_000_000)
    for start in range(0, 800, 50):
        spool.append(lines(start, start + 50, filler=1000))
    assert len(list(tmp_path.rglob("*.jsonl"))) >= 3
    assert drain(spool, 100, 100_000) == lines(0, 800, filler=1000)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.jsonl")) < 300_000
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_a_live_spool_is_nobody_elses(tmp_path: Path) -> None:
    spool = DiskSpool.create(tmp_path, 1_000_000)
    spool.append(lines(0, 5))
    assert list(DiskSpool.orphans(tmp_path, 1_000_000)) == []
    assert DiskSpool.waiting(tmp_path) == 0
    spool.close()
    assert DiskSpool.waiting(tmp_path) == sum(len(line) + 1 for line in lines(0, 5))
    (adopted,) = DiskSpool.orphans(tmp_path, 1_000_000)
    assert list(DiskSpool.orphans(tmp_path, 1_000_000)) == []
    assert drain(adopted) == lines(0, 5)


def test_adopts_from_the_position_on_after_a_kill(tmp_path: Path) -> None:
    program = f"""
import os, signal, sys
from pathlib import Path
from paribus_sdk.disk_spool import DiskSpool
from tests.sdk.client.test_spool import lines
spool = DiskSpool.create(Path({str(tmp_path)!r}), 100_000)
for start in range(0, 600, 20):
    spool.append(lines(start, start + 20, filler=100))
    if start % 60 == 0:
        spool.forget(spool.read(10, 100_000))
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == -signal.SIGKILL
    (adopted,) = DiskSpool.orphans(tmp_path, 100_000)
    assert adopted.damaged == 0
    assert drain(adopted, 50, 100_000) == lines(100, 600, filler=100)
    adopted.close()
    assert list(tmp_path.iterdir()) == []


def test_damage_costs_the_damaged_lines_only(tmp_path: Path) -> None:
    spool = DiskSpool.create(tmp_path, 1_000_000)
    spool.append(lines(0, 10))
    spool.close()
    (path,) = tmp_path.rglob("*.jsonl")
    whole = path.read_bytes().split(b"\n")
    whole[3] = b"\x00\x00garbage"
    path.write_bytes(b"\n".join(whole)[:-5])
    (adopted,) = DiskSpool.orphans(tmp_path, 1_000_000)
    assert adopted.damaged == 2
    assert drain(adopted) == [*lines(0, 3), *lines(4, 9)]


def test_a_position_that_is_damaged_delivers_all_again(tmp_path: Path) -> None:
    spool = DiskSpool.create(tmp_path, 1_000_000)
    spool.append(lines(0, 10))
    spool.forget(spool.read(4, 10_000))
    spool.close()
    (position,) = tmp_path.rglob("position")
    position.write_bytes(b"\x01")
    (adopted,) = DiskSpool.orphans(tmp_path, 1_000_000)
    assert drain(adopted) == lines(0, 10)


def test_a_disk_that_refuses_leaves_events_in_memory(tmp_path: Path) -> None:
    limited = f"""
import resource, signal
from pathlib import Path
from paribus_sdk.disk_spool import DiskSpool
from tests.sdk.client.test_spool import drain, lines
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))  # writes beyond fail like those on a full disk
spool = DiskSpool.create(Path({str(tmp_path)!r}), 1_000_000)
kept = sum(spool.append(lines(start, start + 10, filler=100)) for start in range(0, 300, 10))
assert kept == 300, kept
assert sorted(drain(spool)) == sorted(lines(0, 300, filler=100))
"""
    done = subprocess.run([sys.executable, "-c", limited], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_folder_removed_underneath_is_survived(tmp_path: Path) -> None:
    spool = DiskSpool.create(tmp_path, 1_000_000)
    spool.append(lines(0, 10))
    for path in (*tmp_path.rglob("*.jsonl"), *tmp_path.rglob("lock"), *tmp_path.rglob("position")):
        path.unlink()
    os.rmdir(spool.folder)
    assert spool.read(5, 1000).lines in ((), tuple(lines(0, 5)))
    assert spool.append(lines(10, 12)) in (0, 2)
    spool.close()
