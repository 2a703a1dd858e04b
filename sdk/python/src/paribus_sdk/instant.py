"""Points in time, as milliseconds since 1970."""

from __future__ import annotations

import re
from functools import lru_cache

from paribus_sdk.number import is_number

_RFC_3339 = (
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
_DAYS_BEFORE_MONTH = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)
_DAYS_BEFORE_1970 = 719_528


def milliseconds(value: object) -> float | None:
    """The instant that `value` names: RFC 3339 text with an offset, or a number of milliseconds since 1970.

    A `datetime` with a time zone is taken too. None for anything else.

    >>> milliseconds("1970-01-02T01:00:00.5+01:00")
    86400500
    """
    if isinstance(value, str):
        return text_milliseconds(value)
    if isinstance(value, (int, float)):
        return value if is_number(value) else None
    from datetime import datetime

    if isinstance(value, datetime) and value.tzinfo is not None:
        return text_milliseconds(value.isoformat())
    return None


@lru_cache(maxsize=4096)
def text_milliseconds(text: str) -> int | None:
    """The instant of RFC 3339 text, digits beyond milliseconds dropped; None when it is none, or lacks an offset."""
    match = re.fullmatch(_RFC_3339, text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction, sign, offset_hour, offset_minute = match.groups()[6:]
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not 1 <= month <= 12 or not 1 <= day <= _month_days(month, is_leap):
        return None
    if hour > 23 or minute > 59 or second > 59:
        return None
    offset = 0
    if sign is not None:
        if int(offset_hour) > 23 or int(offset_minute) > 59:
            return None
        offset = int(offset_hour) * 60 + int(offset_minute)
    # Days from 0000-01-01 in the proleptic Gregorian calendar; year 0 is a leap year.
    leap_years = (year + 3) // 4 - (year + 99) // 100 + (year + 399) // 400
    days = year * 365 + leap_years + _DAYS_BEFORE_MONTH[month - 1] + (is_leap and month > 2) + day - 1
    minutes = (days - _DAYS_BEFORE_1970) * 1440 + hour * 60 + minute - (-offset if sign == "-" else offset)
    return (minutes * 60 + second) * 1000 + int(((fraction or "") + "000")[:3])


def _month_days(month: int, is_leap: bool) -> int:
    if month == 2:
        return 28 + is_leap
    return 30 if month in {4, 6, 9, 11} else 31
