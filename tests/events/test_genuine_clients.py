"""Unmodified SDKs of the vendors send to a real server; what arrives is compared with what was given to them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.events.door import Door

from paribus.lake.record import Record, microseconds

WHEN = datetime.now(UTC).replace(microsecond=123_000)


@pytest.fixture
def door() -> Iterator[Door]:
    running = Door()
    yield running
    running.close()


def properties(record: Record) -> dict[str, Any]:
    return json.loads(record.properties)


@pytest.mark.parametrize("gzip", [False, True])
def test_segment(door: Door, gzip: bool) -> None:
    from segment.analytics import Client

    client = Client("wk_test", host=door.url, gzip=gzip, max_retries=0, thread=1)
    for index in range(250):
        client.track(f"u{index}", "Order Completed", {"revenue": index + 0.5, "note": "é \U0001f600"}, timestamp=WHEN)
    client.identify("u1", {"plan": "pro"}, anonymous_id="a1")
    client.page("u1", "Docs", "Home", {"path": "/"})
    client.screen("u1", "App", "Main", {"k": 1})
    client.group("u1", "g1", {"size": 3})
    client.alias("old", "u1")
    client.shutdown()
    assert set(door.keys) == {"wk_test"}
    assert len(door.records) == 255
    tracked, others = door.records[:250], door.records[250:]
    assert [record.user_id for record in tracked] == [f"u{index}" for index in range(250)]
    assert [properties(record) for record in tracked] == [
        {"revenue": index + 0.5, "note": "é \U0001f600"} for index in range(250)
    ]
    assert {record.original_time for record in tracked} == {microseconds(WHEN)}
    assert len({record.event_id for record in door.records}) == 255
    assert [record.name for record in others] == ["$identify", "$page_view", "$screen_view", "$group", "$alias"]
    assert properties(others[0]) == {"plan": "pro"}
    assert others[0].anonymous_id == "a1"
    assert properties(others[1]) == {"path": "/", "name": "Home", "category": "Docs"}
    assert properties(others[3]) == {"size": 3, "group_id": "g1"}
    assert properties(others[4]) == {"previous_id": "old"}
    assert all(record.source == "segment:main" and record.sent_time is not None for record in door.records)


def test_rudderstack(door: Door) -> None:
    from rudderstack.analytics import Client

    client = Client("wk_rudder", host=door.url, max_retries=0, gzip=True)
    for index in range(30):
        client.track(f"u{index}", "Signed Up", {"index": index}, timestamp=WHEN)
    client.shutdown()
    assert set(door.keys) == {"wk_rudder"}
    assert [properties(record)["index"] for record in door.records] == list(range(30))
    assert {record.original_time for record in door.records} == {microseconds(WHEN)}
    assert {record.user_id for record in door.records} == {f"u{index}" for index in range(30)}


@pytest.mark.parametrize("use_batch", [False, True])
def test_amplitude(door: Door, use_batch: bool) -> None:
    from amplitude import Amplitude, BaseEvent, Identify

    client = Amplitude("amp_key")
    client.configuration.server_url = door.url + ("/batch" if use_batch else "/2/httpapi")
    client.configuration.use_batch = use_batch
    client.configuration.flush_interval_millis = 50
    answers: list[int] = []
    client.configuration.callback = lambda event, code, message=None: answers.append(code)
    stamp = int(WHEN.timestamp() * 1000)
    for index in range(40):
        client.track(
            BaseEvent("Clicked", user_id=f"user-{index}", device_id="dev", event_properties={"i": index}, time=stamp)
        )
    identify = Identify()
    identify.set("plan", "pro")
    from amplitude import EventOptions

    client.identify(identify, EventOptions(user_id="user-1"))
    for future in client.flush() or []:
        if future:
            future.result()
    deadline = time.monotonic() + 10
    while len(answers) < 41 and time.monotonic() < deadline:
        time.sleep(0.02)
    client.shutdown()
    assert answers == [200] * 41
    assert set(door.keys) == {"amp_key"}
    clicks = [record for record in door.records if record.name == "Clicked"]
    assert sorted(properties(record)["i"] for record in clicks) == list(range(40))
    assert {record.original_time for record in clicks} == {stamp * 1000}
    assert {record.anonymous_id for record in clicks} == {"dev"}
    assert json.loads(clicks[0].context)["library"].startswith("amplitude-python/")
    (identified,) = [record for record in door.records if record.name == "$identify"]
    assert properties(identified) == {"$set": {"plan": "pro"}}
    assert len({record.event_id for record in door.records}) == 41


def test_mixpanel(door: Door) -> None:
    from mixpanel import BufferedConsumer, Consumer, Mixpanel

    urls = {
        "events_url": f"{door.url}/track",
        "people_url": f"{door.url}/engage",
        "import_url": f"{door.url}/import",
        "groups_url": f"{door.url}/groups",
    }
    single = Mixpanel("mp_tok", consumer=Consumer(**urls, retry_limit=0))
    single.track("u1", "Signed Up", {"a": 1, "b": "x & y = é"})
    single.people_set("u1", {"plan": "pro"})
    single.group_set("company", "acme", {"size": 3})
    single.track("old", "$create_alias", {"distinct_id": "old", "alias": "new"})  # `alias` ignores the endpoint
    single.import_data("api_key", "u2", "Imported", int(WHEN.timestamp()), {"c": [1, 2]}, api_secret="secret")
    buffered_consumer = BufferedConsumer(max_size=20, **urls, retry_limit=0)
    buffered = Mixpanel("mp_tok", consumer=buffered_consumer)
    for index in range(45):
        buffered.track(f"u{index}", "Viewed", {"i": index})
    buffered_consumer.flush()
    assert [record.name for record in door.records[:5]] == ["Signed Up", "$identify", "$group", "$alias", "Imported"]
    first, profile, group, alias, imported = door.records[:5]
    assert properties(first) == {"a": 1, "b": "x & y = é"}
    assert first.user_id == "u1"
    assert json.loads(first.context)["mp_lib"] == "python"
    assert "mp_tok" not in repr(door.records)
    assert properties(profile) == {"$set": {"plan": "pro"}}
    assert properties(group)["$group_id"] == "acme"
    assert (alias.user_id, properties(alias)) == ("new", {"previous_id": "old"})
    assert imported.original_time == int(WHEN.timestamp()) * 1_000_000
    assert [properties(record)["i"] for record in door.records[5:]] == list(range(45))
    assert door.keys[0] == "mp_tok"
    assert door.keys[4] == "secret"
    assert len({record.event_id for record in door.records}) == 50


@pytest.mark.parametrize("gzip", [False, True])
def test_posthog(door: Door, gzip: bool) -> None:
    from posthog import Posthog

    client = Posthog("phc_key", host=door.url, gzip=gzip, max_retries=0, flush_interval=0.05)
    for index in range(30):
        client.capture("signup", distinct_id=f"u{index}", properties={"i": index}, timestamp=WHEN)
    client.capture(
        "$feature_flag_called",
        distinct_id="u1",
        properties={"$feature_flag": "checkout", "$feature_flag_response": "test", "$feature_flag_version": 4},
        timestamp=WHEN,
    )
    client.capture(
        "$feature_flag_called",
        distinct_id="u2",
        properties={"$feature_flag": "checkout", "$feature_flag_response": False},
        timestamp=WHEN,
    )
    client.shutdown()
    assert set(door.keys) == {"phc_key"}
    signups = [record for record in door.records if record.name == "signup"]
    assert [properties(record)["i"] for record in signups] == list(range(30))
    assert [record.user_id for record in signups] == [f"u{index}" for index in range(30)]
    assert {record.original_time for record in signups} == {microseconds(WHEN)}
    assert json.loads(signups[0].context)["$lib"] == "posthog-python"
    exposed, off = [record for record in door.records if record.name == "$exposure"]
    assert properties(exposed) | {"sdk": ""} == {
        "flag": "checkout",
        "assigned": "test",
        "served": "test",
        "reason": "SPLIT",
        "revision": 4,
        "sdk": "",
    }
    assert exposed.unit == "u1"
    assert exposed.typed["flag"] == "checkout"
    assert exposed.typed["revision"] == 4
    assert (properties(off)["assigned"], properties(off)["reason"]) == ("false", "DEFAULT")


@pytest.mark.parametrize("method", ["post", "get"])
@pytest.mark.parametrize("is_encoded", [False, True])
def test_snowplow(door: Door, method: str, is_encoded: bool) -> None:
    from snowplow_tracker import (
        Emitter,
        PageView,
        SelfDescribing,
        SelfDescribingJson,
        StructuredEvent,
        Subject,
        Tracker,
    )

    emitter = Emitter("127.0.0.1", protocol="http", port=door.port, method=method, batch_size=1)
    subject = Subject().set_user_id("u1")
    tracker = Tracker("ns", emitter, subject=subject, app_id="pb_app", encode_base64=is_encoded)
    stamp = int(WHEN.timestamp() * 1000)
    context = [SelfDescribingJson("iglu:com.acme/thing/jsonschema/1-0-0", {"x": 1})]
    tracker.track(StructuredEvent("shop", "add", label="x", value=9.9, context=context, true_timestamp=stamp))
    tracker.track(PageView("http://shop/", page_title="Shop"))
    bought = SelfDescribingJson("iglu:com.acme/order_completed/jsonschema/1-0-0", {"revenue": 9.5, "note": "é"})
    tracker.track(SelfDescribing(bought))
    tracker.flush()
    assert set(door.keys) == {"pb_app"}
    added, page, order = door.records
    assert (added.name, properties(added)) == ("add", {"category": "shop", "label": "x", "value": 9.9})
    assert added.original_time == stamp * 1000
    assert json.loads(added.context)["contexts"] == [
        {"schema": "iglu:com.acme/thing/jsonschema/1-0-0", "data": {"x": 1}}
    ]
    assert (page.name, properties(page)) == ("$page_view", {"url": "http://shop/", "title": "Shop"})
    assert order.name == "order_completed"
    assert properties(order) == {
        "revenue": 9.5,
        "note": "é",
        "$schema": "iglu:com.acme/order_completed/jsonschema/1-0-0",
    }
    assert {record.user_id for record in door.records} == {"u1"}
    assert all(record.sent_time is not None for record in door.records)


@pytest.mark.parametrize("compression", ["none", "gzip", "deflate"])
def test_opentelemetry(door: Door, compression: str) -> None:
    from opentelemetry._logs import SeverityNumber
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
    from opentelemetry.sdk.resources import Resource

    exporter = OTLPLogExporter(
        endpoint=f"{door.url}/v1/logs",
        headers={"authorization": "Bearer pb_key"},
        compression=Compression(compression),
        timeout=5,
    )
    provider = LoggerProvider(resource=Resource.create({"service.name": "shop", "deployment.environment.name": "prod"}))
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    logger = provider.get_logger("flags")
    stamp = int(WHEN.timestamp() * 1000) * 1_000_000
    logger.emit(
        timestamp=stamp,
        severity_number=SeverityNumber.INFO,
        event_name="feature_flag.evaluation",
        attributes={
            "feature_flag.key": "checkout",
            "feature_flag.result.variant": "treatment",
            "feature_flag.result.reason": "split",
            "feature_flag.context.id": "u1",
            "feature_flag.version": "17",
            "feature_flag.provider.name": "paribus",
        },
    )
    logger.emit(
        timestamp=stamp,
        event_name="order_completed",
        body={"revenue": 9.5, "items": [1, -2], "ok": True},
        attributes={"user.id": "u1", "session.id": "s1"},
    )
    provider.shutdown()
    assert set(door.keys) == {"pb_key"}
    exposed, order = door.records
    assert exposed.name == "$exposure"
    assert properties(exposed) == {
        "flag": "checkout",
        "assigned": "treatment",
        "served": "treatment",
        "reason": "SPLIT",
        "revision": 17,
        "unit": "u1",
        "sdk": "python",
        "environment": "prod",
        "feature_flag.provider.name": "paribus",
    }
    assert (exposed.unit, exposed.original_time) == ("u1", stamp // 1000)
    assert properties(order) == {
        "revenue": 9.5,
        "items": [1, -2],
        "ok": True,
        "user.id": "u1",
        "session.id": "s1",
    }
    assert (order.user_id, order.session_id) == ("u1", "s1")
    assert json.loads(order.context)["resource"]["service.name"] == "shop"
