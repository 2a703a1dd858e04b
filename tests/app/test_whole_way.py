"""From the SDK's call to the page with the result, in one piece; and with the server killed on the way.

The expected numbers are counted by the program that calls the SDK, from what it decided and tracked itself.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path

import pytest
from paribus_sdk import Client
from typer.testing import CliRunner

from paribus.cli import app

PARIBUS = (sys.executable, "-m", "paribus.cli")
UNITS = 600


def free_port() -> int:
    """A port that a server which comes back can take again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def paribus(*arguments: str) -> str:
    """What a command prints; run here, since most of a process's time would be imports."""
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


class Server:
    """`paribus serve` as a user starts it, in a process group of its own, so that a kill takes all of it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.url = folder, f"http://127.0.0.1:{port}"
        self._command = [*PARIBUS, "serve", "--port", str(port), "--data", str(folder)]
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env={**os.environ, "PARIBUS_FLUSH_SECONDS": "0.3", "PARIBUS_LOG_LEVEL": "error"},
        )
        assert self._process.stdout is not None
        seen = []
        for line in self._process.stdout:
            seen.append(line)
            if "ready at " in line:
                return
        pytest.fail("".join(seen))

    def kill(self) -> None:
        """kill -9, without a word."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()

    def stop(self) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            output, _ = self._process.communicate(timeout=60)
            assert "everything acknowledged is in the lake" in output


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    server = Server(folder, free_port())
    server.start()
    try:
        yield server
    finally:
        server.stop()


class Text(HTMLParser):
    """What a reader of a page sees."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._hidden += tag in {"script", "style"}

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in {"script", "style"}

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def read(page: str) -> str:
    reader = Text()
    reader.feed(page)
    return re.sub(r"\s+", " ", " ".join(reader.parts))


@pytest.mark.parametrize("crash", [False, True], ids=["undisturbed", "killed"])
def test_from_the_call_to_the_page(tmp_path: Path, crash: bool) -> None:
    folder = tmp_path / "data"
    at = ("--data", str(folder))
    met: dict[str, set[str]] = {"control": set(), "treatment": set()}
    ordered: dict[str, set[str]] = {"control": set(), "treatment": set()}
    with serving(folder) as server:
        paribus("flag", "create", "checkout", *at)
        paribus("flag", "ramp", "checkout", "100", *at)
        paribus("experiment", "create", "checkout", "--success", "order", *at)
        secret = paribus("key", "create", "--scope", "server", "--source", "shop", *at).strip()
        with Client(server.url, secret, cache_dir=tmp_path / "sdk", flush_seconds=0.02, timeout_seconds=2) as client:
            assert client.ready(20)
            for number in range(UNITS):
                if crash and number == UNITS // 2:
                    server.kill()
                if crash and number == UNITS * 3 // 4:
                    server.start()
                unit = f"u{number}"
                decision = client.decide("checkout", unit=unit)
                assert decision.reason == "SPLIT"
                met[str(decision.variant)].add(unit)
                if number % (3 if decision.variant == "treatment" else 5) == 0:
                    client.track("order", unit, properties={"revenue": 10.0})
                    ordered[str(decision.variant)].add(unit)
                if number % 50 == 0:
                    time.sleep(0.02)  # so that the kill meets batches at the door, in the queue and in the lake
            assert client.flush(60)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            counted = json.loads(paribus("events", "reconcile", "--json", *at))
            if counted["adds_up"] and all(each["waiting"] == 0 for each in counted["dialects"]):
                break
            time.sleep(0.2)
        page, saved = tmp_path / "report.html", tmp_path / "result.json"
        paribus("analyze", "checkout", "--html", str(page), "--save", str(saved), *at)
        verified = json.loads(paribus("verify", str(saved), "--json"))
    (dialect,) = counted["dialects"]
    assert dialect["distinct"] == UNITS + len(ordered["control"]) + len(ordered["treatment"])
    assert dialect["missing"] == 0

    result = json.loads(saved.read_text())
    assert result["units"] == {arm: len(units) for arm, units in met.items()}
    (comparison,) = result["comparisons"]
    for arm in ("control", "treatment"):
        assert comparison[arm]["units"] == len(met[arm])
        assert comparison[arm]["value"] == pytest.approx(len(ordered[arm]) / len(met[arm]), abs=1e-12)
    seen = read(page.read_text())
    for arm in ("control", "treatment"):
        assert f"{len(met[arm]):,}" in seen
        assert f"{100 * len(ordered[arm]) / len(met[arm]):.1f}%" in seen
    assert (verified["inference"], verified["exit_code"]) == ("verified", 0)
