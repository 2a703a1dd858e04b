"""Funnels against a slow reading of their definition, entry by entry."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.exploration.shopping import FUNNEL

from paribus.errors import InputError
from paribus.exploration.event_log import EventLog
from paribus.exploration.funnel import measure_funnel, segment_counts
from paribus.exploration.opening import open_frame

MINUTE = 60_000_000
Event = tuple[str, str, int]


def reached_by(
    events: Sequence[Event], steps: Sequence[str], window: int, exclude: Sequence[str]
) -> tuple[list[int], list[list[int]]]:
    """Units at each step, and the times from entry to each step of those units; from the definition's words."""
    units: dict[str, list[tuple[str, int]]] = {}
    for unit, name, at in events:
        units.setdefault(unit, []).append((name, at))
    counts = [0] * len(steps)
    times: list[list[int]] = [[] for _ in steps]
    for rows in units.values():
        firsts: list[tuple[int, int] | None] = [None] * len(steps)  # end of the success, minus its entry
        for entry in [at for name, at in rows if name == steps[0]]:
            at = entry
            for k, step in enumerate(steps):
                if k:
                    is_again = step in steps[:k]
                    later = [t for name, t in rows if name == step and (t > at if is_again else t >= at)]
                    if not later:
                        break
                    at = min(later)
                    broken = any(name in exclude and entry < t <= at for name, t in rows)
                    if at - entry > window or broken:
                        break
                found = (at, -entry)
                if firsts[k] is None or found < firsts[k]:
                    firsts[k] = found
        for k, first in enumerate(firsts):
            if first is not None:
                counts[k] += 1
                times[k].append(first[0] + first[1])
    return counts, times


def frame(events: Sequence[Event]) -> pd.DataFrame:
    rows = [(unit, name, pd.Timestamp(at, unit="us", tz="UTC")) for unit, name, at in events]
    return pd.DataFrame(rows, columns=["user_id", "event", "time"])


one = st.tuples(st.sampled_from("stuv"), st.sampled_from("abcx"), st.integers(0, 12).map(lambda m: m * MINUTE))


@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(one, min_size=1, max_size=40),
    steps=st.sampled_from([("a", "b"), ("a", "b", "c"), ("a", "a", "b"), ("a", "b", "a")]),
    window=st.integers(1, 8),
    excludes=st.booleans(),
)
def test_any_funnel_is_what_its_definition_says(
    rows: list[Event], steps: tuple[str, ...], window: int, excludes: bool
) -> None:
    every = [*rows, *(("w", name, 0) for name in "abcx")]  # so that every name occurs
    exclude = ("x",) if excludes else ()
    counts, times = reached_by(every, steps, window * MINUTE, exclude)
    with open_frame(frame(every)) as log:
        found = measure_funnel(log, steps, window_hours=window / 60, exclude=exclude)
    assert list(found.reached) == counts
    for k in range(1, len(steps)):
        median = found.median_seconds[k]
        assert (median is None) == (not times[k])
        if median is not None:
            assert median == pytest.approx(float(pd.Series(times[k]).median()) / 1e6)


def test_events_at_one_instant_follow_each_other_in_the_order_of_the_funnel() -> None:
    with open_frame(frame([("u", "b", 0), ("u", "a", 0), ("v", "a", 5), ("v", "b", 4)])) as log:
        assert measure_funnel(log, ("a", "b")).reached == (2, 1)


def test_a_row_serves_one_step_only() -> None:
    with open_frame(frame([("u", "a", 0), ("v", "a", 0), ("v", "a", MINUTE)])) as log:
        assert measure_funnel(log, ("a", "a")).reached == (2, 1)


def test_an_exclusion_breaks_the_attempt_but_not_the_next_one() -> None:
    rows = [("u", "a", 0), ("u", "x", 1), ("u", "b", 2), ("v", "a", 0), ("v", "x", 1), ("v", "a", 2), ("v", "b", 3)]
    with open_frame(frame(rows)) as log:
        assert measure_funnel(log, ("a", "b"), exclude=("x",)).reached == (2, 1)
        assert measure_funnel(log, ("a", "b")).reached == (2, 2)


def test_counts_by_segment_add_up_and_equal_those_of_the_segment_alone(log: EventLog, events: pd.DataFrame) -> None:
    whole = measure_funnel(log, FUNNEL, attributes=log.attributes)
    assert {each.name for each in whole.attributes} == {"device", "country", "returning"}
    alone = events[(events["device"] == "mobile") & events["returning"]]
    with open_frame(alone[["user_id", "event", "time"]]) as part:
        expected = measure_funnel(part, FUNNEL).reached
    assert segment_counts(whole, {"device": "mobile", "returning": "true"}) == expected
    assert segment_counts(whole, {}) == whole.reached


def test_days_bound_the_entries_and_days_left_out_have_none(log: EventLog, events: pd.DataFrame) -> None:
    first = events["time"].dt.floor("D").min()
    day = int(first.timestamp() // 86400)
    found = measure_funnel(log, FUNNEL, days=(day + 2, day + 9), leave_out=(day + 4,))
    entries = events[events["event"] == FUNNEL[0]]
    offset = (entries["time"].dt.floor("D") - first).dt.days
    assert found.reached[0] == entries[offset.between(2, 8) & (offset != 4)]["user_id"].nunique()


def test_what_cannot_be_a_funnel_is_refused(log: EventLog) -> None:
    with pytest.raises(InputError, match="at least two"):
        measure_funnel(log, ("session_started",))
    with pytest.raises(InputError, match="order_complete") as caught:
        measure_funnel(log, ("session_started", "order_complete"))
    assert "order_completed" in (caught.value.fix or "")
    with pytest.raises(InputError, match="excluded"):
        measure_funnel(log, FUNNEL, exclude=("cart_item_added",))
