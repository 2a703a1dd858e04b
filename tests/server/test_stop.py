"""SIGTERM under load: what was acknowledged is in the lake, once."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx

from paribus.clock import system_clock


def test_a_graceful_stop_loses_nothing_acknowledged(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.server.process", str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    url, secret, server_key = server.stdout.readline().split()
    acknowledged: list[list[str]] = [[] for _ in range(4)]

    def send(worker: int) -> None:
        with httpx.Client(base_url=url, timeout=60, headers={"X-API-Key": secret}) as http:
            for number in range(100_000):
                ids = [f"{worker}-{number}-{index}" for index in range(20)]
                now = int(time.time() * 1000)
                batch = [{"event_id": each, "name": "sent", "time": now, "unit": "u"} for each in ids]
                try:
                    answer = http.post("/api/v1/events", json={"batch": batch})
                except httpx.HTTPError:
                    return
                assert answer.status_code == 200
                assert answer.json()["accepted"] == 20
                acknowledged[worker] += ids

    workers = [threading.Thread(target=send, args=(worker,)) for worker in range(4)]
    for worker in workers:
        worker.start()
    time.sleep(1.5)
    with httpx.Client(base_url=url, timeout=60, headers={"X-API-Key": server_key}) as http:
        for number in range(30):
            context = {"context": {"targetingKey": f"exposed-{number}"}}
            assert http.post("/ofrep/v1/evaluate/flags/f", json=context).status_code == 200
    server.send_signal(signal.SIGTERM)
    assert server.wait(60) == 0
    for worker in workers:
        worker.join(20)
    promised = [each for ids in acknowledged for each in ids]
    assert len(promised) > 200
    stored = ids_in_lake(folder, "sent")
    assert len(ids_in_lake(folder, "$exposure")) == 30
    assert len(stored) == len(set(stored))
    assert set(promised) <= set(stored)
    assert len(stored) - len(promised) <= 4 * 20, "at most the requests in flight, whose answer was cut off"
    assert not (folder / "server.json").exists()


def ids_in_lake(folder: Path, name: str) -> list[str]:
    import duckdb

    from paribus.app.live import Installation
    from paribus.settings import Settings

    with Installation(Settings(data=folder), clock=system_clock) as live:
        _, files = live.lake.files()
        query = "SELECT event_id FROM read_parquet($files, union_by_name := true) WHERE name = $name"
        rows = duckdb.sql(query, params={"files": files, "name": name})
        return [event_id for (event_id,) in rows.fetchall()]
