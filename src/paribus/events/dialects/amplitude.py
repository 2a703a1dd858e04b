"""Amplitude's HTTP V2 and batch APIs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from paribus.events.compression import inflate
from paribus.events.dialects.dialect import POST, Dialect, Limits, Outcome, Routes, each_event
from paribus.events.dialects.keys import bearer_key, body_key
from paribus.events.exposure import exposure_properties
from paribus.events.hygiene import Flaw, Unreadable
from paribus.events.incoming import Batch, Derived, Incoming, id_text, json_text, sent_time, stated
from paribus.events.request import Answer, IntakeRequest
from paribus.events.reserved import EXPOSURE

_TAKEN = frozenset(
    ("event_type", "user_id", "device_id", "event_properties", "insert_id", "time", "session_id", "event_id")
)
_EXPOSURES = frozenset(("$exposure", "[Experiment] Exposure"))


class _Body(msgspec.Struct):
    events: list[Any]
    client_upload_time: str | int | float | None = None


_read_body = msgspec.json.Decoder(_Body).decode


class AmplitudeDialect(Dialect):
    """`/2/httpapi` and `/batch`; `$identify` and `$groupidentify` events become `$identify` and `$group`."""

    name = "amplitude"
    routes: ClassVar[Routes] = {"/2/httpapi": POST, "/batch": POST}
    limits = Limits(body_bytes=20 * 1024 * 1024, event_bytes=1024 * 1024, events=2_000)
    list_key = "events"

    def accepts(self, request: IntakeRequest, route: str) -> bool:
        """On the shared `/batch`: a body that holds `events`."""
        if route != "/batch" or request.path.startswith("/intake/"):
            return True
        try:
            document = inflate(request.body, request.headers.get("content-encoding"), self.limits.body_bytes)
            return msgspec.json.decode(document, type=dict[str, msgspec.Raw]).get("events") is not None
        except Exception:  # noqa: BLE001  # the other dialect of the route says what is wrong with it
            return False

    def key(self, request: IntakeRequest) -> str | None:
        """`api_key` in the body, or a bearer's token."""
        try:
            document = inflate(request.body, request.headers.get("content-encoding"), self.limits.body_bytes)
        except Exception:  # noqa: BLE001  # `check` says what is wrong with the body
            return bearer_key(request)
        return body_key(document) or bearer_key(request)

    def answer(self, outcome: Outcome) -> Answer:
        """Amplitude's own answer, with `code` in the body, which its SDKs read."""
        if outcome.problem is not None:
            body: dict[str, Any] = {"code": 400, "error": f"{outcome.problem.what}: {outcome.problem.rule}"}
            return Answer(400, msgspec.json.encode(body))
        body = {
            "code": 200,
            "events_ingested": outcome.taken,
            "payload_size_bytes": outcome.size,
            "server_upload_time": outcome.received_time // 1000,
        }
        if outcome.rejected:
            body["rejected"] = [rejection.to_dict() for rejection in outcome.rejected]
        return Answer(200, msgspec.json.encode(body))

    def read(self, document: bytes, flaws: Mapping[int, Flaw]) -> Batch:
        """The events of `{"api_key": …, "events": […]}`."""
        try:
            body = _read_body(document)
        except msgspec.ValidationError as error:
            raise Unreadable(str(error), 'the body is {"api_key": key, "events": [events]}') from None
        derived = Derived(self.name, document)
        return Batch(
            each_event(body.events, flaws, lambda event, index: read_amplitude(event, index, derived)),
            sent_time(body.client_upload_time),
        )


def read_amplitude(event: dict[str, Any], index: int, derived: Derived) -> Incoming:
    """One event of Amplitude.

    Raises:
        ValueError: it has no type, or an id that is no id.
    """
    name = event["event_type"]
    if not isinstance(name, str) or not name:
        raise ValueError("event_type is missing")
    time = stated(event.get("time"))
    properties = event.get("event_properties") or {}
    if not isinstance(properties, dict):
        raise ValueError("event_properties is an object")
    context = {key: value for key, value in event.items() if key not in _TAKEN and value is not None}
    user_id = id_text(event.get("user_id"))
    if name in _EXPOSURES and isinstance(properties.get("flag_key"), str):
        rest = {key: value for key, value in properties.items() if key not in ("flag_key", "variant")}
        properties = exposure_properties(
            properties["flag_key"], properties.get("variant"), sdk=event.get("library"), rest=rest
        )
        name = EXPOSURE
    elif name == "$identify":
        properties = context.pop("user_properties", None) or {}
    elif name == "$groupidentify":
        name = "$group"
        properties = {"groups": context.pop("groups", {}), "traits": context.pop("group_properties", {})}
    session = event.get("session_id")
    sequence = event.get("event_id")
    return Incoming(
        name=name,
        event_id=id_text(event.get("insert_id")) or derived.event_id(event, index, has_time=time.time is not None),
        properties=json_text(properties),
        context=json_text(context),
        time=time.time,
        user_id=user_id,
        anonymous_id=id_text(event.get("device_id")),
        session_id=None if session == -1 else id_text(session),
        sequence=sequence if isinstance(sequence, int) and abs(sequence) < 2**63 else None,
        time_problem=time.problem,
        stated_time=time.text,
    )
