"""What the lake is given: landing rows, the records they decode to, and the events that go to quarantine.

Every time here is an integer: microseconds since 1970-01-01 UTC. The columns of the table are TIMESTAMPTZ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

import msgspec

ACCEPTED, UNPLANNED, QUARANTINED, REJECTED = range(4)
"""The verdict bytes of a landing row, one per event of its body."""

TypedValue = bool | int | float | str | datetime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_VALUES: Mapping[str, TypedValue | None] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class LandingRow:
    """One request as it was received, durable before it was acknowledged.

    Attributes:
        id: given by the queue, ascending, never reused; 0 before it is appended.
        received_time: microseconds since the epoch.
        dialect: the intake dialect that decodes the body.
        key_id: the API key that sent it.
        plan_revision: the tracking plan's revision it was checked under.
        verdicts: one byte per event of the body, see `ACCEPTED` and the three after it.
        body: as received, gzip'd or not.
    """

    id: int
    received_time: int
    dialect: str
    key_id: str
    plan_revision: int
    verdicts: bytes
    body: bytes


class Record(msgspec.Struct, frozen=True, gc=False):
    """One event as the lake stores it; a msgspec Struct, because millions are made and a dataclass costs four times.

    Attributes:
        source: `<dialect>:<label of the key>`; events are the same when source and event_id are.
        properties, context: JSON text of an object.
        typed: values of the plan's typed properties by property name; each becomes the column `p_<name>`. The Python
            type decides the column's: bool, int (64 bits), float, str (also JSON text), datetime. A property of type
            number must be given as float.
        corrected_time: received − (sent − original).
        trusted: an import, allowed outside the window of 30 days.
        environment: of the key that sent it; what is planted in staging is told apart by it.
    """

    source: str
    event_id: str
    name: str
    original_time: int
    received_time: int
    corrected_time: int
    unit_type: str | None = None
    unit: str | None = None
    user_id: str | None = None
    anonymous_id: str | None = None
    session_id: str | None = None
    sent_time: int | None = None
    properties: str = "{}"
    context: str = "{}"
    typed: Mapping[str, TypedValue | None] = _NO_VALUES
    plan_revision: int = 0
    planned: bool = True
    sequence: int | None = None
    trusted: bool = False
    environment: str = ""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One event kept out of the table of events, with the reason and its text.

    Attributes:
        reason: a short word that groups: `time`, `contract`, `unplanned`, `undecodable`.
        detail: what exactly broke which rule; holds no value of the event.
        body: the event as JSON text, so that it can be replayed.
        environment: of the key that sent it.
    """

    reason: str
    detail: str
    source: str
    received_time: int
    body: str
    name: str | None = None
    event_id: str | None = None
    unit: str | None = None
    user_id: str | None = None
    anonymous_id: str | None = None
    original_time: int | None = None
    plan_revision: int = 0
    environment: str = ""


Decode = Callable[[LandingRow], Iterable[Record | Quarantined]]
"""Pure: the same row always gives the same records in the same order; events with verdict REJECTED give none."""


def microseconds(time: datetime) -> int:
    """The time as microseconds since the epoch, exactly.

    >>> microseconds(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    1000000
    """
    since = time - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
