"""Days, engagement, retention, journeys and baselines against the same counts made with pandas."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from tests.exploration.shopping import FUNNEL

from paribus.exploration.baseline import Stretch, measure_baselines, stretch_of
from paribus.exploration.days import arrivals, measure_days
from paribus.exploration.engagement import measure_engagement, measure_retention
from paribus.exploration.event_log import EventLog
from paribus.exploration.metric_choice import metrics_of
from paribus.exploration.opening import open_frame
from paribus.exploration.path import END, measure_paths
from paribus.exploration.pattern import measure_patterns


@pytest.fixture(scope="module")
def read(events: pd.DataFrame) -> pd.DataFrame:
    """The events of the 28 whole days, with their day and the seconds since the start."""
    start = events["time"].dt.floor("D").min()
    dated = events.assign(day=(events["time"].dt.floor("D") - start).dt.days)
    return dated[dated["day"] < 28]


def test_days_are_counted_and_the_open_one_is_left_out(log: EventLog, read: pd.DataFrame) -> None:
    days = measure_days(log)
    assert (days.start, days.end, days.count) == ("2026-10-05", "2026-11-02", 28)
    for name in FUNNEL:
        assert days.of(name).tolist() == read[read["event"] == name].groupby("day").size().tolist()
    assert days.active.tolist() == read.groupby("day")["user_id"].nunique().tolist()
    firsts = read.groupby("user_id")["day"].min()
    assert days.new.tolist() == firsts.value_counts().sort_index().tolist()
    assert days.weekday()[0] == 0  # a Monday
    came, _ = arrivals(log, days.first + 7, days.until)
    later = read[read["day"] >= 7].groupby("user_id")["day"].min()
    assert list(came) == later.value_counts().sort_index().tolist()


def test_engagement(log: EventLog, read: pd.DataFrame) -> None:
    found = measure_engagement(log, measure_days(log))
    daily = read.groupby("day")["user_id"].nunique()
    assert found.daily == pytest.approx(daily.mean())
    assert found.weekly == read[read["day"] >= 21]["user_id"].nunique()
    assert found.monthly == read["user_id"].nunique()
    assert found.stickiness == pytest.approx(daily.mean() / read["user_id"].nunique())
    visits = read.groupby("session_id")["time"].agg(["min", "max", "size"])
    several = (visits["max"] - visits["min"]).dt.total_seconds()[visits["size"] > 1]
    assert found.visits == len(visits)
    assert found.session_median == pytest.approx(several.median())
    assert found.session_mean == pytest.approx(several.mean())
    assert found.bounced == pytest.approx((visits["size"] == 1).mean())
    spread = read.groupby("user_id")["day"].nunique()
    assert found.active_days[0] == pytest.approx((spread == 1).mean())


def test_retention_shows_only_cells_that_could_be_observed(log: EventLog, read: pd.DataFrame) -> None:
    found = measure_retention(log, measure_days(log))
    first = read.groupby("user_id")["day"].min()
    both = read.assign(first=read["user_id"].map(first))
    both = both.assign(cohort=both["first"] // 7, later=(both["day"] - both["first"]) // 7)
    grid = both.groupby(["cohort", "later"])["user_id"].nunique()
    assert found.sizes == tuple(grid[c, 0] for c in range(4))
    for c in range(4):
        for k in range(1, 4 - c):
            # the cohort's last unit came on day 7c + 6: its week k ends on day 7c + 6 + 7k + 6
            is_seen = 7 * c + 6 + 7 * k + 6 < 28
            assert found.active[c][k] == (grid[c, k] if is_seen else None)
    assert found.share(0, 1) == pytest.approx(grid[0, 1] / grid[0, 0])


def test_journeys(log: EventLog, read: pd.DataFrame) -> None:
    found = measure_paths(log, measure_days(log))
    pairs: Counter[tuple[str, str]] = Counter()
    flows: Counter[tuple[int, str, str]] = Counter()
    for _, visit in read.sort_values(["time", "event"]).groupby("session_id"):
        names = visit["event"].tolist()
        pairs.update(zip(names, [*names[1:], END], strict=True))
        turns = [name for i, name in enumerate(names) if i == 0 or names[i - 1] != name][:5]
        flows.update((i + 1, a, b) for i, (a, b) in enumerate(zip(turns[:4], [*turns[1:], END], strict=False)))
    assert {(t.event, t.following): t.count for t in found.transitions} == dict(pairs)
    assert {(f.place, f.event, f.following): f.visits for f in found.flows} == dict(flows)
    assert found.visits == read["session_id"].nunique()


def test_without_a_session_a_gap_of_half_an_hour_ends_the_visit() -> None:
    at = pd.to_datetime(["2026-10-05 10:00", "2026-10-05 10:29", "2026-10-05 11:00", "2026-10-05 10:00"], utc=True)
    frame = pd.DataFrame({"user_id": ["u", "u", "u", "v"], "event": list("abca"), "time": at})
    with open_frame(frame) as log:
        rows = log.query(f"SELECT unit, visit, COUNT(*) AS n FROM {log.visits()} GROUP BY unit, visit").rows
    assert sorted(row[2] for row in rows) == [1, 1, 2]


def test_baselines_are_what_an_experiment_would_have_measured(log: EventLog, read: pd.DataFrame) -> None:
    days = measure_days(log)
    stretch = stretch_of(days)
    assert stretch == Stretch(days.first + 7, days.first + 22, 7, 7)
    definitions = metrics_of(log, "order_completed", stretch.window, {})
    rate, money = measure_baselines(log, days, stretch, definitions)
    assert rate.definition == {
        "name": "order_completed",
        "type": "proportion",
        "role": "success",
        "event": "order_completed",
        "window_days": 7,
    }
    entered = read[read["day"].between(7, 21)].groupby("user_id")["time"].min()
    orders = read[read["event"] == "order_completed"]
    orders = orders.assign(since=orders["time"] - orders["user_id"].map(entered))
    week = pd.Timedelta(days=7)
    after = orders[(orders["since"] >= pd.Timedelta(0)) & (orders["since"] < week)]
    before = orders[(orders["since"] < pd.Timedelta(0)) & (orders["since"] >= -week)]
    y = after.groupby("user_id")["revenue"].sum().reindex(entered.index, fill_value=0.0)
    x = before.groupby("user_id")["revenue"].sum().reindex(entered.index, fill_value=0.0)
    assert money.units == rate.units == len(entered)
    assert rate.mean == pytest.approx((y > 0).mean())
    assert money.mean == pytest.approx(y.mean())
    assert money.sd == pytest.approx(y.std())
    assert money.skew == pytest.approx(((y - y.mean()) ** 3).mean() / y.var(ddof=0) ** 1.5)
    assert money.pre_period_correlation == pytest.approx(np.corrcoef(x, y)[0, 1])
    level = orders.groupby("day")["user_id"].nunique() / read.groupby("day")["user_id"].nunique()
    by_weekday = level.groupby(level.index % 7).mean()
    assert rate.weekly == pytest.approx((by_weekday / by_weekday.mean()).tolist())
    rest = level - level.groupby(level.index % 7).transform("mean")
    assert rate.autocorrelation == pytest.approx(np.corrcoef(rest[:-1], rest[1:])[0, 1])
    per_day = read.assign(y=read["event"] == "order_completed").groupby(["user_id", "day"])["y"].max().astype(float)
    groups = per_day.groupby("user_id")
    k, n = groups.ngroups, len(per_day)
    among = (groups.size() * (groups.mean() - per_day.mean()) ** 2).sum() / (k - 1)
    within = ((per_day - groups.transform("mean")) ** 2).sum() / (n - k)
    size = (n - (groups.size() ** 2).sum() / n) / (k - 1)
    assert rate.intra_unit_correlation == pytest.approx((among - within) / (among + (size - 1) * within))


def test_a_loyal_habit_shows_as_correlation_with_the_days_before() -> None:
    chance = np.random.default_rng(3)
    lovers = chance.random(600) < 0.3
    rows = [
        (f"u{i}", "bought" if chance.random() < (0.6 if lovers[i] else 0.05) else "looked", day, chance.random())
        for i in range(600)
        for day in range(28)
        if chance.random() < 0.5
    ]
    frame = pd.DataFrame(rows, columns=["user_id", "event", "day", "hour"])
    frame["time"] = pd.Timestamp("2026-10-05", tz="UTC") + pd.to_timedelta(frame["day"] + frame["hour"], unit="D")
    with open_frame(frame[["user_id", "event", "time"]]) as log:
        days = measure_days(log)
        stretch = stretch_of(days)
        assert stretch is not None
        (found,) = measure_baselines(
            log, days, stretch, [{"name": "n", "type": "count", "role": "success", "event": "bought"}]
        )
    assert found.pre_period_correlation is not None
    assert found.pre_period_correlation > 0.5
    assert found.intra_unit_correlation is not None
    assert found.intra_unit_correlation > 0.3


def test_a_bad_day_cuts_the_stretch() -> None:
    from tests.exploration.test_anomaly import days_of

    days = days_of(np.full((1, 28), 100.0))
    assert stretch_of(days, [days.first + 20]) == Stretch(days.first + 4, days.first + 14, 7, 4)


def test_a_planted_habit_is_found(events: pd.DataFrame) -> None:
    chance = np.random.default_rng(5)
    buyers = set(events[events["event"] == "order_completed"]["user_id"])
    starts = events[events["event"] == "session_started"].drop_duplicates("user_id")
    wishes = starts[[chance.random() < (0.35 if unit in buyers else 0.1) for unit in starts["user_id"]]]
    planted = wishes.assign(event="wish_saved", time=wishes["time"] + pd.Timedelta(seconds=1))
    with open_frame(pd.concat([events, planted], ignore_index=True)) as log:
        found = measure_patterns(log, measure_days(log), conversion="order_completed", funnel=FUNNEL)
    assert found.signs[0].event == "wish_saved"
    first = sum(u in buyers for u in wishes["user_id"]) / len(wishes)
    assert found.signs[0].rate_with == pytest.approx(first, abs=0.02)


def test_hours_and_weekdays(log: EventLog, read: pd.DataFrame) -> None:
    found = measure_patterns(log, measure_days(log))
    assert list(found.hours) == pytest.approx(
        read["time"].dt.hour.value_counts(normalize=True).reindex(range(24), fill_value=0.0).tolist()
    )
    daily = read.groupby("day")["user_id"].nunique()
    weekly = daily.groupby(daily.index % 7).mean()
    assert list(found.weekdays) == pytest.approx((weekly / weekly.mean()).tolist())
    assert max(found.weekdays[5:]) < min(found.weekdays[:5])  # fewer come at weekends
