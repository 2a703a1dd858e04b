"""A writer that is made to be killed: `python -m tests.lake.crashing FOLDER RUN`.

Producer threads, the flusher and compaction run until the process dies. Each acknowledged request is one line of
FOLDER/acknowledged: landing id and event ids.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

from tests.lake.sending import decode, event, request

from paribus.clock import system_clock
from paribus.lake import Lake

EVENTS_PER_REQUEST = 10


def produce(lake: Lake, run: str, descriptor: int) -> None:
    """Appends requests for ever; each event of the run has an id of its own, on one of three days."""
    generator = random.Random(run)
    number = 0
    while True:
        now = system_clock()
        ids = [f"{run}-{number}-{index}" for index in range(EVENTS_PER_REQUEST)]
        events = [
            event(each, generator.choice(["view", "buy"]), at=now - timedelta(days=generator.randrange(3)), unit=each)
            for each in ids
        ]
        if generator.random() < 0.2:
            events[0]["verdict"] = 2
        last = lake.landing.append([request(events, received=now)])
        os.write(descriptor, f"{last} {' '.join(ids)}\n".encode())
        number += 1
        time.sleep(0.002)


def main(folder: Path, run: str) -> None:
    lake = Lake.open(folder / "data", clock=system_clock, decode=decode, max_events=300)
    descriptor = os.open(folder / "acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for name in ("a", "b"):
        threading.Thread(target=produce, args=(lake, f"{run}{name}", descriptor), daemon=True).start()
    lake.start(flush_seconds=0.02)
    print("ready", flush=True)
    while True:
        lake.compact(min_files=4)
        lake.vacuum()
        time.sleep(0.05)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
