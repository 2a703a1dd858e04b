"""The margin of a latency guardrail follows the days that the plan has, where nobody stated it."""

from __future__ import annotations

from collections.abc import Collection

from paribus.workflow.designing.margins import with_latency_margins

P95 = {"name": "p95_seconds", "type": "quantile", "role": "guardrail", "direction": "decrease", "margin": 0.1}
BODY = {"metrics": [{"name": "orders", "type": "proportion"}, P95], "plan": {"runtime_days": 14}}


def margin_of(asked: int, stated: Collection[str] = ()) -> tuple[float, tuple[str, ...]]:
    """Of a plan in whose days 3,500 units can be read."""
    body, notes = with_latency_margins(BODY, stated, {"orders": 9000, "p95_seconds": asked}, 3500.0)
    assert body["metrics"][0] == BODY["metrics"][0]
    return body["metrics"][1]["margin"], notes


def test_a_tenth_where_the_days_show_it() -> None:
    assert margin_of(3500) == (0.1, ())


def test_the_smallest_that_the_days_show_where_they_do_not() -> None:
    margin, notes = margin_of(7000)  # twice as many units as can be read: the square root of two
    assert margin == 0.15
    assert notes == (
        "p95_seconds may rise by 15% at most: 10% would take 7,000 units, and 3,500 can be read when the planned days "
        "are over.",
    )
    assert margin_of(1_000_000)[0] == 0.5


def test_a_stated_margin_stays() -> None:
    assert margin_of(7000, {"p95_seconds"}) == (0.1, ())
