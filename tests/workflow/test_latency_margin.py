"""The margin of a latency guardrail follows the days that the plan has, where nobody stated it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from paribus.workflow.designing.margins import with_latency_margins

P95 = {"name": "p95_seconds", "type": "quantile", "role": "guardrail", "direction": "decrease", "margin": 0.1}
BODY = {"metrics": [{"name": "orders", "type": "proportion"}, P95], "plan": {"runtime_days": 14}}


@dataclass
class Sized:
    """What the margin follows from: 500 units a day, a window of a week, and units asked for by metric."""

    by_metric: dict[str, int]
    window: int = 7
    baselines: tuple[Any, ...] = ()

    @staticmethod
    def arrivals(day: float) -> float:
        return 500 * day


@dataclass
class Stated:
    metric: str
    definition: dict[str, Any]


def margin_of(asked: int, baselines: tuple[Any, ...] = ()) -> tuple[float, tuple[str, ...]]:
    sized = Sized({"orders": 2000, "p95_seconds": asked}, baselines=baselines)
    body, notes = with_latency_margins(BODY, sized, sized, sized)  # type: ignore[arg-type]
    return body["metrics"][1]["margin"], notes


def test_a_tenth_where_the_days_show_it() -> None:
    assert margin_of(3500) == (0.1, ())


def test_the_smallest_that_the_days_show_where_they_do_not() -> None:
    margin, notes = margin_of(7000)  # twice as many units as can be read: the square root of two
    assert margin == 0.15
    assert notes == (
        "p95_seconds may rise by 15% at most: 10% would take 7,000 units, and 3,500 can be read after 14 days.",
    )
    assert margin_of(1_000_000)[0] == 0.5


@pytest.mark.parametrize(("stated", "margin"), [({"margin": 0.1}, 0.1), ({}, 0.15)])
def test_a_stated_margin_stays(stated: dict[str, Any], margin: float) -> None:
    assert margin_of(7000, (Stated("p95_seconds", stated),))[0] == margin
