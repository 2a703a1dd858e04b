"""Sessions of events that carry no id: the vectors that the browser SDK passes too."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from paribus.exploration.event_log import GAP_MINUTES
from paribus.exploration.opening import open_source

VECTORS = json.loads((Path(__file__).parents[2] / "spec" / "vectors" / "sessions.json").read_text())


@pytest.fixture(scope="module")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, ...], list[int]]:
    """The number of each event's session, by the times of a visitor's events; all cases stand in one table."""
    path = tmp_path_factory.mktemp("sessions") / "events.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["user_id", "event", "timestamp", "campaign"])
        for case in VECTORS["cases"]:
            for event in reversed(case["events"]):  # the order of rows says nothing
                rows.writerow([case["name"], "viewed", event["at"], event["campaign"] or ""])
    found: dict[int, list[tuple[int, int]]] = {}
    with open_source(str(path)) as log:
        table = log.query(f"SELECT unit, at_us, visit FROM {log.visits()} ORDER BY unit, at_us")
        for unit, at, visit in table.rows:
            found.setdefault(unit, []).append((int(at), int(visit) - 1))
    return {tuple(at for at, _ in rows): [visit for _, visit in rows] for rows in found.values()}


def microseconds(at: str) -> int:
    return (datetime.fromisoformat(at) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def test_the_time_out_is_the_vectors() -> None:
    assert VECTORS["timeout_minutes"] == GAP_MINUTES
    assert len(VECTORS["cases"]) > 10


@pytest.mark.parametrize("case", VECTORS["cases"], ids=[case["name"] for case in VECTORS["cases"]])
def test_visits_are_split_as_the_vectors_say(numbered: dict[tuple[int, ...], list[int]], case: dict[str, Any]) -> None:
    assert numbered[tuple(microseconds(event["at"]) for event in case["events"])] == case["sessions"]
