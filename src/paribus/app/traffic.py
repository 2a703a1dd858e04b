"""A process of the demo that plays the shop's traffic: `python -m paribus.app.traffic`, told line by line.

The parent writes one JSON object a line and reads one back: first where everything is, then each time to play up to.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from paribus.errors import StorageError

if TYPE_CHECKING:
    from paribus_sdk import Client

    from paribus.shop.player import Player

Json = dict[str, Any]
DEFINITIONS_SECONDS = 10.0


class Traffic:
    """A player with its client; also used without a process of its own.

    Args:
        url, key: the server, and a key of scope server.
        clock: the file of the demo's clock.
        scenario: the scenario as JSON text.
        share: the users that it serves.
        cache: folder of the SDK's cache.
    """

    def __init__(
        self, *, url: str, key: str, clock: Path, scenario: str, seed: int, share: tuple[int, int], cache: Path
    ) -> None:
        from paribus_sdk import Client

        from paribus.clock import FileClock
        from paribus.shop.player import Player
        from paribus.shop.scenario import Scenario

        now = FileClock(clock)
        self._url, self._key = url, key
        self.client: Client = Client(
            url,
            key,
            cache_dir=cache,
            spool_megabytes=0,
            queue_events=10_000_000,
            exposure_memory=10_000_000,
            clock=lambda: now.microseconds / 1e6,
        )
        self.player: Player = Player(Scenario.model_validate_json(scenario), seed, self.client, share)

    def skip(self, until: int) -> None:
        """Lets the history pass."""
        self.player.skip(until)

    def refresh(self) -> None:
        """Waits until the client has the definitions that the server has."""
        wait_for_definitions(self.client, self._url, self._key)

    def play(self, until: int) -> dict[str, Any]:
        """Plays up to a time; what was sent."""
        sent = self.player.play(until)
        return {"events": sent.events, "exposures": sent.exposures, "delivered": sent.delivered}

    def save(self, path: Path) -> None:
        """Writes who was enrolled and treated when, for the truth; never into the data folder."""
        import numpy as np

        users = self.player.users()
        np.savez(path, first=users.first, enrolled=users.enrolled, treated=users.treated)

    def close(self) -> None:
        """Ends the client."""
        self.client.close()


def wait_for_definitions(client: Client, url: str, key: str) -> None:
    """Waits until a client has the definitions that its server has."""
    import httpx

    from paribus.app.loopback import options

    answer = httpx.get(f"{url}/api/v1/definitions", headers={"Authorization": f"Bearer {key}"}, **options(url))
    answer.raise_for_status()
    wanted, deadline = int(answer.json()["revision"]), time.monotonic() + DEFINITIONS_SECONDS
    while (client.revision or 0) < wanted and time.monotonic() < deadline:
        time.sleep(0.005)


class Sender:
    """A child process that plays traffic, spoken to line by line."""

    def __init__(self, told: Json) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "paribus.app.traffic"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.tell(told)

    def tell(self, command: Json) -> None:
        """Writes a command."""
        self._pipe(self._process.stdin).write(json.dumps(command).encode() + b"\n")
        self._pipe(self._process.stdin).flush()

    def hear(self) -> Json:
        """The answer to a command.

        Raises:
            StorageError: the process ended.
        """
        line = self._pipe(self._process.stdout).readline()
        if not line:
            raise StorageError(f"a sender of the demo ended with status {self._process.wait()}", where="demo")
        answer: Json = json.loads(line)
        return answer

    def close(self) -> None:
        """Ends the process."""
        self._pipe(self._process.stdin).close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._pipe(self._process.stdout).close()

    @staticmethod
    def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
        assert stream is not None  # noqa: S101
        return stream


def main() -> None:
    """Serves one parent until its standard input ends."""
    told = json.loads(sys.stdin.readline())
    traffic = Traffic(
        url=told["url"],
        key=told["key"],
        clock=Path(told["clock"]),
        scenario=told["scenario"],
        seed=told["seed"],
        share=tuple(told["share"]),
        cache=Path(told["cache"]),
    )
    try:
        for line in sys.stdin:
            told = json.loads(line)
            answer: dict[str, Any] = {}
            if "skip" in told:
                traffic.skip(told["skip"])
            elif "refresh" in told:
                traffic.refresh()
            elif "play" in told:
                answer = traffic.play(told["play"])
            elif "save" in told:
                traffic.save(Path(told["save"]))
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
    finally:
        traffic.close()


if __name__ == "__main__":
    main()
