"""Holes, doubled days, events that stop and levels that move are found where planted, and nearly never elsewhere."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from tests.exploration.shopping import visits

from paribus.exploration.anomaly import find_anomalies
from paribus.exploration.change_point import find_change
from paribus.exploration.days import Days, measure_days
from paribus.exploration.exploration import explore
from paribus.exploration.opening import open_frame
from paribus.exploration.quality import leave_out_bots

SEASON = np.array([1.0, 1.05, 1.1, 1.05, 1.0, 0.75, 0.7])
FIRST = 20731  # 2026-10-05, a Monday


def days_of(counts: NDArray[np.float64], per_unit: float = 2.0) -> Days:
    n = counts.shape[1]
    names = tuple(f"event_{i}" for i in range(len(counts)))
    units = np.ceil(counts / per_unit)
    return Days(FIRST, names, counts, units, units.sum(axis=0), units.sum(axis=0), np.zeros(n), {}, "")


def history(seed: int, days: int = 28, noise: float = 0.08) -> NDArray[np.float64]:
    """Counts of four events with a weekly season, more than Poisson noise, and a little growth."""
    chance = np.random.default_rng(seed)
    level = SEASON[np.arange(days) % 7] * (1 + 0.1 * np.arange(days) / days) * chance.lognormal(0, noise, days)
    return chance.poisson(np.array([[2000.0], [900.0], [200.0], [40.0]]) * level).astype(float)


def test_clean_histories_give_few_findings() -> None:
    findings = [find_anomalies(days_of(history(seed))) for seed in range(60)]
    assert sum(bool(found) for found in findings) <= 3


@pytest.mark.parametrize("seed", range(5))
def test_a_missing_day_is_found_and_left_out(seed: int) -> None:
    counts = history(seed)
    counts[:, 16] = 0
    (found,) = find_anomalies(days_of(counts))
    assert (found.kind, found.first, found.is_left_out) == ("missing day", FIRST + 16, True)


@pytest.mark.parametrize("seed", range(5))
def test_a_day_with_a_third_of_its_data_is_found(seed: int) -> None:
    counts = history(seed)
    counts[:, 9] = np.floor(counts[:, 9] / 3)
    assert [(a.kind, a.first - FIRST) for a in find_anomalies(days_of(counts)) if a.is_left_out] == [("thin day", 9)]


@pytest.mark.parametrize("seed", range(5))
def test_a_doubled_day_is_told_from_a_day_with_many_users(seed: int) -> None:
    counts = history(seed)
    plain = days_of(counts)
    counts = counts.copy()
    counts[:, 11] *= 2
    doubled = Days(FIRST, plain.events, counts, plain.units, plain.active, plain.new, plain.repeated, {}, "")
    found = [a for a in find_anomalies(doubled) if a.is_left_out]
    assert [(a.kind, a.first - FIRST) for a in found] == [("doubled day", 11)]
    busy = days_of(counts)  # twice the events from twice the users
    assert not [a for a in find_anomalies(busy) if a.kind == "doubled day"]


@pytest.mark.parametrize("seed", range(5))
def test_an_event_that_stops_is_found(seed: int) -> None:
    counts = history(seed)
    counts[1, 23:] = 0
    found = [a for a in find_anomalies(days_of(counts)) if a.kind == "stopped event"]
    assert [(a.event, a.first - FIRST, a.until - FIRST) for a in found] == [("event_1", 23, 28)]
    assert "stopped" in found[0].sentence()


def test_a_doubled_day_in_rows_is_left_out_of_the_baselines() -> None:
    events = visits(1500, seed=4)
    twice = events[events["time"].dt.date == pd.Timestamp("2026-10-14").date()]
    with open_frame(pd.concat([events, twice], ignore_index=True)) as log:
        found = explore(log)
    (bad,) = [a for a in found.anomalies if a.is_left_out]
    assert (bad.kind, bad.first) == ("doubled day", FIRST + 9)
    assert found.bad_days == (FIRST + 9,)
    assert found.stretch is not None
    assert found.stretch.entry - found.stretch.before > FIRST + 9  # the longer stretch lies behind it
    assert len(found.arrivals) == 18


def test_clean_rows_have_no_findings_that_leave_days_out() -> None:
    for seed in (21, 22):
        with open_frame(visits(1500, seed=seed)) as log:
            assert not [a for a in find_anomalies(measure_days(log)) if a.is_left_out]


def test_programs_are_left_out_and_people_stay() -> None:
    events = visits(800, seed=6)
    chance = np.random.default_rng(0)
    at = pd.Timestamp("2026-10-05", tz="UTC") + pd.to_timedelta(chance.random(6000) * 20, unit="D")
    robots = pd.DataFrame({"user_id": chance.choice(["bot1", "bot2"], 6000), "event": "product_viewed", "time": at})
    with open_frame(pd.concat([events, robots], ignore_index=True)) as log:
        found = leave_out_bots(log, "order_completed")
        assert (found.units, found.events) == (2, 6000)
        left = log.query("SELECT COUNT(DISTINCT unit) AS u, COUNT(*) AS n FROM events").rows[0]
    assert left == (events["user_id"].nunique(), len(events))
    with open_frame(events) as log:
        assert leave_out_bots(log, "order_completed").units == 0


def test_a_new_level_is_found_at_its_day_and_a_season_is_none() -> None:
    weekday = (np.arange(56)) % 7
    hits, false = 0, 0
    for seed in range(40):
        chance = np.random.default_rng(seed)
        series = 100 * SEASON[weekday] * chance.lognormal(0, 0.05, 56)
        false += find_change(series, weekday) is not None
        moved = series.copy()
        moved[30:] *= 1.25
        found = find_change(moved, weekday)
        hits += found is not None and abs(found.place - 30) <= 1
    assert hits >= 36
    assert false <= 3
