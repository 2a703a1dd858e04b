"""The sample shop in Chromium: what service and pages tell arrives and adds up to the last event."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.clients import shop
from tests.clients.arrival import Json, landed, quarantined, readable, until
from tests.clients.conftest import Served
from tests.clients.splits import variant_of
from tests.sdk.browser.conftest import built as built_sdk

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.clients, pytest.mark.xdist_group("clients")]

built = built_sdk
Day = tuple[shop.Shop, dict[str, Json]]
VISITORS = 6
SERVICE, PAGE = "shop-service", "shop-page"
FLAGS = ("catalog-order", "new-checkout", "shipping-banner")


@pytest.fixture(scope="module")
def flags(served: Served) -> dict[str, Json]:
    for name in FLAGS:
        served.paribus("flag", "create", name)
    return {name: json.loads(served.paribus("flag", "show", name, "--json"))["body"] for name in FLAGS}


def visit(chromium: Any, url: str, script: str = "") -> dict[str, Json]:
    """What the pages of a new visitor posted, who buys two products."""
    context = chromium.new_context()
    context.add_init_script(shop.NOTEBOOK + script)
    page = context.new_page()
    buy(page, url)
    posted = shop.posted(page, url)
    context.close()
    return posted


def buy(page: Page, url: str) -> None:
    page.goto(url)
    page.wait_for_function("client.stats.sent > 0 || client.stats.queued > 0")
    page.evaluate("client.ready")
    if page.locator("#banner").is_visible():
        page.click("#banner a")
    page.locator("li button").nth(0).click()
    page.wait_for_selector("#order")
    page.click("#more")
    page.locator("li button").nth(1).click()
    page.wait_for_selector("#order")
    page.evaluate("client.ready")
    page.click("#order")
    page.wait_for_selector("text=on its way")
    page.evaluate("client.ready")
    page.wait_for_timeout(200)


@pytest.fixture(scope="module")
def day(served: Served, flags: dict[str, Json], built: Path, chromium: Any, tmp_path_factory: Any) -> Day:
    """The shop after some visitors: what its service and their browsers say that they sent."""
    keys = served.key("server", SERVICE), served.key("client", PAGE)
    sent: dict[str, Json] = {}
    with shop.running(served.url, *keys, built, tmp_path_factory.mktemp("shop")) as running:
        for _ in range(VISITORS):
            sent |= visit(chromium, running.url)
    return running, sent


def test_the_service_s_events_arrive_to_the_last(served: Served, flags: dict[str, Json], day: Day) -> None:
    running, _ = day
    arrived = landed(served.folder, f"paribus:{SERVICE}")
    assert (len(arrived), running.dropped) == (running.sent, 0)
    names = Counter(event.name for event in arrived)
    assert names["order_completed"] == VISITORS
    assert names["added_to_cart"] == 2 * VISITORS
    assert names["$exposure"] == 2 * VISITORS, "one for each flag and visitor, however often it is asked"
    assert names["$request"] == 5 * VISITORS, "two catalogs, two carts, one order"
    assert set(names) == {"order_completed", "added_to_cart", "$exposure", "$request"}
    visitors = {event.unit for event in arrived}
    assert len(visitors) == VISITORS
    for event in arrived:
        if event.name == "$exposure":
            assert event.properties["assigned"] == variant_of(flags[event.properties["flag"]], event.unit or "")
        if event.name == "order_completed":
            assert event.properties["products"] == 2
        if event.name == "$request":
            assert (event.properties["error"], event.properties["status"] < 400) == (False, True)
            assert all(
                variant == variant_of(flags[flag], event.unit or "")
                for flag, variant in event.properties["variants"].items()
            )


def test_the_pages_events_arrive_to_the_last(served: Served, flags: dict[str, Json], day: Day) -> None:
    _, sent = day
    until(lambda: len(readable(served.folder, f"paribus:{PAGE}")) >= len(sent))
    arrived = {event.event_id: event for event in readable(served.folder, f"paribus:{PAGE}")}
    assert set(arrived) == set(sent)
    for key, event in arrived.items():
        given = sent[key]
        assert (event.name, event.unit, event.session_id) == (given["name"], given["unit"], given["session_id"])
        assert (event.properties, event.sequence) == (given["properties"], given["sequence"])
        assert abs(event.corrected_time - event.received_time) < 20e6
    names = Counter(event.name for event in arrived.values())
    assert names["$page_view"] == 5 * VISITORS
    assert names["$exposure"] == VISITORS
    assert set(names) <= {"$page_view", "$exposure", "$web_vital", "banner_clicked", "$identify"}
    vitals = {event.properties["metric"] for event in arrived.values() if event.name == "$web_vital"}
    assert vitals >= {"LCP", "CLS", "TTFB"}
    for event in arrived.values():
        if event.name == "$exposure":
            assert event.properties["assigned"] == variant_of(flags["shipping-banner"], event.unit or "")
    shown = [event for event in arrived.values() if event.name == "banner_clicked"]
    assert all(variant_of(flags["shipping-banner"], event.unit or "") == "treatment" for event in shown)


def test_both_sides_know_the_same_visitors_and_all_adds_up(served: Served, day: Day) -> None:
    ours = {event.unit for event in landed(served.folder, f"paribus:{SERVICE}")}
    theirs = {event.unit for event in readable(served.folder, f"paribus:{PAGE}") if event.name == "$exposure"}
    assert ours == theirs
    counted = json.loads(served.paribus("events", "reconcile", "--json"))
    assert counted["adds_up"]
    assert all(each["missing"] == 0 for each in counted["dialects"])


CLOCK = """
{
  const Real = Date, shift = %d;
  window.Date = class extends Real {
    constructor(...given) { given.length ? super(...given) : super(Real.now() + shift); }
    static now() { return Real.now() + shift; }
  };
}
"""
HOUR, MINUTE, YEAR = 3_600_000, 60_000, 365 * 86_400_000


@pytest.mark.parametrize("shift", [-3 * HOUR, 2 * MINUTE, -9 * YEAR], ids=["hours", "minutes", "years"])
def test_a_page_whose_clock_is_wrong(
    served: Served, flags: dict[str, Json], built: Path, chromium: Any, tmp_path: Path, label: str, shift: int
) -> None:
    keys = served.key("server", label + "-service"), served.key("client", label)
    with shop.running(served.url, *keys, built, tmp_path) as running:
        sent = visit(chromium, running.url, CLOCK % shift)
    source = f"paribus:{label}"
    if shift == -9 * YEAR:
        until(lambda: len({key for _, key, _ in quarantined(served.folder, source)}) >= len(sent))
        held = {key: (reason, time) for reason, key, time in quarantined(served.folder, source)}
        assert set(held) == set(sent)
        for key, (reason, time) in held.items():
            assert reason == "time"
            assert time == microseconds(sent[key]["time"]), "the original time is kept"
        assert readable(served.folder, source) == []
        return
    until(lambda: len(readable(served.folder, source)) >= len(sent))
    arrived = readable(served.folder, source)
    assert {event.event_id for event in arrived} == set(sent)
    for event in arrived:
        assert event.original_time == microseconds(sent[event.event_id]["time"])
        assert abs(event.original_time - event.received_time - shift * 1000) < 20e6
        assert 0 <= event.received_time - event.corrected_time < 20e6, "our clock, whatever theirs says"
    orders = [event for event in landed(served.folder, source + "-service") if event.name == "order_completed"]
    assert len(orders) == 1


def microseconds(text: str) -> int:
    from datetime import UTC, datetime, timedelta

    return (datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
