"""A service whose treatment kills its process: `dying_service.py URL KEY CACHE UNITS SHARE MODE`.

In the mode `workers` requests are served by processes forked from one parent, which live until one of their visitors
kills them, up to 10 ms after the exposure. In the mode `at once` the exposure dies in the memory of its process. Prints
how many units each variant had, and how many of them killed their process.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from multiprocessing import Value
from pathlib import Path
from typing import Any

from paribus_sdk import Client

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "shop"))

from checkout import PRODUCTS, Cart, complete

WORKERS = 16
KILL_SECONDS = 0.010
PAUSE_SECONDS = 0.02


def serve(client: Client, taken: Any, units: int, share: float) -> None:
    """Serves visitors until all were, or one of them kills the process."""
    while (number := take(taken)) < units:
        chance = random.Random(number)
        unit = f"u{number}"
        variant = client.variant("new-checkout", unit=unit)
        if variant == "treatment" and chance.random() < share:
            time.sleep(chance.random() * KILL_SECONDS)
            os.kill(os.getpid(), signal.SIGKILL)
        complete(client, unit, Cart([PRODUCTS["tea"]]))
        time.sleep(PAUSE_SECONDS)


def take(taken: Any) -> int:
    with taken.get_lock():
        taken.value += 1
        return taken.value - 1


def serve_by_workers(client: Client, units: int, share: float) -> int:
    """How many workers died."""
    taken = Value("l", 0)
    workers: set[int] = set()
    deaths = 0
    while taken.value < units or workers:
        while len(workers) < WORKERS and taken.value < units:
            if (pid := os.fork()) == 0:
                serve(client, taken, units, share)
                client.close(30)
                os._exit(0)
            workers.add(pid)
        pid, status = os.wait()
        workers.discard(pid)
        deaths += os.WIFSIGNALED(status)
    return deaths


def serve_at_once(client: Client, units: int, share: float) -> int:
    """How many exposures never left the memory of a process: for them nothing is recorded."""
    deaths = 0
    for number in range(units):
        unit = f"u{number}"
        is_killed = random.Random(number).random() < share
        if is_killed and client.peek("new-checkout", unit=unit).variant == "treatment":
            deaths += 1
            continue
        client.variant("new-checkout", unit=unit)
        if number % 20_000 == 0:
            client.flush(30)
    return deaths


def main(url: str, key: str, cache: str, units: int, share: float, mode: str) -> None:
    client = Client(url, key, cache_dir=cache)
    assert client.ready(20)
    deaths = (serve_by_workers if mode == "workers" else serve_at_once)(client, units, share)
    served = Counter(client.peek("new-checkout", unit=f"u{number}").variant for number in range(units))
    client.track("closing_time", unit="service")  # the client's own process adopts what its workers left
    deadline = time.monotonic() + 60
    while not client.flush(5) and time.monotonic() < deadline:
        time.sleep(0.5)
    client.close(30)
    print(json.dumps({"served": served, "deaths": deaths}))


if __name__ == "__main__":
    main(*sys.argv[1:4], int(sys.argv[4]), float(sys.argv[5]), sys.argv[6])
