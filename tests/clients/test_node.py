"""The Node clients of OpenFeature, Segment, RudderStack, Amplitude, Mixpanel, PostHog and Snowplow."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.clients import genuine
from tests.clients.arrival import Json, Sent, compare, landed, until
from tests.clients.conftest import Served
from tests.clients.splits import UNITS, check_exposures, variant_of
from tests.clients.test_segment import calls
from tests.clients.test_vendors import snowplow_sent, wanted

pytestmark = [pytest.mark.clients, pytest.mark.xdist_group("clients")]


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    genuine.install()


def test_openfeature_node(served: Served, flag: Json, label: str) -> None:
    served.paribus("flag", "create", "boolean", "--variants", "off=false,on=true", "--split", "0/100")
    served.paribus(
        "flag", "create", "number", "--variants", "control=0.5,more=7", "--split", "0/100", "--type", "float"
    )
    served.paribus(
        "flag", "create", "object", "--variants", 'control={},more={"n":1}', "--type", "json", "--split", "0/100"
    )
    key = served.key("server", label)
    answer = genuine.run("openfeature.mjs", url=served.url, key=key, units=UNITS)
    assert answer["found"] == [[variant_of(flag, unit)] * 2 + ["SPLIT", 0.5] for unit in UNITS]
    assert answer["types"] == {"boolean": True, "number": 7, "object": {"n": 1}, "missing": "FLAG_NOT_FOUND"}
    arrived = until(lambda: len(found := landed(served.folder, f"paribus:{label}")) == len(UNITS) + 3 and found)
    check_exposures(flag, [event for event in arrived if event.properties["flag"] == "checkout"], UNITS)


def test_segment_node(served: Served, intake_key: str, label: str, orders: list[Json]) -> None:
    genuine.run("segment.mjs", url=served.url, key=intake_key, orders=orders)
    arrived = landed(served.folder, f"segment:{label}")
    compare(arrived, calls(orders))
    assert {event.context["library"]["name"] for event in arrived} == {"@segment/analytics-node"}


def test_rudderstack_node(served: Served, intake_key: str, label: str, orders: list[Json]) -> None:
    genuine.run("rudderstack.mjs", url=served.url + "/intake/rudderstack", key=intake_key, orders=orders)
    compare(landed(served.folder, f"rudderstack:{label}"), calls(orders))


@pytest.mark.parametrize("path", ["/2/httpapi", "/batch"], ids=["httpapi", "batch"])
def test_amplitude_node(served: Served, intake_key: str, label: str, orders: list[Json], path: str) -> None:
    genuine.run("amplitude.mjs", path, url=served.url, key=intake_key, orders=orders)
    arrived = landed(served.folder, f"amplitude:{label}")
    exposed = {"flag": "checkout", "assigned": "on", "served": "on", "reason": "SPLIT"}
    profile = {"$set": {"plan": "pro"}, "$add": {"visits": 2}}
    sent = [
        Sent("$identify", "i-1", orders[0]["time"], profile, "user-0", "device-0"),
        *(
            replace(one, session_id=str(order["time"]), context={"country": "Germany"})
            for one, order in zip(wanted(orders), orders, strict=True)
        ),
        Sent("$exposure", "x-1", None, exposed, "user-0"),
    ]
    compare(arrived, sent)
    assert [event.sequence for event in arrived] == list(range(len(arrived)))


@pytest.mark.parametrize("how", ["single", "batch"])
def test_mixpanel_node(served: Served, intake_key: str, label: str, orders: list[Json], how: str) -> None:
    orders = orders if how == "batch" else orders[:12]
    genuine.run("mixpanel.mjs", how, url=served.url, key=intake_key, orders=orders)
    sent = wanted(orders, context={"mp_lib": "node"} if how == "single" else {})
    time = orders[0]["time"]
    if how == "single":
        sent += [
            Sent("$identify", None, time, {"$set": {"plan": "pro"}}, "user-0"),
            Sent("$group", None, time, {"$group_key": "company", "$group_id": "acme", "$set": {"seats": 7}}),
            Sent("$alias", None, None, {"previous_id": "device-0"}, "user-0"),
        ]
    compare(landed(served.folder, f"mixpanel:{label}"), sent, in_order=how == "single")


@pytest.mark.parametrize("compression", ["plain", "gzip"])
def test_posthog_node(served: Served, intake_key: str, label: str, orders: list[Json], compression: str) -> None:
    genuine.run("posthog.mjs", compression, url=served.url, key=intake_key, orders=orders)
    arrived = landed(served.folder, f"posthog:{label}")
    exposures = [event for event in arrived if event.name == "$exposure"]
    sent = [
        Sent("$group", None, None, {"group_type": "company", "group_id": "acme", "traits": {"seats": 7}}),
        Sent("$alias", None, None, {"previous_id": "user-0"}, "device-0"),
        *wanted(orders, session_id="s-1", context={"$lib": "posthog-node"}),
    ]
    compare([event for event in arrived if event.name != "$exposure"], sent)
    decided = exposures[-1]
    assert (decided.user_id, decided.properties["reason"]) == ("user-2", "SPLIT")
    assert (decided.properties["flag"], decided.properties["assigned"]) == ("checkout", "treatment")
    assert {event.properties["reason"] for event in exposures[:-1]} <= {"DEFAULT", "ERROR"}


@pytest.mark.parametrize("method", ["post", "get"])
def test_snowplow_node(served: Served, intake_key: str, label: str, orders: list[Json], method: str) -> None:
    orders = orders if method == "post" else orders[:12]
    ids = genuine.run("snowplow.mjs", method, url=served.url, key=intake_key, orders=orders)
    arrived = landed(served.folder, f"snowplow:{label}")
    compare(arrived, snowplow_sent(orders, ids, session_id="s-1"))
    [context] = {json.dumps(event.context["contexts"]) for event in arrived[: len(orders)]}
    assert json.loads(context) == [{"schema": "iglu:com.example/cart/jsonschema/1-0-0", "data": {"id": 7}}]
