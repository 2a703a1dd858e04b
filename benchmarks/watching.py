"""What a watch costs the intake: CPU of landing and flushing the same events with and without one.

    python -m benchmarks.watching

A busy shop: of 100 events 4 are exposures, 10 requests, the rest what users do; every unit is exposed, which is the
most that a watch can be given. Medians of the rounds; the CPU is that of all threads.
"""

from __future__ import annotations

import json
import random
import statistics
import tempfile
import time
from pathlib import Path

from paribus.app.live import Installation
from paribus.flags import change
from paribus.governance.access import create_key
from paribus.lake.record import LandingRow, microseconds
from paribus.monitoring.watch import Watch, guards_of, save
from paribus.settings import Settings

BATCHES, BATCH, ROUNDS, UNITS = 300, 100, 5, 20_000


def bodies(seed: int) -> list[bytes]:
    """Requests to intake as the SDK sends them."""
    chance = random.Random(seed)
    made = []
    for number in range(BATCHES):
        batch = []
        for place in range(BATCH):
            unit = f"u{chance.randrange(UNITS)}"
            event = {"event_id": f"{seed}-{number}-{place}", "unit_type": "user", "unit": unit, "context": {}}
            if place < 4:
                arm = "treatment" if hash(unit) % 2 else "control"
                properties = {
                    "flag": "f", "assigned": arm, "served": arm, "reason": "SPLIT", "revision": 1, "epoch": 1,
                    "traffic_bp": 10000, "split_bp": 5000, "probability": 0.5, "environment": "dev",
                }  # fmt: skip
                batch.append({**event, "name": "$exposure", "properties": properties})
            elif place < 14:
                properties = {"method": "GET", "route": "/checkout", "status": 200, "seconds": 0.18, "error": False}
                batch.append({**event, "name": "$request", "properties": properties})
            else:
                properties = {"product": "p1", "category": "c", "price": 12.5}
                batch.append({**event, "name": "product_viewed", "properties": properties})
        made.append(json.dumps({"batch": batch}).encode())
    return made


def measure(watched: bool, seed: int) -> tuple[float, float]:
    """CPU seconds to land and flush all batches, and those of the watch alone."""
    with tempfile.TemporaryDirectory() as folder, Installation(Settings(data=Path(folder) / "data")) as live:
        key, _ = create_key(live.store, "server", author="bench")
        live.write("default", "flag", "f", change.create("f", environment="dev"), author="b", reason="b", expected=0)
        if watched:
            watch = Watch(
                experiment="f", flag="f", environment="dev", control="control",
                weights={"control": 0.5, "treatment": 0.5}, guards=guards_of(["error_shown"]),
            )  # fmt: skip
            save(live.store, watch, author="bench", reason="bench")
            live.watcher.look()
        now = microseconds(live.clock())
        rows = [LandingRow(0, now, "paribus", key.id, 0, bytes(BATCH), body) for body in bodies(seed)]
        own = 0.0
        began = time.process_time()
        live.landing.append(rows)
        while live.landing.depth().events:
            live.lake.flush()
            before = time.thread_time()
            live.watcher.look()
            own += time.thread_time() - before
        return time.process_time() - began, own


def main() -> None:
    events = BATCHES * BATCH
    measure(True, 0)  # imports
    pairs = [(measure(False, seed), measure(True, seed)) for seed in range(ROUNDS)]
    plain = statistics.median(without for (without, _), _ in pairs)
    watched, own = (statistics.median(values) for values in zip(*(with_ for _, with_ in pairs), strict=True))
    print(f"without a watch {events / plain:10,.0f} events per CPU second, the door's HTTP not counted")
    print(f"with a watch    {events / watched:10,.0f} events per CPU second")
    print(f"the watch's own {own / events * 1e6:10,.2f} µs per event, {own / plain:.1%} of landing and flushing")


if __name__ == "__main__":
    main()
