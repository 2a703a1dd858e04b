"""A demo's world around the installation: its folder and clock, the history, a server, and the shop's traffic."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.app.folder import CLOCK, definitions, make_demo_folder
from paribus.app.live import running_server
from paribus.app.simulated_history import ENVIRONMENT, history
from paribus.app.traffic import Sender
from paribus.errors import StorageError
from paribus.lake.record import microseconds
from paribus.settings import Settings

if TYPE_CHECKING:
    from paribus.lake import LandingRow
    from paribus.shop.scenario import Scenario
    from paribus.workflow.context import Endpoint

Json = dict[str, Any]

STAGING = "staging"
AUTHOR = "demo"
START_SECONDS = 60.0
DRAIN_SECONDS = 60.0
FLUSH_SECONDS = 0.3
POST_ROWS = 4
STRIDE = timedelta(hours=6)
DATA, TRUTH = "data", "truth"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Simulation:
    """Everything simulated around a data folder; the truth stays outside of it.

    Args:
        out: a new folder; the data folder is `out`/data, the truth `out`/truth.
        scenario: the shop.
        seed: of all its chance.
        senders: processes that send the traffic; one where the arms share stock.
        store_url: database of the definitions; SQLite in the data folder without it.
    """

    def __init__(self, out: Path, scenario: Scenario, seed: int, *, senders: int = 2, store_url: str = "") -> None:
        from paribus.governance.access import create_key

        self.out = out
        self.scenario = scenario
        self.seed = seed
        self.begin = scenario.calendar.begin
        self.history_end = self.begin + timedelta(days=scenario.calendar.history_days)
        self.settings = Settings(data=out / DATA, store_url=store_url, host="127.0.0.1", port=0, log_level="error")
        self.clock = make_demo_folder(self.settings.data, self.begin)
        (out / TRUTH).mkdir(exist_ok=True)
        self._senders = 1 if scenario.stock_per_day is not None else senders
        self._traffic: list[Sender] = []
        self._server: subprocess.Popen[bytes] | None = None
        self._url = ""
        self.events = self.exposures = 0
        with definitions(self.settings) as store:
            keys = [
                create_key(store, scope, environment=ENVIRONMENT, author=AUTHOR)[1] for scope in ("server", "admin")
            ]
            _write_plan(store)
        self._server_key, self._admin_key = keys

    @property
    def endpoint(self) -> Endpoint:
        """The child server."""
        from paribus.workflow.context import Endpoint

        return Endpoint(self._url, self._admin_key)

    def start(self) -> None:
        """Starts the server as a child process and returns at once; `wait` waits for it."""
        command = [sys.executable, "-m", "paribus.cli", "serve", "--port", "0", "--data", str(self.settings.data)]
        log = (self.out / "server.log").open("wb")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PARIBUS_")}
        environment["PARIBUS_FLUSH_SECONDS"] = str(FLUSH_SECONDS)
        if self.settings.store_url:
            environment["PARIBUS_STORE_URL"] = self.settings.store_url
        self._server = subprocess.Popen(command, stdout=log, stderr=log, env=environment)  # noqa: S603
        log.close()

    def wait(self) -> None:
        """Waits until the server answers.

        Raises:
            StorageError: it does not; its log says why.
        """
        import httpx

        server, deadline = self._server, time.monotonic() + START_SECONDS
        assert server is not None  # noqa: S101
        while time.monotonic() < deadline and server.poll() is None:
            found = running_server(self.settings.data)
            if found is not None:
                with suppress(httpx.HTTPError):
                    if httpx.get(f"{found[0]}/health").status_code == 200:
                        self._url, self._token = found
                        return
            time.sleep(0.02)
        said = (self.out / "server.log").read_text(errors="replace")[-2000:]
        raise StorageError(f"the demo's server did not start: {said}", where=str(self.out / "server.log"))

    def write_history(self, told: Callable[[float], None] = lambda share: None) -> int:
        """Writes the days before the feature through the server's door for rows; how many events."""
        import httpx
        import msgspec

        days = self.scenario.calendar.history_days
        total, posted = 0, 0
        waiting: list[LandingRow] = []
        for day, rows, events in history(self.scenario, self.seed, self.settings):
            waiting += rows
            total += events
            is_last = day == days - 1
            if not self._url and (is_last or self._answers()):
                self.wait()
            if not self._url:
                continue
            while len(waiting) > (0 if is_last else POST_ROWS - 1):
                some, waiting = waiting[:POST_ROWS], waiting[POST_ROWS:]
                self.clock.set(max(self.clock(), _time(max(row.received_time for row in some))))
                answer = httpx.post(
                    f"{self._url}/api/v1/rows",
                    content=msgspec.json.encode(some),
                    headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
                    timeout=60.0,
                )
                answer.raise_for_status()
                posted += len(some)
            told((day + 1) / days)
        self.clock.set(self.history_end)
        self.drain()
        return total

    def begin_traffic(self) -> None:
        """Starts the processes that send; they pass the history in silence while others work."""
        for which in range(self._senders):
            sender = Sender(
                {
                    "url": self._url,
                    "key": self._server_key,
                    "clock": str(self.settings.data / CLOCK),
                    "scenario": self.scenario.model_dump_json(),
                    "seed": self.seed,
                    "share": [which, self._senders],
                    "cache": str(self.out / "cache" / str(which)),
                }
            )
            self._traffic.append(sender)
            sender.tell({"skip": microseconds(self.history_end)})
        for sender in self._traffic:
            sender.hear()

    def play(
        self,
        until: datetime,
        *,
        stop: Callable[[], bool] = lambda: False,
        told: Callable[[datetime], None] = lambda time: None,
        stride: timedelta = STRIDE,
    ) -> datetime:
        """Plays the shop up to a time through the SDK, the clock going along; the time reached.

        Args:
            until: the end.
            stop: asked after each stride whether something happened that somebody has to look at first.
            told: hears of the clock.
            stride: simulated time that is sent at once.
        """
        if not self._traffic:
            self.begin_traffic()
        self._all({"refresh": True})
        now = self.clock()
        while now < until:
            now = min(now + stride, until)
            self.clock.set(now)
            for answer in self._all({"play": microseconds(now)}):
                self.events += answer["events"]
                self.exposures += answer["exposures"]
            told(now)
            if stop():
                break
        self.drain()
        return now

    def rehearse(self, flag: str) -> int:
        """Plays the shop's release on staging, both variants of the flag; how many events."""
        import httpx
        from paribus_sdk import Client

        from paribus.governance.access import create_key
        from paribus.shop.rehearsal import HOURS, rehearse, staged

        begin = self.clock()
        with definitions(self.settings) as store:
            _, key = create_key(store, "server", environment=STAGING, author=AUTHOR)
        answer = httpx.get(f"{self._url}/api/v1/definitions", headers={"Authorization": f"Bearer {key}"})
        answer.raise_for_status()
        known = answer.json()["flags"].get(flag, {}).get("variants", ())
        variants = tuple(known) if isinstance(known, dict) else tuple(each["name"] for each in known)
        midnight = datetime(begin.year, begin.month, begin.day, tzinfo=UTC)
        self.clock.set(begin + timedelta(hours=HOURS))
        now = self.clock.microseconds / 1e6
        with Client(
            self._url, key, cache_dir=self.out / "cache" / STAGING, spool_megabytes=0, clock=lambda: now
        ) as client:
            client.ready(START_SECONDS)
            events = rehearse(staged(self.scenario, begin), self.seed, client, microseconds(midnight), variants)
        self.drain()
        return events

    def drain(self) -> None:
        """Waits until everything that was sent is in the lake."""
        from paribus.lake.backup import waiting_in_queue

        deadline = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < deadline:
            if waiting_in_queue(self.settings.data, self.clock()) == "empty":
                return
            time.sleep(0.02)

    def save_enrollment(self) -> list[Path]:
        """Who was enrolled and treated when, as the senders noted it, outside of the data folder."""
        paths = [self.out / TRUTH / f"users-{which}.npz" for which in range(len(self._traffic))]
        for sender, path in zip(self._traffic, paths, strict=True):
            sender.tell({"save": str(path.absolute())})
            sender.hear()
        return paths

    def close(self) -> None:
        """Ends the processes that were started here."""
        for sender in self._traffic:
            sender.close()
        self._traffic.clear()
        if self._server is not None and self._server.poll() is None:
            self._server.terminate()
            try:
                self._server.wait(20)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()

    def __enter__(self) -> Simulation:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _answers(self) -> bool:
        return running_server(self.settings.data) is not None

    def _all(self, command: Json) -> list[Json]:
        for sender in self._traffic:
            sender.tell(command)
        return [sender.hear() for sender in self._traffic]


def _write_plan(store: Any) -> None:
    from paribus.app import definition
    from paribus.shop.vocabulary import tracking_plan

    definition.write(
        store,
        "tracking_plan",
        "default",
        tracking_plan(),
        expected=0,
        author=AUTHOR,
        reason="what the simulated shop sends",
    )


def _time(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
