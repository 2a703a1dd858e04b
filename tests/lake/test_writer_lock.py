from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.lake.sending import HandClock, decode, event, request

from paribus.errors import LockedError
from paribus.lake import Lake, WriterLock, lock_holder

ROOT = Path(__file__).parents[2]


def test_the_second_writer_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    with WriterLock.acquire(tmp_path, clock=HandClock()):
        with pytest.raises(LockedError, match=f"process {os.getpid()} on .*2026-03-10T12:00:00"):
            WriterLock.acquire(tmp_path, clock=HandClock())
        assert lock_holder(tmp_path)
    assert lock_holder(tmp_path) is None
    WriterLock.acquire(tmp_path, clock=HandClock()).release()


def test_a_second_lake_is_refused_and_the_data_of_the_first_are_whole(tmp_path: Path) -> None:
    with Lake.open(tmp_path, clock=HandClock(), decode=decode) as lake:
        lake.landing.append([request([event("a")])])
        with pytest.raises(LockedError):
            Lake.open(tmp_path, clock=HandClock(), decode=decode)
        assert lake.flush().events == 1
    with Lake.open(tmp_path, clock=HandClock(), decode=decode) as lake:
        assert lake.files()[0] == 1


def test_the_lock_of_a_killed_process_is_free_and_a_forked_child_does_not_keep_it(tmp_path: Path) -> None:
    script = (
        "import os, sys, time\n"
        "from paribus.clock import system_clock\n"
        "from paribus.lake import WriterLock\n"
        "lock = WriterLock.acquire(sys.argv[1], clock=system_clock)\n"
        "ready, told = os.pipe()\n"
        "child = os.fork()\n"
        "if child == 0: os.write(told, b'x'); time.sleep(60); os._exit(0)\n"
        "os.read(ready, 1)\n"
        "print(child, flush=True); time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    child = int(holder.stdout.readline())
    try:
        with pytest.raises(LockedError, match=f"process {holder.pid}"):
            WriterLock.acquire(tmp_path, clock=HandClock())
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        WriterLock.acquire(tmp_path, clock=HandClock()).release()
    finally:
        os.kill(child, signal.SIGKILL)
        holder.stdout.close()
