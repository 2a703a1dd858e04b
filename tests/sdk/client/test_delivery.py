"""Events reach a real server once each, whatever it answers."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from paribus_sdk import Client
from paribus_sdk.reply import retry_after_seconds
from tests.sdk.client.paribus_server import ParibusServer

MakeClient = Callable[..., Client]


def test_an_event_arrives_with_its_fields(server: ParibusServer, make_client: MakeClient) -> None:
    client = make_client()
    before = time.time()
    client.track("order_completed", unit="u42", revenue=31.5, session_id="s1", items=["a", "b"])
    assert client.flush(5)
    (event,) = server.events
    assert event["name"] == "order_completed"
    assert (event["unit_type"], event["unit"], event["session_id"]) == ("user", "u42", "s1")
    assert event["properties"] == {"revenue": 31.5, "items": ["a", "b"]}
    assert before - 0.001 <= datetime.fromisoformat(event["time"]).timestamp() <= time.time()
    assert len(event["event_id"]) == 36
    assert event["sequence"] == 1
    assert client.stats.sent == client.stats.spooled == 1
    assert client.pending == 0


def test_times_given(server: ParibusServer, make_client: MakeClient) -> None:
    client = make_client()
    client.track("a", time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    client.track("b", time=1_767_323_045_000)
    client.track("c", time="2026-01-02T03:04:05+00:00")
    client.flush(5)
    moments = {datetime.fromisoformat(event["time"]).timestamp() for event in server.events}
    assert moments == {1_767_323_045.0}


def test_strange_properties_arrive_as_text_or_null(server: ParibusServer, make_client: MakeClient) -> None:
    client = make_client()
    loop: dict[str, object] = {}
    loop["self"] = loop
    client.track(
        "odd", unit=7, price=Decimal("1.50"), ratio=float("nan"), tags={"x"}, bad="\ud800", when=datetime(2026, 1, 1)
    )
    client.track("loop", properties={"loop": loop, (1, 2): "tuple key"})
    client.flush(5)
    odd, looped = server.events
    assert odd["unit"] == "7"
    assert odd["properties"]["price"] == "1.50"
    assert odd["properties"]["ratio"] is None
    assert odd["properties"]["tags"] == ["x"]
    assert looped["properties"]["(1, 2)"] == "tuple key"
    assert client.stats.dropped == 0


def test_a_backlog_goes_in_large_batches_compressed(server: ParibusServer, make_client: MakeClient) -> None:
    client = make_client()
    for number in range(1000):
        client.track("n", unit="u", number=number)
    assert client.flush(10)
    assert [event["properties"]["number"] for event in server.events] == list(range(1000))
    assert 100 <= max(len(batch) for batch in server.batches) <= 500
    assert server.requests["gzip"] >= 2
    assert server.arrivals == 1000


def test_a_hundred_events_wait_for_nobody(server: ParibusServer, make_client: MakeClient) -> None:
    client = make_client(flush_seconds=60)
    for number in range(100):
        client.track("n", number=number)
    assert server.wait_for(lambda: server.arrivals == 100, 3)


def test_a_few_events_wait_for_others(server: ParibusServer, make_client: MakeClient) -> None:
    client = make_client(flush_seconds=0.6)
    for number in range(5):
        client.track("n", number=number)
        time.sleep(0.05)
    assert server.wait_for(lambda: server.arrivals == 5, 3)
    assert len(server.batches) == 1


@pytest.mark.parametrize("failure", [500, 503, 429, 408, "drop", "portal", "lose"])
def test_failures_are_tried_again(server: ParibusServer, make_client: MakeClient, failure: object) -> None:
    server.failures.extend([failure, failure])
    client = make_client()
    for number in range(20):
        client.track("n", number=number)
    assert server.wait_for(lambda: client.stats.sent == 20, 8)
    assert sorted(event["properties"]["number"] for event in server.events) == list(range(20))
    assert client.stats.retries == 2
    assert client.stats.dropped == client.stats.rejected == client.pending == 0
    if failure != "lose":  # there the server had them, and knows them again by their ids
        assert server.arrivals == 20


def test_retry_after_is_honored(server: ParibusServer, make_client: MakeClient) -> None:
    server.failures.append(("retry", 429, 1.2))
    client = make_client()
    client.track("n")
    assert server.wait_for(lambda: len(server.events) == 1, 5)
    first, second = server.times
    assert 1.2 <= second - first < 2.5


def test_retry_after_forms() -> None:
    assert retry_after_seconds("7") == 7
    assert retry_after_seconds("-3") == 0
    assert retry_after_seconds("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert retry_after_seconds("soon") is None
    assert retry_after_seconds(None) is None


def test_one_poisonous_event_costs_itself_only(server: ParibusServer, make_client: MakeClient) -> None:
    server.refuse = lambda batch: 400 if any(event["name"] == "poison" for event in batch) else 0
    client = make_client()
    for number in range(150):
        client.track("poison" if number == 70 else "n", number=number)
    assert client.flush(10)
    assert sorted(event["properties"]["number"] for event in server.events) == [n for n in range(150) if n != 70]
    assert (client.stats.sent, client.stats.rejected) == (149, 1)


def test_batches_shrink_when_too_large(server: ParibusServer, make_client: MakeClient) -> None:
    server.refuse = lambda batch: 413 if len(batch) > 30 else 0
    client = make_client()
    for number in range(200):
        client.track("n", number=number)
    assert client.flush(10)
    assert len(server.events) == client.stats.sent == 200
    assert client.stats.rejected == 0


def test_a_refused_key_is_counted(server: ParibusServer, make_client: MakeClient) -> None:
    server.refuse = lambda batch: 403
    client = make_client()
    client.track("n")
    client.flush(5)
    assert client.stats.rejected == 1
    assert client.stats.errors["refused"] == 1


def test_threads_lose_and_double_nothing(server: ParibusServer, make_client: MakeClient) -> None:
    client = make_client()

    def work(worker: int) -> None:
        for number in range(500):
            client.track("n", unit=f"w{worker}", number=number)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.flush(15)
    assert len(server.events) == server.arrivals == 4000
    assert len({event["sequence"] for event in server.events}) == 4000


def test_a_full_queue_drops_counts_and_reports(server: ParibusServer, make_client: MakeClient) -> None:
    client = make_client(queue_events=50)
    for number in range(200_000):
        client.track("n", number=number)
        if client.stats.dropped:
            break
    dropped = client.stats.dropped
    assert dropped >= 1
    assert client.flush(10)
    assert server.wait_for(lambda: len(server.named("$dropped")) == 1)
    (event,) = server.named("$dropped")
    assert event["properties"]["count"] == dropped
    assert event["properties"]["events"] == {"n": dropped}
    assert len(server.named("n")) + dropped == number + 1


def test_a_full_spool_drops_counts_and_reports(make_client: MakeClient, tmp_path: Path) -> None:
    server = ParibusServer()
    server.close()
    client = make_client(url=server.url, spool_megabytes=0.05)
    for number in range(1000):
        client.track("n", number=number, filler="x" * 100)
    assert not client.flush(0.5)
    kept, dropped = client.pending, client.stats.dropped
    assert kept + dropped == 1000
    assert 0 < kept < 250
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.jsonl")) <= 50_000
    back = ParibusServer(port=server.port)
    try:
        assert client.flush(10)
        assert back.wait_for(lambda: len(back.named("$dropped")) == 1)
        assert len(back.named("n")) == kept
        assert [event["properties"]["number"] for event in back.named("n")] == list(range(kept))
        assert back.named("$dropped")[0]["properties"]["count"] == dropped
    finally:
        client.close()
        back.close()


def test_the_event_loop_is_never_blocked(make_client: MakeClient) -> None:
    client = make_client(url="http://127.0.0.1:9")

    async def run() -> float:
        longest = 0.0

        async def heartbeat() -> None:
            nonlocal longest
            while True:
                start = time.perf_counter()
                await asyncio.sleep(0.001)
                longest = max(longest, time.perf_counter() - start)

        beating = asyncio.create_task(heartbeat())
        for number in range(300):
            client.track("n", number=number)
            client.variant("checkout", unit=f"u{number}")
            await asyncio.sleep(0.001)
        beating.cancel()
        return longest

    start = time.perf_counter()
    longest = asyncio.run(run())
    assert longest < 0.5
    assert time.perf_counter() - start < 5


def test_without_a_folder_events_wait_in_memory(server: ParibusServer, make_client: MakeClient, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    client = make_client(cache_dir=blocked)
    client.track("n")
    assert client.flush(5)
    assert client.stats.errors["spool"] == 1
    assert len(server.events) == 1
