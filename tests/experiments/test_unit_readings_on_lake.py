"""Units of an experiment on a flag as rows, against those that pandas works out from the rows that were sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.experiments.lake_files import START, Shop, first_exposures, per_unit

from paribus.experiments.document import load
from paribus.experiments.on_lake import Snapshot, analyze_on_lake, lake_engine
from paribus.experiments.plan import Design
from paribus.experiments.proof import read_proof
from paribus.experiments.sensitivity import sensitivity
from paribus.experiments.unit_readings import UnitReadings, unit_readings
from paribus.metrics.definition import DataModel
from paribus.stats.estimate import Estimate
from paribus.warehouse.engine import Engine

DOCUMENT = """
paribus: 1
experiment: new-checkout
flag: new-checkout
interference: none because each user meets only their own variant
variants: {control: 50, treatment: 50}
metrics:
  - {name: revenue, event: order_completed, type: mean, value: revenue, window_days: 3}
  - {name: orders, event: order_completed, type: proportion, window_days: 3, covariates: [{days: 7}]}
segments: [country]
plan: {method: METHOD, start: 2026-03-02, looks: [5, 12]}
"""
AS_OF = START + timedelta(days=8)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    built = Shop(tmp_path_factory.mktemp("lake"))
    for day in range(4):
        built.day(day, 200, first_unit=200 * day, effect=0.3)
    built.write()
    return built


@pytest.fixture(scope="module")
def found(shop: Shop) -> UnitReadings:
    document = load(DOCUMENT.replace("METHOD", "group_sequential"), name="new-checkout")
    snapshot = Snapshot(Path(shop.folder), "table-1", 17, tuple(shop.files), AS_OF, 840.0)
    result = analyze_on_lake(document, snapshot, threads=1)
    assert sensitivity(result).readings
    proof = read_proof(result.proof)
    assert proof.data is not None

    @contextmanager
    def opened(design: Design, data: DataModel) -> Iterator[Engine]:
        with lake_engine(design, data, snapshot) as engine:
            yield engine

    return unit_readings(proof, proof.data, opened, quantiles=[0.5, 0.9])


def values(shop: Shop) -> pd.DataFrame:
    """Revenue of the units whose three days had closed at the look on day 5."""
    look = START.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=5)
    units = first_exposures(shop.rows, as_of=look)
    units = units[units["t0"] + timedelta(days=3) <= look]
    return units.assign(y=per_unit(shop.rows, units, "order_completed", days=3, as_of=look, value="revenue"))


def test_the_units_are_those_whose_windows_had_closed_at_the_look(shop: Shop, found: UnitReadings) -> None:
    expected = values(shop)
    assert [(d.units, d.total) for d in found.draws] == [(len(expected), len(expected))] * 2
    assert len(expected) < 800
    for variant in ("control", "treatment"):
        own = expected.y[expected.variant == variant]
        for told in (q for q in found.quantiles if q.variant == variant):
            assert told.units == len(own)
            assert told.value == pytest.approx(np.quantile(own, told.quantile), rel=1e-12)


def test_only_what_holds_at_any_look_is_read(found: UnitReadings) -> None:
    assert found.readings
    assert all(r.at_any_time for r in found.readings)
    assert {r.metric for r in found.readings if isinstance(r.effect, Estimate)} >= {"revenue"}
    assert not found.left_out
