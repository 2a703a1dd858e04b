"""Real orders sent again through the SDK, each customer decided by the flag: an experiment whose effect is known.

Nobody was shown anything: both variants are the same past. So the true effect is zero, on real behavior.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from paribus.app import definition
from paribus.app.customers import NAMES, Order, history, orders, tracking_plan
from paribus.app.folder import definitions
from paribus.app.simulated_history import ENVIRONMENT
from paribus.app.stage import Stage
from paribus.app.traffic import DEFINITIONS_SECONDS, wait_for_definitions

if TYPE_CHECKING:
    from paribus_sdk import Client

BEGIN = datetime(1997, 1, 1, tzinfo=UTC)
HISTORY_DAYS = 42
LAST = datetime(1997, 7, 1, tzinfo=UTC)
"""The end of what was recorded."""
STRIDE = timedelta(days=1)
FLUSH_SECONDS = 30.0


class Replayed(Stage):
    """A data folder with real history, and the days after it sent through the SDK as time goes on.

    Args:
        out: a new folder.
        flag: the flag that decides at each customer's first order.
    """

    def __init__(self, out: Path, flag: str) -> None:
        super().__init__(out, BEGIN, tracking_plan(), reason="what the shop recorded")
        self.flag = flag
        self.history_end = BEGIN + timedelta(days=HISTORY_DAYS)
        self._orders = orders()
        self._client: Client | None = None

    def write_history(self) -> int:
        """Writes the days before the feature; how many events."""
        with definitions(self.settings) as store:
            plan = definition.tracking_plan(store, definition.PROJECT, ENVIRONMENT)
        made = history(self._orders, BEGIN, HISTORY_DAYS, plan)
        return self.write_days(made, HISTORY_DAYS, self.history_end)

    def play(self, until: datetime, *, stop: Callable[[], bool] = lambda: False) -> datetime:
        """Sends what was ordered up to a time; the time reached, at most the end of what was recorded."""
        client = self._client or self._begin()
        wait_for_definitions(client, self._url, self._server_key)
        now, last = self.clock(), min(until, LAST)
        while now < last:
            before, now = now, min(now + STRIDE, last)
            self.clock.set(now)
            for order in self._orders:
                if before <= order.time < now:
                    self._send(client, order)
            client.flush(FLUSH_SECONDS)
            if stop():
                break
        self.drain()
        return now

    def close(self) -> None:
        """Ends the client and the server."""
        if self._client is not None:
            self._client.close()
            self._client = None
        super().close()

    def _begin(self) -> Client:
        from paribus_sdk import Client

        self._client = Client(
            self._url,
            self._server_key,
            cache_dir=self.out / "cache",
            spool_megabytes=0,
            clock=lambda: self.clock.microseconds / 1e6,
        )
        self._client.ready(DEFINITIONS_SECONDS)
        return self._client

    def _send(self, client: Client, order: Order) -> None:
        """One order as the shop's program would send it; a first order meets the decision."""
        from paribus_sdk.request import in_request

        at = order.time.timestamp()
        with in_request(order.customer, None, at):
            client.track(
                order.name,
                order.customer,
                at * 1000,
                user_id=order.customer,
                properties=order.properties,
                event_id=order.event_id,
            )
            if order.name == NAMES[0]:
                seen = client.stats.exposures
                client.decide(self.flag)
                self.exposures += client.stats.exposures - seen
        self.events += 1
