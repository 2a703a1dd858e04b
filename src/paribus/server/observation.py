"""What the server counts about itself, for Prometheus; one registry per application."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import Counter, Histogram
    from prometheus_client.core import Metric

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30)
Gauges = Callable[[], Mapping[str, float]]


class Observation:
    """Requests by route and status, their time, events by fate, and gauges read when asked for."""

    def __init__(self, gauges: Iterable[Gauges] = ()) -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram

        self.registry = CollectorRegistry()
        self._requests = Counter(
            "paribus_http_requests", "Requests answered", ["route", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "paribus_http_request_seconds",
            "From the head of a request to the last byte of its answer",
            ["route"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._events = Counter(
            "paribus_intake_events",
            "Events at the door by dialect and fate",
            ["dialect", "fate"],
            registry=self.registry,
        )
        self._known: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self.registry.register(_Gauges(tuple(gauges)))

    def request(self, route: str, status: int, seconds: float) -> None:
        """Counts an answered request."""
        found = self._known.get((route, status))
        if found is None:
            found = (self._requests.labels(route, str(status)), self._seconds.labels(route))
            self._known[route, status] = found
        found[0].inc()
        found[1].observe(seconds)

    def events(self, dialect: str, accepted: int, quarantined: int, rejected: int) -> None:
        """Counts events: received = accepted + quarantined + rejected."""
        for fate, count in (("accepted", accepted), ("quarantined", quarantined), ("rejected", rejected)):
            if count:
                self._events.labels(dialect, fate).inc(count)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """The text and its content type: OpenMetrics when asked for, else Prometheus text."""
        from prometheus_client import generate_latest
        from prometheus_client.openmetrics import exposition as openmetrics

        if "application/openmetrics-text" in accept:
            return openmetrics.generate_latest(self.registry), openmetrics.CONTENT_TYPE_LATEST
        return generate_latest(self.registry), "text/plain; version=1.0.0; charset=utf-8"


class _Gauges:
    def __init__(self, sources: tuple[Gauges, ...]) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily

        for source in self._sources:
            for name, value in sorted(source().items()):
                yield GaugeMetricFamily(f"paribus_{name}", name.replace("_", " "), value=value)
