"""How long after its acknowledgement an event is visible to an analysis; `paribus serve` as it comes, under load.

    python -m benchmarks.visibility [--probes N] [--rate EVENTS_PER_SECOND]

A probe is one event of a name of its own. It is visible when the newest version of the table holds it, read as an
analysis reads it. Other clients send at the given rate meanwhile. Times are of the wall: a busy machine makes them long.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import duckdb
import httpx

from paribus.app.folder import definitions
from paribus.app.lake import reader_of
from paribus.governance.access import create_key
from paribus.settings import Settings

LIMIT_SECONDS = 5.0
BATCH = 100


def _send(http: httpx.Client, name: str, count: int) -> None:
    now = int(time.time() * 1000)
    batch = [{"event_id": f"{name}-{now}-{n}", "name": name, "time": now, "unit": f"u{n}"} for n in range(count)]
    http.post("/api/v1/events", json={"sent_at": now, "batch": batch}).raise_for_status()


def measure(probes: int = 20, rate: int = 2_000) -> list[float]:
    """Seconds from the acknowledgement of each probe to its visibility, in order."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "data"
        with definitions(Settings(data=folder), create=True) as store:
            _, secret = create_key(store, "intake", author="bench")
        server = subprocess.Popen(
            [sys.executable, "-m", "paribus.cli", "serve", "--port", "0", "--data", str(folder)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PARIBUS_LOG_LEVEL": "error"},
        )
        stopping = threading.Event()
        try:
            assert server.stdout is not None
            url = server.stdout.readline().split()[4]

            def load() -> None:
                with httpx.Client(base_url=url, headers={"X-API-Key": secret}, timeout=30) as http:
                    while not stopping.wait(BATCH / rate):
                        _send(http, "other", BATCH)

            background = threading.Thread(target=load)
            background.start()
            with httpx.Client(base_url=url, headers={"X-API-Key": secret}, timeout=30) as http:
                found = sorted(_probe(http, folder, f"probe_{number}") for number in range(probes))
            stopping.set()
            background.join()
        finally:
            stopping.set()
            server.terminate()
            server.wait(30)
    return found


def _probe(http: httpx.Client, folder: Path, name: str) -> float:
    _send(http, name, 1)
    acknowledged = time.monotonic()
    while True:
        reader = reader_of(folder)
        assert reader is not None
        with duckdb.connect(config={"threads": 1}) as connection:
            if connection.execute(f"SELECT 1 FROM ({reader.events_sql(names=[name])})").fetchall():
                return time.monotonic() - acknowledged
        time.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--probes", type=int, default=20)
    parser.add_argument("--rate", type=int, default=2_000, help="events per second of other clients")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = measure(asked.probes, asked.rate)
    if asked.json:
        print(json.dumps(found))
        return
    print(
        f"visible after: median {statistics.median(found):.2f} s, longest {found[-1]:.2f} s (at most {LIMIT_SECONDS:.0f})"
    )


if __name__ == "__main__":
    main()
