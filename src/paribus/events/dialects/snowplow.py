"""Snowplow's tracker protocol."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from paribus.events.dialects.dialect import POST, Dialect, Limits, Opened, Outcome, Routes, each_event
from paribus.events.dialects.form import decode_base64
from paribus.events.dialects.keys import bearer_key
from paribus.events.hygiene import Flaw, Unreadable, clean
from paribus.events.incoming import Batch, Derived, Incoming, id_text, json_text, stated
from paribus.events.request import Answer, IntakeRequest

_PIXEL = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c000000000100010000020144003b")
_SCHEMA = "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4"
_IDS = frozenset(("eid", "uid", "duid", "nuid", "tnuid", "sid", "dtm", "ttm", "stm", "e"))
_BODY = frozenset(("se_ca", "se_ac", "se_la", "se_pr", "se_va", "ue_pr", "ue_px", "co", "cx", "url", "page", "refr"))
_STRUCTURED = {"se_ca": "category", "se_la": "label", "se_pr": "property", "se_va": "value"}
_NAMES = {"pv": "$page_view", "pp": "page_ping", "tr": "transaction", "ti": "transaction_item"}


class _Body(msgspec.Struct):
    data: list[Any]


_read_body = msgspec.json.Decoder(_Body).decode


class SnowplowDialect(Dialect):
    """`tp2` by POST and the pixel `/i` by GET; self-describing events are named by their schema."""

    name = "snowplow"
    routes: ClassVar[Routes] = {"/com.snowplowanalytics.snowplow/tp2": POST, "/i": frozenset({"GET"})}
    limits = Limits(body_bytes=1024 * 1024, event_bytes=192 * 1024, events=2_000)
    list_key = "data"

    def key(self, request: IntakeRequest) -> str | None:
        """A bearer's token, `X-API-Key`, `?key=`, else the application id (`aid`), since trackers send no key."""
        found = bearer_key(request) or request.query.get("aid")
        if found is not None:
            return found
        try:
            aid = _read_body(self.open(request).document).data[0]["aid"]
        except Exception:  # noqa: BLE001  # `check` says what is wrong with the body
            return None
        return aid if isinstance(aid, str) else None

    def open(self, request: IntakeRequest) -> Opened:
        """The payload; a pixel's query becomes a payload of one."""
        if request.method == "GET":
            data = {name: value for name, value in request.query.items() if name != "key"}
            return Opened(msgspec.json.encode({"schema": _SCHEMA, "data": [data]}), is_as_received=False)
        return super().open(request)

    def answer(self, outcome: Outcome) -> Answer:
        """The text ok, or a pixel."""
        if outcome.request.method == "GET":
            return Answer(200, _PIXEL, "image/gif", {"Cache-Control": "no-cache, no-store"})
        if outcome.problem is not None:
            return Answer(400, f"{outcome.problem.what}: {outcome.problem.rule}".encode(), "text/plain; charset=utf-8")
        return Answer(200, b"ok", "text/plain; charset=utf-8")

    def read(self, document: bytes, flaws: Mapping[int, Flaw]) -> Batch:
        """The events of `{"schema": …, "data": […]}`."""
        try:
            body = _read_body(document)
        except msgspec.ValidationError as error:
            raise Unreadable(str(error), 'the body is {"schema": payload_data, "data": [events]}') from None
        derived = Derived(self.name, document)
        return Batch(each_event(body.data, flaws, lambda event, index: _incoming(event, index, derived)))


def _incoming(event: dict[str, Any], index: int, derived: Derived) -> Incoming:
    time = stated(event.get("ttm") or event.get("dtm"))
    sent = stated(event.get("stm")).time
    name, properties = _meaning(event)
    context = {key: value for key, value in event.items() if key not in _IDS and key not in _BODY}
    attached = _embedded(event, "co", "cx")
    if attached is not None:
        context["contexts"] = attached.get("data", attached)
    ground = {key: value for key, value in event.items() if key != "stm"}
    return Incoming(
        name=name,
        event_id=id_text(event.get("eid")) or derived.event_id(ground, index, has_time=time.time is not None),
        properties=json_text(properties),
        context=json_text(context),
        time=time.time,
        sent=sent,
        user_id=id_text(event.get("uid")),
        anonymous_id=id_text(event.get("duid") or event.get("nuid") or event.get("tnuid")),
        session_id=id_text(event.get("sid")),
        time_problem=time.problem,
        stated_time=time.text,
    )


def _meaning(event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    kind = event["e"]
    if kind == "se":
        properties = {ours: event[theirs] for theirs, ours in _STRUCTURED.items() if event.get(theirs) is not None}
        if "value" in properties:
            properties["value"] = _finite(properties["value"])
        name = event.get("se_ac")
        if not isinstance(name, str):
            raise ValueError("a structured event without an action")
        return name, properties
    if kind == "ue":
        outer = _embedded(event, "ue_pr", "ue_px")
        inner = outer.get("data") if outer is not None else None
        if not isinstance(inner, dict) or not isinstance(inner.get("schema"), str):
            raise ValueError("a self-describing event without a schema")
        data = inner.get("data")
        parts = inner["schema"].removeprefix("iglu:").split("/")
        if len(parts) != 4:
            raise ValueError("the schema is not iglu:vendor/name/format/version")
        return parts[1], {**(data if isinstance(data, dict) else {"data": data}), "$schema": inner["schema"]}
    if kind in ("pv", "pp"):
        names = {"url": "url", "page": "title", "refr": "referrer"}
        return _NAMES[kind], {ours: event[theirs] for theirs, ours in names.items() if event.get(theirs) is not None}
    if kind in _NAMES:
        return _NAMES[kind], {key: value for key, value in event.items() if key.startswith(f"{kind}_")}
    raise ValueError("the event type is none of pv, pp, se, ue, tr, ti")


def _finite(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError("se_va is no number") from None
    if not math.isfinite(number):
        raise ValueError("se_va is no finite number")
    return number


def _embedded(event: dict[str, Any], plain: str, encoded: str) -> dict[str, Any] | None:
    """JSON inside a field, plain or base64; held to the same rules as the body around it."""
    if isinstance(event.get(plain), str):
        document = event[plain].encode()
    elif isinstance(event.get(encoded), str):
        document = decode_base64(event[encoded])
    else:
        return None
    try:
        value = msgspec.json.decode(clean(document, None).document)
    except Unreadable as error:
        raise ValueError(f"embedded JSON: {error.what}") from None
    if not isinstance(value, dict):
        raise ValueError("embedded JSON is no object")
    return value
