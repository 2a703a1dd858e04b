"""Groups by behavior: planted ones are found and stable, the index of agreement is Hubert and Arabie's."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from paribus.exploration.behavior import STABLE, measure_behavior
from paribus.exploration.clustering import adjusted_rand, k_means
from paribus.exploration.days import measure_days
from paribus.exploration.event_log import EventLog
from paribus.exploration.opening import open_frame


def test_agreement_of_a_published_example() -> None:
    # Hubert and Arabie (1985) by the table of Steinley (2004): rows 0 0 0 1 1 1 against 0 0 1 1 2 2
    a, b = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 2, 2])
    together, rows, columns, pairs = 2, 6, 3, 15
    expected = (together - rows * columns / pairs) / ((rows + columns) / 2 - rows * columns / pairs)
    assert adjusted_rand(a, b, np.ones(6)) == pytest.approx(expected)
    # a point that stands for three units is three points
    assert adjusted_rand(np.array([0, 1]), np.array([0, 1]), np.array([3.0, 2.0])) == 1.0


def test_agreement_of_unrelated_labels_is_zero_on_average() -> None:
    chance = np.random.default_rng(1)
    found = [adjusted_rand(chance.integers(0, 3, 300), chance.integers(0, 4, 300), np.ones(300)) for _ in range(50)]
    assert abs(float(np.mean(found))) < 0.01


def test_separate_clouds_are_told_apart() -> None:
    chance = np.random.default_rng(2)
    truth = np.repeat([0, 1, 2], 100)
    points = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]])[truth] + chance.standard_normal((300, 2))
    labels, centers = k_means(points, np.ones(300), 3)
    assert adjusted_rand(truth, labels, np.ones(300)) > 0.97
    assert sorted(np.round(centers.sum(axis=1) / 6).tolist()) == [0, 1, 1]


@pytest.fixture(scope="module")
def two_kinds() -> pd.DataFrame:
    """500 units that come on most days and buy, 1500 that came once or twice."""
    chance = np.random.default_rng(4)
    rows = []
    for i in range(2000):
        is_regular = i < 500
        for day in chance.choice(
            28, 14 + int(chance.integers(0, 5)) if is_regular else int(chance.integers(1, 3)), False
        ):
            for k in range(int(chance.integers(1, 4))):
                rows.append((f"u{i}", "looked", day, k))
            if is_regular and chance.random() < 0.3:
                rows.append((f"u{i}", "order_completed", day, 5))
    frame = pd.DataFrame(rows, columns=["user_id", "event", "day", "minute"])
    frame["time"] = pd.Timestamp("2026-10-05 12:00", tz="UTC") + pd.to_timedelta(
        frame["day"] * 1440 + frame["minute"], unit="min"
    )
    frame["revenue"] = np.where(frame["event"] == "order_completed", 10.0, np.nan)
    return frame[["user_id", "event", "time", "revenue"]]


def test_planted_kinds_of_users_are_stable_groups_with_a_rule(two_kinds: pd.DataFrame) -> None:
    with open_frame(two_kinds) as log:
        found = measure_behavior(log, measure_days(log), conversion="order_completed")
    assert found.units == 2000
    assert sum(each.units for each in found.segments) == 2000
    assert found.stability is not None
    assert found.stability >= STABLE
    regular = [each for each in found.segments if each.center[1] > 10]
    assert sum(each.units for each in regular) == pytest.approx(500, abs=10)
    for each in found.segments:
        assert min(each.fidelity) > 0.5
        assert "day" in each.rule or "conversion" in each.rule


def test_recency_frequency_money_add_up(two_kinds: pd.DataFrame) -> None:
    with open_frame(two_kinds) as log:
        found = measure_behavior(log, measure_days(log), conversion="order_completed")
    assert sum(each.units for each in found.rfm) == 2000
    assert sum(each.money or 0 for each in found.rfm) == pytest.approx(two_kinds["revenue"].sum())
    assert {each.monetary for each in found.rfm} == {"several", "one", "none"}


def test_the_same_events_give_the_same_groups(log: EventLog) -> None:
    days = measure_days(log)
    assert measure_behavior(log, days, seed=3) == measure_behavior(log, days, seed=3)
