"""PostHog's batch and capture APIs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from paribus.events.dialects.dialect import Dialect, Limits, Opened, Outcome, Routes, each_event, route_of
from paribus.events.dialects.form import as_list, decode_base64, json_or_base64, read_form
from paribus.events.dialects.keys import bearer_key, body_key
from paribus.events.exposure import exposure_properties
from paribus.events.hygiene import Flaw, Unreadable
from paribus.events.incoming import Batch, Derived, Incoming, Stated, id_text, json_text, sent_time, stated
from paribus.events.request import Answer, IntakeRequest
from paribus.events.reserved import EXPOSURE

_ANY = frozenset({"GET", "POST"})
_CAPTURE = ("/batch", "/e", "/i/v0/e", "/capture")
_SILENT = ("/flags", "/decide", "/s")
_NO_FLAGS = {
    "flags": {},
    "featureFlags": {},
    "featureFlagPayloads": {},
    "errorsWhileComputingFlags": False,
    "config": {},
    "supportedCompression": ["gzip", "gzip-js"],
}
_NAMES = {"$pageview": "$page_view", "$screen": "$screen_view", "$groupidentify": "$group", "$create_alias": "$alias"}
_TAKEN = frozenset(("token", "distinct_id"))
_TRAITS = frozenset(("$set", "$set_once", "$group_set"))


class _Body(msgspec.Struct):
    batch: list[Any]
    sent_at: str | int | float | None = None


_read_body = msgspec.json.Decoder(_Body).decode


class PostHogDialect(Dialect):
    """`$feature_flag_called` becomes `$exposure`; requests for flags get an empty answer."""

    name = "posthog"
    routes: ClassVar[Routes] = dict.fromkeys((*_CAPTURE, *_SILENT), _ANY)
    limits = Limits(body_bytes=20 * 1024 * 1024, event_bytes=1024 * 1024, events=10_000)
    list_key = "batch"

    def key(self, request: IntakeRequest) -> str | None:
        """`api_key` or `token` in the body or the first event, or a bearer's token."""
        try:
            document = self._unpacked(request)
            found = body_key(document)
            if found is None:
                body = msgspec.json.decode(document)
                first = body[0] if isinstance(body, list) else body
                first = first["batch"][0] if "batch" in first else first
                found = first.get("api_key") or first.get("token") or first["properties"].get("token")
        except Exception:  # noqa: BLE001  # `check` says what is wrong with the body
            found = None
        return found if isinstance(found, str) else bearer_key(request) or request.query.get("token")

    def quiet(self, request: IntakeRequest) -> Answer | None:
        """Flags and configuration, of which we have none to give; session recordings are not taken."""
        if route_of(request) in _SILENT:
            return Answer(200, msgspec.json.encode(_NO_FLAGS))
        return None

    def open(self, request: IntakeRequest) -> Opened:
        """`{"batch": […], "sent_at": …}` from a batch, a list or a single event."""
        document = self._unpacked(request).removeprefix(b"\xef\xbb\xbf").strip()
        if document.startswith(b"{") and b'"batch"' in document and _has_batch(document):
            is_as_received = request.method == "POST" and super().open(request).document == document
            return Opened(document, is_as_received)
        sent = request.query.get("_", "")
        tail = b',"sent_at":%s}' % sent.encode() if sent.isascii() and sent.isdigit() and len(sent) <= 16 else b"}"
        return Opened(b'{"batch":' + as_list(document) + tail, is_as_received=False)

    def answer(self, outcome: Outcome) -> Answer:
        """`{"status": 1}`, and the words for a body that is refused."""
        if outcome.problem is not None:
            body: dict[str, Any] = {
                "type": "validation_error",
                "code": "invalid_payload",
                "detail": f"{outcome.problem.what}: {outcome.problem.rule}",
                "attr": None,
            }
            return Answer(400, msgspec.json.encode(body))
        body = {"status": 1}
        if outcome.rejected:
            body["rejected"] = [rejection.to_dict() for rejection in outcome.rejected]
        return Answer(200, msgspec.json.encode(body))

    def read(self, document: bytes, flaws: Mapping[int, Flaw]) -> Batch:
        """The events of the opened document."""
        try:
            body = _read_body(document)
        except msgspec.ValidationError as error:
            raise Unreadable(str(error), 'the body is {"api_key": key, "batch": [events]}') from None
        derived = Derived(self.name, document)
        sent = sent_time(body.sent_at)
        return Batch(
            each_event(body.batch, flaws, lambda event, index: _incoming(event, index, derived, sent)),
            sent,
        )

    def _unpacked(self, request: IntakeRequest) -> bytes:
        if request.method == "GET":
            return json_or_base64(request.query.get("data", ""))
        body = super().open(request).document
        if body.lstrip()[:1] in (b"{", b"["):
            return body
        data = read_form(body.strip()).get("data") if body.lstrip()[:5] == b"data=" else None
        return json_or_base64(data) if data is not None else decode_base64(body)


def _has_batch(document: bytes) -> bool:
    try:
        return "batch" in msgspec.json.decode(document, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return True


def _incoming(event: dict[str, Any], index: int, derived: Derived, sent: int | None) -> Incoming:
    name = event["event"]
    given = event.get("properties") or {}
    if not isinstance(name, str) or not name or not isinstance(given, dict):
        raise ValueError("event is a name and properties an object")
    time = stated(event.get("timestamp"))
    offset = event.get("offset")
    if time.time is None and time.problem is None and sent is not None and isinstance(offset, (int, float)):
        time = Stated(sent - round(offset * 1000))  # milliseconds before it was sent
    distinct = id_text(event.get("distinct_id") or given.get("distinct_id"))
    device = id_text(given.get("$device_id"))
    is_anonymous = given.get("$is_identified") is False or (distinct is not None and distinct == device)
    user_id = None if is_anonymous else distinct
    anonymous_id = distinct if is_anonymous else device
    properties = {key: value for key, value in given.items() if key not in _TAKEN}
    for key in ("$set", "$set_once"):
        if isinstance(event.get(key), dict):
            properties.setdefault(key, event[key])
    context = {key: value for key, value in properties.items() if key.startswith("$") and key not in _TRAITS}
    properties = {key: value for key, value in properties.items() if not key.startswith("$")}
    if name == "$feature_flag_called" and isinstance(given.get("$feature_flag"), str):
        name, properties = EXPOSURE, _exposure(given, properties)
    elif name == "$create_alias":
        properties = {"previous_id": id_text(given.get("distinct_id"))}
        user_id, anonymous_id = id_text(given.get("alias")) or user_id, None
    elif name == "$identify":
        anonymous_id = id_text(given.get("$anon_distinct_id")) or device
        user_id = distinct
        properties = {key: given[key] for key in ("$set", "$set_once") if key in given} or {
            key: event[key] for key in ("$set", "$set_once") if key in event
        }
    elif name == "$groupidentify":
        user_id = None  # a group's own id stands there
        properties = {
            "group_id": given.get("$group_key"),
            "group_type": given.get("$group_type"),
            "traits": given.get("$group_set") or {},
        }
    return Incoming(
        name=_NAMES.get(name, name),
        event_id=id_text(event.get("uuid") or given.get("$insert_id"))
        or derived.event_id(
            [name, distinct, event.get("timestamp"), properties, context], index, has_time=time.time is not None
        ),
        properties=json_text(properties),
        context=json_text(context),
        time=time.time,
        user_id=user_id,
        anonymous_id=anonymous_id,
        session_id=id_text(given.get("$session_id")),
        time_problem=time.problem,
        stated_time=time.text,
    )


def _exposure(given: dict[str, Any], rest: dict[str, Any]) -> dict[str, Any]:
    """A response of false or null is a flag that is off for the person: no split decided it."""
    response = given.get("$feature_flag_response")
    if given.get("$feature_flag_error"):
        reason = "ERROR"
    elif response is None or response is False:
        reason = "DEFAULT"
    else:
        reason = "SPLIT"
    return exposure_properties(
        given["$feature_flag"],
        False if response is None else response,
        reason=reason,
        revision=given.get("$feature_flag_version"),
        sdk=given.get("$lib"),
        rest=rest,
    )
