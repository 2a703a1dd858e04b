"""Times by the contract: original, sent, received, corrected, and what cannot be placed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.events.door import NOW, check, decode, records, request

from paribus.events.timing import read_time
from paribus.lake.record import Quarantined, Record, microseconds

HOUR = timedelta(hours=1)


def one(original: Any, sent: Any = None) -> Record | Quarantined:
    event = {"name": "a", "event_id": "e", "time": original}
    (found,) = decode(check(request("/api/v1/events", {"sent_at": sent, "batch": [event]})))
    return found


@pytest.mark.parametrize("offset", [-3 * HOUR, timedelta(minutes=2), timedelta(), -timedelta(days=20)])
def test_a_wrong_clock_is_corrected_by_the_time_it_says_it_sent(offset: timedelta) -> None:
    """The event happened 90 s before it was sent, and arrived at once: so it happened 90 s before the receipt."""
    original, sent = NOW + offset - timedelta(seconds=90), NOW + offset
    record = one(original.isoformat(), sent.isoformat())
    assert isinstance(record, Record)
    assert record.original_time == microseconds(original)
    assert record.sent_time == microseconds(sent)
    assert record.corrected_time == microseconds(NOW - timedelta(seconds=90))


@pytest.mark.parametrize(
    ("offset", "words"),
    [
        (-timedelta(days=365 * 9), "30 days before"),
        (-timedelta(days=30, seconds=1), "30 days before"),
        (timedelta(days=1, seconds=1), "1 day after"),
        (timedelta(days=365 * 200), "1 day after"),
    ],
)
def test_a_time_that_cannot_be_placed_goes_to_quarantine_and_is_kept(offset: timedelta, words: str) -> None:
    found = one((NOW + offset).isoformat())
    assert isinstance(found, Quarantined)
    assert found.reason == "time"
    assert words in found.detail
    assert found.original_time == microseconds(NOW + offset)


@pytest.mark.parametrize("offset", [-timedelta(days=30), timedelta(days=1)])
def test_the_edges_of_the_window_are_inside(offset: timedelta) -> None:
    assert isinstance(one((NOW + offset).isoformat()), Record)


@pytest.mark.parametrize("stated", ["yesterday", "2026-13-45", "12:30", {}, [], True, "9" * 30, -1e300, "NaN"])
def test_what_is_no_time_goes_to_quarantine_with_its_text(stated: Any) -> None:
    checked = check(request("/api/v1/events", {"batch": [{"name": "a", "event_id": "e", "time": stated}]}))
    if checked.rejected:
        assert not isinstance(stated, str)
        return
    (found,) = decode(checked)
    assert isinstance(found, Quarantined)
    assert (found.reason, found.original_time) == ("time", None)
    assert str(stated)[:50] in found.body


def test_missing_times_fall_back_to_sent_then_to_received() -> None:
    sent = NOW - timedelta(minutes=5)
    record = one(None, sent.isoformat())
    assert isinstance(record, Record)
    assert record.original_time == microseconds(sent)
    assert record.corrected_time == microseconds(NOW)
    record = one(None)
    assert isinstance(record, Record)
    assert record.original_time == record.corrected_time == microseconds(NOW)
    absurd = one(None, "1999-01-01T00:00:00Z")
    assert isinstance(absurd, Record)
    assert absurd.original_time == microseconds(NOW)


def test_without_a_sent_time_the_original_stands_but_never_after_the_receipt() -> None:
    record = one((NOW - HOUR).isoformat())
    assert isinstance(record, Record)
    assert record.corrected_time == microseconds(NOW - HOUR)
    record = one((NOW + HOUR).isoformat())
    assert isinstance(record, Record)
    assert record.corrected_time == microseconds(NOW)


def test_an_event_said_to_be_after_its_sending_happened_no_later_than_received() -> None:
    record = one((NOW + HOUR).isoformat(), NOW.isoformat())
    assert isinstance(record, Record)
    assert record.corrected_time == microseconds(NOW)


@given(st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)))
def test_every_spelling_means_the_same_time(moment: datetime) -> None:
    expected = pd.Timestamp(moment).value // 1000  # pandas' own count of nanoseconds
    plus_two = pd.Timestamp(moment).tz_convert("Etc/GMT-2").isoformat()
    assert read_time(moment.isoformat()) == expected
    assert read_time(plus_two) == expected
    assert read_time(moment.isoformat().replace("+00:00", "Z")) == expected
    assert read_time(moment.replace(tzinfo=None).isoformat()) == expected
    assert read_time(moment.replace(tzinfo=None).isoformat(" ")) == expected


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000, 1_000_000_000])
def test_epoch_numbers_are_told_apart_by_size(unit: int) -> None:
    seconds = 1_795_477_924
    assert read_time(seconds * unit) == seconds * 1_000_000
    assert read_time(str(seconds * unit)) == seconds * 1_000_000


def test_nanoseconds_of_a_text_are_cut() -> None:
    assert read_time("2026-11-23T23:52:03.123456789Z") == microseconds(datetime(2026, 11, 23, 23, 52, 3, 123456, UTC))
    assert read_time("2026-11-23T23:52:03.1234567890+02:00") == microseconds(
        datetime(2026, 11, 23, 21, 52, 3, 123456, UTC)
    )


def test_each_message_of_segment_may_have_its_own_sent_time() -> None:
    message = {"type": "track", "event": "A", "messageId": "m", "userId": "u"}
    late = NOW - 2 * HOUR
    body = {
        "batch": [
            {**message, "timestamp": (late - HOUR).isoformat(), "sentAt": late.isoformat()},
            {
                **message,
                "originalTimestamp": (NOW - HOUR).isoformat(),
                "timestamp": "2026-01-01T00:00:00Z",
                "receivedAt": NOW.isoformat(),
            },
        ],
        "sentAt": NOW.isoformat(),
    }
    first, second = records(request("/v1/batch", body))
    assert first.corrected_time == second.corrected_time == microseconds(NOW - HOUR)


def test_the_callers_time_of_rudderstack_for_node_stands_beside_the_time_of_the_call() -> None:
    message = {"type": "track", "event": "A", "messageId": "m", "userId": "u", "sentAt": NOW.isoformat()}
    times = {"timestamp": (NOW - HOUR).isoformat(), "originalTimestamp": NOW.isoformat()}
    (record,) = records(request("/v1/batch", {"batch": [message | times], "sentAt": NOW.isoformat()}))
    assert record.original_time == microseconds(NOW - HOUR)
