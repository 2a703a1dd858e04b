"""Sampled units against pandas on the same rows: values, maturity, mixed units, and how many are drawn."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from paribus.errors import InputError
from paribus.metrics.definition import Cap, Covariate, DataModel, EventSource, Exposures, Metric, MetricType, UnitTable
from paribus.metrics.unit_rows import unit_rows
from paribus.warehouse import open_engine

START = datetime(2026, 3, 2)


@pytest.fixture
def table():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "u": [f"u{i:04}" for i in range(1000)],
            "v": np.where(rng.random(1000) < 0.5, "control", "treatment"),
            "y": rng.normal(5, 2, 1000).round(3),
            "before": rng.normal(size=1000).round(3),
            "device": rng.choice(["mobile", "desktop"], 1000),
        }
    )
    frame.loc[3, "y"] = np.nan
    frame.loc[len(frame)] = {"u": "u0007", "v": "control", "y": 1.0, "before": 0.0, "device": "mobile"}
    frame.loc[len(frame)] = {"u": "u0007", "v": "treatment", "y": 1.0, "before": 0.0, "device": "mobile"}
    return frame


def test_a_table_gives_each_usable_unit_once(table):
    metric = Metric("y", MetricType.MEAN, value="y", cap=Cap(upper=6.0), covariates=(Covariate(value="before"),))
    engine = open_engine(None, frames={"f": table})
    model = DataModel(units=UnitTable("f", "u", "v"))
    found = unit_rows(engine, model, metric, ["control", "treatment"], ["device"])
    kept = table.drop_duplicates().groupby("u").filter(lambda g: g["v"].nunique() == 1).dropna().sort_values("u")
    assert found.total == len(found.outcome) == len(kept) == 998
    assert found.variants == tuple(kept["v"])
    assert found.attributes["device"] == tuple(kept["device"])
    np.testing.assert_allclose(found.outcome, kept["y"].clip(upper=6.0))
    np.testing.assert_allclose(found.covariates["x1"], kept["before"])
    assert "u0001" not in found.statement


def test_a_sample_has_at_most_what_was_asked_and_is_the_same_again(table):
    metric = Metric("y", MetricType.MEAN, value="y")
    engine = open_engine(None, frames={"f": table})
    model = DataModel(units=UnitTable("f", "u", "v"))

    def drawn(seed):
        return unit_rows(engine, model, metric, ["control", "treatment"], ["device"], most=300, seed=seed)

    first, again, other = drawn(1), drawn(1), drawn(2)
    assert first.total == 998
    assert len(first.outcome) == 998 // 4 + (998 % 4 >= 1)
    np.testing.assert_array_equal(first.outcome, again.outcome)
    assert not np.array_equal(first.outcome, other.outcome)


def test_of_exposures_only_matured_units_of_one_variant_are_drawn():
    exposures = pd.DataFrame(
        [
            ("a", "control", START, "SPLIT", "mobile"),
            ("b", "treatment", START, "SPLIT", "desktop"),
            ("b", "treatment", START + timedelta(hours=1), "SPLIT", "mobile"),
            ("c", "control", START, "SPLIT", "mobile"),
            ("c", "treatment", START + timedelta(hours=1), "SPLIT", "mobile"),
            ("d", "treatment", START + timedelta(days=9), "SPLIT", "mobile"),
            ("e", "treatment", START, "OVERRIDE", "mobile"),
        ],
        columns=["u", "v", "t", "reason", "device"],
    )
    orders = pd.DataFrame(
        [
            ("a", START + timedelta(days=1), 3.0),
            ("a", START + timedelta(days=6), 4.0),
            ("a", START + timedelta(days=8), 100.0),
            ("a", START - timedelta(days=1), 7.0),
            ("b", START - timedelta(days=2), 9.0),
        ],
        columns=["u", "t", "revenue"],
    )
    model = DataModel(
        exposures=Exposures("x", "u", "v", "t", reason="reason"), events={"orders": EventSource("o", "u", "t")}
    )
    metric = Metric(
        "revenue", MetricType.MEAN, source="orders", value="revenue", window_days=7, covariates=(Covariate(days=14),)
    )
    engine = open_engine(None, frames={"x": exposures, "o": orders})
    found = unit_rows(engine, model, metric, ["control", "treatment"], ["device"], as_of=START + timedelta(days=10))
    assert found.total == 2
    assert found.variants == ("control", "treatment")
    assert found.attributes == {"device": ("mobile", "desktop")}
    assert found.outcome.tolist() == [7.0, 0.0]
    assert found.covariates["x1"].tolist() == [7.0, 9.0]


def test_a_ratio_and_randomized_clusters_are_refused(table):
    engine = open_engine(None, frames={"f": table})
    ratio = Metric("r", MetricType.RATIO, value="y", denominator="before")
    with pytest.raises(InputError, match="no value for each unit"):
        unit_rows(engine, DataModel(units=UnitTable("f", "u", "v")), ratio, ["control"], ["device"])
    mean = Metric("y", MetricType.MEAN, value="y")
    with pytest.raises(InputError, match="clusters were randomized"):
        unit_rows(engine, DataModel(units=UnitTable("f", "u", "v", cluster="device")), mean, ["control"], ["device"])
