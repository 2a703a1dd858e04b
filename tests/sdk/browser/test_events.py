"""Delivery from a real page: every event arrives, by its id exactly once, whatever happens to page and network."""

from __future__ import annotations

import contextlib
import re
import time
from datetime import datetime

import pytest
from tests.sdk.browser.conftest import Visit
from tests.sdk.browser.loopback import Loopback

QUIET = {"vitals": False, "errors": False}


def numbers(server: Loopback, name: str = "e") -> list[int]:
    return sorted(event["properties"]["n"] for event in server.named(name))


def test_an_event_has_identity_time_and_context(visit: Visit, server: Loopback) -> None:
    page = visit(unit="u42", **QUIET)
    page.evaluate("client.track('order_completed', {revenue: 31.5, note: 'a\\u0000b\\ud800c\\\\ud800'})")
    (event,) = server.wait("order_completed")
    assert event["unit"] == event["user_id"] == "u42"
    assert event["unit_type"] == "user"
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", event["event_id"])
    assert event["properties"] == {"revenue": 31.5, "note": "a\ufffdb\ufffdc\\ud800"}
    assert event["context"]["page"] == "/page"
    assert abs(time.time() - datetime.fromisoformat(event["time"]).timestamp()) < 5
    assert ("/api/v1/events", "pb_client_test") in server.requests


def test_values_that_json_does_not_know(visit: Visit, server: Loopback) -> None:
    page = visit(**QUIET)
    page.evaluate("() => { const a = {ok: 1}; a.self = a; client.track('odd', {a, big: 10n, nan: NaN, f: 2}) }")
    (event,) = server.wait("odd")
    assert event["properties"] == {"a": "[object Object]", "big": "10", "nan": None, "f": 2}


def test_leaving_the_page_loses_nothing(visit: Visit, server: Loopback) -> None:
    page = visit(**QUIET, flushSeconds=60)
    for start in range(0, 150, 50):
        page.evaluate(
            "n => { for (let i = n; i < n + 50; i++) client.track('e', {n: i, pad: 'x'.repeat(700)}) }", start
        )
        page.click("#next")
        page.wait_for_load_state()
    page.evaluate("client.flush()")
    assert server.wait("e", 150)
    assert numbers(server) == list(range(150))


def test_closing_the_tab_loses_nothing(visit: Visit, server: Loopback) -> None:
    page = visit(**QUIET, flushSeconds=60)
    page.evaluate("for (let n = 0; n < 20; n++) client.track('e', {n})")
    page.close(run_before_unload=True)
    server.wait("e", 20)
    assert numbers(server) == list(range(20))


def test_more_than_a_beacon_holds_is_sent_by_the_next_page(visit: Visit, server: Loopback) -> None:
    page = visit(**QUIET, flushSeconds=60)
    page.evaluate("for (let n = 0; n < 90; n++) client.track('e', {n, pad: 'x'.repeat(2000)})")
    visit(page, **QUIET)
    server.wait("e", 90)
    assert numbers(server) == list(range(90))


def test_offline_then_online(visit: Visit, server: Loopback) -> None:
    page = visit(**QUIET, flushSeconds=0.05)
    page.context.set_offline(True)
    page.evaluate("for (let n = 0; n < 30; n++) client.track('e', {n})")
    page.wait_for_timeout(300)
    assert page.evaluate("client.stats.queued") == 30
    page.context.set_offline(False)
    server.wait("e", 30)
    assert numbers(server) == list(range(30))
    assert len(server.events) == 30


def test_a_page_left_while_the_server_is_down(visit: Visit, server: Loopback) -> None:
    page = visit(**QUIET, flushSeconds=0.05)
    server.down = True
    page.evaluate("for (let n = 0; n < 30; n++) client.track('e', {n})")
    page.wait_for_timeout(200)
    page.goto("about:blank")
    server.down = False
    visit(page, **QUIET, flushSeconds=0.05)
    server.wait("e", 30)
    assert numbers(server) == list(range(30))


def test_a_killed_page_is_taken_over(visit: Visit, server: Loopback) -> None:
    page = visit(**QUIET, flushSeconds=60)
    page.evaluate("for (let n = 0; n < 5; n++) client.track('e', {n})")
    # What a page leaves that never got to say goodbye: its backup, untouched for a while.
    page.evaluate(
        """() => { const name = Object.keys(localStorage).find(k => k.startsWith('paribus:queue:'));
        window.left = localStorage[name].replace(/"time":\\d+/, '"time":' + (Date.now() - 60000)) }"""
    )
    left = page.evaluate("window.left")
    page.goto("about:blank")
    page.goto(server.url + "/page/empty?options={}")
    page.evaluate("text => { localStorage.clear(); localStorage['paribus:queue:gone'] = text }", left)
    server.events.clear()
    visit(page, **QUIET, flushSeconds=0.05)
    server.wait("e", 5)
    assert numbers(server) == list(range(5))


@pytest.mark.slow
def test_a_crashed_tab_is_taken_over_by_the_next(visit: Visit, server: Loopback) -> None:
    page = visit(**QUIET, flushSeconds=60)
    page.evaluate("for (let n = 0; n < 5; n++) client.track('e', {n})")
    crashed = []
    page.on("crash", lambda: crashed.append(True))
    with contextlib.suppress(Exception):
        page.goto("chrome://crash")
    visit(**QUIET, flushSeconds=0.05)
    assert crashed
    assert numbers(server) == []
    server.wait("e", 5, seconds=40)
    assert numbers(server) == list(range(5))


def test_two_tabs_keep_to_their_own(visit: Visit, server: Loopback) -> None:
    first, second = visit(**QUIET, flushSeconds=1), visit(**QUIET, flushSeconds=1)
    first.evaluate("for (let n = 0; n < 20; n++) client.track('e', {n})")
    second.evaluate("for (let n = 20; n < 40; n++) client.track('e', {n})")
    third = visit(**QUIET)
    server.wait("e", 40)
    assert numbers(server) == list(range(40))
    assert len(server.events) == 40
    ids = {tab.evaluate("client.anonymousId") for tab in (first, second, third)}
    assert len(ids) == 1
    assert {event["anonymous_id"] for event in server.events} == ids
    assert len({event["session_id"] for event in server.events}) == 1


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_what_the_server_cannot_take_now_is_sent_again(visit: Visit, server: Loopback, status: int) -> None:
    server.statuses = [(status, {"Retry-After": "1"})]
    page = visit(**QUIET, flushSeconds=0.05)
    started = time.monotonic()
    page.evaluate("client.track('e', {n: 0})")
    server.wait("e")
    assert numbers(server) == [0]
    # Chromium itself repeats a request that was answered 408 on a connection it had kept.
    assert time.monotonic() - started > (0.0 if status == 408 else 0.9)


def test_what_the_server_refuses_is_counted(visit: Visit, server: Loopback) -> None:
    server.statuses = [(400, {})]
    page = visit(**QUIET, flushSeconds=60)
    page.evaluate("client.track('e', {n: 0})")
    assert page.evaluate("client.flush()") is True
    stats = page.evaluate("client.stats")
    assert (stats["rejected"], stats["sent"], stats["queued"]) == (1, 0, 0)


def test_a_batch_too_large_is_halved(visit: Visit, server: Loopback) -> None:
    server.statuses = [(413, {}), (413, {})]
    page = visit(**QUIET, flushSeconds=60)
    page.evaluate("for (let n = 0; n < 40; n++) client.track('e', {n})")
    assert page.evaluate("client.flush()") is True
    assert numbers(server) == list(range(40))
    assert len(server.events) == 40


def test_a_full_queue_drops_the_oldest_and_says_so(visit: Visit, server: Loopback) -> None:
    server.down = True
    page = visit(**QUIET, queueLimit=50, flushSeconds=60)
    page.evaluate("for (let n = 0; n < 80; n++) client.track('e', {n})")
    assert page.evaluate("client.stats.dropped") == 30
    server.down = False
    page.click("#next")
    server.wait("$dropped")
    assert server.named("$dropped")[0]["properties"] == {"count": 30}
    assert numbers(server) == list(range(31, 80))
