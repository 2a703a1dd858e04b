"""For tests of programs that use the SDK: a client without a server, and variants given for a while."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from paribus_sdk.breaker import BreakerPolicy
from paribus_sdk.client import Client
from paribus_sdk.decider import Decider
from paribus_sdk.event import Event, encode


class InMemoryClient(Client):
    """A client that decides from a snapshot and keeps its events in a list, as they would be sent.

    Everything else is the client's own code: exposures are deduplicated, the breaker trips.
    """

    def __init__(
        self,
        snapshot: Mapping[str, Any] | None = None,
        *,
        breaker: BreakerPolicy | None = None,
        exposure_memory: int = 50_000,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._lines: list[bytes] = []
        self._keeping = threading.Lock()
        Decider.__init__(self, exposure_memory, breaker, clock)
        self._connection = None
        self._closed = False
        self._record = self._keep
        if snapshot is not None:
            self.apply(snapshot)

    def apply(self, snapshot: Mapping[str, Any]) -> None:
        """Takes new definitions into use, as when the server sends them.

        Raises:
            ValueError: They are no definitions of format 1.
        """
        if not self._current.apply(snapshot):
            raise ValueError("the snapshot cannot be read: it must be definitions of format 1")

    @property
    def events(self) -> list[dict[str, Any]]:
        """All events so far, exposures included, in order."""
        return [json.loads(line) for line in self._lines]

    def named(self, name: str) -> list[dict[str, Any]]:
        """The events of that name."""
        return [event for event in self.events if event["name"] == name]

    def exposures(self, flag: str | None = None) -> list[dict[str, Any]]:
        """The properties of the exposures, of one flag if named."""
        found = [event["properties"] for event in self.named("$exposure")]
        return [exposure for exposure in found if flag in (None, exposure["flag"])]

    def clear(self) -> None:
        """Forgets the events and which exposures were sent."""
        with self._keeping:
            self._lines.clear()
        self._exposures.forget()

    def flush(self, timeout: float = 5.0) -> bool:
        """True: nothing waits."""
        return True

    def _keep(self, event: Event) -> bool:
        line = encode(event, self._process)
        with self._keeping:
            self._lines.append(line)
        self._stats.recorded += 1
        return True


@contextmanager
def override(client: Client, flag: str, variant: str, unit: str | int | None = None) -> Iterator[None]:
    """Gives `variant` inside the block: to everyone, or to one unit. An override from outside comes back after it."""
    before = client._forced.get((flag, unit))
    client.override(flag, unit, variant)
    try:
        yield
    finally:
        client.override(flag, unit, before)
