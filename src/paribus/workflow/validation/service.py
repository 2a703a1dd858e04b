"""The generated service, started in a process of its own on a free port of this machine, and its access log."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paribus.errors import TransientError
from paribus.workflow.facts.code import BackendFacts
from paribus.workflow.validation.staging import Door, trust

Json = dict[str, Any]
START_SECONDS = 60.0
PORTS = range(20_000, 32_000)
LEAST_OFFSET = 60.0  # seconds between two clocks that are the same


@dataclass(frozen=True, slots=True)
class Running:
    """A service that serves: its address, and where it writes its lines."""

    url: str
    log: Path

    def requests(self) -> list[Json]:
        """The lines of its access log so far."""
        found = []
        for line in self.log.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                each = json.loads(line)
            except ValueError:
                continue
            if isinstance(each, dict) and each.get("kind") == "request":
                found.append(each)
        return found


@contextmanager
def running(
    files: Mapping[str, str],
    facts: BackendFacts,
    door: Door,
    folder: Path,
    *,
    offset: float = 0.0,
    variables: Mapping[str, str] | None = None,
) -> Iterator[Running]:
    """The service on these files, until the end of the block.

    Args:
        files: of the backend's artifact, by path.
        facts: how it is started.
        door: the server that it decides by and sends to.
        folder: an empty one, for files, cache and log.
        offset: seconds between the installation's clock and the system's.
        variables: more of its environment, such as what its page needs.

    Raises:
        TransientError: it does not serve in time; the end of its output is shown.
    """
    for path, text in files.items():
        target = folder / "service" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    port = _free_port()
    hidden = ("PARIBUS_", "PAGE_", "FLAG_PROVIDER", "PYTEST_", "COVERAGE")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    environment |= {
        facts.port_variable: str(port),
        "PARIBUS_URL": door.url,
        "PARIBUS_KEY": door.secret,
        "PARIBUS_CACHE_DIR": str(folder / "cache"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        **(variables or {}),
    }
    log = folder / "service.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - the command stands in the artifact that was generated here
            _command(facts.command, offset), cwd=folder / "service", env=environment, stdout=output, stderr=output
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(url + facts.health, process, log)
            yield Running(url, log)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _command(command: Sequence[str], offset: float) -> list[str]:
    """The command, its module run as a guest of this process."""
    words = [sys.executable if word == "{python}" else word for word in command]
    if "-m" not in words:
        return words
    place = words.index("-m") + 1
    shift = offset if abs(offset) >= LEAST_OFFSET else 0.0
    return [*words[:place], "paribus.workflow.validation.guest", str(os.getpid()), f"{shift:.3f}", *words[place:]]


def _wait(health: str, process: subprocess.Popen[bytes], log: Path) -> None:
    import httpx

    end = time.monotonic() + START_SECONDS
    with httpx.Client(timeout=2, verify=trust()) as client:
        while time.monotonic() < end and process.poll() is None:
            try:
                if client.get(health).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.05)
    raise TransientError(
        f"the generated service does not serve: {log.read_text(errors='replace')[-600:].strip() or 'no output'}",
        where=health,
        fix="run its own tests: python -m unittest, in the exported folder",
    )


def _free_port() -> int:
    """A free port below those that systems give to whoever asks for any (Linux: from 32768 on).

    One of those could go to another server before the service has it, which would then answer in its place.
    """
    for _ in range(1000):
        port = PORTS.start + secrets.randbelow(len(PORTS))
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise TransientError(f"no port from {PORTS.start} to {PORTS.stop} is free", fix="end what listens on them")
