"""A treatment that kills the process within 10 ms of the exposure, in 5% of cases: found, and named.

Exposures that were on disk before the kill arrive, without what the visitor would have done: the verdict names the
arm. Those that were not on disk are missing: the sample ratio names the arm.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.clients.arrival import Arrived, Json, readable, until
from tests.clients.conftest import Served, serve
from tests.clients.splits import variant_of

pytestmark = [pytest.mark.clients, pytest.mark.xdist_group("clients")]

SHARE = 0.05
SOURCE = "paribus:service"
PROGRAM = Path(__file__).parent / "dying_service.py"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Served]:
    """A server with the shop's flag and an experiment on it."""
    with serve(tmp_path / "data") as running:
        running.paribus("flag", "create", "new-checkout")
        metrics = ("--success", "order_completed", "--guardrail", "order_completed:+0.5%")
        running.paribus("experiment", "create", "new-checkout", *metrics)
        yield running


def run(own: Served, cache: Path, units: int, mode: str) -> tuple[Json, dict[str, list[Arrived]]]:
    """What the service says at its end, and what arrived by name."""
    key = own.key("server", "service")
    command = [sys.executable, str(PROGRAM), own.url, key, str(cache), str(units), str(SHARE), mode]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    arrived: dict[str, list[Arrived]] = {}
    for event in readable(own.folder, SOURCE):
        arrived.setdefault(event.name, []).append(event)
    return json.loads(done.stdout), arrived


def check_of(result: Json, name: str) -> Json:
    [found] = [check for check in result["checks"] if check["name"] == name]
    return dict(found)


def test_workers_that_die_after_their_exposure(own: Served, tmp_path: Path) -> None:
    said, arrived = run(own, tmp_path / "cache", 6000, "workers")
    flag = json.loads(own.paribus("flag", "show", "new-checkout", "--json"))["body"]
    orders = {event.unit for event in arrived["order_completed"]}
    exposed = {event.unit for event in arrived["$exposure"]}
    assert len(arrived["$exposure"]) == len(exposed)
    assert said["deaths"] > 100
    assert {variant_of(flag, unit or "") for unit in exposed - orders} == {"treatment"}
    result = json.loads(own.paribus("analyze", "new-checkout", "--json"))
    assert result["verdict"]["value"] == "roll_back", result["verdict"]
    assert result["verdict"]["arm"] == "treatment"
    assert "order_completed" in result["verdict"]["sentence"]
    counted = json.loads(own.paribus("events", "reconcile", "--json"))
    assert counted["adds_up"]


def test_exposures_that_die_with_their_process(own: Served, tmp_path: Path) -> None:
    said, arrived = run(own, tmp_path / "cache", 120_000, "at once")
    counts = Counter(event.properties["assigned"] for event in arrived["$exposure"])
    assert counts["control"] == said["served"]["control"]
    assert counts["treatment"] == said["served"]["treatment"] - said["deaths"]
    answer = until(lambda: json.loads(own.paribus("analyze", "new-checkout", "--json")))
    assert answer["verdict"]["value"] == "invalid", answer["verdict"]
    ratio = check_of(answer, "sample ratio")
    assert ratio["status"] == "failed"
    control, treatment = ratio["evidence"]["units"]
    assert (control, treatment) == (counts["control"], counts["treatment"])
    assert 0.92 < treatment / control < 0.98
    assert json.loads(own.paribus("events", "reconcile", "--json"))["adds_up"]
