"""CPU of the server process per request, against a raw ASGI application under the same uvicorn in the same run.

    python -m benchmarks.server            # prints a table; --quick for a fifth of the load

Events are checked against a tracking plan; at half load the lake is flushed, too, by a process of its own as in
`paribus serve`. Requests come from another process over keep-alive connections on loopback; only the server's own CPU is
counted.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import multiprocessing
import os
import random
import resource
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.server.installation import ENVIRONMENT, PROJECT, Installation

from paribus.events.plan import KIND
from paribus.flags import change
from paribus.server import create_app
from paribus.server.serve import Server, short_collections, short_turns
from paribus.settings import Settings

FLAGS = 200
CONNECTIONS = 8
ROUNDS = 5
HALF_LOAD = 50_000  # events per second
BATCH = 100
PLAN = {
    "events": {
        "order_completed": {
            "description": "A customer paid.",
            "owner": "bench",
            "properties": {
                "revenue": {"type": "number", "required": True, "minimum": 0},
                "currency": {"type": "string", "required": True},
                "items": {"type": "integer", "minimum": 1},
            },
        }
    }
}
CONTEXT = {"targetingKey": "u42", "country": "DE", "plan": "pro", "version": "2.3.1", "age": 33}


def raw_application(size: int) -> Any:
    """Reads a body, answers so many bytes: what nothing under uvicorn can go below."""
    answer = b"x" * size
    headers = [(b"content-type", b"application/json"), (b"content-length", str(size).encode())]

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while True:
                kind = (await receive())["type"].removeprefix("lifespan.")
                await send({"type": f"lifespan.{kind}.complete"})
                if kind == "shutdown":
                    return
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    application.stop_streams = lambda: None  # type: ignore[attr-defined]
    return application


def server_process(kind: Any, pipe: Any) -> None:
    """A server until told to stop; answers each word with the CPU seconds used so far.

    The lake is at rest until the word `flush`, so that a request's cost is its own.
    """

    def commands(server: Server, flush: Callable[[], None]) -> None:
        while True:
            word = pipe.recv()
            if word == "flush":
                flush()
            usage = resource.getrusage(resource.RUSAGE_SELF)
            pipe.send(usage.ru_utime + usage.ru_stime)
            if word == "stop":
                server.stop()
                return

    def run(application: Any, info: dict[str, Any], flush: Callable[[], None] = lambda: None) -> None:
        server = Server(application, "127.0.0.1", 0, ready=lambda url: pipe.send({"url": url, **info}))
        threading.Thread(target=commands, args=(server, flush), daemon=True).start()
        server.run()

    if isinstance(kind, int):
        run(raw_application(kind), {})
        return
    with tempfile.TemporaryDirectory() as folder, Installation(_settings(folder)) as live:
        live.write(PROJECT, KIND, "default", PLAN, author="bench", reason="bench", expected=0)
        for number in range(FLAGS):
            body = change.create(f"flag-{number}", environment=ENVIRONMENT)
            rules = body["environments"][ENVIRONMENT]["rules"]
            rules[:0] = [
                {"id": "c", "when": {"attribute": "country", "op": "in", "value": ["FR", "IT"]}, "variant": "control"},
                {
                    "id": "v",
                    "when": {"attribute": "version", "op": "semver_less_than", "value": "2.0.0"},
                    "variant": "control",
                },
                {"id": "p", "when": {"attribute": "plan", "op": "equals", "value": "free"}, "variant": "control"},
                {"id": "a", "when": {"attribute": "age", "op": "less_than", "value": 18}, "variant": "control"},
            ]
            live.write(PROJECT, "flag", f"flag-{number}", body, author="bench", reason="bench", expected=0)
        keys = {scope: live.secret(scope) for scope in ("server", "client", "intake")}

        def flush() -> None:
            live.start(beside=True)
            live.lake.drain()  # the process beside is there, and what the rounds before left is in the lake

        with short_turns(), short_collections():
            run(create_app(live), {"keys": keys}, flush)


def _settings(folder: str) -> Settings:
    return Settings(data=Path(folder) / "data", requests_per_second=1_000_000, log_level="error")


def request(path: str, body: bytes, **headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Load:
    """Sends requests over a few connections, one at a time on each; paced when a rate is given."""

    def __init__(self, url: str, per_second: float | None = None) -> None:
        self.pause = 0.0 if per_second is None else CONNECTIONS / per_second
        self.host, port = url.removeprefix("http://").split(":")
        self.port = int(port)
        self.statuses: dict[int, int] = {}
        self.seconds: list[float] = []

    def __call__(self, requests: list[bytes]) -> None:
        asyncio.run(self._all(requests))

    async def _all(self, requests: list[bytes]) -> None:
        await asyncio.gather(*(self._some(requests[start::CONNECTIONS]) for start in range(CONNECTIONS)))

    async def _some(self, requests: list[bytes]) -> None:
        reader, writer = await asyncio.open_connection(self.host, self.port, limit=2**20)
        due = time.perf_counter() + random.random() * self.pause
        for each in requests:
            if self.pause:
                due += self.pause
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
            started = due if self.pause else time.perf_counter()  # a request that waits for its turn is late, too
            writer.write(each)
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2]
            if length:
                await reader.readexactly(int(length.split(b"\r\n", 1)[0]))
            self.seconds.append(time.perf_counter() - started)
            status = int(head.split(b" ", 2)[1])
            self.statuses[status] = self.statuses.get(status, 0) + 1
        writer.close()


class Measured:
    """A server in another process."""

    def __init__(self, kind: Any) -> None:
        self._pipe, other = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("spawn").Process(target=server_process, args=(kind, other))
        self._process.start()
        other.close()
        self.info = self._pipe.recv()

    def cpu(self, word: str = "cpu") -> float:
        self._pipe.send(word)
        return float(self._pipe.recv())

    def microseconds(self, requests: list[bytes], expected: int = 200) -> tuple[float, Load]:
        load = Load(self.info["url"])
        load(requests[: max(50, len(requests) // 20)])
        load.statuses.clear()
        load.seconds.clear()
        before = self.cpu()
        load(requests)
        spent = self.cpu() - before
        assert load.statuses == {expected: len(requests)}, load.statuses
        return spent / len(requests) * 1e6, load

    def stop(self) -> None:
        self.cpu("stop")
        self._process.join(30)


def batches(count: int) -> list[bytes]:
    made = []
    for number in range(count):
        events = [
            {
                "event_id": f"{number}-{index}-{random.random()}",
                "name": "order_completed",
                "time": int(time.time() * 1000),
                "unit": f"u{index}",
                "properties": {"revenue": 31.5, "currency": "EUR", "items": 3},
            }
            for index in range(BATCH)
        ]
        made.append(json.dumps({"sent_at": int(time.time() * 1000), "batch": events}).encode())
    return made


@dataclass(frozen=True)
class Found:
    """What a run measured; times in microseconds of CPU per request, latencies in seconds, sorted."""

    cases: dict[str, Case]
    intake_events_per_cpu_second: float
    unpaced_seconds: list[float]
    half_load_seconds: list[float]


@dataclass(frozen=True)
class Case:
    """One kind of request: the best and the median round, and the best of the floor that it is held against."""

    best: float
    median: float
    floor: float
    limit: float | None


def measure(share: float = 1.0) -> Found:
    """Every kind of request, in rounds that take turns; `share` of the full load."""
    single, bulk, intake = (int(share * count) for count in (4_000, 600, 300))
    ours = Measured("paribus")
    keys = ours.info["keys"]
    body = json.dumps({"context": CONTEXT}).encode()
    path = "/ofrep/v1/evaluate/flags"
    auth = {"Authorization": f"Bearer {keys['server']}"}
    off = {**auth, "paribus_exposure": "off"}
    key = {"X_API_Key": keys["intake"]}
    etag, size = _bulk_answer(ours.info["url"], path, body, keys["server"])
    small, large = Measured(300), Measured(size)
    units = (json.dumps({"context": CONTEXT | {"targetingKey": f"u{n}"}}).encode() for n in itertools.count())
    flag = f"{path}/flag-7"
    floor, floor_bulk = "raw ASGI, 300 bytes", f"raw ASGI, {size} bytes"
    durable = f"durable intake, {BATCH} events"
    cases: dict[str, tuple[Measured, Callable[[], list[bytes]], int, str, int | None]] = {
        floor: (small, lambda: [request("/x", body, **auth)] * single, 200, floor, None),
        floor_bulk: (large, lambda: [request("/x", body, **auth)] * bulk, 200, floor_bulk, None),
        "OFREP single, no exposure": (ours, lambda: [request(flag, body, **off)] * single, 200, floor, 90),
        "OFREP single, exposed before": (ours, lambda: [request(flag, body, **auth)] * single, 200, floor, 90),
        "OFREP single, each a new exposure": (
            ours,
            lambda: [request(flag, next(units), **auth) for _ in range(single)],
            200,
            floor,
            90,
        ),
        f"OFREP bulk of {FLAGS}": (
            ours,
            lambda: [request(path, next(units), **auth) for _ in range(bulk)],
            200,
            floor_bulk,
            650,
        ),
        "OFREP bulk, 304": (ours, lambda: [request(path, body, **auth, If_None_Match=etag)] * single, 304, floor, 60),
        durable: (
            ours,
            lambda: [request("/api/v1/events", each, **key) for each in batches(intake)],
            200,
            floor,
            1000,
        ),
    }
    spent: dict[str, list[float]] = {name: [] for name in cases}
    loads: list[Load] = []
    for _ in range(ROUNDS):
        for name, (server, made, expected, _, _) in cases.items():
            cost, load = server.microseconds(made(), expected)
            spent[name].append(cost)
            if name == durable:
                loads.append(load)
    ours.cpu("flush")
    paced = Load(ours.info["url"], HALF_LOAD / BATCH)
    paced([request("/api/v1/events", each, **key) for each in batches(int(share * 5 * HALF_LOAD / BATCH))])
    for server in (small, large, ours):
        server.stop()
    shown = {
        name: Case(min(spent[name]), statistics.median(spent[name]), min(spent[against]), limit)
        for name, (_, _, _, against, limit) in cases.items()
    }
    unpaced = min(loads, key=lambda load: sum(load.seconds))
    return Found(shown, BATCH / min(spent[durable]) * 1e6, sorted(unpaced.seconds), sorted(paced.seconds))


def quantile(ordered: list[float], share: float) -> float:
    """Of values in order."""
    return ordered[int(len(ordered) * share)]


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--quick", action="store_true")
    found = measure(0.2 if arguments.parse_args().quick else 1.0)
    title = f"CPU of the server per request, best of {ROUNDS}"
    print(f"{title:42} {'µs':>8} {'× raw':>7} {'median':>8} {'limit':>7}")
    for name, case in found.cases.items():
        print(f"{name:42} {case.best:8.1f} {case.best / case.floor:7.2f} {case.median:8.1f} {case.limit or '':>7}")
    print(f"\nintake: {found.intake_events_per_cpu_second:,.0f} events per CPU second")
    for said, seconds in (("never pausing", found.unpaced_seconds), (f"{HALF_LOAD:,}/s", found.half_load_seconds)):
        half, most = (quantile(seconds, part) * 1e3 for part in (0.5, 0.99))
        print(f"  {CONNECTIONS} connections, {said}: median {half:.1f} ms, p99 {most:.1f} ms")
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")


def _bulk_answer(url: str, path: str, body: bytes, secret: str) -> tuple[str, int]:
    import httpx

    answer = httpx.post(url + path, content=body, headers={"X-API-Key": secret})
    return answer.headers["etag"], len(answer.content)


if __name__ == "__main__":
    main()
