"""Bodies as the vendors' browser and Node libraries write them, their keys, their routes, their answers."""

from __future__ import annotations

import base64
import gzip
import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from tests.events.door import NOW, check, decode, records, request

from paribus.errors import NotFound
from paribus.events.compile import compile_plan
from paribus.events.dialects import REGISTRY, dialect_named, match, root_routes
from paribus.events.dialects.dialect import refusal
from paribus.events.dialects.otlp import OtlpDialect
from paribus.events.incoming import read_event
from paribus.lake.record import Quarantined, Record, microseconds

STAMP = "2026-11-24T11:59:00.000Z"
FORM = {"content-type": "application/x-www-form-urlencoded"}
TEXT = {"content-type": "text/plain"}


def key(incoming: Any) -> str | None:
    dialect = match(incoming)
    assert dialect is not None
    return dialect.key(incoming)


def properties(record: Record) -> dict[str, Any]:
    return json.loads(record.properties)


def basic(user: str, password: str = "") -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


# Routes


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("prefix", [True, False])
def test_every_route_is_served_at_the_root_and_under_intake(slash: str, prefix: bool) -> None:
    bodies = {"amplitude": b'{"events":[]}', "posthog": b'{"batch":[]}'}
    for name, method, path in root_routes():
        if path.startswith("/intake/") is not prefix:
            continue
        headers = {"content-type": "application/cloudevents+json"} if name == "cloudevents" else {}
        found = match(request(path.rstrip("/") + slash, bodies.get(name, b"{}"), method=method, headers=headers))
        assert found is not None
        assert found.name == name or (name == "rudderstack" and found.name == "segment")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/batch"),
        ("POST", "/nothing"),
        ("POST", "/intake/segment/track"),
        ("POST", "/intake/unknown/v1/batch"),
        ("POST", "/intake/"),
        ("POST", "/"),
        ("POST", "/v1/batch/../import"),
        ("DELETE", "/api/v1/events"),
    ],
)
def test_other_requests_are_nobodys(method: str, path: str) -> None:
    assert match(request(path, b"{}", method=method)) is None


def test_batch_is_told_apart_by_its_body() -> None:
    for compress in (bytes, gzip.compress):
        amplitude = match(request("/batch", compress(b'{"api_key":"k","events":[{"event_type":"a"}]}')))
        posthog = match(request("/batch/", compress(b'{"api_key":"k","batch":[{"event":"a"}]}')))
        assert amplitude is not None
        assert posthog is not None
        assert (amplitude.name, posthog.name) == ("amplitude", "posthog")


def test_every_dialect_is_documented() -> None:
    docs = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
    for name in REGISTRY:
        assert f"`{name}`" in docs


def test_a_refusal_is_read_by_the_clients_of_all() -> None:
    from amplitude.http_client import HttpStatus, Response

    answer = refusal(429, "too often", retry_after=1.2)
    body = json.loads(answer.body)
    assert answer.headers == {"Retry-After": "2"}
    assert Response.get_status(body["code"]) is HttpStatus.TOO_MANY_REQUESTS
    assert (body["status"], body["error"], body["message"]) == (0, "too often", "too often")


def test_an_unknown_dialect_of_a_row_is_named() -> None:
    with pytest.raises(NotFound, match="no intake dialect 'x'"):
        dialect_named("x")


# Our own


def test_our_own_event_with_all_its_fields() -> None:
    event = {
        "event_id": "e1",
        "name": "order_completed",
        "time": STAMP,
        "unit_type": "account",
        "unit": 42,
        "user_id": "u",
        "anonymous_id": "a",
        "session_id": "s",
        "properties": {"revenue": 31.5},
        "context": {"locale": "en"},
        "sequence": 7,
    }
    incoming = request("/api/v1/events", {"sent_at": STAMP, "batch": [event]}, headers={"authorization": "Bearer pb_x"})
    (record,) = records(incoming)
    assert record == Record(
        source="paribus:main",
        event_id="e1",
        name="order_completed",
        original_time=microseconds(NOW) - 60_000_000,
        received_time=microseconds(NOW),
        corrected_time=microseconds(NOW),
        unit_type="account",
        unit="42",
        user_id="u",
        anonymous_id="a",
        session_id="s",
        sent_time=microseconds(NOW) - 60_000_000,
        properties='{"revenue": 31.5}',
        context='{"locale": "en"}',
        typed={},
        plan_revision=0,
        planned=False,
        sequence=7,
        trusted=False,
        environment="dev",
    )
    assert key(incoming) == "pb_x"
    assert json.loads(check(incoming).answer.body) == {"accepted": 1, "quarantined": 0, "rejected": []}


def test_a_beacon_brings_its_key_in_the_query() -> None:
    incoming = request("/api/v1/events", {"batch": []}, headers=TEXT, query={"key": "pb_y"})
    assert key(incoming) == "pb_y"
    assert check(incoming).answer.status == 200
    assert key(request("/api/v1/events", b"", headers={"x-api-key": "pb_z"})) == "pb_z"


# Segment


def test_segments_browser_library() -> None:
    message = {
        "timestamp": STAMP,
        "event": "Clicked",
        "type": "track",
        "properties": {"x": 1},
        "context": {"page": {"path": "/"}, "library": {"name": "analytics.js"}, "sessionId": 17},
        "messageId": "ajs-next-1",
        "anonymousId": "anon",
        "writeKey": "wk",
        "userId": None,
        "sentAt": STAMP,
    }
    incoming = request("/v1/t", message, headers=TEXT)
    assert key(incoming) == "wk"
    assert key(request("/v1/t", message, headers={**TEXT, **basic("pb_b")})) == "pb_b"
    (record,) = records(incoming)
    assert (record.name, record.event_id, record.anonymous_id, record.user_id, record.unit, record.session_id) == (
        "Clicked",
        "ajs-next-1",
        "anon",
        None,
        "anon",
        "17",
    )
    assert record.sent_time is not None


@pytest.mark.parametrize(
    ("path", "message", "name", "expected"),
    [
        ("/v1/track", {"event": "A", "properties": {"a": 1}}, "A", {"a": 1}),
        ("/v1/i", {"traits": {"plan": "pro"}}, "$identify", {"plan": "pro"}),
        ("/v1/identify", {"context": {"traits": {"plan": "pro"}}}, "$identify", {"plan": "pro"}),
        ("/v1/page", {"name": "Home", "properties": {"path": "/"}}, "$page_view", {"path": "/", "name": "Home"}),
        ("/v1/s", {"name": "Main"}, "$screen_view", {"name": "Main"}),
        ("/v1/g", {"groupId": "g", "traits": {"n": 1}}, "$group", {"n": 1, "group_id": "g"}),
        ("/v1/alias", {"previousId": "old"}, "$alias", {"previous_id": "old"}),
    ],
)
@pytest.mark.parametrize("is_gzip", [False, True])
def test_segments_single_calls_need_no_type(
    path: str, message: dict[str, Any], name: str, expected: dict[str, Any], is_gzip: bool
) -> None:
    body = json.dumps({**message, "userId": "u", "messageId": "m"}).encode()
    (record,) = records(request(path, gzip.compress(body) if is_gzip else body))
    assert (record.name, properties(record), record.user_id) == (name, expected, "u")


def test_a_message_without_a_known_type_is_rejected_alone() -> None:
    checked = check(
        request("/v1/batch", {"batch": [{"type": "video"}, {"type": "track", "event": "A"}, {"type": "track"}]})
    )
    assert [part.index for part in checked.rejected] == [0, 2]
    assert json.loads(checked.answer.body)["success"] is True


def test_the_body_is_landed_as_received_where_it_can_be() -> None:
    body = gzip.compress(b'{"batch":[{"type":"track","event":"A","messageId":"m"}]}')
    checked = check(request("/v1/batch", body, headers={"content-encoding": "gzip"}))
    assert checked.body is body


# Amplitude, Mixpanel, PostHog, Snowplow in the browser


def test_amplitudes_own_exposures() -> None:
    event = {
        "event_type": "$exposure",
        "user_id": "u1",
        "insert_id": "i",
        "time": 1795521540000,
        "session_id": -1,
        "event_properties": {"flag_key": "checkout", "variant": "treatment", "other": 1},
    }
    incoming = request("/2/httpapi", {"api_key": "k", "events": [event], "client_upload_time": STAMP})
    (record,) = records(incoming)
    assert record.name == "$exposure"
    assert properties(record) == {
        "flag": "checkout",
        "assigned": "treatment",
        "served": "treatment",
        "reason": "SPLIT",
        "other": 1,
    }
    assert (record.session_id, record.sent_time) == (None, microseconds(NOW) - 60_000_000)
    answer = json.loads(check(incoming).answer.body)
    assert answer["code"] == 200
    assert answer["events_ingested"] == 1
    assert answer["server_upload_time"] == microseconds(NOW) // 1000


def test_amplitudes_refusals_hold_a_code() -> None:
    assert json.loads(check(request("/2/httpapi", b"{}")).answer.body)["code"] == 400
    many = {"api_key": "k", "events": [{"event_type": "a"}] * 2001}
    answer = check(request("/2/httpapi", many)).answer
    assert (answer.status, json.loads(answer.body)["code"]) == (413, 413)


MIXPANEL = {
    "event": "Viewed",
    "properties": {
        "token": "tok",
        "distinct_id": "$device:d1",
        "$device_id": "d1",
        "time": 1795521540.5,
        "$insert_id": "i1",
        "$browser": "Chrome",
        "x": 1,
    },
}


@pytest.mark.parametrize("is_base64", [False, True])
@pytest.mark.parametrize("is_list", [False, True])
@pytest.mark.parametrize("method", ["GET", "POST", "JSON"])
def test_mixpanels_forms(is_base64: bool, is_list: bool, method: str) -> None:
    text = json.dumps([MIXPANEL] if is_list else MIXPANEL)
    data = base64.b64encode(text.encode()).decode() if is_base64 else text
    if method == "GET":
        incoming = request("/track", method="GET", query={"data": data, "verbose": "1"})
    elif method == "POST":
        incoming = request("/track/", urlencode({"data": data, "verbose": 1}).encode(), headers=FORM)
    else:
        incoming = request("/track", text.encode(), query={"verbose": "1"})
    (record,) = records(incoming)
    assert (record.event_id, record.anonymous_id, record.user_id, record.unit) == ("i1", "d1", None, "d1")
    assert properties(record) == {"x": 1}
    assert json.loads(record.context) == {"$browser": "Chrome"}
    assert record.original_time == 1795521540500000
    assert key(incoming) == "tok"
    assert json.loads(check(incoming).answer.body) == {"status": 1, "error": None}


def test_mixpanels_short_answer_and_experiments() -> None:
    event = {
        "event": "$experiment_started",
        "properties": {
            "token": "t",
            "distinct_id": "u",
            "Experiment name": "e",
            "Variant name": "b",
            "$insert_id": "i",
        },
    }
    incoming = request("/track", method="GET", query={"data": json.dumps(event)})
    (record,) = records(incoming)
    assert (record.name, properties(record)["flag"], properties(record)["assigned"]) == ("$exposure", "e", "b")
    assert check(incoming).answer.body == b"1"


def test_mixpanels_import_names_the_records_that_failed() -> None:
    lines = "\n".join(json.dumps(part) for part in (MIXPANEL, {"event": ""}, {"properties": {}}))
    headers = {"content-type": "application/x-ndjson", **basic("secret")}
    incoming = request("/import", lines.encode(), headers=headers, query={"strict": "1"})
    assert key(incoming) == "secret"
    checked = check(incoming)
    answer = json.loads(checked.answer.body)
    assert (checked.answer.status, answer["num_records_imported"]) == (400, 1)
    assert [record["index"] for record in answer["failed_records"]] == [1, 2]
    whole = check(request("/import", [MIXPANEL], headers=basic("secret")))
    assert json.loads(whole.answer.body) == {"code": 200, "num_records_imported": 1, "status": "OK"}


POSTHOG = {
    "uuid": "p1",
    "event": "$pageview",
    "properties": {"token": "phc", "distinct_id": "d1", "$device_id": "d1", "$session_id": "s1", "x": 1},
    "timestamp": STAMP,
}


@pytest.mark.parametrize("spelling", ["list", "object", "form", "gzip-js", "gzip-js batch"])
def test_posthogs_browser_library(spelling: str) -> None:
    query = {"_": str(microseconds(NOW) // 1000), "ip": "0"}
    path, headers, body = "/e/", TEXT, json.dumps([POSTHOG]).encode()
    if spelling == "object":
        body = json.dumps(POSTHOG).encode()
    elif spelling == "form":
        body, headers = urlencode({"data": base64.b64encode(body).decode()}).encode(), FORM
    elif spelling == "gzip-js":
        body = gzip.compress(body)
        query["compression"] = "gzip-js"
    elif spelling == "gzip-js batch":
        body, path = gzip.compress(json.dumps({"api_key": "phc", "batch": [POSTHOG]}).encode()), "/batch/"
    incoming = request(path, body, headers=headers, query=query)
    (record,) = records(incoming)
    assert (record.name, record.event_id, record.anonymous_id, record.user_id) == ("$page_view", "p1", "d1", None)
    assert (record.session_id, properties(record)) == ("s1", {"x": 1})
    assert key(incoming) == "phc"
    assert json.loads(check(incoming).answer.body)["status"] == 1
    assert "phc" not in repr(record)


def test_posthogs_offset_counts_back_from_sending() -> None:
    event = {"event": "a", "distinct_id": "u", "uuid": "1", "offset": 90_000, "properties": {}}
    (record,) = records(request("/e/", [event], query={"_": str(microseconds(NOW) // 1000 - 5000)}))
    assert record.original_time == microseconds(NOW) - 95_000_000
    assert record.corrected_time == microseconds(NOW) - 90_000_000


def test_posthogs_flags_and_configuration_are_answered_empty() -> None:
    checked = check(request("/flags/", {"token": "phc"}, query={"v": "2"}))
    assert (checked.received, checked.is_landing) == (0, False)
    assert json.loads(checked.answer.body)["flags"] == {}


def test_posthogs_login_links_both_ids() -> None:
    event = {
        "event": "$identify",
        "uuid": "1",
        "distinct_id": "u1",
        "properties": {"$anon_distinct_id": "anon", "$device_id": "dev"},
        "$set": {"plan": "pro"},
    }
    (record,) = records(request("/e/", event))
    assert (record.name, record.user_id, record.anonymous_id) == ("$identify", "u1", "anon")
    assert properties(record) == {"$set": {"plan": "pro"}}


def test_snowplows_browser_library() -> None:
    inner = {
        "schema": "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0",
        "data": {"schema": "iglu:com.acme/order/jsonschema/1-0-0", "data": {"revenue": 3}},
    }
    event = {
        "e": "ue",
        "eid": "8f5e",
        "duid": "anon",
        "sid": "s1",
        "dtm": "1795521480000",
        "stm": "1795521540000",
        "aid": "pb_site",
        "tv": "js-4.10.1",
        "ue_px": base64.urlsafe_b64encode(json.dumps(inner).encode()).decode().rstrip("="),
    }
    body = {"schema": "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4", "data": [event]}
    incoming = request("/com.snowplowanalytics.snowplow/tp2", body)
    (record,) = records(incoming)
    assert (record.name, properties(record)["revenue"]) == ("order", 3)
    assert record.corrected_time == microseconds(NOW) - 60_000_000  # sent a minute after it happened
    assert (record.anonymous_id, record.session_id, record.event_id) == ("anon", "s1", "8f5e")
    assert key(incoming) == "pb_site"
    assert check(incoming).answer.body == b"ok"


def test_a_value_that_is_no_number_is_not_repeated() -> None:
    checked = check(
        request("/com.snowplowanalytics.snowplow/tp2", {"data": [{"e": "se", "se_ac": "a", "se_va": "secret"}]})
    )
    assert checked.rejected[0].what == "se_va is no number"


def test_json_inside_a_field_is_held_to_the_same_rules() -> None:
    for hostile in (
        '{"schema":"iglu:a/b/jsonschema/1","data":{"schema":"x","schema":"y"}}',
        "[" * 5000,
        '{"a":"\\u0000"}',
    ):
        event = {"e": "ue", "eid": "1", "ue_pr": hostile}
        checked = check(request("/com.snowplowanalytics.snowplow/tp2", {"data": [event, {"e": "pv", "eid": "2"}]}))
        assert [part.index for part in checked.rejected] == [0]
        assert checked.accepted == 1


# CloudEvents and OpenTelemetry

CLOUD = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "com.acme.order", "time": STAMP, "subject": "u1"}


@pytest.mark.parametrize("mode", ["structured", "batch", "binary", "binary bytes"])
def test_cloudevents(mode: str) -> None:
    data = {"revenue": 3}
    if mode == "structured":
        incoming = request("/", {**CLOUD, "data": data}, headers={"content-type": "application/cloudevents+json"})
    elif mode == "batch":
        headers = {"content-type": "application/cloudevents-batch+json"}
        incoming = request("/intake/cloudevents/", [{**CLOUD, "data": data}], headers=headers)
    else:
        kind, body = ("application/json", json.dumps(data).encode()) if mode == "binary" else ("image/png", b"\x00\xff")
        headers = {"content-type": kind, **{f"ce-{name}": value for name, value in CLOUD.items()}}
        incoming = request("/cloudevents", body, headers=headers)
    (record,) = records(incoming)
    assert (record.name, record.event_id, record.unit) == ("com.acme.order", "1 /shop", "u1")
    assert properties(record) == ({"data_base64": "AP8="} if mode == "binary bytes" else data)
    assert record.original_time == microseconds(NOW) - 60_000_000
    assert check(incoming).answer.status == 202


def test_a_cloudevent_of_another_version_is_rejected() -> None:
    checked = check(request("/cloudevents", {**CLOUD, "specversion": "0.3"}))
    assert checked.answer.status == 400


def test_opentelemetry_json_and_its_partial_success() -> None:
    def attribute(name: str, **value: Any) -> dict[str, Any]:
        return {"key": name, "value": value}

    named = {
        "timeUnixNano": "1795521540000000000",
        "eventName": "feature_flag.evaluation",
        "attributes": [
            attribute("feature_flag.key", stringValue="f"),
            attribute("feature_flag.variant", stringValue="on"),
            attribute("feature_flag.evaluation.reason", stringValue="targeting_match"),
            attribute("n", intValue="-3"),
            attribute("list", arrayValue={"values": [{"doubleValue": 1.5}, {"boolValue": True}]}),
        ],
    }
    body = {"resourceLogs": [{"scopeLogs": [{"logRecords": [named, {"body": {"stringValue": "plain line"}}]}]}]}
    checked = check(request("/v1/logs", body))
    assert json.loads(checked.answer.body) == {
        "partialSuccess": {"rejectedLogRecords": "1", "errorMessage": "a log record without an event name"}
    }
    (record,) = decode(checked)
    assert isinstance(record, Record)
    assert properties(record) == {
        "flag": "f",
        "assigned": "on",
        "served": "on",
        "reason": "TARGETING_MATCH",
        "n": -3,
        "list": [1.5, True],
    }


def test_opentelemetrys_binary_partial_success_is_read_by_its_own_library() -> None:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
        ExportLogsServiceRequest,
        ExportLogsServiceResponse,
    )

    export = ExportLogsServiceRequest()
    log = export.resource_logs.add().scope_logs.add().log_records.add()
    log.body.string_value = "plain"
    for _ in range(300):
        export.resource_logs[0].scope_logs[0].log_records.add().CopyFrom(log)
    headers = {"content-type": "application/x-protobuf"}
    checked = check(request("/v1/logs", export.SerializeToString(), headers=headers))
    answer = ExportLogsServiceResponse.FromString(checked.answer.body)
    assert answer.partial_success.rejected_log_records == 301
    assert answer.partial_success.error_message == "a log record without an event name"


def test_the_protobuf_reader_agrees_with_the_genuine_encoder() -> None:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    export = ExportLogsServiceRequest()
    logs = export.resource_logs.add()
    logs.resource.attributes.add(key="service.name").value.string_value = "shop"
    scope = logs.scope_logs.add()
    scope.scope.name = "lib"
    log = scope.log_records.add(time_unix_nano=1795521540000000000, event_name="e", trace_id=b"\x01" * 16)
    values: dict[str, Any] = {"s": "é", "b": True, "i": -(2**63), "d": -0.5}
    log.attributes.add(key="s").value.string_value = "é"
    log.attributes.add(key="b").value.bool_value = True
    log.attributes.add(key="i").value.int_value = -(2**63)
    log.attributes.add(key="d").value.double_value = -0.5
    log.attributes.add(key="y").value.bytes_value = b"\x00\xff"
    log.attributes.add(key="a").value.array_value.values.add().int_value = 5
    log.attributes.add(key="m").value.kvlist_value.values.add(key="k").value.string_value = "v"
    log.attributes.add(key="none")
    headers = {"content-type": "application/x-protobuf"}
    (record,) = records(request("/v1/logs", export.SerializeToString(), headers=headers))
    assert properties(record) == {**values, "y": "AP8=", "a": [5], "m": {"k": "v"}, "none": None}
    assert json.loads(record.context) == {
        "resource": {"service.name": "shop"},
        "scope": "lib",
        "trace_id": "01" * 16,
    }
    assert OtlpDialect().name == "otlp"


# Event ids where the client sends none


MAKERS: dict[str, Any] = {
    "/api/v1/events": (lambda event: {"name": "a", "time": STAMP, "properties": event}, "batch"),
    "/v1/batch": (lambda event: {"type": "track", "event": "a", "timestamp": STAMP, "properties": event}, "batch"),
    "/2/httpapi": (lambda event: {"event_type": "a", "time": 1795521540000, "event_properties": event}, "events"),
    "/track": (lambda event: {"event": "a", "properties": {"time": 1795521540, **event}}, None),
    "/e/": (lambda event: {"event": "a", "timestamp": STAMP, "properties": event}, None),
    "/com.snowplowanalytics.snowplow/tp2": (
        lambda event: {"e": "se", "se_ac": "a", "dtm": "1795521540000", "se_va": event["n"]},
        "data",
    ),
}


@pytest.mark.parametrize("path", MAKERS)
def test_a_retry_without_ids_is_the_same_event_and_equal_events_are_two(path: str) -> None:
    make, key = MAKERS[path]

    def ids(events: list[dict[str, Any]]) -> list[str]:
        made = [make(event) for event in events]
        return [record.event_id for record in records(request(path, {key: made} if key else made))]

    first, second = {"n": 1}, {"n": 2}
    assert ids([first, second]) == ids([first, second])
    assert sorted(ids([first, second])) == sorted(ids([second, first]))
    assert ids([first])[0] == ids([second, first])[1]
    assert len(set(ids([first, first, second]))) == 3


def test_without_ids_and_times_the_sent_time_tells_requests_apart() -> None:
    def ids(sent: str, minutes: int = 0) -> set[str]:
        body = msgspec.json.encode({"batch": [{"name": "a"}, {"name": "a"}], "sent_at": sent})
        now = NOW + timedelta(minutes=minutes)
        return {record.event_id for record in records(request("/api/v1/events", body, now=now))}

    assert ids(STAMP) == ids(STAMP, minutes=5)
    assert len(ids(STAMP) | ids("2026-11-24T11:58:00Z")) == 4


def test_without_any_time_two_equal_requests_are_two_events() -> None:
    """Mixpanel's Node library sends neither an id nor a time, and does not retry."""

    def ids(minutes: int) -> set[str]:
        body = [{"event": "Viewed", "properties": {"token": "t", "distinct_id": "u"}}]
        return {record.event_id for record in records(request("/track", body, now=NOW + timedelta(minutes=minutes)))}

    assert ids(0) == ids(0)
    assert len(ids(0) | ids(1)) == 2


def test_quarantined_events_keep_the_id_that_was_derived() -> None:
    plan = compile_plan({"unplanned": {"dev": "quarantine"}}, revision=1, environment="dev")
    checked = check(request("/track", [{"event": "Viewed", "properties": {}}]), plan)
    (held,) = decode(checked, {"unplanned": {"dev": "quarantine"}})
    assert isinstance(held, Quarantined)
    assert held.event_id is not None
    assert held.event_id.endswith(f"-{microseconds(NOW):x}")
    assert read_event(held.body).event_id == held.event_id
