"""Few, odd and stray data: an answer, or a sentence; never a traceback."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.exploration.shopping import visits

from paribus.exploration.exploration import explore
from paribus.exploration.opening import open_frame
from paribus.workflow.artifact import refuse_unsupported
from paribus.workflow.exploring import report
from paribus.workflow.exploring.blocks import blocks_of

HOUR = pd.Timedelta(hours=1)
NOON = pd.Timestamp("2026-10-05 12:00", tz="UTC")


def frame(rows: list[tuple[str, str, pd.Timestamp]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["user_id", "event", "time"])


@pytest.mark.parametrize(
    "rows",
    [
        [("u", "a", NOON)],
        [("u", "a", NOON), ("u", "order_completed", NOON + HOUR)],
        [("u", 'it\'s "odd" → ünïcode', NOON), ("u", "purchase", NOON + HOUR), ("", "", NOON)],
        [("u", "$request", NOON), ("u", "$exposure", NOON)],
        [(f"u{i}", "a", NOON + i * 24 * HOUR) for i in range(5)],
        [(f"u{i}", "purchase", NOON + i * 24 * 40 * HOUR) for i in range(5)],
    ],
    ids=["one", "two", "odd names", "system only", "a day each", "far apart"],
)
def test_little_data_give_a_report(rows: list[tuple[str, str, pd.Timestamp]]) -> None:
    with open_frame(frame(rows)) as log:
        artifact = report(log)
    refuse_unsupported(artifact, {})
    assert blocks_of(artifact)
    assert artifact.summary


def test_a_few_events_with_wrong_clocks_do_not_stretch_the_history() -> None:
    events = visits(1200, seed=5)
    stray = frame([("u1", "product_viewed", pd.Timestamp(at, tz="UTC")) for at in ("1970-01-02", "2037-01-01")])
    with open_frame(pd.concat([events, stray], ignore_index=True)) as log:
        found = explore(log)
    assert (found.days.start, found.days.count) in {("2026-10-05", 28), ("2026-10-05", 29)}
    assert found.days.outside >= 2
    assert not found.bad_days


def test_everybody_is_counted_once_whatever_the_ids_are() -> None:
    chance = np.random.default_rng(1)
    times = NOON + pd.to_timedelta(chance.random(300) * 10, unit="D")
    numbers = pd.DataFrame({"user_id": chance.integers(0, 50, 300), "event": "a", "time": times})
    with open_frame(numbers) as log:
        by_number = explore(log).units
    with open_frame(numbers.assign(user_id=numbers["user_id"].astype(str))) as log:
        by_text = explore(log).units
    assert by_number == by_text == numbers[numbers["time"].dt.floor("D") < times.max().floor("D")]["user_id"].nunique()
