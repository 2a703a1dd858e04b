"""The dialect of our own SDKs: `POST /api/v1/events`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from paribus.events.dialects.dialect import NO_EVENT, POST, Dialect, Limits, Routes, each_event
from paribus.events.dialects.keys import bearer_key
from paribus.events.hygiene import Flaw, Unreadable
from paribus.events.incoming import Batch, Derived, Incoming, id_text, object_text, sent_time, stated
from paribus.events.request import IntakeRequest
from paribus.events.timing import read_time


class _Event(msgspec.Struct, gc=False):
    name: str
    event_id: str | None = None
    time: str | int | float | None = None
    unit_type: str | None = None
    unit: str | int | None = None
    user_id: str | int | None = None
    anonymous_id: str | int | None = None
    session_id: str | int | None = None
    properties: msgspec.Raw = msgspec.Raw()
    context: msgspec.Raw = msgspec.Raw()
    sequence: int | None = None


class _Body(msgspec.Struct):
    batch: list[_Event | None]
    sent_at: str | int | float | None = None


class _LooseBody(msgspec.Struct):
    batch: list[msgspec.Raw]
    sent_at: str | int | float | None = None


_read_body = msgspec.json.Decoder(_Body).decode
_read_loose = msgspec.json.Decoder(_LooseBody).decode
_read_event = msgspec.json.Decoder(_Event).decode


class ParibusDialect(Dialect):
    """Batches of events as our SDKs write them."""

    name = "paribus"
    routes: ClassVar[Routes] = {"/api/v1/events": POST, "/events": POST}
    limits = Limits(body_bytes=5 * 1024 * 1024, event_bytes=256 * 1024, events=10_000)
    list_key = "batch"

    def key(self, request: IntakeRequest) -> str | None:
        """The bearer's token, `X-API-Key`, or `?key=`."""
        return bearer_key(request)

    def read(self, document: bytes, flaws: Mapping[int, Flaw]) -> Batch:
        """The events of `{"sent_at": …, "batch": […]}`."""
        derived = Derived(self.name, document)
        try:
            body = _read_body(document)
        except msgspec.ValidationError:
            return _read_one_by_one(document, flaws, derived)
        events: list[Incoming | Flaw] = []
        for index, event in enumerate(body.batch):
            if event is None:
                events.append(flaws.get(index, NO_EVENT))
                continue
            try:
                events.append(_incoming(event, index, derived))
            except ValueError as error:
                events.append(Flaw(str(error), "each event follows the protocol"))
        return Batch(events, sent_time(body.sent_at))


def _read_one_by_one(document: bytes, flaws: Mapping[int, Flaw], derived: Derived) -> Batch:
    try:
        body = _read_loose(document)
    except msgspec.ValidationError as error:
        raise Unreadable(str(error), 'the body is {"sent_at": time, "batch": [events]}') from None
    raws = [None if bytes(raw) == b"null" else raw for raw in body.batch]
    return Batch(
        each_event(raws, flaws, lambda raw, index: _incoming(_read_event(raw), index, derived)),
        sent_time(body.sent_at),
    )


def _incoming(event: _Event, index: int, derived: Derived) -> Incoming:
    properties = object_text(event.properties) if event.properties else "{}"
    context = object_text(event.context) if event.context else "{}"
    problem = text = None
    try:
        time = read_time(event.time)
    except (ValueError, OverflowError):
        known = stated(event.time)
        time, problem, text = None, known.problem, known.text
    unit, user_id, anonymous_id, session_id = event.unit, event.user_id, event.anonymous_id, event.session_id
    return Incoming(
        event.name,
        event.event_id
        or derived.event_id(
            [event.name, event.unit, user_id, anonymous_id, event.time, properties, context, event.sequence],
            index,
            has_time=time is not None,
        ),
        properties,
        context,
        time,
        None,
        None if user_id is None else id_text(user_id),
        None if anonymous_id is None else id_text(anonymous_id),
        None if session_id is None else id_text(session_id),
        event.unit_type,
        unit if type(unit) is str and unit else id_text(unit),
        event.sequence,
        problem,
        text,
    )
