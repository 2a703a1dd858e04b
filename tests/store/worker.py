"""What a process of its own does in the tests of several processes; it answers through a pipe."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection

from paribus.clock import system_clock
from paribus.store import Address, RecordType, StaleWrite, Store, open_store

COUNTER = Address("default", "counter", "shared")
Work = Callable[[Store, str, int, Connection], None]


@dataclass(frozen=True, slots=True)
class Job:
    number: int


JOBS = RecordType(Job, name="job", key=("number",))


def run(work: Work, place: str, name: str, times: int, pipe: Connection) -> None:
    """Opens the store, says so, works, closes it."""
    store = open_store(place, clock=system_clock)
    pipe.send("ready")
    work(store, name, times, pipe)
    pipe.send("done")
    store.close()


def count(store: Store, name: str, times: int, pipe: Connection) -> None:
    """Adds one, again and again, each time from the revision that it read."""
    for _ in range(times):
        while True:
            now = store.find(COUNTER)
            body = {"n": (now.body or {})["n"] + 1 if now else 1}
            try:
                store.put(COUNTER, body, author=name, reason="one more", expected=now.number if now else 0)
                break
            except StaleWrite:
                continue


def work(store: Store, name: str, times: int, pipe: Connection) -> None:
    """Claims and finishes jobs until none is left; says which."""
    jobs = store.records(JOBS)
    while claims := jobs.claim(timedelta(minutes=1), owner=name, limit=times):
        for claim in claims:
            if jobs.finish(claim):
                pipe.send(claim.record.number)


def write(store: Store, name: str, times: int, pipe: Connection) -> None:
    """Writes new documents, and says which are acknowledged."""
    for i in range(times):
        body = {"i": i, "pad": "x" * 2000}
        store.put(Address("default", "flag", f"{name}-{i}"), body, author=name, reason="r", expected=0)
        pipe.send(i)


def ring(store: Store, name: str, times: int, pipe: Connection) -> None:
    """Writes when told, and says when, on the clock that the processes of one machine share."""
    for i in range(times):
        pipe.recv()
        store.put(Address("default", "bell", f"{name}-{i}"), {}, author=name, reason="r", expected=0)
        pipe.send(time.monotonic())
