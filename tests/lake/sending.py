"""A small real intake for the lake's tests: requests of JSON events, and the decoder that reads them back."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from paribus.lake import LandingRow, Quarantined, Record, microseconds

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


class HandClock:
    """A clock that moves when told to."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> datetime:
        self.now += timedelta(**by)
        return self.now


def event(event_id: str, name: str = "click", *, at: datetime = NOON, **fields: object) -> dict[str, object]:
    """One event as the test's clients send it."""
    return {"event_id": event_id, "name": name, "at": at.isoformat(), **fields}


def request(events: list[dict[str, object]], *, received: datetime = NOON, dialect: str = "test") -> LandingRow:
    """The landing row of one request; an event may carry its verdict."""
    verdicts = bytes(int(each.get("verdict", 0)) for each in events)  # type: ignore[call-overload]
    body = gzip.compress(json.dumps(events).encode(), compresslevel=1)
    return LandingRow(0, microseconds(received), dialect, "key-1", 1, verdicts, body)


def decode(row: LandingRow) -> Iterator[Record | Quarantined]:
    """The records of a request made by `request`."""
    for each, verdict in zip(json.loads(gzip.decompress(row.body)), row.verdicts, strict=True):
        if verdict == 3:
            continue
        original = microseconds(datetime.fromisoformat(each["at"]))
        sent = microseconds(datetime.fromisoformat(each.get("sent", each["at"])))
        source = f"{row.dialect}:main"
        if verdict == 2:
            yield Quarantined(
                "contract", "a rule", source, row.received_time, json.dumps(each), each["name"], each["event_id"],
                each.get("unit"),
            )  # fmt: skip
            continue
        yield Record(
            source,
            each["event_id"],
            each["name"],
            original,
            row.received_time,
            row.received_time - (sent - original),
            unit_type="user",
            unit=each.get("unit"),
            user_id=each.get("user_id"),
            anonymous_id=each.get("anonymous_id"),
            sent_time=sent,
            properties=json.dumps(each.get("properties", {})),
            context=json.dumps(each.get("context", {})),
            typed=each.get("typed", {}),
            plan_revision=row.plan_revision,
            planned=verdict == 0,
            trusted=each.get("trusted", False),
        )
