"""What an event says to a watch: an exposure, an error, a request with its latency."""

from __future__ import annotations

import msgspec

from paribus.lake.record import Record

EXPOSURE, REQUEST = "$exposure", "$request"
SERVER_ERROR = 500
_FAILING = ('"error":true', '"error": true', '"status":5', '"status": 5')


class Exposed(msgspec.Struct, frozen=True, gc=False):
    """The fields of an exposure that a watch reads."""

    flag: str | None = None
    assigned: str | None = None
    served: str | None = None
    reason: str | None = None
    epoch: int | None = None
    probability: float | None = None
    environment: str | None = None


class Requested(msgspec.Struct, frozen=True, gc=False):
    """The fields of a request that a watch reads."""

    status: int | None = None
    error: bool | None = None
    seconds: float | None = None
    latency_ms: float | None = None
    duration_ms: float | None = None

    @property
    def failed(self) -> bool:
        """Whether the service answered with an error of its own."""
        return bool(self.error) or (self.status or 0) >= SERVER_ERROR

    @property
    def milliseconds(self) -> float | None:
        """How long it took."""
        if self.latency_ms is not None:
            return self.latency_ms
        if self.duration_ms is not None:
            return self.duration_ms
        return None if self.seconds is None else self.seconds * 1000


_exposed = msgspec.json.Decoder(Exposed).decode
_requested = msgspec.json.Decoder(Requested).decode


def exposed(record: Record) -> Exposed | None:
    """The exposure; None when its fields are not of their types."""
    try:
        return _exposed(record.properties)
    except (msgspec.DecodeError, UnicodeError):
        return None


def requested(record: Record) -> Requested | None:
    """The request; None when its fields are not of their types."""
    try:
        return _requested(record.properties)
    except (msgspec.DecodeError, UnicodeError):
        return None


def may_have_failed(record: Record) -> bool:
    """Whether a request's text looks like a failure: the cheap question before it is read."""
    text = record.properties
    return any(mark in text for mark in _FAILING)


def unit_of(record: Record, unit_type: str) -> str | None:
    """The unit of a type that the event names."""
    if record.unit is not None and record.unit_type == unit_type:
        return record.unit
    if unit_type == "user":
        return record.user_id
    return record.anonymous_id if unit_type == "anonymous" else None
