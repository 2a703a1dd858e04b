"""Mixpanel's track, engage, groups and import APIs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from paribus.events.dialects.dialect import Dialect, Limits, Opened, Outcome, Routes, each_event, route_of
from paribus.events.dialects.form import as_list, json_or_base64, read_form
from paribus.events.dialects.keys import basic_user, bearer_key, body_key
from paribus.events.exposure import exposure_properties
from paribus.events.hygiene import Flaw, Unreadable
from paribus.events.incoming import Batch, Derived, Incoming, id_text, json_text, stated
from paribus.events.request import Answer, IntakeRequest
from paribus.events.reserved import EXPOSURE

_ANY = frozenset({"GET", "POST"})
_TAKEN = frozenset(("token", "distinct_id", "time", "$insert_id", "$user_id", "$device_id", "$session_id"))
_DEVICE = "$device:"


class _Body(msgspec.Struct):
    kind: str
    events: list[Any]


_read_body = msgspec.json.Decoder(_Body).decode


class MixpanelDialect(Dialect):
    """Form data, base64 or JSON; profile updates become `$identify` and `$group`."""

    name = "mixpanel"
    routes: ClassVar[Routes] = dict.fromkeys(("/track", "/engage", "/groups", "/import"), _ANY)
    limits = Limits(body_bytes=10 * 1024 * 1024, event_bytes=1024 * 1024, events=2_000)
    list_key = "events"

    def key(self, request: IntakeRequest) -> str | None:
        """The Basic user (the secret of `/import`), else `token` of the first event, or `api_key` of the form."""
        found = basic_user(request) or bearer_key(request)
        if found is not None:
            return found
        try:
            document = self.open(request).document
            first = msgspec.json.decode(document)["events"][0]
            inner = first.get("properties") or {}
            token = inner.get("token") or first.get("$token") or first.get("token")
        except Exception:  # noqa: BLE001  # `check` says what is wrong with the body
            token = None
        return token if isinstance(token, str) else request.query.get("api_key") or body_key(request.body)

    def open(self, request: IntakeRequest) -> Opened:
        """`{"kind": "track", "events": […]}` from whatever form the request has."""
        kind = route_of(request).strip("/")
        if request.method == "GET":
            data = json_or_base64(request.query.get("data", ""))
        else:
            body = super().open(request).document
            stripped = body.removeprefix(b"\xef\xbb\xbf").lstrip()
            if stripped[:1] in (b"{", b"["):
                data = stripped
                if "ndjson" in request.headers.get("content-type", ""):
                    data = b"[" + b",".join(line for line in stripped.splitlines() if line.strip()) + b"]"
            else:
                data = json_or_base64(read_form(body.strip()).get("data", ""))
        if kind not in ("track", "engage", "groups", "import"):
            raise Unreadable("no route of Mixpanel", "/track, /engage, /groups, /import")
        return Opened(b'{"kind":"%s","events":%s}' % (kind.encode(), as_list(data)), is_as_received=False)

    def answer(self, outcome: Outcome) -> Answer:
        """`{"status": 1}` or the bare 1 that short clients ask for; `/import` says which records failed."""
        request, problem = outcome.request, outcome.problem
        if route_of(request) == "/import" and not _is_form(request):
            return _import_answer(outcome)
        is_verbose = request.query.get("verbose") == "1" or re.search(rb"(?:^|&)verbose=1(?:&|$)", request.body)
        if problem is not None:
            body: Any = {"status": 0, "error": f"{problem.what}: {problem.rule}"} if is_verbose else 0
            return Answer(400 if request.method == "POST" else 200, msgspec.json.encode(body))
        if outcome.rejected and not outcome.taken:
            body = {"status": 0, "error": outcome.rejected[0].what} if is_verbose else 0
            return Answer(200, msgspec.json.encode(body))
        return Answer(200, msgspec.json.encode({"status": 1, "error": None} if is_verbose else 1))

    def read(self, document: bytes, flaws: Mapping[int, Flaw]) -> Batch:
        """The events of the opened document."""
        try:
            body = _read_body(document)
        except msgspec.ValidationError as error:
            raise Unreadable(str(error), "events are JSON objects") from None
        derived = Derived(self.name, document)
        read = {"engage": _read_profile, "groups": _read_group}.get(body.kind, read_mixpanel)
        return Batch(each_event(body.events, flaws, lambda event, index: read(event, index, derived)))


def read_mixpanel(event: dict[str, Any], index: int, derived: Derived) -> Incoming:
    """One tracked or imported event; `$` and `mp_` properties are context.

    Raises:
        ValueError: it has no name, or an id that is no id.
    """
    name = event["event"]
    given = event.get("properties") or {}
    if not isinstance(name, str) or not name or not isinstance(given, dict):
        raise ValueError("event is a name and properties an object")
    time = stated(given.get("time"))
    ours = {key: value for key, value in given.items() if key not in _TAKEN}
    properties = {key: value for key, value in ours.items() if not key.startswith(("$", "mp_"))}
    context = {key: value for key, value in ours.items() if key.startswith(("$", "mp_"))}
    user_id, anonymous_id = _ids(given)
    if name == "$experiment_started" and isinstance(given.get("Experiment name"), str):
        rest = {key: value for key, value in properties.items() if key not in ("Experiment name", "Variant name")}
        properties = exposure_properties(
            given["Experiment name"], given.get("Variant name"), sdk=given.get("mp_lib"), rest=rest
        )
        name = EXPOSURE
    elif name == "$create_alias":
        name, properties = "$alias", {"previous_id": id_text(given.get("distinct_id"))}
        user_id = id_text(given.get("alias"))
    elif name == "$identify":
        user_id = id_text(given.get("$identified_id")) or user_id
        anonymous_id = id_text(given.get("$anon_id") or given.get("$anon_distinct_id")) or anonymous_id
    elif name == "$mp_web_page_view":
        name = "$page_view"
    return Incoming(
        name=name,
        event_id=id_text(given.get("$insert_id"))
        or derived.event_id(_without_token(event, given), index, has_time=time.time is not None),
        properties=json_text(properties),
        context=json_text(context),
        time=time.time,
        user_id=user_id,
        anonymous_id=anonymous_id,
        session_id=id_text(given.get("$session_id")),
        time_problem=time.problem,
        stated_time=time.text,
    )


def _ids(given: dict[str, Any]) -> tuple[str | None, str | None]:
    distinct = id_text(given.get("distinct_id"))
    user_id, anonymous_id = id_text(given.get("$user_id")), id_text(given.get("$device_id"))
    if distinct is not None and distinct.startswith(_DEVICE):
        return user_id, anonymous_id or distinct[len(_DEVICE) :]
    if user_id is None and distinct != anonymous_id:
        user_id = distinct
    return user_id, anonymous_id


def _read_profile(event: dict[str, Any], index: int, derived: Derived) -> Incoming:
    return _read_update("$identify", event, id_text(event["$distinct_id"]), index, derived)


def _read_group(event: dict[str, Any], index: int, derived: Derived) -> Incoming:
    return _read_update("$group", event, None, index, derived)


def _read_update(name: str, event: dict[str, Any], user_id: str | None, index: int, derived: Derived) -> Incoming:
    time = stated(event.get("$time"))
    taken = ("$token", "$distinct_id", "$time")
    properties = {key: value for key, value in event.items() if key not in taken}
    bare = {key: value for key, value in event.items() if key != "$token"}
    return Incoming(
        name=name,
        event_id=derived.event_id(bare, index, has_time=time.time is not None),
        properties=json_text(properties),
        context="{}",
        time=time.time,
        user_id=user_id,
        time_problem=time.problem,
        stated_time=time.text,
    )


def _without_token(event: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    return {**event, "properties": {key: value for key, value in given.items() if key != "token"}}


def _is_form(request: IntakeRequest) -> bool:
    return "form" in request.headers.get("content-type", "")


def _import_answer(outcome: Outcome) -> Answer:
    if outcome.problem is not None:
        body = {"code": 400, "error": outcome.problem.what, "num_records_imported": 0, "status": 0}
        return Answer(400, msgspec.json.encode(body))
    if not outcome.rejected:
        return Answer(200, msgspec.json.encode({"code": 200, "num_records_imported": outcome.taken, "status": "OK"}))
    failed = [{"index": part.index, "field": "", "message": f"{part.what}: {part.rule}"} for part in outcome.rejected]
    body = {
        "code": 400,
        "error": "some data points in the request failed validation",
        "failed_records": failed,
        "num_records_imported": outcome.taken,
        "status": "Bad Request",
    }
    return Answer(400, msgspec.json.encode(body))
