"""The four golden signals (Beyer et al. 2016, ch. 6): traffic, errors, duration, saturation; of an arm, of a server.

Saturation of an arm is the mean number of its requests in progress, traffic times mean duration (Little 1961); of the
server it is what waits: events before the lake, and how long the oldest has waited.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from paribus.monitoring.latency import Histogram, quantile
from paribus.monitoring.request_rate import RequestSums

Buckets = Mapping[float, float]
"""Requests by upper bound in seconds, cumulative, as Prometheus keeps them."""


@dataclass(frozen=True, slots=True)
class Signals:
    """Of one arm, or one route of the server.

    Attributes:
        of: whose they are.
        seconds: of observation.
        requests, failed: in that time; failed: status 500 and above, or error.
        p50_ms, p95_ms: None where nothing was timed.
        in_progress: requests at once, on average; None where nothing was timed.
    """

    of: str
    seconds: float
    requests: int
    failed: int
    p50_ms: float | None
    p95_ms: float | None
    in_progress: float | None

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds if self.seconds > 0 else 0.0

    @property
    def error_share(self) -> float | None:
        """Share of requests that failed; None without any."""
        return self.failed / self.requests if self.requests else None

    def plain(self) -> dict[str, Any]:
        """The signals as JSON, numbers to six digits."""
        derived = {"per_second": self.per_second, "error_share": self.error_share}
        return {name: _rounded(value) for name, value in {**asdict(self), **derived}.items()}


def of_arm(arm: str, sums: RequestSums, latency: Histogram, seconds: float) -> Signals:
    """The signals of an arm's units after their exposure.

    Args:
        arm: whose they are.
        sums: requests and failures.
        latency: durations; a request that says none is left out of the mean.
        seconds: from the first exposure to the end of observation.
    """
    timed = latency.requests > 0
    half, most = (quantile(latency, max(sums.units, 2), p=p).value if timed else None for p in (0.5, 0.95))
    mean = latency.mean_ms
    busy = None if mean is None or seconds <= 0 else sums.requests / seconds * mean / 1000
    return Signals(arm, seconds, sums.requests, sums.failed, half, most, busy)


def of_route(route: str, statuses: Mapping[int, float], buckets: Buckets, total: float, seconds: float) -> Signals:
    """The signals of a route, from what a server counted in some time.

    Args:
        route: its name.
        statuses: requests by HTTP status.
        buckets: cumulative counts by bound.
        total: seconds that all requests took together.
        seconds: of observation.
    """
    requests = sum(statuses.values())
    failed = sum(count for status, count in statuses.items() if status >= 500)
    half, most = (within(buckets, p) for p in (0.5, 0.95))
    return Signals(route, seconds, round(requests), round(failed), half, most, total / seconds if seconds > 0 else None)


def within(buckets: Buckets, p: float) -> float | None:
    """A quantile in milliseconds, linear within its bucket as Prometheus reads it; None without requests.

    >>> round(within({0.1: 50, 0.2: 100, math.inf: 100}, 0.75))
    150
    """
    bounds = sorted(buckets)
    count = buckets[bounds[-1]] if bounds else 0
    if not count:
        return None
    wanted, below, before = p * count, 0.0, 0.0
    for bound in bounds:
        if buckets[bound] >= wanted and buckets[bound] > before:
            if math.isinf(bound):
                return 1000 * below
            return 1000 * (below + (bound - below) * (wanted - before) / (buckets[bound] - before))
        below, before = bound, buckets[bound]
    return None


def together(parts: Iterable[Signals], of: str) -> Signals:
    """Several routes as one; durations are not added up, since quantiles do not add."""
    found = list(parts)
    seconds = max((each.seconds for each in found), default=0.0)
    busy = [each.in_progress for each in found if each.in_progress is not None]
    requests, failed = (sum(getattr(each, name) for each in found) for name in ("requests", "failed"))
    return Signals(of, seconds, requests, failed, None, None, sum(busy) if busy else None)


def _rounded(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value
