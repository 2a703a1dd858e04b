"""How soon a change of a flag reaches everybody who listens: a server of its own, many streams, changes one by one.

The result is written to `benchmarks/results/`.

    python -m benchmarks.listeners [--streams N] [--changes N]

What is timed is the way to the client: from before the change is written to the moment the new definitions are read.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np

PATIENCE = 30.0
RESULTS = Path(__file__).parent / "results"


async def listen(url: str, secret: str, seen: dict[int, list[float]], opened: asyncio.Semaphore) -> None:
    """One stream: notes when each revision was read."""
    split = urlsplit(url)
    reader, writer = await asyncio.open_connection(split.hostname, split.port, limit=1 << 20)
    head = f"GET /api/v1/definitions/stream HTTP/1.1\r\nHost: {split.netloc}\r\nX-API-Key: {secret}\r\n\r\n"
    writer.write(head.encode())
    first = True
    try:
        while line := await reader.readline():
            if line.startswith(b"id:"):
                seen.setdefault(int(line[3:]), []).append(time.monotonic())
                if first:
                    opened.release()
                    first = False
    finally:
        writer.close()


async def measure(url: str, admin: str, secret: str, streams: int, changes: int) -> list[float]:
    """Seconds from each change to each listener."""
    seen: dict[int, list[float]] = {}
    opened = asyncio.Semaphore(0)
    tasks = [asyncio.create_task(listen(url, secret, seen, opened)) for _ in range(streams)]
    for _ in range(streams):
        await asyncio.wait_for(opened.acquire(), PATIENCE)
    found: list[float] = []
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {admin}"}, timeout=30) as client:
        for number in range(changes):
            known, begun = set(seen), time.monotonic()
            path = "/api/v1/flags/f/" + ("kill" if number % 2 == 0 else "revive")
            (await client.post(path, json={"environment": "dev", "reason": "measured"})).raise_for_status()
            while not any(len(times) >= streams for revision, times in seen.items() if revision not in known):
                if time.monotonic() - begun > PATIENCE:
                    raise TimeoutError(f"change {number} did not reach all of {streams}")
                await asyncio.sleep(0.005)
            newest = max(seen)
            found += [at - begun for at in seen[newest]]
            await asyncio.sleep(0.2)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return found


def main(streams: int, changes: int) -> None:
    """Prints the quantiles and keeps them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 3 * streams), hard), hard))
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.listeners_server", folder], stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout is not None
            url, admin, server = process.stdout.readline().split()
            seconds = asyncio.run(measure(url, admin, server, streams, changes))
        finally:
            process.terminate()
            process.wait(20)
    p50, p95, most = (float(each) for each in np.quantile(seconds, (0.5, 0.95, 1.0)))
    now = datetime.now(UTC)
    found = {
        "time": now.isoformat(timespec="seconds"),
        "command": f"python -m benchmarks.listeners --streams {streams} --changes {changes}",
        "streams": streams,
        "changes": changes,
        "seconds": {"p50": round(p50, 3), "p95": round(p95, 3), "longest": round(most, 3)},
        "cores": os.cpu_count(),
        "load_average_1_minute": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(found))
    (RESULTS / f"listeners-{now:%Y-%m-%d}.json").write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--changes", type=int, default=10)
    given = parser.parse_args()
    main(given.streams, given.changes)
