"""What every dialect reads its events into, before the plan is asked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from paribus.events.hygiene import Flaw
from paribus.events.timing import read_time

Plain = dict[str, Any]

_sorted = msgspec.json.Encoder(order="deterministic").encode
_write = msgspec.json.Encoder().encode


class Incoming(msgspec.Struct, gc=False, omit_defaults=True):
    """One event as its dialect means it."""

    name: str
    event_id: str
    properties: str
    """JSON text of an object."""
    context: str
    """JSON text of an object."""
    time: int | None
    """Original time in microseconds; None when the event states none."""
    sent: int | None = None
    """Sent time in microseconds, where the event has its own."""
    user_id: str | None = None
    anonymous_id: str | None = None
    session_id: str | None = None
    unit_type: str | None = None
    unit: str | None = None
    sequence: int | None = None
    time_problem: str | None = None
    """Why the stated time cannot be used."""
    stated_time: str | None = None
    """The time as it was stated, where it cannot be used."""


_read_event = msgspec.json.Decoder(Incoming).decode


@dataclass(frozen=True, slots=True)
class Batch:
    """The events of one body in their order; a `Flaw` stands for one that cannot be taken."""

    events: list[Incoming | Flaw]
    sent: int | None = None


UNTIMED = "\x00"
"""Begins a derived id whose event states no time; no client's id can, since texts with NUL are refused."""


class Derived:
    """Event ids for events that bring none: the same landing content always gives the same ids.

    An event that states its time is itself its id's ground, so that it keeps the id in another batch; among equal
    events of a body the second, third … count. Without a time the whole body and the position join, and where the body
    does not say when it was sent either, the receipt: two equal requests are then two events, because a retry cannot
    be told from a second click.
    """

    __slots__ = ("_body", "_dialect", "_digest", "_seen")

    def __init__(self, dialect: str, body: bytes) -> None:
        self._dialect = dialect.encode()
        self._body = body
        self._digest: bytes | None = None
        self._seen: dict[bytes, int] = {}

    def event_id(self, event: Any, index: int, *, has_time: bool) -> str:
        """32 hexadecimal digits of SHA-256, after `UNTIMED` where `final_id` has to look at the sent time."""
        ground = _sorted(event)
        count = self._seen.get(ground, 0)
        self._seen[ground] = count + 1
        hashed = hashlib.sha256(self._dialect + b"\x00" + ground)
        if has_time:
            hashed.update(b"\x00%d" % count)
        else:
            if self._digest is None:
                self._digest = hashlib.sha256(self._body).digest()
            hashed.update(b"\x00" + self._digest + b"\x00%d" % index)
        return hashed.hexdigest()[:32] if has_time else UNTIMED + hashed.hexdigest()[:32]


def final_id(event_id: str, sent: int | None, received: int) -> str:
    """The id as the lake keeps it."""
    if event_id[0] != UNTIMED:
        return event_id
    return event_id[1:] if sent is not None else f"{event_id[1:]}-{received:x}"


@dataclass(frozen=True, slots=True)
class Stated:
    """A stated time: microseconds, or why there are none."""

    time: int | None
    problem: str | None = None
    text: str | None = None


def stated(value: Any) -> Stated:
    """The time a client stated, readable or not; never raises."""
    try:
        return Stated(read_time(value))
    except (ValueError, OverflowError) as error:
        problem = str(error) if str(error).startswith(("not a", "outside")) else "not a time"
        return Stated(None, problem, str(value)[:100])


def sent_time(value: Any) -> int | None:
    """The time a client says it sent, or None where that cannot be read."""
    return stated(value).time


def object_text(raw: msgspec.Raw | bytes | None) -> str:
    """The JSON text of an object as it was written; `{}` for null and missing.

    Raises:
        ValueError: it is another kind of JSON value.
    """
    text = str(raw, "utf-8") if raw else "{}"
    if text[0] == "{":
        return text
    if text == "null":
        return "{}"
    raise ValueError("properties and context are objects")


def event_text(event: Incoming) -> str:
    """The event as JSON text, for quarantine and replay; `read_event` reads it back."""
    return _write(event).decode()


def read_event(text: str) -> Incoming:
    """The event that `event_text` wrote.

    Raises:
        msgspec.ValidationError: it did not.
    """
    return _read_event(text)


def json_text(value: Mapping[str, Any] | None) -> str:
    """The JSON text of an object; `{}` for none."""
    return _write(value).decode() if value else "{}"


def id_text(value: Any) -> str | None:
    """An id as text: integers in base 10, empty and missing as None.

    Raises:
        ValueError: it is neither a text nor an integer.
    """
    if value is None or value == "":
        return None
    if type(value) is str:
        return value
    if type(value) is int:
        return str(value)
    if type(value) is float and value.is_integer():
        return str(int(value))
    raise ValueError("an id is neither text nor integer")
