"""An event on its way out: what happened, when and to whom, and its form on the wire."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass
from datetime import UTC, date, datetime
from enum import Enum
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any, NamedTuple

SDK_VERSION = "paribus-sdk-python/0.1.0"
DEEPEST = 32
quoted = encode_basestring


class Event(NamedTuple):
    """Something that happened; `time` is seconds since 1970, or text that is passed on as it is.

    `properties` is a mapping, or a function that gives its JSON text later, off the caller's path.
    """

    name: str
    time: float | str
    sequence: int
    unit_type: str | None
    unit: str | int | None
    properties: Mapping[str, Any] | Callable[[], str]
    identity: Mapping[str, str] | None = None
    context: Mapping[str, Any] | None = None
    event_id: str | None = None


def moment(time: datetime | float | str) -> float | str:
    """The time as an `Event` carries it.

    Numbers are milliseconds since 1970, as on the wire. A datetime without a zone is local time, as everywhere in
    Python. Text is passed on: the server judges it.
    """
    if isinstance(time, datetime):
        return time.timestamp()
    return time / 1000 if isinstance(time, (int, float)) else str(time)


def encode(event: Event, process: str) -> bytes:
    """One line of JSON, UTF-8, with its event id or a new one.

    Values that JSON does not know become text (`Decimal`, `UUID`, sets become lists, dates RFC 3339), numbers that
    are not finite become null, and what is nested deeper than 32 levels becomes its `repr`.
    """
    time = quoted(event.time) if isinstance(event.time, str) else f'"{timestamp(event.time)}"'
    properties = event.properties() if callable(event.properties) else json_text(event.properties)
    unit = ""
    if event.unit is not None:
        unit = f',"unit_type":{quoted(event.unit_type or "user")},"unit":{quoted(str(event.unit))}'
    for name, value in (event.identity or {}).items():
        unit += f',"{name}":{quoted(str(value))}'
    known = json_text(event.context)[1:-1] + "," if event.context else ""
    return (
        f'{{"event_id":{quoted(str(event.event_id or new_event_id()))},"name":{quoted(str(event.name))},"time":{time},'
        f'"sequence":{event.sequence}{unit},'
        f'"properties":{properties},"context":{{{known}"sdk":"{SDK_VERSION}","process":"{process}"}}}}'
    ).encode("utf-8", "replace")


def json_text(value: Any) -> str:
    """JSON on one line, of any value: see `encode`."""
    if not value and isinstance(value, dict):
        return "{}"
    try:
        return _to_json(value)
    except (ValueError, TypeError, RecursionError):
        return json.dumps(_repaired(value, 0), ensure_ascii=False, separators=(",", ":"))


def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC, to the microsecond."""
    try:
        second, micros = divmod(round(seconds * 1e6), 1_000_000)
        return f"{_second(second)}.{micros:06d}Z"
    except (ValueError, OverflowError, OSError):
        return str(seconds)


@lru_cache(64)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def new_event_id() -> str:
    """A random UUID (RFC 9562, version 4)."""
    text = os.urandom(16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[int(text[16], 16) & 3]}{text[17:20]}-{text[20:]}"


def _plain(value: object) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat() if value.tzinfo else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)


_to_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain).encode


def _repaired(value: object, depth: int) -> Any:
    if depth > DEEPEST:
        return repr(type(value))
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _repaired(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_repaired(item, depth + 1) for item in value]
    return _repaired(_plain(value), depth + 1)
