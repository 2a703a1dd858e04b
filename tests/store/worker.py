"""A process of its own for the tests of several processes: python worker.py MODE PLACE NAME COUNT."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from datetime import timedelta

from paribus.clock import system_clock
from paribus.store import Address, RecordType, StaleWrite, Store, open_store

COUNTER = Address("default", "counter", "shared")


@dataclass(frozen=True, slots=True)
class Job:
    number: int


JOBS = RecordType(Job, name="job", key=("number",))


def count(store: Store, name: str, times: int) -> None:
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


def work(store: Store, name: str, times: int) -> None:
    """Claims and finishes jobs until none is left; says which."""
    jobs = store.records(JOBS)
    while claims := jobs.claim(timedelta(minutes=1), owner=name, limit=times):
        for claim in claims:
            if jobs.finish(claim):
                print(claim.record.number, flush=True)


def write(store: Store, name: str, times: int) -> None:
    """Writes new documents, and says which are acknowledged."""
    for i in range(times):
        store.put(
            Address("default", "flag", f"{name}-{i}"), {"i": i, "pad": "x" * 2000}, author=name, reason="r", expected=0
        )
        print(i, flush=True)


def ring(store: Store, name: str, times: int) -> None:
    """Writes when told, and says when, on the clock that processes of one machine share."""
    for i in range(times):
        sys.stdin.readline()
        store.put(Address("default", "bell", f"{name}-{i}"), {}, author=name, reason="r", expected=0)
        print(time.monotonic(), flush=True)


if __name__ == "__main__":
    mode, place, name, times = sys.argv[1:]
    store = open_store(place, clock=system_clock)
    print("ready", flush=True)
    {"count": count, "work": work, "write": write, "ring": ring}[mode](store, name, int(times))
