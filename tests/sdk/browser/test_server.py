"""The SDK against the real server, from a page of another origin: all that is sent arrives and adds up."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.sdk.browser.conftest import Visit

PARIBUS = (sys.executable, "-m", "paribus.cli")


def paribus(*arguments: str) -> str:
    return subprocess.run([*PARIBUS, *arguments], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A server of its own: address and data folder."""
    data = str(tmp_path / "data")
    command = [*PARIBUS, "serve", "--port", "0", "--data", data]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if "ready at " in line:
            break
    else:
        pytest.fail("".join(seen))
    try:
        yield line.split("ready at ")[1].split()[0], data
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


@pytest.mark.slow
def test_a_visit_arrives_whole(visit: Visit, running: tuple[str, str]) -> None:
    url, data = running
    key = paribus("key", "create", "--scope", "client", "--data", data).strip()
    paribus("flag", "create", "new-checkout", "--environment", "dev", "--data", data)
    page = visit(url=url, key=key, pageViews=True, recording=True, flushSeconds=0.05)
    page.evaluate("client.ready")
    variant = page.evaluate("client.variant('new-checkout')")
    assert variant in {"control", "treatment"}
    page.evaluate("client.track('order_completed', {revenue: 31.5}); client.captureError(new Error('planted'))")
    page.click("#slow")
    page.wait_for_timeout(300)
    paribus("flag", "kill", "new-checkout", "--data", data)
    page.wait_for_function("client.decide('new-checkout').reason === 'KILLED'")
    assert page.evaluate("client.stats.rejected + client.stats.dropped + client.stats.quarantined") == 0
    page.goto("about:blank")
    wanted = {"$exposure", "$web_vital", "$error", "$page_view", "$recording", "order_completed"}
    metrics = {"LCP", "INP", "CLS", "TTFB"}
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        events = json.loads(paribus("events", "tail", "--count", "100", "--json", "--data", data))
        events = events if isinstance(events, list) else events["events"]
        vitals = {event["properties"]["metric"] for event in events if event["name"] == "$web_vital"}
        if {event["name"] for event in events} >= wanted and vitals == metrics:
            break
    (exposure,) = [event["properties"] for event in events if event["name"] == "$exposure"]
    assert (exposure["flag"], exposure["assigned"], exposure["reason"]) == ("new-checkout", variant, "SPLIT")
    assert vitals == metrics
    assert {event["name"] for event in events} == wanted
    assert "it adds up" in paribus("events", "reconcile", "--data", data)
