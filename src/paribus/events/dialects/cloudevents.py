"""CloudEvents 1.0 over HTTP: structured, batched and binary."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import unquote

import msgspec

from paribus.events.dialects.dialect import POST, Dialect, Limits, Opened, Outcome, Routes, each_event
from paribus.events.dialects.form import as_list
from paribus.events.dialects.keys import bearer_key
from paribus.events.hygiene import Flaw, Unreadable
from paribus.events.incoming import Batch, Derived, Incoming, id_text, json_text, stated
from paribus.events.request import Answer, IntakeRequest

_TAKEN = frozenset(("id", "type", "time", "data", "data_base64", "userid", "anonymousid", "sessionid", "sequence"))


class _Body(msgspec.Struct):
    events: list[Any]


_read_body = msgspec.json.Decoder(_Body).decode


class CloudEventsDialect(Dialect):
    """The event is (`source`, `id`); its unit is the extension `userid`, else `subject`."""

    name = "cloudevents"
    routes: ClassVar[Routes] = {"/cloudevents": POST, "/": POST}
    limits = Limits(body_bytes=5 * 1024 * 1024, event_bytes=256 * 1024, events=5_000)
    list_key = "events"

    def accepts(self, request: IntakeRequest, route: str) -> bool:
        """At the root path only what is plainly a CloudEvent."""
        kind = request.headers.get("content-type", "")
        return route != "/" or "cloudevents" in kind or "ce-specversion" in request.headers

    def key(self, request: IntakeRequest) -> str | None:
        """A bearer's token, `X-API-Key`, or `?key=`."""
        return bearer_key(request)

    def open(self, request: IntakeRequest) -> Opened:
        """`{"events": […]}` from whichever mode."""
        body = super().open(request).document
        if "ce-specversion" in request.headers:
            return Opened(b'{"events":[%s]}' % _binary(request, body), is_as_received=False)
        return Opened(b'{"events":%s}' % as_list(body), is_as_received=False)

    def answer(self, outcome: Outcome) -> Answer:
        """202 without a body; 400 with the reason."""
        if outcome.problem is not None or (outcome.rejected and not outcome.taken):
            first = outcome.rejected[0]
            return Answer(400, msgspec.json.encode({"error": first.what, "rule": first.rule}))
        return Answer(202, b"")

    def read(self, document: bytes, flaws: Mapping[int, Flaw]) -> Batch:
        """The events of the opened document."""
        try:
            body = _read_body(document)
        except msgspec.ValidationError as error:
            raise Unreadable(str(error), "events are JSON objects") from None
        derived = Derived(self.name, document)
        return Batch(each_event(body.events, flaws, lambda event, index: _incoming(event, index, derived)))


def _binary(request: IntakeRequest, body: bytes) -> bytes:
    attributes: dict[str, Any] = {
        name[3:]: unquote(value) for name, value in request.headers.items() if name.startswith("ce-")
    }
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    attributes["datacontenttype"] = kind
    head = msgspec.json.encode(attributes)
    if not body:
        return head
    if kind == "application/json" or kind.endswith("+json"):
        return head[:-1] + b',"data":' + body + b"}"
    attributes["data_base64"] = base64.b64encode(body).decode()
    return msgspec.json.encode(attributes)


def _incoming(event: dict[str, Any], index: int, derived: Derived) -> Incoming:
    version = event.get("specversion")
    if not isinstance(version, str) or not version.startswith("1."):
        raise ValueError("specversion is not 1.0")
    name, identity, source = event.get("type"), event.get("id"), event.get("source")
    if not isinstance(name, str) or not isinstance(source, str) or not source or not isinstance(identity, str):
        raise ValueError("id, source and type are texts and required")
    if not identity:
        raise ValueError("id is empty")
    time = stated(event.get("time"))
    data = event.get("data")
    if "data_base64" in event:
        data = {"data_base64": event["data_base64"]}
    properties = data if isinstance(data, dict) else {} if data is None else {"data": data}
    user_id = id_text(event.get("userid"))
    sequence = event.get("sequence")
    return Incoming(
        name=name,
        event_id=f"{identity} {source}",  # a source is a URI-reference and holds no space
        properties=json_text(properties),
        context=json_text({key: value for key, value in event.items() if key not in _TAKEN}),
        time=time.time,
        user_id=user_id,
        anonymous_id=id_text(event.get("anonymousid")),
        session_id=id_text(event.get("sessionid")),
        unit=user_id or id_text(event.get("subject")),
        sequence=sequence if isinstance(sequence, int) and abs(sequence) < 2**63 else None,
        time_problem=time.problem,
        stated_time=time.text,
    )
