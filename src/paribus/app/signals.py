"""How the running server does: its golden signals, from what it counts about itself, over some seconds of watching."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paribus.app.live import running_server
from paribus.errors import NotFound, TransientError
from paribus.monitoring.signals import Signals, of_route, together

SATURATION = ("queue_events", "queue_bytes", "queue_oldest_seconds", "watermark_lag_seconds")
_REQUESTS, _SECONDS = "paribus_http_requests", "paribus_http_request_seconds"
Counted = dict[tuple[str, str, str], float]  # sample, route, status or bound → count


@dataclass(frozen=True, slots=True)
class ServerSignals:
    """The server's signals.

    Attributes:
        routes: busiest first.
        saturation: what waits, by gauge.
    """

    url: str
    whole: Signals
    routes: tuple[Signals, ...]
    saturation: dict[str, float]

    def plain(self) -> dict[str, Any]:
        """The signals as JSON."""
        return {
            "url": self.url,
            "server": self.whole.plain(),
            "routes": [each.plain() for each in self.routes],
            "saturation": {name: float(f"{value:.6g}") for name, value in self.saturation.items()},
        }


def server_signals(
    folder: Path, seconds: float, *, sleep: Callable[[float], None] = time.sleep, url: str | None = None
) -> ServerSignals:
    """The signals of the server that holds a data folder.

    Args:
        folder: the data folder.
        seconds: how long it is watched.
        sleep: waits.
        url: of another server, instead of the folder's own.

    Raises:
        NotFound: no server runs on the folder.
        TransientError: it does not answer.
    """
    found = (url, "") if url else running_server(folder)
    if found is None:
        raise NotFound("no server holds the data folder", where=str(folder), fix="start it: paribus serve")
    before, _ = _scraped(found[0])
    began = time.monotonic()
    sleep(seconds)
    after, gauges = _scraped(found[0])
    watched = max(time.monotonic() - began, seconds)
    counted = {key: count - before.get(key, 0.0) for key, count in after.items()}
    routes = _by_route(counted, watched)
    whole = together(routes, "server")
    return ServerSignals(found[0], whole, tuple(routes), gauges)


def _by_route(counted: Counted, seconds: float) -> list[Signals]:
    names = sorted({route for _, route, _ in counted if route})
    made = []
    for route in names:
        statuses = {
            int(status): count
            for (sample, of, status), count in counted.items()
            if sample == f"{_REQUESTS}_total" and of == route
        }
        buckets = {
            float(bound): count
            for (sample, of, bound), count in counted.items()
            if sample == f"{_SECONDS}_bucket" and of == route
        }
        total = counted.get((f"{_SECONDS}_sum", route, ""), 0.0)
        if sum(statuses.values()):
            made.append(of_route(route, statuses, buckets, total, seconds))
    return sorted(made, key=lambda each: (-each.requests, each.of))


def _scraped(url: str) -> tuple[Counted, dict[str, float]]:
    """What the server counted so far, and what waits now."""
    import httpx
    from prometheus_client.parser import text_string_to_metric_families

    from paribus.app.loopback import options

    try:
        text = httpx.get(f"{url}/metrics", timeout=10, **options(url)).raise_for_status().text
    except httpx.HTTPError as error:
        raise TransientError(f"the server does not answer: {error}", where=url) from error
    counted: Counted = {}
    gauges: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = sample.labels
            if sample.name.startswith((_REQUESTS, _SECONDS)):
                part = labels.get("status") or labels.get("le") or ""
                counted[sample.name, labels.get("route", ""), part] = sample.value
            elif sample.name.removeprefix("paribus_") in SATURATION:
                gauges[sample.name.removeprefix("paribus_")] = sample.value
    return counted, gauges
