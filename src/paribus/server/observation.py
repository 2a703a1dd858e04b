"""What the server counts about itself, for Prometheus; one registry per application."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client.core import Metric

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30)
Gauges = Callable[[], Mapping[str, float]]


class Observation:
    """Requests by route and status, their time, events by fate, and gauges read when asked for.

    Counted in plain integers by the one thread of the event loop, and made into metrics only when somebody asks.
    """

    def __init__(self, gauges: Iterable[Gauges] = ()) -> None:
        from prometheus_client import CollectorRegistry

        self.registry = CollectorRegistry()
        self._gauges = tuple(gauges)
        self._requests: dict[tuple[str, int], int] = {}
        self._seconds: dict[str, list[float]] = {}
        self._events: dict[tuple[str, str], int] = {}
        self.registry.register(self)

    def request(self, route: str, status: int, seconds: float) -> None:
        """Counts an answered request."""
        key = (route, status)
        self._requests[key] = self._requests.get(key, 0) + 1
        buckets = self._seconds.get(route)
        if buckets is None:
            buckets = self._seconds[route] = [0.0] * (len(SECONDS) + 2)  # one per bound, one beyond, their sum
        buckets[bisect_left(SECONDS, seconds)] += 1
        buckets[-1] += seconds

    def events(self, dialect: str, accepted: int, quarantined: int, rejected: int) -> None:
        """Counts events: received = accepted + quarantined + rejected."""
        for fate, count in (("accepted", accepted), ("quarantined", quarantined), ("rejected", rejected)):
            if count:
                self._events[dialect, fate] = self._events.get((dialect, fate), 0) + count

    def collect(self) -> Iterator[Metric]:
        """All numbers, as the client library of Prometheus wants them."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        requests = CounterMetricFamily("paribus_http_requests", "Requests answered", labels=["route", "status"])
        for (route, status), count in sorted(self._requests.items()):
            requests.add_metric([route, str(status)], count)
        yield requests
        seconds = HistogramMetricFamily(
            "paribus_http_request_seconds", "From the head of a request to the end of its answer", labels=["route"]
        )
        for route, parts in sorted(self._seconds.items()):
            bounds = [*map(str, SECONDS), "+Inf"]
            seconds.add_metric([route], list(zip(bounds, accumulate(parts[:-1]), strict=True)), sum_value=parts[-1])
        yield seconds
        events = CounterMetricFamily("paribus_intake_events", "Events at the door", labels=["dialect", "fate"])
        for labels, count in sorted(self._events.items()):
            events.add_metric(labels, count)
        yield events
        for source in self._gauges:
            for name, value in sorted(source().items()):
                yield GaugeMetricFamily(f"paribus_{name}", name.replace("_", " "), value=value)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """The text and its content type: OpenMetrics when asked for, else Prometheus text."""
        from prometheus_client import generate_latest
        from prometheus_client.openmetrics import exposition as openmetrics

        if "application/openmetrics-text" in accept:
            text: bytes = openmetrics.generate_latest(self.registry)  # type: ignore[no-untyped-call]
            return text, openmetrics.CONTENT_TYPE_LATEST
        return generate_latest(self.registry), "text/plain; version=1.0.0; charset=utf-8"
