"""Data quality by day on a real lake with planted flaws; what is expected is counted from what was planted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from tests.lake.sending import NOON, HandClock, decode, event, request

from paribus.governance.quality import QualityPoint, history, keep, measured_days
from paribus.lake import Lake, LakeReader, LandingRow, Quarantined, Record
from paribus.store import Store, open_store

PLAN = ("order", "view", "refund")
TODAY = NOON + timedelta(days=2)


def in_production(row: LandingRow) -> Iterator[Record | Quarantined]:
    for each in decode(row):
        again = msgspec.structs.replace if isinstance(each, Record) else replace
        yield again(each, environment="production")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "definitions.sqlite", clock=HandClock())
    yield opened
    opened.close()


@pytest.fixture
def reader(tmp_path: Path) -> LakeReader:
    """Day 0: 10 events, 2 held back, 1 sent twice, 3 late, 1 unplanned. Day 1: four good ones. Day 2: one so far."""
    clock = HandClock()
    with Lake.open(tmp_path / "data", clock=clock, decode=in_production) as lake:
        first = [event(f"v{i}", "view", unit=f"u{i}", properties={"i": i}) for i in range(5)]
        first += [
            event(f"o{i}", "order", unit=f"u{i}", at=NOON - timedelta(hours=25), sent=NOON.isoformat())
            for i in range(3)
        ]
        first += [event("v0-again", "view", unit="u0", properties={"i": 0})]
        first += [event("x", "other", unit="u9", verdict=1)]
        first += [event(f"h{i}", "order", unit=f"u{i}", verdict=2) for i in range(2)]
        lake.landing.append([request(first)])
        tomorrow = NOON + timedelta(days=1)
        second = [event(f"s{i}", "order", unit=f"u{i}", at=tomorrow) for i in range(4)]
        clock.advance(days=1)
        lake.landing.append([request(second, received=tomorrow)])
        lake.landing.append([request(second[:1], received=tomorrow)])  # the same event, received again
        clock.advance(days=1)
        lake.landing.append([request([event("t", "view", unit="u1", at=TODAY)], received=TODAY)])
        lake.flush()
    return LakeReader(tmp_path / "data", clock=HandClock(TODAY))


def shares(points: list[QualityPoint], time: str) -> dict[str, tuple[int, int]]:
    return {each.metric: (each.good, each.of) for each in points if each.time == time}


def test_each_flaw_is_counted_on_its_day(reader: LakeReader) -> None:
    points = measured_days(reader, "production", PLAN, TODAY + timedelta(hours=1))
    assert shares(points, "2026-03-11T00:00:00+00:00") == {
        "completeness": (2, 3),
        "validity": (10, 12),
        "uniqueness": (9, 10),
        "timeliness": (7, 10),
        "planned": (9, 10),
    }
    assert shares(points, "2026-03-12T00:00:00+00:00") == {
        "completeness": (1, 3),
        "validity": (4, 4),
        "uniqueness": (4, 4),
        "timeliness": (4, 4),
        "planned": (4, 4),
    }
    assert shares(points, "2026-03-12T13:00:00+00:00")["validity"] == (1, 1)
    assert measured_days(reader, "staging", PLAN, TODAY) == []


def test_days_that_are_over_are_kept_once_and_stay(reader: LakeReader, store: Store) -> None:
    points = measured_days(reader, "production", PLAN, TODAY + timedelta(hours=1))
    assert keep(store, points) == 10  # two whole days, five metrics
    assert keep(store, points) == 0
    assert keep(store, [replace(points[0], good=0)]) == 0
    kept = history(store, "production")
    assert [each.time[:10] for each in kept] == ["2026-03-11"] * 5 + ["2026-03-12"] * 5
    assert (kept[0].metric, kept[0].value) == ("completeness", pytest.approx(2 / 3))


def test_runs_of_checks_stand_beside_days(reader: LakeReader, store: Store) -> None:
    keep(store, measured_days(reader, "production", PLAN, TODAY))
    for minute, good in enumerate((90, 100)):
        time = (TODAY + timedelta(minutes=minute)).isoformat()
        run = QualityPoint("default", "production", "events", "validity", time, "validate", good, 100, "feature-a")
        assert keep(store, [run]) == 1
    runs = history(store, "production", step="validate", feature="feature-a")
    assert [each.value for each in runs] == [0.9, 1.0]
    assert history(store, "production", step="validate", feature="feature-b") == []
    assert len(history(store, "production")) == 12
    assert datetime.fromisoformat(runs[0].plain()["time"]) == TODAY
    assert json.dumps([each.plain() for each in runs])
