"""OpenTelemetry logs over HTTP, protobuf and JSON: `feature_flag.evaluation` and other named events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from paribus.events.dialects.dialect import POST, Dialect, Limits, Opened, Outcome, Routes, each_event
from paribus.events.dialects.keys import bearer_key
from paribus.events.dialects.otlp_records import json_records, protobuf_records
from paribus.events.exposure import exposure_properties
from paribus.events.hygiene import Flaw, Unreadable, clean
from paribus.events.incoming import Batch, Derived, Incoming, id_text, json_text
from paribus.events.request import Answer, IntakeRequest
from paribus.events.reserved import EXPOSURE

EVALUATION = "feature_flag.evaluation"
_PROTOBUF = "application/x-protobuf"
_TAKEN = {
    "feature_flag.key": "flag",
    "feature_flag.result.variant": "assigned",
    "feature_flag.variant": "assigned",
    "feature_flag.result.reason": "reason",
    "feature_flag.evaluation.reason": "reason",
    "feature_flag.version": "revision",
    "feature_flag.context.id": "unit",
}


class _Body(msgspec.Struct):
    records: list[Any]


_read_body = msgspec.json.Decoder(_Body).decode


class OtlpDialect(Dialect):
    """Log records with an event name; those without one are rejected, as a partial success."""

    name = "otlp"
    routes: ClassVar[Routes] = {"/v1/logs": POST}
    limits = Limits(body_bytes=20 * 1024 * 1024, event_bytes=256 * 1024, events=10_000)
    list_key = "records"

    def key(self, request: IntakeRequest) -> str | None:
        """A bearer's token, `X-API-Key`, or `?key=`."""
        return bearer_key(request)

    def open(self, request: IntakeRequest) -> Opened:
        """`{"records": […]}` from either encoding, each record with its resource and scope."""
        body = super().open(request).document
        records = json_records(clean(body, None).document) if _is_json(request) else protobuf_records(body)
        return Opened(json.dumps({"records": records}).encode(), is_as_received=False)

    def answer(self, outcome: Outcome) -> Answer:
        """An empty response, or a partial success that counts what was rejected."""
        is_json = _is_json(outcome.request)
        if outcome.problem is not None:
            text = f"{outcome.problem.what}: {outcome.problem.rule}"
            if is_json:
                return Answer(400, msgspec.json.encode({"code": 3, "message": text}))
            return Answer(400, b"\x08\x03" + _length_delimited(2, text.encode()), _PROTOBUF)
        count, reason = len(outcome.rejected), outcome.rejected[0].what if outcome.rejected else ""
        if is_json:
            partial = {"partialSuccess": {"rejectedLogRecords": str(count), "errorMessage": reason}} if count else {}
            return Answer(200, msgspec.json.encode(partial))
        partial_body = b"\x08" + _varint(count) + _length_delimited(2, reason.encode())
        return Answer(200, _length_delimited(1, partial_body) if count else b"", _PROTOBUF)

    def read(self, document: bytes, flaws: Mapping[int, Flaw]) -> Batch:
        """The events of the opened document."""
        try:
            body = _read_body(document)
        except msgspec.ValidationError as error:
            raise Unreadable(str(error), "log records") from None
        derived = Derived(self.name, document)
        return Batch(each_event(body.records, flaws, lambda record, index: _incoming(record, index, derived)))


def _is_json(request: IntakeRequest) -> bool:
    return "json" in request.headers.get("content-type", "")


def _incoming(record: dict[str, Any], index: int, derived: Derived) -> Incoming:
    attributes = record["attributes"]
    name = record.get("event_name") or attributes.pop("event.name", None)
    if not isinstance(name, str) or not name:
        raise ValueError("a log record without an event name")
    nanoseconds = record.get("time") or record.get("observed") or 0
    time = nanoseconds // 1000 if nanoseconds else None
    context = {key: record[key] for key in ("resource", "scope", "trace_id", "span_id", "severity") if record.get(key)}
    unit = None
    body = record.get("body")
    inner = body if isinstance(body, dict) else {}
    properties = {**inner, **attributes} if inner or body is None else {**attributes, "body": body}
    if name == EVALUATION:
        name, properties = EXPOSURE, _exposure(properties, record)
        unit = properties.get("unit")
    uid = id_text(attributes.get("log.record.uid"))
    if time is not None and abs(time) > 253_402_300_799_999_999:
        raise ValueError("a time outside the years 1 to 9999")
    return Incoming(
        name=name,
        event_id=uid or derived.event_id(record, index, has_time=time is not None),
        properties=json_text(properties),
        context=json_text(context),
        time=time,
        user_id=unit or id_text(attributes.get("user.id") or attributes.get("enduser.id")),
        session_id=id_text(attributes.get("session.id")),
        unit=unit,
    )


def _exposure(attributes: dict[str, Any], record: dict[str, Any]) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for theirs, ours in _TAKEN.items():
        if ours not in known and attributes.get(theirs) is not None:
            known[ours] = attributes[theirs]
    if not isinstance(known.get("flag"), str):
        raise ValueError("a flag evaluation without feature_flag.key")
    assigned = known.get("assigned", attributes.get("feature_flag.result.value", attributes.get("value")))
    reason = known.get("reason")
    if attributes.get("error.type"):
        reason = "ERROR"
    resource = record.get("resource") or {}
    return exposure_properties(
        known["flag"],
        assigned if not isinstance(assigned, (dict, list)) else msgspec.json.encode(assigned).decode(),
        reason=reason if isinstance(reason, str) else "UNKNOWN",
        revision=known.get("revision"),
        sdk=resource.get("telemetry.sdk.language"),
        environment=resource.get("deployment.environment.name") or resource.get("deployment.environment"),
        unit=id_text(known.get("unit")),
        rest={key: value for key, value in attributes.items() if key not in _TAKEN},
    )


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _length_delimited(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data
