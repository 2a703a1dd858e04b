"""Effects by days since exposure: against pandas, and on worlds in which the effect fades, or does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from tests.experiments.simulated import design

from paribus.experiments.analysis import analyze
from paribus.experiments.novelty import measure_windows, novelty, windows
from paribus.experiments.plan import Method, Plan
from paribus.experiments.report.document import full
from paribus.experiments.result import Result
from paribus.experiments.verify import verify
from paribus.metrics.definition import DataModel, EventSource, Exposures, Metric, MetricType
from paribus.stats.estimate import Estimate
from paribus.warehouse import open_engine

START = datetime(2026, 3, 2)
REVENUE = Metric("revenue", MetricType.MEAN, source="orders", value="amount", window_days=14)
MODEL = DataModel(
    exposures=Exposures("exposures", "unit", "variant", "at"), events={"orders": EventSource("orders", "unit", "at")}
)


def world(seed: int, lift_by_day: np.ndarray, units: int = 3000) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Units exposed over ten days; each buys at a falling rate by day since exposure, treatment times 1 + lift."""
    rng = np.random.default_rng(seed)
    at = START + pd.to_timedelta(rng.uniform(0, 10 * 86_400, units), unit="s")
    treated = rng.integers(0, 2, units)
    rate = 0.6 * 0.85 ** np.arange(len(lift_by_day)) * (1 + treated[:, None] * lift_by_day)
    bought = rng.poisson(rate * rng.gamma(4, 0.25, units)[:, None])
    who, day = np.nonzero(bought)
    who, day = (np.repeat(a, bought[who, day]) for a in (who, day))
    when = at[who] + pd.to_timedelta((day + rng.random(len(day))) * 86_400, unit="s")
    exposures = pd.DataFrame(
        {"unit": [f"u{i}" for i in range(units)], "variant": np.where(treated, "treatment", "control"), "at": at}
    )
    orders = pd.DataFrame({"unit": [f"u{i}" for i in who], "at": when, "amount": rng.gamma(3, 1, len(who))})
    return exposures, orders


def view(
    exposures: pd.DataFrame, orders: pd.DataFrame, metric: Metric = REVENUE, plan: Plan | None = None, days: int = 30
):
    engine = open_engine(frames={"exposures": exposures, "orders": orders}, threads=1)
    try:
        made = design(metric, plan=plan)
        measured = measure_windows(made, MODEL, engine, as_of=START + timedelta(days=days))
        return () if measured is None else novelty(made, measured.windows)
    finally:
        engine.close()


def test_every_point_is_the_lift_of_the_same_units_over_its_days() -> None:
    exposures, orders = world(1, np.full(14, 0.1))
    (found,) = view(exposures, orders)
    assert [p.days for p in found.points] == [1, 2, 3, 7, 14]
    assert found.units == len(exposures)
    joined = orders.merge(exposures, on="unit", suffixes=("", "_exposed"))
    since = (joined["at"] - joined["at_exposed"]) / pd.Timedelta(days=1)
    size = exposures.groupby("variant").size()
    for point in found.points:
        total = joined[(since >= 0) & (since < point.days)].groupby("variant")["amount"].sum() / size
        assert isinstance(point.effect, Estimate)
        assert point.effect.value == pytest.approx(total["treatment"] / total["control"] - 1)


def test_an_effect_of_the_first_day_is_seen_to_fade() -> None:
    lift = np.zeros(14)
    lift[0] = 0.8
    (found,) = view(*world(2, lift, 6000))
    assert isinstance(found.change, Estimate)
    assert found.change.upper < 0
    assert "the effect fades" in found.sentence
    assert "the same 6,000 units" in found.sentence


def test_a_constant_lift_of_falling_activity_is_no_fading() -> None:
    shown = 0
    for seed in range(12):
        (found,) = view(*world(seed, np.full(14, 0.3), 1500))
        assert isinstance(found.change, Estimate)
        assert found.change.lower <= found.change.value <= found.change.upper
        shown += found.change.lower > 0 or found.change.upper < 0
    assert shown <= 1
    assert "that is no evidence of fading or growing" in found.sentence or shown


def test_units_whose_longest_window_is_open_are_in_no_point() -> None:
    exposures, orders = world(3, np.full(14, 0.1))
    (found,) = view(exposures, orders, days=19)
    closed = (exposures["at"] < START + timedelta(days=5)).sum()
    assert found.units == closed
    # without a window of its own the longest that half of the units have closed
    (open_ended,) = view(exposures, orders, replace(REVENUE, window_days=None), days=19)
    assert [p.days for p in open_ended.points] == [1, 2, 3, 7, 14]
    assert view(exposures, orders, days=10) == ()


def test_a_sequential_plan_has_intervals_that_hold_at_any_time() -> None:
    frames = world(4, np.full(14, 0.1))
    (once,), (always,) = (view(*frames, plan=plan) for plan in (None, Plan(method=Method.ANYTIME, n_opt=3000)))
    for a, b in zip(once.points, always.points, strict=True):
        assert isinstance(a.effect, Estimate)
        assert isinstance(b.effect, Estimate)
        assert b.effect.upper - b.effect.lower > 1.3 * (a.effect.upper - a.effect.lower)


def test_what_does_not_add_up_over_days_is_not_followed() -> None:
    share = Metric("bought", MetricType.PROPORTION, source="orders", window_days=14)
    assert view(*world(5, np.zeros(14), 200), metric=share) == ()
    assert windows(replace(REVENUE, window_days=5)) == (1, 2, 3, 5)


def test_a_result_carries_the_view_when_asked_and_verifies() -> None:
    exposures, orders = world(6, np.full(14, 0.1), 1500)
    made = design(REVENUE)
    engine = open_engine(frames={"exposures": exposures, "orders": orders}, threads=1)
    try:
        plain, asked = (
            analyze(made, MODEL, engine, as_of=START + timedelta(days=30), since_exposure=wanted)
            for wanted in (False, True)
        )
    finally:
        engine.close()
    assert plain.novelty == ()
    assert plain.comparisons == asked.comparisons
    (found,) = asked.novelty
    shown = ["".join(span.text for span in line) for line in full(asked, 10_000)]
    assert any(found.sentence in line for line in shown)
    document = asked.to_dict()
    assert Result.from_dict(document).novelty[0].points == found.points
    assert verify(document).inference == "verified"
    document["novelty"][0]["points"][0]["effect"]["value"] += 0.01
    assert verify(document).inference == "differs"
