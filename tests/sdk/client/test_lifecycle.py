"""What happens to events when a process is killed, forks, exits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from paribus_sdk import Client
from tests.sdk.client.paribus_server import KEY, ParibusServer

MakeClient = Callable[..., Client]


def run(program: str, server_url: str, cache: Path, wait: bool = True) -> subprocess.Popen[str]:
    head = f"from paribus_sdk import Client\nclient = Client({server_url!r}, {KEY!r}, cache_dir={str(cache)!r})\n"
    process = subprocess.Popen(
        [sys.executable, "-c", head + dedent(program)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    if wait:
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 0, errors
    return process


def repeats(server: ParibusServer) -> int:
    """How many arrivals were of an event that had arrived before: each the same event again, to the last field."""
    first: dict[str, dict[str, Any]] = {}
    arrived = [event for batch in server.batches for event in batch]
    for event in arrived:
        assert first.setdefault(event["event_id"], event) == event
    return len(arrived) - len(first)


def numbers(server: ParibusServer, name: str = "n") -> list[int]:
    return sorted(event["properties"]["number"] for event in server.named(name))


def test_exit_delivers_what_is_left(server: ParibusServer, tmp_path: Path) -> None:
    run(
        """
        for number in range(250):
            client.track("n", number=number)
        """,
        server.url,
        tmp_path,
    )
    assert numbers(server) == list(range(250))
    assert server.arrivals == 250
    assert not list(tmp_path.rglob("*.jsonl"))


def test_exit_without_a_server_is_quick_and_the_next_start_delivers(
    server: ParibusServer, make_client: MakeClient, tmp_path: Path
) -> None:
    server.failures.extend([503] * 1000)
    start = time.monotonic()
    run(
        """
        for number in range(250):
            client.track("n", number=number)
        """,
        server.url,
        tmp_path,
    )
    assert time.monotonic() - start < 8
    assert server.events == []
    server.failures.clear()
    client = make_client()
    assert server.wait_for(lambda: numbers(server) == list(range(250)))
    assert client.stats.adopted == 250
    assert server.wait_for(lambda: client.pending == 0)


def test_a_killed_process_loses_nothing_that_is_spooled(
    server: ParibusServer, make_client: MakeClient, tmp_path: Path
) -> None:
    server.failures.extend([503, "drop"] * 500)
    process = run(
        """
        import sys, time
        for number in range(500):
            client.track("n", number=number)
        while client.stats.spooled < 500:
            time.sleep(0.01)
        print("spooled", flush=True)
        while True:
            client.track("more", number=client.stats.spooled)
            time.sleep(0.001)
        """,
        server.url,
        tmp_path,
        wait=False,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "spooled\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    server.failures.clear()
    client = make_client()
    assert server.wait_for(lambda: client.stats.adopted >= 500 and client.pending == 0)
    assert numbers(server) == list(range(500))
    assert repeats(server) <= 500  # a request that the killed process had sent is answered after its death


def test_events_that_a_killed_process_got_no_answer_for_come_again_as_the_same_events(
    server: ParibusServer, make_client: MakeClient, tmp_path: Path
) -> None:
    server.failures.extend(["lose"] * 1000)
    process = run(
        """
        import time
        for number in range(500):
            client.track("n", number=number)
        time.sleep(60)
        """,
        server.url,
        tmp_path,
        wait=False,
    )
    assert server.wait_for(lambda: numbers(server) == list(range(500)), 20)
    process.send_signal(signal.SIGKILL)
    process.wait()
    server.failures.clear()
    client = make_client()
    assert server.wait_for(lambda: client.stats.adopted == 500 and client.pending == 0, 20)
    assert numbers(server) == list(range(500))
    assert repeats(server) >= 500


def test_killed_while_delivering_nothing_is_lost_or_counted_twice(
    server: ParibusServer, make_client: MakeClient, tmp_path: Path
) -> None:
    for _ in range(3):
        process = run(
            """
            import time
            number = 0
            while True:
                client.track("n", number=number)
                number += 1
                time.sleep(0.0005)
            """,
            server.url,
            tmp_path,
            wait=False,
        )
        before = server.arrivals
        assert server.wait_for(lambda before=before: server.arrivals > before + 100, 20)
        process.send_signal(signal.SIGKILL)
        process.wait()
    client = make_client()
    assert server.wait_for(lambda: len(list(tmp_path.glob("*/spool/*"))) == 1 and not client.pending)
    by_process: dict[str, list[int]] = {}
    for event in server.named("n"):
        by_process.setdefault(event["context"]["process"], []).append(event["properties"]["number"])
    assert len(by_process) == 3
    for found in by_process.values():
        assert sorted(found) == list(range(len(found)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_fork_shares_nothing(server: ParibusServer, tmp_path: Path) -> None:
    run(
        """
        import os, sys
        client.ready(5)
        client.variant("checkout", unit="before")
        for number in range(100):
            client.track("parent", number=number)
        child = os.fork()
        if child == 0:
            client.variant("checkout", unit="child")
            for number in range(100):
                client.track("child", number=number)
            done = client.flush(10)
            client.close()
            os._exit(0 if done and client.stats.sent == 101 else 3)
        _, status = os.waitpid(child, 0)
        for number in range(100, 200):
            client.track("parent", number=number)
        sys.exit(os.waitstatus_to_exitcode(status))
        """,
        server.url,
        tmp_path,
    )
    assert numbers(server, "parent") == list(range(200))
    assert numbers(server, "child") == list(range(100))
    assert server.arrivals == len(server.events) == 302
    assert len({event["context"]["process"] for event in server.events}) == 2


def test_a_forked_child_gets_new_definitions(server: ParibusServer, tmp_path: Path) -> None:
    process = run(
        """
        import os, sys, time
        client.ready(5)
        child = os.fork()
        if child == 0:
            client.variant("checkout", unit="u")
            print("waiting", flush=True)
            deadline = time.monotonic() + 10
            while client.revision != 18 and time.monotonic() < deadline:
                time.sleep(0.01)
            os._exit(0 if client.revision == 18 else 3)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """,
        server.url,
        tmp_path,
        wait=False,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    assert server.snapshot is not None
    server.publish(server.snapshot | {"revision": 18})
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors


def test_children_of_multiprocessing_deliver_at_their_end(server: ParibusServer, tmp_path: Path) -> None:
    run(
        """
        import multiprocessing

        def work(worker):
            client.track("n", number=worker)

        children = [multiprocessing.get_context("fork").Process(target=work, args=(worker,)) for worker in range(4)]
        for child in children:
            child.start()
        for child in children:
            child.join()
        """,
        server.url,
        tmp_path,
    )
    assert numbers(server) == list(range(4))


def test_forks_in_the_middle_of_a_burst(server: ParibusServer, tmp_path: Path) -> None:
    run(
        """
        import os, threading
        stop = threading.Event()
        def burst():
            number = 0
            while not stop.is_set():
                client.track("parent", number=number)
                number += 1
                stop.wait(0.0005)
        thread = threading.Thread(target=burst)
        thread.start()
        for worker in range(8):
            child = os.fork()
            if child == 0:
                client.track("child", number=worker)
                done = client.flush(10)
                client.close()
                os._exit(0 if done else 3)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        stop.set()
        thread.join()
        client.flush(10)
        """,
        server.url,
        tmp_path,
    )
    assert numbers(server, "child") == list(range(8))
    assert numbers(server, "parent") == list(range(len(server.named("parent"))))
    assert server.arrivals == len(server.events)


def test_a_closed_client_counts_what_comes_after(make_client: MakeClient) -> None:
    client = make_client()
    client.ready(5)
    client.close()
    client.close()
    client.track("late")
    assert client.variant("checkout", unit="u") in ("control", "treatment")
    assert client.stats.unsent == 2


def test_clients_of_two_environments_keep_apart(server: ParibusServer, make_client: MakeClient) -> None:
    down = ParibusServer()
    down.close()
    other = make_client(url=down.url)
    other.track("elsewhere")
    other.close(0)
    client = make_client()
    client.track("n", number=1)
    assert client.flush(5)
    assert [event["name"] for event in server.events] == ["n"]


def test_restarts_without_a_server_stay_within_the_limit(make_client: MakeClient, tmp_path: Path) -> None:
    down = ParibusServer()
    down.close()
    for _ in range(4):
        client = make_client(url=down.url, spool_megabytes=0.1)
        for number in range(1000):
            client.track("n", number=number, filler="x" * 100)
        assert not client.flush(0.2)
        threads = [thread for thread in threading.enumerate() if thread.name == "paribus-delivery"]
        client.close(1)
        for thread in threads:
            thread.join(30)  # lets go of the spool, which the next client takes over
        files = sum(path.stat().st_size for path in tmp_path.rglob("*.jsonl"))
        assert files <= 100_000
    assert files > 90_000
    assert client.stats.dropped > 900


def test_an_event_recorded_in_a_signal_handler(server: ParibusServer, tmp_path: Path) -> None:
    run(
        """
        import signal, time
        seen = []
        def handle(*_):
            seen.append(client.variant("checkout", unit=f"s{len(seen)}"))
            client.track("signal", number=len(seen))
        client.ready(5)
        signal.signal(signal.SIGALRM, handle)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        end = time.monotonic() + 1
        number = 0
        while time.monotonic() < end:
            client.variant("checkout", unit=f"u{number}")
            client.track("n", number=number)
            number += 1
            if number % 50 == 0:
                time.sleep(0.01)
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert client.flush(10)
        assert len(seen) > 20
        assert client.stats.dropped == 0
        """,
        server.url,
        tmp_path,
    )
    assert numbers(server) == list(range(len(server.named("n"))))
    assert numbers(server, "signal") == list(range(1, len(server.named("signal")) + 1))


def test_an_exposure_survives_a_kill_ten_milliseconds_later(
    server: ParibusServer, make_client: MakeClient, tmp_path: Path
) -> None:
    for number in range(4):
        process = run(
            f"""
            import os, signal, time
            client.ready(5)
            client.variant("checkout", unit="warm{number}")
            time.sleep(0.3)
            client.variant("checkout", unit="killed{number}")
            time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)
            """,
            server.url,
            tmp_path,
            wait=False,
        )
        process.wait(20)
    make_client()
    units = {f"killed{number}" for number in range(4)}
    server.wait_for(lambda: units <= {event["unit"] for event in server.events}, 3)
    assert len(units & {event["unit"] for event in server.events}) >= 3  # (a busy machine may be late once)
