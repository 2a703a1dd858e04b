"""How often a key may call: the generic cell rate algorithm, one number per key (ITU-T I.371, 1993)."""

from __future__ import annotations

import time
from collections.abc import Callable


class Rates:
    """At most `per_second` calls per key in the long run, and `burst` at once.

    Args:
        per_second: 0 or less means no limit.
        burst: calls that may come at once; one second's worth without it.
        monotonic: seconds that never run backwards.
        capacity: keys remembered; when full, those idle for longest are forgotten, which only favors the caller.
    """

    __slots__ = ("_arrival", "_capacity", "_interval", "_monotonic", "_tolerance")

    def __init__(
        self,
        per_second: float,
        burst: int | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        capacity: int = 100_000,
    ) -> None:
        self._interval = 1 / per_second if per_second > 0 else 0.0
        self._tolerance = self._interval * ((burst or max(1, int(per_second))) - 1)
        self._monotonic = monotonic
        self._capacity = capacity
        self._arrival: dict[str, float] = {}

    def wait(self, key: str) -> float:
        """Counts one call; 0 when it may go on, else the seconds after which the next may (the call is not counted)."""
        if not self._interval:
            return 0.0
        now = self._monotonic()
        arrival = self._arrival.get(key, now)
        early = arrival - now - self._tolerance
        if early > 1e-9:
            return early
        self._arrival[key] = max(arrival, now) + self._interval
        if len(self._arrival) > self._capacity:
            self._forget(now)
        return 0.0

    def _forget(self, now: float) -> None:
        self._arrival = {key: arrival for key, arrival in self._arrival.items() if arrival > now}
        if len(self._arrival) > self._capacity:
            newest = sorted(self._arrival.items(), key=lambda each: each[1])[self._capacity // 2 :]
            self._arrival = dict(newest)
