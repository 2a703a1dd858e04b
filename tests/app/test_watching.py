"""The watch in a running installation: planted harm is killed unattended, once, and survives a restart."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from paribus_sdk import Client
from tests.server.installation import ENVIRONMENT, PROJECT, Installation, installed, running

from paribus.monitoring.alert import ALERTS, Alert
from paribus.monitoring.rebuild import rebuild
from paribus.monitoring.watch import Watch, guards_of, save
from paribus.store import Address

FLAG = "checkout"


def watch(**more: Any) -> Watch:
    given: dict[str, Any] = {
        "experiment": FLAG,
        "flag": FLAG,
        "environment": ENVIRONMENT,
        "control": "control",
        "weights": {"control": 0.5, "treatment": 0.5},
        "guards": guards_of(["error_shown"]),
        **more,
    }
    return Watch(**given)


def played(client: Client, units: range, rates: dict[str, float], seed: int = 1) -> dict[str, int]:
    """Users who decide, request, and sometimes fail; the number that failed by arm."""
    chance = random.Random(seed)
    failed = dict.fromkeys(rates, 0)
    for number in units:
        unit = f"u{number:06d}"
        arm = client.variant(FLAG, unit=unit)
        client.track("$request", unit, properties={"route": "/pay", "status": 200, "seconds": 0.1})
        if chance.random() < rates[arm]:
            failed[arm] += 1
            for _ in range(3):
                client.track("$request", unit, properties={"route": "/pay", "status": 503, "seconds": 0.2})
    assert client.flush(20)
    return failed


def until(claim: Callable[[], bool], seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def alerts(live: Installation) -> list[Alert]:
    return live.store.records(ALERTS).scan(PROJECT, FLAG)


def is_killed(live: Installation) -> bool:
    body = live.store.get(Address(PROJECT, "flag", FLAG)).body or {}
    return bool(body["environments"][ENVIRONMENT].get("killed", False))


def client_of(live: Installation, url: str, folder: Path) -> Client:
    client = Client(url, live.secret("server"), cache_dir=folder / "sdk", flush_seconds=0.05)
    assert client.ready(10)
    return client


def test_planted_harm_is_killed_by_one_revision(tmp_path: Path) -> None:
    with installed(tmp_path) as live, running(live) as url:
        live.flag(FLAG)
        save(live.store, watch(), author="test", reason="a test")
        live.start()
        with client_of(live, url, tmp_path) as client:
            failed = played(client, range(800), {"control": 0.02, "treatment": 0.2})
            until(lambda: is_killed(live))
            until(lambda: client.peek(FLAG, unit="u000001").variant == "control")
            until(lambda: all(client.peek(FLAG, unit=f"u{i:06d}").variant == "control" for i in range(50)))
        history = live.store.history(Address(PROJECT, "flag", FLAG))
        kill = history[-1]
        assert (kill.number, kill.author) == (2, "paribus")
        assert "errors:" in kill.reason
        until(lambda: bool(alerts(live)))
        (fired,) = [each for each in alerts(live) if each.what == "errors"]
        assert (fired.outcome, fired.revision, fired.arm) == ("killed", 2, "treatment")
        assert 0 < fired.numbers["failed"] <= failed["treatment"]
        assert fired.numbers["evidence"] >= fired.numbers["needed"] == pytest.approx(100)


def test_a_person_who_revives_is_obeyed_also_after_a_restart(tmp_path: Path) -> None:
    from paribus.flags import change

    with installed(tmp_path) as live, running(live) as url:
        live.flag(FLAG)
        save(live.store, watch(), author="test", reason="a test")
        live.start()
        with client_of(live, url, tmp_path) as client:
            played(client, range(600), {"control": 0.02, "treatment": 0.3})
            until(lambda: is_killed(live))
            until(lambda: bool(alerts(live)))
    with installed(tmp_path) as live:
        live.change(
            PROJECT,
            "flag",
            FLAG,
            lambda body: change.killed(FLAG, body, ENVIRONMENT, revive=True),
            author="kari",
            reason="it was the network",
        )
        live.start()
        live.watcher.look()
        counted = live.watcher.findings(FLAG)
        assert not is_killed(live)
        assert next(each for each in alerts(live) if each.what == "errors").outcome == "killed"
        assert len(alerts(live)) == 1
        errors = next(each for each in counted if each.what == "errors")
        assert errors.numbers["units"] + errors.numbers["control_units"] == 600
        rebuilt = rebuild(live.lake, watch()).readings()[0]
        assert (rebuilt.failed, rebuilt.units) == (errors.numbers["failed"], errors.numbers["units"])


def test_without_automatic_rollback_it_asks(tmp_path: Path) -> None:
    with installed(tmp_path) as live, running(live) as url:
        live.flag(FLAG)
        save(live.store, watch(automatic_rollback=False), author="test", reason="a test")
        live.start()
        with client_of(live, url, tmp_path) as client:
            played(client, range(600), {"control": 0.02, "treatment": 0.3})
        until(lambda: bool(alerts(live)))
        assert [each.outcome for each in alerts(live)] == ["asked"]
        assert not is_killed(live)


def test_a_watch_that_comes_late_reads_what_is_there(tmp_path: Path) -> None:
    with installed(tmp_path) as live, running(live) as url:
        live.flag(FLAG)
        live.start()
        with client_of(live, url, tmp_path) as client:
            played(client, range(600), {"control": 0.02, "treatment": 0.3})
        save(live.store, watch(), author="test", reason="a test")
        until(lambda: is_killed(live))
        assert live.store.get(Address(PROJECT, "flag", FLAG)).number == 2


def test_arms_alike_are_left_alone(tmp_path: Path) -> None:
    with installed(tmp_path) as live, running(live) as url:
        live.flag(FLAG)
        save(live.store, watch(since=datetime(2020, 1, 1, tzinfo=UTC).isoformat()), author="test", reason="a test")
        live.start()
        with client_of(live, url, tmp_path) as client:
            failed = played(client, range(600), {"control": 0.2, "treatment": 0.2})

        def counted() -> int:
            found = next(each for each in live.watcher.findings(FLAG) if each.what == "errors")
            return int(found.numbers["failed"] + found.numbers["control_failed"])

        until(lambda: counted() == sum(failed.values()))
        assert not is_killed(live)
        assert alerts(live) == []
