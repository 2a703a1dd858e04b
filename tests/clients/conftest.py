"""A server in a process and a data folder of its own, and the keys that clients come with."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.clients.arrival import Json
from tests.clients.genuine import missing
from tests.clients.purchases import purchases

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = "/usr/bin/chromium"
PARIBUS = (sys.executable, "-m", "paribus.cli")


@dataclass(frozen=True, slots=True)
class Served:
    """A running server, started as a user starts it."""

    url: str
    folder: Path

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    def paribus(self, *arguments: str) -> str:
        """What a command prints."""
        command = [*PARIBUS, *arguments, "--data", str(self.folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def key(self, scope: str, source: str) -> str:
        """The secret of a new key whose events carry the label."""
        return self.paribus("key", "create", "--scope", scope, "--source", source).strip()


@contextmanager
def serve(folder: Path) -> Iterator[Served]:
    """A server on a data folder, on a free port; at its end it has kept all that it acknowledged."""
    tied = ["setpriv", "--pdeathsig", "SIGTERM"] if shutil.which("setpriv") else []
    command = [*tied, *PARIBUS, "serve", "--port", "0", "--data", str(folder)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PARIBUS_FLUSH_SECONDS": "0.3", "PARIBUS_LOG_LEVEL": "error"},
    )
    assert process.stdout is not None
    seen = []
    try:
        for line in process.stdout:
            seen.append(line)
            if "ready at " in line:
                break
        else:
            pytest.fail("".join(seen))
        yield Served(line.split("ready at ")[1].split()[0], folder)
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "everything acknowledged is in the lake" in output


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The server that all clients of a session share."""
    with serve(tmp_path_factory.mktemp("clients") / "data") as running:
        yield running


@pytest.fixture(scope="session")
def flag(served: Served) -> Json:
    """A flag that splits everyone in halves, as its document says."""
    served.paribus("flag", "create", "checkout")
    return dict(json.loads(served.paribus("flag", "show", "checkout", "--json"))["body"])


@pytest.fixture
def label(request: pytest.FixtureRequest) -> str:
    """A source of the test's own."""
    return str(request.node.name).lower().removeprefix("test_").replace("[", "-").strip("]")


@pytest.fixture
def intake_key(served: Served, label: str) -> str:
    return served.key("intake", label)


@pytest.fixture
def orders() -> list[Json]:
    return purchases()


@pytest.fixture(scope="module")  # it runs an event loop, in which other modules' tests cannot run theirs
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    from playwright.sync_api import sync_playwright

    if not Path(CHROMIUM).exists():
        missing("Chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()
