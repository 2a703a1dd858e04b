"""Speed of the lake: landing, flush, compaction, reading. CPU seconds of this process; run alone for wall times.

python -m benchmarks.lake [--events 200000]
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from paribus.clock import system_clock
from paribus.lake import Lake, Landing, LandingRow, Record, microseconds

BATCH = 100


class Event(msgspec.Struct):
    """An event as the benchmark's clients send it."""

    event_id: str
    name: str
    time: int
    unit: str
    properties: msgspec.Raw
    price: float | None = None


_decoder = msgspec.json.Decoder(list[Event])


def decode(row: LandingRow) -> Iterator[Record]:
    """The records of a gzip'd JSON request."""
    received = row.received_time
    for each in _decoder.decode(gzip.decompress(row.body)):
        typed = {} if each.price is None else {"price": each.price}
        yield Record(
            "bench:main", each.event_id, each.name, each.time, received, received - 20_000, "user", each.unit,
            properties=bytes(each.properties).decode(), typed=typed, sent_time=received,
        )  # fmt: skip


def requests(events: int, *, days: int = 1, seed: int = 1) -> list[LandingRow]:
    """Gzip'd requests of 100 events of about 500 bytes."""
    generator = random.Random(seed)
    now = microseconds(system_clock())
    rows = []
    for first in range(0, events, BATCH):
        batch = [
            {
                "event_id": f"{generator.getrandbits(128):032x}",
                "name": generator.choice(["page_view", "product_viewed", "cart", "order_completed"]),
                "time": now - generator.randrange(days * 86_400_000_000),
                "unit": f"user-{generator.randrange(50_000)}",
                "properties": {
                    "url": f"https://shop.example/products/{generator.randrange(5_000)}?ref=mail",
                    "title": "A product that is described at some length, as titles are",
                    "currency": "EUR",
                    "position": generator.randrange(40),
                    "agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)",
                },
                "price": round(generator.random() * 100, 2) if generator.random() < 0.3 else None,
            }
            for _ in range(first, min(first + BATCH, events))
        ]
        body = gzip.compress(json.dumps(batch).encode(), compresslevel=1)
        rows.append(LandingRow(0, now, "bench", "key-1", 1, bytes(len(batch)), body))
    return rows


def timed(title: str, events: int, work: Callable[[], Any]) -> Any:
    """What `work` returns; prints events per second of CPU and of wall."""
    cpu, wall = time.process_time(), time.perf_counter()
    answer = work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(f"{title:<44} {events / cpu:>12,.0f} events/CPU s {events / wall:>12,.0f} events/s   CPU {cpu:6.2f} s")
    return answer


async def _append(landing: Landing, rows: list[LandingRow], senders: int) -> None:
    async def send(part: list[LandingRow]) -> None:
        for row in part:
            await landing.append_async([row])

    await asyncio.gather(*(send(rows[start::senders]) for start in range(senders)))


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=200_000)
    events = parser.parse_args().events
    folder = Path(tempfile.mkdtemp(prefix="paribus-bench-"))
    try:
        rows = requests(events, days=3)
        landing = Landing.open(folder / "alone.sqlite", clock=system_clock)
        timed("append, batches of 100, 32 senders", events, lambda: asyncio.run(_append(landing, rows, 32)))
        landing.close()
        with Lake.open(folder / "data", clock=system_clock, decode=decode) as lake:
            asyncio.run(_append(lake.landing, rows, 32))
            timed("decode alone (the benchmark's own)", events, lambda: [list(decode(row)) for row in rows])
            timed("flush, 20,000 events a commit, decode included", events, lake.drain)
            for day in range(2):
                lake.landing.append(requests(1_000, days=1, seed=10 + day))
                lake.flush()
            timed("sorted compaction", events + 2_000, lake.compact)
            import duckdb

            connection = duckdb.connect(config={"threads": 1})
            plain = (
                f"SELECT count(*), sum(p_price) FROM read_parquet({lake.files()[1]!r}) WHERE name = 'order_completed'"
            )
            timed("scan of one event's prices", events, lambda: connection.execute(plain).fetchall())
            each_once = lake.events_sql(names=["order_completed"])
            statement = f"SELECT count(*), sum(p_price) FROM ({each_once})"
            timed("the same, each event once", events, lambda: connection.execute(statement).fetchall())
            units = [f"user-{number}" for number in range(20)]
            timed("erasure of 20 units", events, lambda: lake.erase(units))
            sent = requests(100, days=1, seed=99)
            started = time.perf_counter()
            lake.start()
            lake.landing.append(sent)
            while lake.landing.events_waiting:
                time.sleep(0.01)
            print(f"{'acknowledged to readable':<44} {timedelta(seconds=time.perf_counter() - started)}")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
