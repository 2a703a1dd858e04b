"""The Python clients of Amplitude, Mixpanel, PostHog and Snowplow."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from tests.clients.arrival import Json, Sent, compare, landed
from tests.clients.conftest import Served

pytestmark = [pytest.mark.clients, pytest.mark.xdist_group("clients")]


MIXPANEL_PATHS = {"events": "track", "people": "engage", "groups": "groups", "import": "import"}
HARD = ("nothing", "deep")


def wanted(orders: list[Json], **how: Any) -> list[Sent]:
    """The orders as they must arrive."""
    return [
        replace(
            Sent(
                order["name"],
                order["id"],
                order["time"],
                order["properties"],
                user_id=order["user"],
                anonymous_id=order["anonymous"],
            ),
            **how,
        )
        for order in orders
    ]


def snowplow_sent(orders: list[Json], ids: list[str], session_id: str | None = None) -> list[Sent]:
    """The orders as self-describing events, a structured event and a page view."""
    page = {"url": "http://shop.test/cart", "title": "Cart", "referrer": "http://shop.test/"}
    structured = {"category": "shop", "label": "ä label", "property": "size", "value": 9.9}
    sent = [replace(one, name=one.name.replace(" ", "_").lower()) for one in wanted(orders)]
    last = orders[-1] if session_id else {"user": "user-0", "anonymous": None}
    sent += [
        Sent("add", None, None, structured, last["user"], last["anonymous"]),
        Sent("$page_view", None, None, page, last["user"], last["anonymous"]),
    ]
    return [replace(one, event_id=id_, session_id=session_id) for one, id_ in zip(sent, ids, strict=True)]


@pytest.mark.parametrize("batched", [False, True], ids=["httpapi", "batch"])
def test_amplitude(served: Served, intake_key: str, label: str, orders: list[Json], batched: bool) -> None:
    from amplitude import Amplitude, BaseEvent, Config, EventOptions, Identify

    # This client drops all properties of an event when one of them is null or a list within a list.
    for order in orders:
        order["properties"] = {key: value for key, value in order["properties"].items() if key not in HARD}
    codes: list[int] = []
    configuration = Config(
        server_url=served.url + ("/batch" if batched else "/2/httpapi"),
        use_batch=batched,
        callback=lambda event, code, message: codes.append(code),
    )
    client = Amplitude(intake_key, configuration)
    who = EventOptions(user_id="user-0", device_id="device-0", time=orders[0]["time"], insert_id="i-1")
    client.identify(Identify().set("plan", "pro").add("visits", 2), who)
    for index, order in enumerate(orders):
        client.track(
            BaseEvent(
                order["name"],
                user_id=order["user"],
                device_id=order["anonymous"],
                time=order["time"],
                insert_id=order["id"],
                event_properties=order["properties"],
                session_id=order["time"],
                event_id=index,
                country="Germany",
            )
        )
    client.track(
        BaseEvent("$exposure", "user-0", insert_id="x-1", event_properties={"flag_key": "checkout", "variant": "on"})
    )
    for future in client.flush():
        future.result()
    client.shutdown()
    assert codes == [200] * (len(orders) + 2)
    arrived = landed(served.folder, f"amplitude:{label}")
    sent = [
        Sent(
            "$identify",
            "i-1",
            orders[0]["time"],
            {"$set": {"plan": "pro"}, "$add": {"visits": 2}},
            "user-0",
            "device-0",
        ),
        *(
            replace(one, session_id=str(order["time"]), context={"country": "Germany"})
            for one, order in zip(wanted(orders), orders, strict=True)
        ),
        Sent(
            "$exposure",
            "x-1",
            None,
            {"flag": "checkout", "assigned": "on", "served": "on", "reason": "SPLIT"},
            "user-0",
        ),
    ]
    compare(arrived, sent)
    assert [event.sequence for event in arrived[1:-1]] == list(range(len(orders)))


@pytest.mark.parametrize("buffered", [False, True], ids=["single", "buffered"])
def test_mixpanel(served: Served, intake_key: str, label: str, orders: list[Json], buffered: bool) -> None:
    from mixpanel import BufferedConsumer, Consumer, Mixpanel

    urls = {f"{name}_url": f"{served.url}/{path}" for name, path in MIXPANEL_PATHS.items()}
    consumer = BufferedConsumer(**urls) if buffered else Consumer(**urls)
    client = Mixpanel(intake_key, consumer=consumer)
    orders = orders if buffered else orders[:12]
    for order in orders:
        given = {"$insert_id": order["id"], "time": order["time"] / 1000, "$device_id": order["anonymous"]}
        client.track(order["user"], order["name"], order["properties"] | given)
    if buffered:
        consumer.flush()
    compare(landed(served.folder, f"mixpanel:{label}"), wanted(orders, context={"mp_lib": "python"}))


def test_mixpanel_profiles_and_imports(served: Served, intake_key: str, label: str, orders: list[Json]) -> None:
    from mixpanel import Consumer, Mixpanel

    urls = {f"{name}_url": f"{served.url}/{path}" for name, path in MIXPANEL_PATHS.items()}
    client = Mixpanel(intake_key, consumer=Consumer(**urls))
    time = orders[0]["time"]
    client.people_set("user-0", {"plan": "pro"}, meta={"$time": time})
    client.group_set("company", "acme", {"seats": 7}, meta={"$time": time})
    given = {"$insert_id": orders[0]["id"]}
    client.import_data(
        intake_key, "user-0", "history", time / 1000, orders[0]["properties"] | given, api_secret=intake_key
    )
    sent = [
        Sent("$identify", None, time, {"$set": {"plan": "pro"}}, "user-0"),
        Sent("$group", None, time, {"$group_key": "company", "$group_id": "acme", "$set": {"seats": 7}}),
        Sent("history", orders[0]["id"], time, orders[0]["properties"], "user-0"),
    ]
    compare(landed(served.folder, f"mixpanel:{label}"), sent)


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
def test_posthog(served: Served, intake_key: str, label: str, orders: list[Json], compressed: bool) -> None:
    from posthog import Posthog
    from tests.clients.test_segment import at

    problems: list[object] = []
    client = Posthog(intake_key, host=served.url, gzip=compressed, on_error=lambda error, batch: problems.append(error))
    time = orders[0]["time"]
    client.set(distinct_id="user-0", properties={"plan": "pro"}, timestamp=at(time))
    client.alias("device-0", "user-0", timestamp=at(time))
    client.group_identify("company", "acme", {"seats": 7}, timestamp=at(time))
    for order in orders:
        client.capture(
            order["name"],
            distinct_id=order["user"],
            properties=order["properties"] | {"$device_id": order["anonymous"], "$session_id": "s-1"},
            timestamp=at(order["time"]),
            uuid=order["id"],
        )
    assert client.get_feature_flag("checkout", "user-1") is None, "this server has no flags for this protocol"
    client.capture(
        "$feature_flag_called",
        distinct_id="user-2",
        properties={"$feature_flag": "checkout", "$feature_flag_response": "treatment", "$feature_flag_version": 4},
        timestamp=at(time),
    )
    client.shutdown()
    assert problems == []
    arrived = landed(served.folder, f"posthog:{label}")
    exposures = [event for event in arrived if event.name == "$exposure"]
    sent = [
        Sent("$set", None, time, {}, "user-0"),
        Sent("$alias", None, time, {"previous_id": "device-0"}, "user-0"),
        Sent("$group", None, time, {"group_type": "company", "group_id": "acme", "traits": {"seats": 7}}),
        *wanted(orders, session_id="s-1", context={"$lib": "posthog-python"}),
    ]
    compare([event for event in arrived if event.name != "$exposure"], sent)
    *undecided, decided = exposures
    for event in undecided:
        assert (event.user_id, event.properties["reason"]) in {("user-1", "DEFAULT"), ("user-1", "ERROR")}
    assert (decided.user_id, decided.properties["reason"]) == ("user-2", "SPLIT")
    assert (decided.properties["flag"], decided.properties["assigned"]) == ("checkout", "treatment")
    assert decided.properties["revision"] == 4


@pytest.mark.parametrize("method", ["post", "get"])
def test_snowplow(served: Served, intake_key: str, label: str, orders: list[Json], method: Any) -> None:
    from snowplow_tracker import (
        Emitter,
        PageView,
        SelfDescribing,
        SelfDescribingJson,
        StructuredEvent,
        Subject,
        Tracker,
    )

    failures: list[Any] = []
    host, port = served.host.split(":")
    emitter = Emitter(
        host, "http", int(port), method, batch_size=50, on_failure=lambda count, events: failures.append(count)
    )
    tracker = Tracker("shop", emitter, app_id=intake_key)
    orders = orders if method == "post" else orders[:12]
    ids: list[str] = []
    for order in orders:
        who = Subject().set_user_id(order["user"]).set_domain_user_id(order["anonymous"])
        schema = f"iglu:com.example/{order['name'].replace(' ', '_').lower()}/jsonschema/1-0-0"
        cart = SelfDescribingJson("iglu:com.example/cart/jsonschema/1-0-0", {"id": 7})
        event = SelfDescribing(
            SelfDescribingJson(schema, order["properties"]), who, [cart], true_timestamp=order["time"]
        )
        ids.append(tracker.track(event) or "")
    who = Subject().set_user_id("user-0").set_lang("de")
    ids.append(tracker.track(StructuredEvent("shop", "add", "ä label", "size", 9.9, who)) or "")
    ids.append(tracker.track(PageView("http://shop.test/cart", "Cart", "http://shop.test/", who)) or "")
    tracker.flush()
    assert failures == []
    arrived = landed(served.folder, f"snowplow:{label}")
    compare(arrived, snowplow_sent(orders, ids))
    [context] = {json.dumps(event.context["contexts"]) for event in arrived[: len(orders)]}
    assert json.loads(context) == [{"schema": "iglu:com.example/cart/jsonschema/1-0-0", "data": {"id": 7}}]
    assert len(set(ids)) == len(ids)
    assert all(event.sent_time is not None for event in arrived)
