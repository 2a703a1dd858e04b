"""A service whose treatment kills its process: `dying_service.py URL KEY CACHE UNITS SHARE SEED`.

Requests are served by workers that are forked from one parent and live until they die or the day is over. Prints how
many units each variant had, and how many of them killed their worker.
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

from paribus_sdk import Client

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "shop"))

from checkout import PRODUCTS, Cart, complete

WORKERS = 16
KILL_SECONDS = 0.010
PAUSE_SECONDS = 0.02


def serve(client: Client, taken: Value, units: int, share: float, seed: int) -> None:
    """Serves visitors until all were, or one of them kills the process."""
    while (number := take(taken)) < units:
        chance = random.Random(f"{seed}:{number}")
        unit = f"u{number}"
        variant = client.variant("new-checkout", unit=unit)
        if variant == "treatment" and chance.random() < share:
            time.sleep(chance.random() * KILL_SECONDS)
            os.kill(os.getpid(), signal.SIGKILL)
        complete(client, unit, Cart([PRODUCTS["tea"]]))
        time.sleep(PAUSE_SECONDS)


def take(taken: Value) -> int:
    with taken.get_lock():
        taken.value += 1
        return taken.value - 1


def main(url: str, key: str, cache: str, units: int, share: float, seed: int) -> None:
    taken = Value("l", 0)
    client = Client(url, key, cache_dir=cache)
    assert client.ready(20)
    workers: set[int] = set()
    deaths = 0
    while taken.value < units or workers:
        while len(workers) < WORKERS and taken.value < units:
            if (pid := os.fork()) == 0:
                serve(client, taken, units, share, seed)
                client.close(30)
                os._exit(0)
            workers.add(pid)
        pid, status = os.wait()
        workers.discard(pid)
        deaths += os.WIFSIGNALED(status)
    served = Counter(client.peek("new-checkout", unit=f"u{number}").variant for number in range(units))
    client.track("closing_time", unit="service")
    deadline = time.monotonic() + 60
    while not client.flush(5) and time.monotonic() < deadline:
        time.sleep(0.5)
    client.close(30)
    print(json.dumps({"served": served, "deaths": deaths}))


if __name__ == "__main__":
    main(*sys.argv[1:4], int(sys.argv[4]), float(sys.argv[5]), int(sys.argv[6]))
