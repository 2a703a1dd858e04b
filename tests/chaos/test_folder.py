"""What happens to a data folder: a second server by mistake, a full disk, records that a loss of power tore."""

from __future__ import annotations

import json
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tests.chaos.installation import BUSY, PLAIN, ServerProcess, examine, prepared
from tests.chaos.sending import Ledger, Senders

from paribus.app import definition
from paribus.app.folder import definitions
from paribus.flags import change
from paribus.governance.access import create_key
from paribus.settings import Settings


def wait_until(is_so: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def acknowledged_more(ledger: Ledger, requests: int = 30) -> None:
    before = ledger.requests
    wait_until(lambda: ledger.requests >= before + requests)


def flagged(folder: Path) -> str:
    """The secret of a server key, in a folder with the flag f."""
    with definitions(Settings(data=folder)) as store:
        body = change.create("f", environment="dev", traffic_bp=0)
        definition.write(store, "flag", "f", body, expected=0, author="test", reason="a test")
        return create_key(store, "server", author="test")[1]


def served_variant(port: int | None, secret: str) -> str:
    """What the unit u1 gets of the flag f."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/ofrep/v1/evaluate/flags/f",
        b'{"context": {"targetingKey": "u1"}}',
        {"X-API-Key": secret, "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return str(json.load(answer)["variant"])


def test_a_second_server_is_refused_with_a_sentence_and_the_first_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    senders = Senders(prepared(folder), "two", threads=2)
    first = ServerProcess(folder)
    try:
        senders.port = first.port()
        acknowledged_more(senders.ledger)
        second = ServerProcess(folder, PLAIN)
        assert second.wait() == 2
        assert f"the data folder is in use by process {first.process.pid} on" in second.errors
        assert "Traceback" not in second.errors
        acknowledged_more(senders.ledger)
        first.send(signal.SIGTERM)
        assert first.wait() == 0, first.errors
    finally:
        ledger = senders.stop()
        first.kill()
    assert ledger.refusals == {}
    examine(folder, ledger)


def test_a_full_disk_is_503_until_there_is_space_and_stopping_meanwhile_loses_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    intake_key = prepared(folder)
    server_key = flagged(folder)
    senders = Senders(intake_key, "full", threads=2, pause=0)
    server = ServerProcess(folder)
    try:
        senders.port = server.port()
        acknowledged_more(senders.ledger)
        for _ in range(2):
            refused = senders.ledger.refusals.get(503, 0)
            server.send(signal.SIGUSR1)
            wait_until(lambda refused=refused: senders.ledger.refusals.get(503, 0) > refused + 20)
            assert served_variant(senders.port, server_key) == "control"
            server.send(signal.SIGUSR2)
            acknowledged_more(senders.ledger)
        server.send(signal.SIGUSR1)
        refused = senders.ledger.refusals[503]
        wait_until(lambda: senders.ledger.refusals[503] > refused + 20)
        server.send(signal.SIGTERM)
        assert server.wait() != 0
        assert "the disk is full or refuses writes" in server.errors
        server = ServerProcess(folder, PLAIN)
        senders.port = server.port()
        acknowledged_more(senders.ledger)
        ledger = senders.stop()
        server.send(signal.SIGTERM)
        assert server.wait() == 0, server.errors
    finally:
        senders.stop()
        server.kill()
    examine(folder, ledger)


def test_torn_records_are_set_aside_and_written_again(tmp_path: Path) -> None:
    """The newest commit of the table and the end of the queue's log, as a loss of power leaves them."""
    folder = tmp_path / "data"
    senders = Senders(prepared(folder), "torn", threads=2)
    server = ServerProcess(folder, BUSY)
    try:
        senders.port = server.port()
        acknowledged_more(senders.ledger)
        server.kill()
        senders.port = None
        commits = sorted((folder / "lake" / "events" / "_delta_log").glob("0*.json"))
        whole = commits[-1].read_bytes()
        torn = commits[-1].with_name(f"{int(commits[-1].stem) + 1:020d}.json")
        torn.write_bytes(whole[: len(whole) // 2])
        with (folder / "landing.sqlite-wal").open("ab") as log:
            log.write(b"\x37\x7f\x06\x82" * 900)
        server = ServerProcess(folder, PLAIN)
        senders.port = server.port()
        acknowledged_more(senders.ledger)
        ledger = senders.stop()
        server.send(signal.SIGTERM)
        assert server.wait() == 0, server.errors
        assert "repaired events: its log file is torn; set aside 1 file" in server.errors
    finally:
        senders.stop()
        server.kill()
    assert (folder / "lake" / "damaged" / f"events-{torn.name}").read_bytes() == whole[: len(whole) // 2]
    examine(folder, ledger)


def test_a_writer_that_is_killed_is_named_by_health_and_back_in_a_moment(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    senders = Senders(prepared(folder), "writer", threads=1)
    server = ServerProcess(folder, PLAIN)
    try:
        senders.port = port = server.port()
        wait_until(lambda: watched(port)["paribus_flushes"] > 0)
        first = server.writer()
        assert health(port) == (200, {"writer": "ok", "flush": "ok", "store": "ok"})
        assert server.kill_writer()
        wait_until(lambda: health(port)[0] == 503)
        acknowledged_more(senders.ledger, 3)  # intake goes on
        wait_until(lambda: health(port)[0] == 200)
        assert server.writer() not in {None, first}
        numbers = watched(port)
        assert numbers["paribus_lake_writer_restarts"] == 1
        assert 20e6 < numbers["paribus_lake_writer_resident_bytes"] < 1e9
        flushed = numbers["paribus_flushes"]
        wait_until(lambda: watched(port)["paribus_flushes"] > flushed)
        ledger = senders.stop()
        server.send(signal.SIGTERM)
        assert server.wait() == 0, server.errors
    finally:
        senders.stop()
        server.kill()
    assert "it is started again" in server.errors
    examine(folder, ledger)


def health(port: int) -> tuple[int, dict[str, str]]:
    """Status and parts, as the server tells."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=20) as answer:
            return answer.status, json.load(answer)["checks"]
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)["checks"]


def watched(port: int) -> dict[str, float]:
    """The gauges of /metrics by name."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for name, _, value in (each.partition(" ") for each in lines if "{" not in each)
            if name.startswith("paribus_")}  # fmt: skip
