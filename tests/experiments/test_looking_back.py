"""Metrics without a window: every look shows what was known then, as a reading at that time did."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest
from tests.experiments.lake_files import START, Shop

from paribus.experiments.document import load
from paribus.experiments.on_lake import Snapshot, analyze_on_lake, measure_proof_again
from paribus.experiments.result import CurvePoint, Result
from paribus.experiments.verify import verify
from paribus.stats.estimate import Estimate

DAYS = 6
DOCUMENT = """
paribus: 1
experiment: new-checkout
flag: new-checkout
interference: none because each user meets only their own variant
variants: {{control: 50, treatment: 50}}
metrics:
  - {{name: items, event: order_completed, type: mean, value: items, covariates: [{{days: 7}}]}}
  - {{name: errors, event: error, type: count, role: guardrail, direction: decrease, margin: {{absolute: 0.5}}}}
  - {{name: orders, event: order_completed, type: proportion, window_days: 1, role: secondary}}
{plan}
"""
ANYTIME = "plan: {method: anytime}"
SEQUENTIAL = "plan: {method: group_sequential, start: 2026-03-02, looks: [3, 5], planned_units: 1200}"
FIXED = "plan: {method: fixed, start: 2026-03-02, runtime_days: 5}"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    built = Shop(tmp_path_factory.mktemp("lake"))
    for day in range(DAYS):
        built.day(day, 200, first_unit=200 * day, effect=0.3)
    for unit in range(0, 1000, 97):  # met a second variant days later: a unit of the earlier looks
        for variant in ("control", "treatment"):
            built.expose(f"u{unit}", variant, START + timedelta(days=4.5))
    built.write()
    return built


def read(shop: Shop, plan: str, at: datetime) -> Result:
    snapshot = Snapshot(shop.folder, "table-1", 1, tuple(shop.files), at, 840.0)
    return analyze_on_lake(load(DOCUMENT.format(plan=plan), name="e"), snapshot, threads=1)


def points(result: Result, metric: str) -> Mapping[str, CurvePoint]:
    return {point.day.isoformat(): point for point in result.curve if point.metric == metric}


def test_an_earlier_look_is_what_a_reading_at_that_time_showed(shop: Shop) -> None:
    result = read(shop, ANYTIME, START + timedelta(days=DAYS + 2))
    assert [s.name for s in result.statements].count("cutoffs") == 1
    for metric in ("items", "errors"):
        now = points(result, metric)
        for day in (2, 5):
            then = points(read(shop, ANYTIME, START + timedelta(days=day)), metric)
            label = (START + timedelta(days=day - 1)).date().isoformat()
            assert now[label].units == then[label].units
            for side in ("absolute", "relative"):
                one, other = getattr(now[label], side), getattr(then[label], side)
                if isinstance(other, Estimate):
                    assert (one.value, one.se, one.upper) == pytest.approx((other.value, other.se, other.upper))
                else:
                    assert one == other
    assert not any("window" in note for c in result.comparisons for note in c.notes)
    again = verify(result.to_dict(), remeasure=lambda proof: measure_proof_again(proof, shop.folder))
    assert (again.data, again.exit_code) == ("reproduced", 0), again.text()


@pytest.mark.parametrize(("plan", "end"), [(SEQUENTIAL, 5), (FIXED, 6)])
def test_the_answer_of_a_planned_reading_stays_the_same(shop: Shop, plan: str, end: int) -> None:
    at, later = (read(shop, plan, START + timedelta(days=days)) for days in (end, DAYS + 5))
    assert at.verdict.value == later.verdict.value
    for one, other in zip(at.comparisons, later.comparisons, strict=True):
        assert isinstance(one.absolute, Estimate)
        assert isinstance(other.absolute, Estimate)
        for name in ("value", "se", "lower", "upper", "p_value"):
            assert getattr(one.absolute, name) == pytest.approx(getattr(other.absolute, name), rel=1e-9)
        assert (one.control.value, one.control.units) == (pytest.approx(other.control.value), other.control.units)
