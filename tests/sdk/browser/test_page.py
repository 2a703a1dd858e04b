"""What a page tells by itself: Web Vitals, errors, page views and, when asked for, a recording."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

from tests.sdk.browser.conftest import SDK, Visit
from tests.sdk.browser.loopback import Loopback
from tests.sdk.browser.test_flags import answer, bulk


def properties(server: Loopback, name: str) -> list[dict[str, Any]]:
    return [event["properties"] for event in server.named(name)]


def test_web_vitals_with_the_variants_in_force(visit: Visit, server: Loopback) -> None:
    server.bulk = bulk(answer("checkout", "treatment", True))
    page = visit(errors=False, flushSeconds=0.05)
    page.evaluate("client.ready.then(() => client.variant('checkout'))")
    page.wait_for_timeout(300)
    page.click("#slow")
    page.wait_for_function("document.body.textContent.includes('done')")
    page.wait_for_timeout(300)
    page.click("#next")
    server.wait("$web_vital", 4)
    vitals = {vital["metric"]: vital for vital in properties(server, "$web_vital")}
    assert set(vitals) == {"LCP", "INP", "CLS", "TTFB"}
    assert len(server.named("$web_vital")) == 4
    assert 240 <= vitals["INP"]["value"] < 2000
    assert vitals["INP"]["rating"] in {"needs-improvement", "poor"}
    assert 0 < vitals["TTFB"]["value"] < 5000
    assert vitals["LCP"]["value"] > 0
    assert all(vital["variants"] == {"checkout": "treatment"} for vital in vitals.values())


def test_errors_are_captured_once_each(visit: Visit, server: Loopback) -> None:
    server.bulk = bulk(answer("checkout", "treatment", True))
    page = visit(vitals=False, flushSeconds=0.05)
    page.evaluate("client.ready.then(() => client.variant('checkout'))")
    page.evaluate(
        """() => { const fail = () => { throw new TypeError('broken ' + 1) };
        for (let i = 0; i < 5; i++) setTimeout(fail);
        setTimeout(() => Promise.reject(new RangeError('refused')));
        client.captureError(new Error('caught'), {where: 'cart'}) }"""
    )
    server.wait("$error", 3)
    faults = {fault["message"]: fault for fault in properties(server, "$error")}
    assert faults["broken 1"]["kind"] == "error"
    assert faults["broken 1"]["type"] == "TypeError"
    assert "fail" in faults["broken 1"]["stack"]
    assert faults["refused"]["kind"] == "unhandledrejection"
    assert (faults["caught"]["kind"], faults["caught"]["where"]) == ("captured", "cart")
    assert all(fault["variants"] == {"checkout": "treatment"} for fault in faults.values())
    page.click("#next")
    server.wait("$error", 4)
    assert [fault["repeated"] for fault in properties(server, "$error") if "repeated" in fault] == [4]


def test_a_flood_of_errors_is_bounded_and_counted(visit: Visit, server: Loopback) -> None:
    page = visit(vitals=False, flushSeconds=0.05)
    page.evaluate("for (let i = 0; i < 40; i++) client.captureError(new Error('error ' + i))")
    page.click("#next")
    server.wait("$error", 11)
    faults = properties(server, "$error")
    assert len(faults) == 11
    assert [fault["repeated"] for fault in faults if fault["type"] == "Suppressed"] == [30]


def test_page_views_of_a_single_page_application(visit: Visit, server: Loopback) -> None:
    page = visit(vitals=False, errors=False, pageViews=True, flushSeconds=0.05)
    page.evaluate("history.pushState({}, '', '/page/cart?token=secret'); history.replaceState({}, '', '?other')")
    page.go_back()
    server.wait("$page_view", 3)
    views = properties(server, "$page_view")
    assert [(view["path"], view["trigger"]) for view in views] == [
        ("/page", "load"),
        ("/page/cart", "navigation"),
        ("/page", "navigation"),
    ]
    assert "secret" not in json.dumps(server.events)
    page.evaluate("client.close().then(() => history.pushState({}, '', '/page/late'))")
    page.wait_for_timeout(200)
    assert len(server.named("$page_view")) == 3


def recorded(server: Loopback) -> list[dict[str, Any]]:
    chunks: dict[int, list[dict[str, Any]]] = {}
    for part in properties(server, "$recording"):
        chunks.setdefault(part["chunk"], []).append(part)
    events: list[dict[str, Any]] = []
    for _, parts in sorted(chunks.items()):
        parts.sort(key=lambda part: part["part"])
        assert [part["part"] for part in parts] == list(range(parts[0]["parts"]))
        text = "".join(part["data"] for part in parts)
        if parts[0]["encoding"] == "gzip+base64":
            text = gzip.decompress(base64.b64decode(text)).decode()
        events += json.loads(text)
    return events


def test_a_recording_is_masked(visit: Visit, server: Loopback) -> None:
    page = visit(vitals=False, errors=False, recording=True, flushSeconds=0.05)
    server.wait("$recording")
    page.fill("#name", "typed secret")
    page.click("#slow")
    page.wait_for_timeout(200)
    page.click("#next")
    server.wait("$recording", 2)
    page.wait_for_timeout(200)
    first = properties(server, "$recording")[0]["recording"]
    server.events = [each for each in server.events if each["properties"].get("recording") == first]
    events = recorded(server)
    text = json.dumps(events)
    assert {2, 3, 4} <= {event["type"] for event in events}
    assert "Private words" not in text
    assert "secret" not in text
    assert "options=" not in text
    assert "Private title" not in text
    assert "*******" in text


def test_a_recording_plays(visit: Visit, server: Loopback) -> None:
    """In the player of the library that recorded it: the page is built up again, what was typed masked."""
    page = visit(vitals=False, errors=False, recording=True, flushSeconds=0.05)
    server.wait("$recording")
    page.fill("#name", "typed secret")
    page.click("#slow")
    page.wait_for_timeout(200)
    page.click("#next")
    server.wait("$recording", 2)
    page.wait_for_timeout(200)
    first = properties(server, "$recording")[0]["recording"]
    server.events = [each for each in server.events if each["properties"].get("recording") == first]
    events = recorded(server)
    player = page.context.new_page()
    player.set_content("<!doctype html><div id=stage></div>")
    player.add_script_tag(path=str(SDK / "node_modules" / "rrweb" / "dist" / "rrweb.umd.min.cjs"))
    ended = player.evaluate(
        """(events) => new Promise((resolve, reject) => {
            const problems = [];
            const replayer = new rrweb.Replayer(events, { root: document.getElementById("stage"), speed: 8,
              showWarning: false, logger: { log() {}, warn: (...said) => problems.push(said.join(" ")) } });
            replayer.on("finish", () => {
              const inside = replayer.iframe.contentDocument;
              resolve({ name: inside.querySelector("#name")?.value, buttons: inside.querySelectorAll("button").length,
                text: inside.body.innerText, problems, time: replayer.getMetaData().totalTime });
            });
            setTimeout(() => reject(new Error("it does not end")), 15000);
            replayer.play();
        })""",
        events,
    )
    assert ended["problems"] == []
    assert ended["time"] > 100
    assert ended["buttons"] > 0
    assert ended["name"] == "*" * len("typed secret")
    assert "Private words" not in ended["text"]
    player.close()


def test_no_recording_without_consent_or_luck(visit: Visit, server: Loopback) -> None:
    fetched: list[str] = []
    page = visit(vitals=False, errors=False, recording={"sample": 0})
    page.on("request", lambda request: fetched.append(request.url))
    visit(page, vitals=False, errors=False, recording=True, consent="pending")
    page.wait_for_timeout(200)
    assert not any("recording.mjs" in url for url in fetched)
    page.evaluate("client.setConsent('granted')")
    server.wait("$recording")
    assert any("recording.mjs" in url for url in fetched)
