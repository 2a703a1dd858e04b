"""Golden signals: of an arm against plain sums of the requests, of a running server against requests that were sent."""

from __future__ import annotations

import math
from pathlib import Path

import httpx
import numpy as np
import pytest
from tests.server.installation import running

from paribus.app.live import Installation
from paribus.app.signals import server_signals
from paribus.monitoring.latency import Histogram
from paribus.monitoring.request_rate import RequestSums
from paribus.monitoring.signals import of_arm, within
from paribus.settings import Settings


def test_an_arm_by_plain_sums() -> None:
    durations = np.random.default_rng(3).lognormal(5, 0.5, 4000)
    histogram = Histogram()
    for each in durations:
        histogram.add(float(each))
    found = of_arm("treatment", RequestSums(800, 4000, 12, 0, 0, 0), histogram, 7200.0)
    assert (found.requests, found.failed, found.error_share) == (4000, 12, 0.003)
    assert found.per_second == pytest.approx(4000 / 7200)
    assert found.p50_ms == pytest.approx(float(np.median(durations)), rel=0.011)
    assert found.p95_ms == pytest.approx(float(np.quantile(durations, 0.95)), rel=0.011)
    assert found.in_progress == pytest.approx(float(durations.sum()) / 1000 / 7200, rel=0.011)


def test_an_arm_that_was_never_timed() -> None:
    found = of_arm("control", RequestSums(10, 20, 0, 0, 0, 0), Histogram(), 60.0)
    assert (found.p50_ms, found.p95_ms, found.in_progress) == (None, None, None)
    assert found.plain()["per_second"] == pytest.approx(1 / 3, rel=1e-5)


def test_quantiles_of_buckets_are_prometheuss() -> None:
    # histogram_quantile(0.9) over 10 requests up to 0.1 s, 70 up to 0.5 s, 100 up to 1 s: 0.5 + 0.5 * 20 / 30
    buckets = {0.1: 10.0, 0.5: 70.0, 1.0: 100.0, math.inf: 100.0}
    assert within(buckets, 0.9) == pytest.approx(1000 * (0.5 + 0.5 * 20 / 30))
    assert within({0.1: 1.0, math.inf: 10.0}, 0.95) == 100.0  # beyond the last bound nothing is known
    assert within({0.1: 0.0, math.inf: 0.0}, 0.95) is None


def test_the_servers_own_are_of_the_requests_while_it_was_watched(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data", log_level="error", flush_seconds=0.2)
    with Installation(settings) as live, running(live) as url:
        live.start()
        httpx.get(f"{url}/health")  # before it is watched: not counted

        def visits(seconds: float) -> None:
            for _ in range(7):
                httpx.get(f"{url}/health")
            for _ in range(3):
                httpx.get(f"{url}/nowhere")

        found = server_signals(settings.data, 0.1, sleep=visits, url=url)
    by_route = {each.of: each for each in found.routes}
    assert by_route["health"].requests == 7
    assert by_route["health"].error_share == 0
    assert by_route["health"].p95_ms is not None
    assert 0 < by_route["health"].p95_ms < 5000
    assert found.whole.requests == sum(each.requests for each in found.routes) >= 10
    assert found.whole.in_progress is not None
    assert set(found.saturation) == {"queue_events", "queue_bytes", "queue_oldest_seconds", "watermark_lag_seconds"}
    assert found.saturation["queue_events"] == 0
    assert found.plain()["server"]["requests"] == found.whole.requests
