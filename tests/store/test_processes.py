"""Several real processes on one store, and what a kill leaves."""

from __future__ import annotations

import multiprocessing
import random
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import pytest
import sqlalchemy as sa
from tests.store import worker
from tests.store.worker import COUNTER, JOBS, Job, Work

from paribus.clock import system_clock
from paribus.store import Address, Store, open_store

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tests.store.worker"])


class Other:
    """Another process at work on the store; it has opened it when this object exists."""

    def __init__(self, work: Work, place: str, name: str, times: int) -> None:
        self.pipe, theirs = SERVER.Pipe()
        self.process: BaseProcess = SERVER.Process(
            target=worker.run, args=(work, place, name, times, theirs), daemon=True
        )
        self.process.start()
        theirs.close()

    def opened(self) -> Other:
        assert self.pipe.recv() == "ready"
        return self

    def heard(self) -> list[Any]:
        """Everything it said until it ended, however it ended."""
        said = _until_the_end(self.pipe)
        self.process.join(timeout=60)
        return said

    def finished(self) -> list[Any]:
        said = self.heard()
        assert self.process.exitcode == 0
        assert (said[0], said[-1]) == ("ready", "done")
        return said[1:-1]


def _until_the_end(pipe: Connection) -> list[Any]:
    said = []
    while True:
        try:
            said.append(pipe.recv())
        except (EOFError, ConnectionResetError):
            return said


def test_writers_that_race_lose_nothing(place: str) -> None:
    """They also race to make the tables: nobody opened the store before."""
    for other in [Other(worker.count, place, name, 12) for name in ("ann", "bob", "eve")]:
        other.finished()
    store = open_store(place, clock=system_clock)
    assert store.get(COUNTER).body == {"n": 36}
    assert [revision.body for revision in store.history(COUNTER)] == [{"n": n} for n in range(1, 37)]
    assert store.verify_chain("default").is_intact
    store.close()


def test_a_job_has_one_claimant(store: Store, place: str) -> None:
    store.records(JOBS).append(*(Job(n) for n in range(60)))
    others = [Other(worker.work, place, name, 2) for name in ("w1", "w2", "w3")]
    done = [number for other in others for number in other.finished()]
    assert sorted(done) == list(range(60))
    assert store.records(JOBS).scan() == []


def test_a_foreign_revision_is_noticed_within_200_ms(store: Store, place: str) -> None:
    other = Other(worker.ring, place, "other", 5).opened()
    store.wait("default", 0, 0.3)  # whoever listens is listening by now
    late = []
    for i in range(5):
        other.pipe.send("now")
        assert store.wait("default", i, 30) == i + 1
        seen = time.monotonic()
        late.append(seen - other.pipe.recv())
    assert sorted(late)[1] < 0.2
    assert max(late) < 1.5  # other tests may hold the processor


def test_a_listener_that_lost_its_connection_still_notices(new_schema: Callable[[], str]) -> None:
    place = new_schema()
    store, other = (open_store(place, clock=system_clock) for _ in range(2))
    store.wait("default", 0, 0.5)
    with other._database.read() as connection:
        connection.execute(
            sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
        ).all()
    late = []
    for i in range(3):
        thread = threading.Timer(0.3, _ring, (other, i, late))
        thread.start()
        assert store.wait("default", i, 30) == i + 1
        seen = time.monotonic()
        thread.join()
        late[-1] = seen - late[-1]
    assert sorted(late)[1] < 0.2
    store.close()
    other.close()


def _ring(store: Store, i: int, written: list[float]) -> None:
    store.put(Address("default", "bell", str(i)), {}, author="other", reason="r", expected=0)
    written.append(time.monotonic())


def _killed(place: str, name: str, after: int, seconds: float) -> int:
    """How many writes were acknowledged by a process that is killed this long after so many of them."""
    other = Other(worker.write, place, name, 100_000).opened()
    for _ in range(after):
        other.pipe.recv()
    time.sleep(seconds)
    other.process.kill()
    return after + len(other.heard())


def _check_kills(place: str, rounds: int) -> None:
    chance = random.Random(7)
    for i in range(rounds):
        count = _killed(place, f"k{i}", chance.randrange(1, 9), chance.uniform(0, 0.02))
        store = open_store(place, clock=system_clock)
        for n in range(count):
            assert store.get(Address("default", "flag", f"k{i}-{n}")).number == 1
        report = store.verify_chain("default")
        assert report.is_intact, report.sentences
        store.close()


def test_a_kill_loses_nothing_that_was_acknowledged(place: str) -> None:
    _check_kills(place, 3)


@pytest.mark.slow
def test_many_kills_lose_nothing_that_was_acknowledged(place: str) -> None:
    _check_kills(place, 50)
