"""Definitions come by stream, by polling, from a file, from the last good copy; and none at all is no failure."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from paribus_sdk import Client
from paribus_sdk.lastgood import LastGood
from tests.sdk.client.paribus_server import KEY, ParibusServer
from tests.sdk.client.snapshots import flag, snapshot, treatment_to_all

MakeClient = Callable[..., Client]


def test_decides_with_the_servers_definitions(make_client: MakeClient) -> None:
    client = make_client()
    assert client.ready(5)
    assert (client.environment, client.revision) == ("dev", 17)
    variants = [client.variant("checkout", unit=f"u{number}") for number in range(200)]
    assert 60 < variants.count("treatment") < 140
    assert client.value("checkout", False, unit="u1") == (client.variant("checkout", unit="u1") == "treatment")


def test_a_change_arrives_by_the_stream(server: ParibusServer, make_client: MakeClient) -> None:
    client = make_client()
    client.ready(5)
    changes: list[frozenset[str]] = []
    client.on_change(changes.append)
    assert server.wait_for(lambda: server.requests["GET /api/v1/definitions/stream"] == 1)
    start = time.monotonic()
    server.publish(snapshot(18, checkout=flag(), banner=treatment_to_all()))
    assert server.wait_for(lambda: client.revision == 18)
    assert time.monotonic() - start < 1
    assert client.variant("banner", unit="u") == "treatment"
    assert server.wait_for(lambda: changes == [frozenset({"banner"})])
    assert server.requests["GET /api/v1/definitions"] == 1


def test_polls_where_there_is_no_stream(server: ParibusServer, make_client: MakeClient) -> None:
    server.streaming = False
    client = make_client(poll_seconds=0.1)
    assert client.ready(5)
    assert server.wait_for(lambda: server.requests["304"] >= 2)
    server.publish(snapshot(18))
    assert server.wait_for(lambda: client.revision == 18)


def test_a_broken_stream_is_taken_up_again(server: ParibusServer, make_client: MakeClient) -> None:
    client = make_client(poll_seconds=0.1)
    assert server.wait_for(lambda: server.requests["GET /api/v1/definitions/stream"] == 1)
    server.streaming = False
    server.publish(snapshot(18))
    assert server.wait_for(lambda: client.revision == 18)
    server.streaming = True
    server.publish(snapshot(19))
    assert server.wait_for(lambda: client.revision == 19)


def test_defaults_until_ready(make_client: MakeClient) -> None:
    client = make_client(url="http://127.0.0.1:9")
    assert not client.ready(0.1)
    assert client.variant("checkout", unit="u") == "control"
    assert client.variant("checkout", unit="u", default="old") == "old"
    assert client.value("checkout", True, unit="u") is True
    decision = client.decide("checkout", unit="u", default=3)
    assert (decision.value, decision.reason, decision.error_code) == (3, "ERROR", "PROVIDER_NOT_READY")
    assert client.stats.decisions_unready == 4


def test_starts_from_the_last_good_copy(server: ParibusServer, make_client: MakeClient, tmp_path: Path) -> None:
    server.publish(snapshot(18, banner=treatment_to_all()))
    first = make_client()
    assert first.ready(5)
    assert server.wait_for(lambda: any(tmp_path.rglob("definitions.json")))
    first.close()
    server.close()
    second = make_client()
    assert second.ready(5)
    assert second.revision == 18
    assert second.variant("banner", unit="u") == "treatment"


def test_a_server_that_comes_later_replaces_the_copy(make_client: MakeClient, tmp_path: Path) -> None:
    gone = ParibusServer()
    gone.close()
    client = make_client(url=gone.url, file=_written(tmp_path, snapshot(3)), poll_seconds=0.2)
    assert client.ready(5)
    assert client.revision == 3
    late = ParibusServer(snapshot(20), port=gone.port)
    try:
        assert late.wait_for(lambda: client.revision == 20)
    finally:
        client.close(0.2)
        late.close()


def test_a_copy_that_is_damaged_is_no_copy(tmp_path: Path) -> None:
    kept = LastGood(tmp_path / "deep" / "definitions.json")
    assert kept.load() is None
    kept.save(snapshot(5))
    loaded = kept.load()
    assert loaded == snapshot(5)
    kept.path.write_text('{"format": 1, "flags"')
    assert kept.load() is None
    assert [path.name for path in kept.path.parent.iterdir()] == ["definitions.json"]


def test_readers_see_whole_copies_while_writers_replace_them(tmp_path: Path) -> None:
    kept = LastGood(tmp_path / "definitions.json")
    kept.save(snapshot(0))
    stop = threading.Event()

    def write() -> None:
        for revision in range(100):
            kept.save(snapshot(revision))
        stop.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not stop.is_set():
        loaded = kept.load()
        assert loaded is not None
        assert loaded["format"] == 1
    writer.join()


def test_definitions_that_cannot_be_read_change_nothing(server: ParibusServer, make_client: MakeClient) -> None:
    client = make_client()
    client.ready(5)
    server.publish({"format": 99, "revision": 18})
    assert server.wait_for(lambda: client.stats.errors["snapshot"] >= 1)
    assert client.revision == 17


def test_a_file_alone(tmp_path: Path) -> None:
    path = _written(tmp_path, snapshot(3, banner=treatment_to_all()))
    with Client(file=path, cache_dir=tmp_path) as client:
        assert client.ready()
        assert client.variant("banner", unit="u") == "treatment"
        client.track("n")
        assert client.stats.unsent == 2
        _written(tmp_path, snapshot(4, banner=flag(enabled=False)))
        deadline = time.monotonic() + 5
        while client.revision != 4 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert client.decide("banner", unit="u").reason == "DISABLED"


def test_a_wrong_key_is_said(server: ParibusServer, make_client: MakeClient) -> None:
    client = make_client(key="pb_server_wrong")
    assert not client.ready(0.5)
    assert client.stats.errors["definitions"] >= 1


def test_address_and_key_from_the_environment(
    server: ParibusServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARIBUS_URL", server.url + "/")
    monkeypatch.setenv("PARIBUS_KEY", KEY)
    monkeypatch.setenv("PARIBUS_CACHE_DIR", str(tmp_path))
    with Client() as client:
        assert client.ready(5)


def test_a_client_of_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PARIBUS_URL", raising=False)
    with pytest.raises(ValueError, match="neither a server nor a file"):
        Client()


def test_a_callback_that_raises_harms_nobody(server: ParibusServer, make_client: MakeClient) -> None:
    client = make_client()
    client.ready(5)

    def fail(changed: frozenset[str]) -> None:
        raise RuntimeError(str(changed))

    client.on_change(fail)
    server.publish(snapshot(18, checkout=flag(revision=5)))
    assert server.wait_for(lambda: client.stats.errors["callback"] == 1)
    assert client.revision == 18


def test_definitions_that_come_while_a_client_closes_are_not_written(
    server: ParibusServer, make_client: MakeClient, tmp_path: Path
) -> None:
    client = make_client()
    assert client.ready(5)
    assert server.wait_for(lambda: any(tmp_path.rglob("definitions.json")))
    taken, closed = threading.Event(), threading.Event()

    def wait(changed: frozenset[str]) -> None:
        taken.set()
        closed.wait(10)

    client.on_change(wait)
    server.publish(snapshot(18, checkout=flag(revision=5)))
    assert taken.wait(5)
    client.close(0.2)
    shutil.rmtree(tmp_path)
    closed.set()
    thread = next((each for each in threading.enumerate() if each.name == "paribus-definitions"), None)
    if thread is not None:
        thread.join(5)
    assert not tmp_path.exists()


def _written(folder: Path, body: dict[str, object]) -> Path:
    path = folder / "flags.json"
    path.write_text(json.dumps(body))
    return path
