"""The times of an event: read from any client's spelling, corrected for its clock, judged for its partition.

Every time is an integer: microseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

PAST = 30 * 86_400_000_000
FUTURE = 86_400_000_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LARGEST = 253_402_300_799_999_999


def read_time(value: str | int | float | None) -> int | None:
    """Microseconds of an RFC 3339 or ISO 8601 text, or of an epoch number; None for no value.

    A number is seconds, milliseconds, microseconds or nanoseconds by its size (below 1e11, 1e14, 1e17, above). A text
    without an offset is taken as UTC: `sent − original` cancels the offset where both lack it.

    Raises:
        ValueError: the value is no time, or lies outside the years 1 to 9999.

    >>> read_time("1970-01-01T01:00:01+01:00"), read_time(1795477924750), read_time(1.5)
    (1000000, 1795477924750000, 1500000)
    """
    if type(value) is int and 100_000_000_000 <= value < 100_000_000_000_000:
        return value * 1_000  # what nearly every client sends
    if value is None or value == "":
        return None
    if type(value) is str:
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            return _read_odd(value)
        if time.tzinfo is None:
            time = time.replace(tzinfo=UTC)
        return (time - _EPOCH) // _MICROSECOND
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("not a time")
    return _read_number(value)


def corrected_time(original: int, sent: int | None, received: int) -> int:
    """received − (sent − original): the event's time on our clock; never after its receipt.

    Without a sent time the original stands, cut at the receipt.

    >>> corrected_time(original=100, sent=130, received=1000)
    970
    """
    if sent is None:
        return min(original, received)
    return received - max(sent - original, 0)


def is_placeable(original: int, received: int) -> bool:
    """Whether the original time lies in [received − 30 days, received + 1 day]."""
    return received - PAST <= original <= received + FUTURE


def to_datetime(microseconds: int) -> datetime:
    """The same time as a datetime in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


def _read_number(value: int | float) -> int:
    if not math.isfinite(value):
        raise ValueError("not a time")
    size = abs(value)
    if size < 1e11:
        result = round(value * 1_000_000)
    elif size < 1e14:
        result = round(value * 1_000)
    elif size < 1e17:
        result = round(value)
    else:
        result = round(value / 1_000) if isinstance(value, float) else value // 1_000
    if abs(result) > _LARGEST:
        raise ValueError("outside the years 1 to 9999")
    return result


def _read_odd(value: str) -> int:
    text = value.strip()
    if len(text) <= 24 and text.lstrip("-").replace(".", "", 1).isdigit() and text.isascii():
        return _read_number(float(text) if "." in text else int(text))
    if "." in text:  # more than six digits of a second
        head, _, tail = text.partition(".")
        digits = len(tail) - len(tail.lstrip("0123456789"))
        if digits > 6:
            return (_aware(datetime.fromisoformat(f"{head}.{tail[:6]}{tail[digits:]}")) - _EPOCH) // _MICROSECOND
    raise ValueError("not a time")


def _aware(time: datetime) -> datetime:
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)
