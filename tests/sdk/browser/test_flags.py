"""Decisions in a real page: precomputed by the server or from full definitions, and their exposures."""

from __future__ import annotations

from typing import Any

from tests.sdk.browser.conftest import Visit
from tests.sdk.browser.loopback import Loopback

QUIET = {"vitals": False, "errors": False, "flushSeconds": 0.05}


def answer(key: str, variant: str, value: object, **metadata: Any) -> dict[str, Any]:
    facts = {
        "assigned": variant,
        "served": variant,
        "reason": "SPLIT",
        "revision": 4,
        "epoch": 1,
        "traffic_bp": 10000,
        "split_bp": 5000,
        "probability": 0.5,
        "unit_type": "user",
        **metadata,
    }
    return {"key": key, "variant": variant, "value": value, "reason": "SPLIT", "metadata": facts}


def bulk(*flags: dict[str, Any], stream: bool = False) -> dict[str, Any]:
    whole: dict[str, Any] = {"flags": list(flags), "metadata": {"environment": "dev", "revision": 17}}
    if stream:
        uri = "/ofrep/v1/events?key=pb_client_test"
        whole["eventStreams"] = [{"type": "sse", "endpoint": {"requestUri": uri}, "inactivityDelaySec": 120}]
    return whole


def definitions() -> dict[str, Any]:
    split = [{"variant": "control", "weight_bp": 5000}, {"variant": "treatment", "weight_bp": 5000}]
    rollout = {"traffic_salt": "t", "traffic_bp": 10000, "split_salt": "s", "epoch": 3, "split": split}
    flag = {
        "type": "boolean",
        "revision": 9,
        "enabled": True,
        "killed": False,
        "unit_type": "user",
        "unit_attribute": None,
        "variants": [{"name": "control", "value": False}, {"name": "treatment", "value": True}],
        "default_variant": "control",
        "client": True,
        "rules": [
            {"id": "staff", "when": {"attribute": "plan", "op": "equals", "value": "staff"}, "variant": "treatment"},
            {"id": "all", "rollout": rollout},
        ],
    }
    return {"format": 1, "project": "default", "environment": "dev", "revision": 17, "flags": {"checkout": flag}}


def test_precomputed_decisions_and_their_exposures(visit: Visit, server: Loopback) -> None:
    server.bulk = bulk(
        answer("checkout", "treatment", True),
        answer("color", "blue", "#00f"),
        answer("company", "on", 1, unit_attribute="company", attribute_names="plan,missing"),
        {"key": "broken", "errorCode": "PARSE_ERROR", "errorDetails": "the flag is broken"},
    )
    page = visit(unit="u42", context={"plan": "pro", "company": "c7"}, **QUIET)
    page.evaluate("client.ready")
    assert server.bulk_bodies[0]["context"] == {"plan": "pro", "company": "c7", "targetingKey": "u42"}
    assert page.evaluate("client.peek('checkout')") == "treatment"
    assert page.evaluate("client.value('color', '#000')") == "#00f"
    assert page.evaluate("client.value('color', 7)") == 7
    assert page.evaluate("client.value('broken', 'kept')") == "kept"
    assert page.evaluate("client.decide('broken').error_code") == "PARSE_ERROR"
    assert page.evaluate("client.value('unknown', 'kept')") == "kept"
    assert page.evaluate("client.decide('checkout', 'someone').error_code") == "INVALID_CONTEXT"
    assert page.evaluate("[client.variant('checkout'), client.variant('checkout'), client.variant('company')]") == [
        "treatment",
        "treatment",
        "on",
    ]
    exposures = {event["properties"]["flag"]: event for event in server.wait("$exposure", 3)}
    assert set(exposures) == {"color", "checkout", "company"}
    event = exposures["checkout"]
    sequence = event["properties"].pop("sequence")
    assert sequence == event["sequence"]
    assert event["properties"] == {
        "flag": "checkout",
        "assigned": "treatment",
        "served": "treatment",
        "reason": "SPLIT",
        "revision": 4,
        "epoch": 1,
        "traffic_bp": 10000,
        "split_bp": 5000,
        "probability": 0.5,
        "attributes": {},
        "environment": "dev",
        "sdk": "paribus-sdk-browser/0.1.0",
        "unit_type": "user",
        "unit": "u42",
    }
    assert exposures["company"]["unit"] == exposures["company"]["properties"]["unit"] == "c7"
    assert exposures["company"]["properties"]["attributes"] == {"plan": "pro"}
    assert page.evaluate("client.stats.deduplicated") == 1
    assert page.evaluate("client.variants") == {"color": "blue", "checkout": "treatment", "company": "on"}


def test_exposures_are_not_repeated_on_the_next_page(visit: Visit, server: Loopback) -> None:
    server.bulk = bulk(answer("checkout", "treatment", True))
    page = visit(**QUIET)
    page.evaluate("client.ready.then(() => client.variant('checkout'))")
    server.wait("$exposure")
    visit(page, **QUIET)
    page.evaluate("client.ready.then(() => client.variant('checkout'))")
    page.evaluate("client.track('after')")
    server.wait("after")
    assert len(server.named("$exposure")) == 1
    assert page.evaluate("client.variants") == {"checkout": "treatment"}


def test_the_stream_asks_again_and_etag_saves_the_answer(visit: Visit, server: Loopback) -> None:
    server.bulk = bulk(answer("s", "a", "a"), answer("t", "a", "a"), stream=True)
    page = visit(unit="u", **QUIET)
    page.evaluate("client.ready")
    page.evaluate("window.changes = []; client.onChange(flags => changes.push(flags)); null")
    page.wait_for_timeout(200)
    assert server.streams == 1
    server.bulk = bulk(answer("s", "b", "b"), answer("t", "a", "a"), stream=True)
    server.etag = '"2"'
    server.refetch.set()
    page.wait_for_function("client.peek('s') === 'b'")
    assert page.evaluate("changes") == [["s"]]
    assert server.bulk_headers[1]["If-None-Match"] == '"1"'
    assert server.bulk_headers[1]["query"] == "flagConfigEtag=%222%22&flagConfigLastModified=7"
    server.refetch.set()
    page.wait_for_timeout(300)
    assert len(server.bulk_headers) == 3
    assert page.evaluate("changes") == [["s"]]


def test_a_page_in_the_background_holds_no_connection(visit: Visit, server: Loopback) -> None:
    show = """state => { Object.defineProperty(document, 'visibilityState', {value: state, configurable: true});
        document.dispatchEvent(new Event('visibilitychange', {bubbles: true})) }"""
    server.bulk = bulk(answer("s", "a", "a"), stream=True)
    page = visit(unit="u", **QUIET)
    page.evaluate("client.ready")
    page.evaluate("client.track('kept')")
    page.evaluate(show, "hidden")
    assert server.wait("kept")
    server.bulk, server.etag = bulk(answer("s", "b", "b"), stream=True), '"2"'
    page.wait_for_timeout(200)
    asked = len(server.bulk_bodies)
    page.evaluate(show, "visible")
    page.wait_for_function("client.peek('s') === 'b'")
    page.wait_for_timeout(200)
    assert (asked, len(server.bulk_bodies), server.streams) == (1, 2, 2)


def test_the_last_good_decisions_serve_while_the_server_is_down(visit: Visit, server: Loopback) -> None:
    server.bulk = bulk(answer("checkout", "treatment", True))
    page = visit(unit="u42", **QUIET)
    page.evaluate("client.ready")
    server.down = True
    visit(page, unit="u42", **QUIET)
    page.evaluate("client.ready")
    assert page.evaluate("client.peek('checkout')") == "treatment"
    assert "u42" not in page.evaluate("JSON.stringify(Object.keys(localStorage))")
    visit(page, unit="u43", **QUIET)
    page.evaluate("client.ready")
    assert page.evaluate("client.decide('checkout').error_code") == "PROVIDER_NOT_READY"


def test_identify_decides_for_the_user_and_says_so(visit: Visit, server: Loopback) -> None:
    server.bulk = bulk(answer("checkout", "control", False))
    page = visit(**QUIET)
    page.evaluate("client.ready")
    anonymous = page.evaluate("client.anonymousId")
    assert server.bulk_bodies[0]["context"]["targetingKey"] == anonymous
    server.bulk, server.etag = bulk(answer("checkout", "treatment", True)), '"2"'
    page.evaluate("client.identify('u42', {plan: 'pro'})")
    assert server.bulk_bodies[1]["context"] == {"targetingKey": "u42", "plan": "pro"}
    assert page.evaluate("client.peek('checkout')") == "treatment"
    (event,) = server.wait("$identify")
    assert (event["user_id"], event["anonymous_id"], event["unit"]) == ("u42", anonymous, "u42")
    page.evaluate("client.reset()")
    assert page.evaluate("client.anonymousId") != anonymous


def test_assignment_can_stay_with_the_anonymous_id(visit: Visit, server: Loopback) -> None:
    page = visit(assignBy="anonymous", definitions=definitions(), **QUIET)
    before = page.evaluate("client.decide('checkout')")
    page.evaluate("client.identify('u42'); client.variant('checkout')")
    (event,) = server.wait("$exposure")
    assert event["unit"] == before["unit"] == page.evaluate("client.anonymousId")
    assert event["user_id"] == "u42"


def test_full_definitions_need_no_server(visit: Visit, server: Loopback) -> None:
    page = visit(unit="u42", definitions=definitions(), context={"plan": "pro"}, **QUIET)
    decision = page.evaluate("client.decide('checkout')")
    assert decision["reason"] == "SPLIT"
    assert page.evaluate("client.decide('checkout', 'u42', {plan: 'staff'}).reason") == "TARGETING_MATCH"
    assert page.evaluate("client.value('checkout', 'text')") == "text"
    assert page.evaluate("client.value('checkout', null)") == decision["value"]
    (event,) = server.wait("$exposure")
    assert event["properties"]["attributes"] == {"plan": "pro"}
    assert event["properties"]["epoch"] == 3
    assert server.bulk_bodies == []
