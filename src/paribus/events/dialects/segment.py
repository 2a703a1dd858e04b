"""Segment's HTTP API, which RudderStack's SDKs speak too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from paribus.events.compression import inflate
from paribus.events.dialects.dialect import (
    NO_EVENT,
    POST,
    Dialect,
    Limits,
    Opened,
    Outcome,
    Routes,
    each_event,
    route_of,
    shown,
)
from paribus.events.dialects.keys import basic_user, bearer_key, body_key
from paribus.events.hygiene import Flaw, Unreadable
from paribus.events.incoming import Batch, Derived, Incoming, id_text, json_text, object_text, sent_time, stated
from paribus.events.request import Answer, IntakeRequest
from paribus.events.timing import read_time

Id = str | int | float | None
Time = str | int | float | None

CALLS = {
    "t": "track",
    "i": "identify",
    "p": "page",
    "g": "group",
    "a": "alias",
    "s": "screen",
}
_SINGLE = {f"/v1/{path}": call for short, call in CALLS.items() for path in (short, call)}
_BATCH = ("/v1/batch", "/v1/b", "/v1/import")


class _Message(msgspec.Struct, gc=False):
    type: str | None = None
    event: str | None = None
    userId: Id = None  # noqa: N815  # the vendor's spelling, here and below
    anonymousId: Id = None  # noqa: N815
    messageId: str | None = None  # noqa: N815
    originalTimestamp: Time = None  # noqa: N815
    timestamp: Time = None
    sentAt: Time = None  # noqa: N815
    receivedAt: msgspec.Raw = msgspec.Raw()  # noqa: N815
    properties: msgspec.Raw = msgspec.Raw()
    context: msgspec.Raw = msgspec.Raw()
    traits: msgspec.Raw = msgspec.Raw()
    name: str | None = None
    category: str | None = None
    groupId: Id = None  # noqa: N815
    previousId: Id = None  # noqa: N815


class _Body(msgspec.Struct):
    batch: list[_Message | None]
    sentAt: Time = None  # noqa: N815


class _LooseBody(msgspec.Struct):
    batch: list[msgspec.Raw]
    sentAt: Time = None  # noqa: N815


class _Session(msgspec.Struct):
    sessionId: Id = None  # noqa: N815


_read_body = msgspec.json.Decoder(_Body).decode
_read_loose = msgspec.json.Decoder(_LooseBody).decode
_read_message = msgspec.json.Decoder(_Message).decode
_read_session = msgspec.json.Decoder(_Session).decode
_read_object = msgspec.json.Decoder(dict[str, Any]).decode


class SegmentDialect(Dialect):
    """`/v1/batch` and single calls; what is no track call becomes `$page_view`, `$identify`, `$group` or `$alias`."""

    name = "segment"
    routes: ClassVar[Routes] = dict.fromkeys((*_BATCH, *_SINGLE), POST)
    limits = Limits(body_bytes=2 * 1024 * 1024, event_bytes=64 * 1024, events=5_000)
    list_key = "batch"

    def key(self, request: IntakeRequest) -> str | None:
        """The Basic user, else the bearer's token or header, else `writeKey` in the body."""
        found = basic_user(request) or bearer_key(request)
        if found is None:
            try:
                found = body_key(inflate(request.body, request.headers.get("content-encoding"), self.limits.body_bytes))
            except Exception:  # noqa: BLE001  # `check` says what is wrong with the body
                return None
        return found

    def open(self, request: IntakeRequest) -> Opened:
        """The batch; a single call becomes a batch of one that names its type."""
        opened = super().open(request)
        call = _SINGLE.get(route_of(request))
        if call is None:
            return opened
        document = opened.document.removeprefix(b"\xef\xbb\xbf").strip()
        if not document.startswith(b"{") or not document.endswith(b"}"):
            raise Unreadable("not an object", "a single call is one message")
        head = b'{"type":"%s"' % call.encode()
        if _has_type(document):
            return Opened(b'{"batch":[' + document + b"]}", is_as_received=False)
        rest = document[1:].lstrip()
        joined = head + (b"" if rest == b"}" else b",") + rest
        return Opened(b'{"batch":[' + joined + b"]}", is_as_received=False)

    def answer(self, outcome: Outcome) -> Answer:
        """`{"success": true}`, as the SDKs expect."""
        if outcome.problem is not None:
            return Answer(400, msgspec.json.encode({"success": False, "error": outcome.problem.what}))
        body: dict[str, object] = {"success": True}
        if outcome.rejected:
            body["rejected"] = [rejection.to_dict() for rejection in outcome.rejected]
        return Answer(200, msgspec.json.encode(body))

    def read(self, document: bytes, flaws: Mapping[int, Flaw]) -> Batch:
        """The events of `{"batch": [messages], "sentAt": …}`."""
        derived = Derived(self.name, document)
        try:
            body = _read_body(document)
        except msgspec.ValidationError:
            return _read_one_by_one(document, flaws, derived)
        events: list[Incoming | Flaw] = []
        for index, message in enumerate(body.batch):
            if message is None:
                events.append(flaws.get(index, NO_EVENT))
                continue
            try:
                events.append(_incoming(message, index, derived))
            except (msgspec.MsgspecError, ValueError) as error:
                events.append(Flaw(shown(error), "each event follows the protocol"))
        return Batch(events, sent_time(body.sentAt))


class RudderStackDialect(SegmentDialect):
    """The same protocol from RudderStack's SDKs, under a name of its own."""

    name = "rudderstack"
    routes: ClassVar[Routes] = dict.fromkeys((*_BATCH, *_SINGLE), POST)


def _has_type(document: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(document, type=_Message).type, str)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return True


def _read_one_by_one(document: bytes, flaws: Mapping[int, Flaw], derived: Derived) -> Batch:
    try:
        body = _read_loose(document)
    except msgspec.ValidationError as error:
        raise Unreadable(str(error), 'the body is {"batch": [messages], "sentAt": time}') from None
    raws = [None if bytes(raw) == b"null" else raw for raw in body.batch]
    return Batch(
        each_event(raws, flaws, lambda raw, index: _incoming(_read_message(raw), index, derived)),
        sent_time(body.sentAt),
    )


def _incoming(message: _Message, index: int, derived: Derived) -> Incoming:
    # What another server passes on has its corrected `timestamp` too; from a client (RudderStack's for Node states the
    # time of the call as well) `timestamp` is what the caller gave.
    spelled = message.timestamp or message.originalTimestamp
    if message.receivedAt:
        spelled = message.originalTimestamp or message.timestamp
    problem = text = None
    try:
        time = read_time(spelled)
    except (ValueError, OverflowError):
        known = stated(spelled)
        time, problem, text = None, known.problem, known.text
    if message.type == "track":
        if not message.event:
            raise ValueError("a track call without an event name")
        name, properties = message.event, object_text(message.properties)
    else:
        name, properties = _other_call(message)
    context = object_text(message.context)
    user_id, anonymous_id = message.userId, message.anonymousId
    session = None
    if '"sessionId"' in context:
        session = id_text(_read_session(context).sessionId)
    message_id = message.messageId
    return Incoming(
        name,
        message_id
        or derived.event_id([name, user_id, anonymous_id, spelled, properties], index, has_time=time is not None),
        properties,
        context,
        time,
        None if message.sentAt is None else sent_time(message.sentAt),
        None if user_id is None else id_text(user_id),
        None if anonymous_id is None else id_text(anonymous_id),
        session,
        None,
        None,
        None,
        problem,
        text,
    )


def _other_call(message: _Message) -> tuple[str, str]:
    if message.type in ("page", "screen"):
        values = _read_object(object_text(message.properties))
        if message.name is not None:
            values.setdefault("name", message.name)
        if message.category is not None:
            values.setdefault("category", message.category)
        return ("$page_view" if message.type == "page" else "$screen_view"), json_text(values)
    if message.type == "identify":
        return "$identify", _traits(message)
    if message.type == "group":
        return "$group", json_text({**_read_object(_traits(message)), "group_id": id_text(message.groupId)})
    if message.type == "alias":
        return "$alias", json_text({"previous_id": id_text(message.previousId)})
    raise ValueError("the type of the message is none of track, identify, page, screen, group, alias")


def _traits(message: _Message) -> str:
    traits = object_text(message.traits)
    if traits == "{}" and message.context:
        inner = _read_object(object_text(message.context)).get("traits")
        return json_text(inner) if isinstance(inner, dict) else traits
    return traits
