"""A demo's world around the installation: its folder and clock, the history, a server, and the shop's traffic."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from paribus.app.folder import CLOCK, definitions
from paribus.app.simulated_history import history
from paribus.app.stage import AUTHOR, START_SECONDS, Json, Stage
from paribus.app.traffic import Sender
from paribus.events.timing import to_datetime
from paribus.lake.record import microseconds

if TYPE_CHECKING:
    from paribus.shop.scenario import Scenario

STAGING = "staging"
STRIDE = timedelta(hours=6)
TRUTH = "truth"


class Simulation(Stage):
    """Everything simulated around a data folder; the truth stays outside of it.

    Args:
        out: a new folder; the data folder is `out`/data, the truth `out`/truth.
        scenario: the shop.
        seed: of all its chance.
        senders: processes that send the traffic; one where the arms share stock.
        store_url: database of the definitions; SQLite in the data folder without it.
    """

    def __init__(self, out: Path, scenario: Scenario, seed: int, *, senders: int = 2, store_url: str = "") -> None:
        from paribus.shop.vocabulary import tracking_plan

        self.scenario = scenario
        self.seed = seed
        self.begin = scenario.calendar.begin
        self.history_end = self.begin + timedelta(days=scenario.calendar.history_days)
        super().__init__(out, self.begin, tracking_plan(), reason="what the simulated shop sends", store_url=store_url)
        (out / TRUTH).mkdir(exist_ok=True)
        self._senders = 1 if scenario.stock_per_day is not None else senders
        self._traffic: list[Sender] = []
        self._passing: list[Sender] = []

    def write_history(self, told: Callable[[float], None] = lambda share: None) -> int:
        """Writes the days before the feature through the server's door for rows; how many events."""
        days = self.scenario.calendar.history_days
        return self.write_days(history(self.scenario, self.seed, self.settings), days, self.history_end, told)

    def begin_traffic(self) -> None:
        """Starts the processes that send and returns at once: they pass the history in silence while others work."""
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
            self._passing.append(sender)

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
        while self._passing:
            self._passing.pop().hear()
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

        from paribus.app.loopback import options
        from paribus.governance.access import create_key
        from paribus.shop.rehearsal import HOURS, rehearse, staged

        begin = self.clock()
        with definitions(self.settings) as store:
            _, key = create_key(store, "server", environment=STAGING, author=AUTHOR)
        answer = httpx.get(
            f"{self._url}/api/v1/definitions", headers={"Authorization": f"Bearer {key}"}, **options(self._url)
        )
        answer.raise_for_status()
        known = answer.json()["flags"].get(flag, {}).get("variants", ())
        variants = tuple(known) if isinstance(known, dict) else tuple(each["name"] for each in known)
        midnight = datetime(begin.year, begin.month, begin.day, tzinfo=UTC)
        cache = self.out / "cache" / STAGING
        with Client(
            self._url, key, cache_dir=cache, spool_megabytes=0, clock=lambda: self.clock.microseconds / 1e6
        ) as client:
            client.ready(START_SECONDS)
            events = rehearse(
                staged(self.scenario, begin),
                self.seed,
                client,
                microseconds(midnight),
                variants,
                told=lambda time: self.clock.set(max(self.clock(), to_datetime(time))),
            )
        self.clock.set(begin + timedelta(hours=HOURS))
        self.drain()
        return events

    def save_enrollment(self) -> list[Path]:
        """Who was enrolled and treated when, as senders noted it outside of the data folder; none without traffic."""
        if self._passing:
            return []
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
        super().close()

    def _all(self, command: Json) -> list[Json]:
        for sender in self._traffic:
            sender.tell(command)
        return [sender.hear() for sender in self._traffic]
