"""The browser clients of OpenFeature, Segment, PostHog and Mixpanel, in Chromium, on a page of another origin."""

from __future__ import annotations

import functools
import http.server
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.clients import genuine
from tests.clients.arrival import Json, Sent, compare, landed, until
from tests.clients.conftest import Served
from tests.clients.splits import variant_of
from tests.clients.test_vendors import wanted

if TYPE_CHECKING:
    from playwright.sync_api import Page, Response

pytestmark = [pytest.mark.clients, pytest.mark.xdist_group("clients")]

Open = Callable[[str], "Page"]


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the bundled pages."""
    folder = tmp_path_factory.mktemp("pages")
    programs = genuine.install()
    subprocess.run(["node", "bundle.mjs", str(folder)], cwd=programs, check=True)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def visit(pages: str, chromium: Any) -> Iterator[Open]:
    """Opens a client's page as a new visitor."""
    agent = "Mozilla/5.0 (X11; Linux x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
    context = chromium.new_context(user_agent=agent)  # some of these clients hold back what a headless browser does

    def go(name: str) -> Page:
        page: Page = context.new_page()
        page.goto(f"{pages}/{name}.html")
        return page

    yield go
    context.close()


def test_openfeature_web(served: Served, visit: Open, flag: Json, label: str) -> None:
    served.paribus("flag", "create", "banner", "--split", "0/100")
    page = visit("openfeature")
    answers: list[tuple[int, bool]] = []

    def note(answer: Response) -> None:
        if answer.url.startswith(f"{served.url}/ofrep/v1/evaluate") and answer.request.method == "POST":
            answers.append((answer.status, "if-none-match" in answer.request.headers))

    page.on("response", note)
    key = served.key("client", label)
    page.evaluate("start", {"url": served.url, "key": key, "unit": "u1", "pollInterval": 1000})
    found = page.evaluate("details('checkout')")
    assert (found["value"], found["variant"], found["reason"]) == (variant_of(flag, "u1"),) * 2 + ("SPLIT",)
    assert page.evaluate("details('banner').value") == "treatment"
    assert until(lambda: page.wait_for_timeout(100) or (304, True) in answers, 20), answers
    assert answers[0] == (200, False)
    page.evaluate("move('u2')")
    assert page.evaluate("details('checkout').value") == variant_of(flag, "u2")


def test_openfeature_web_hears_of_a_kill(served: Served, visit: Open, label: str) -> None:
    """Without polling: the stream of the server says that something changed, and the client asks again."""
    served.paribus("flag", "create", "poster", "--split", "0/100")
    page = visit("openfeature")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
    key = served.key("client", label)
    with page.expect_request("**/ofrep/v1/events*"):
        page.evaluate("start", {"url": served.url, "key": key, "unit": "u1", "pollInterval": 0})
    assert page.evaluate("details('poster').value") == "treatment"
    page.wait_for_timeout(500)
    served.paribus("flag", "kill", "poster")
    page.wait_for_function("details('poster').value === 'control'", timeout=20_000)
    assert page.evaluate("details('poster').reason") == "DISABLED"
    assert any("poster" in flags for flags in page.evaluate("changes"))
    assert any("flagConfigEtag=" in url for url in asked)


@pytest.mark.parametrize("strategy", ["standard", "batching"])
def test_segment_web(served: Served, visit: Open, label: str, orders: list[Json], strategy: str) -> None:
    page = visit("segment")
    key = served.key("client", label)
    delivery = {"strategy": strategy, "config": {"size": 20, "timeout": 500}} if strategy == "batching" else {}
    sent = page.evaluate("start", {"url": served.url, "key": key, "orders": orders[:40], "delivery": delivery})
    page.close()
    who = {"user_id": "user-0", "anonymous_id": sent["anonymous"]}
    cart = {"wide": True, "name": "Cart", "category": "Shop", "path": "/segment.html", "title": "Cart"}
    events = [
        Sent("$identify", None, None, {"plan": "pro", "age": 41}, **who),
        Sent("$page_view", None, None, cart, **who),
        Sent("$group", None, None, {"seats": 7, "group_id": "acme"}, **who),
        *(replace(one, **who) for one in wanted(orders[:40])),
    ]
    events = [replace(one, event_id=id_) for one, id_ in zip(events, sent["ids"], strict=True)]
    source = f"segment:{label}"
    arrived = until(lambda: len(found := landed(served.folder, source)) >= len(events) and found)
    compare(arrived, events, in_order=False)
    assert {event.context["library"]["name"] for event in arrived} == {"analytics.js"}


def test_posthog_web(served: Served, visit: Open, label: str, orders: list[Json]) -> None:
    page = visit("posthog")
    orders = orders[:60]  # (the client itself drops what is beyond 100 at once)
    sent = page.evaluate("start", {"url": served.url, "key": served.key("client", label), "orders": orders})
    who = {"user_id": "user-0", "anonymous_id": sent["anonymous"], "session_id": sent["session"]}
    source = f"posthog:{label}"
    until(lambda: page.wait_for_timeout(50) or len(landed(served.folder, source)) >= len(orders) + 2)
    arrived = landed(served.folder, source)
    names = {order["name"] for order in orders}
    events = [replace(one, event_id=id_, **who) for one, id_ in zip(wanted(orders), sent["ids"], strict=True)]
    compare([event for event in arrived if event.name in names], events, in_order=False)
    others = {event.name: event for event in arrived if event.name not in names}
    assert set(others) == {"$page_view", "$identify"}
    assert others["$identify"].properties["$set"] == {"plan": "pro"}
    assert (others["$identify"].user_id, others["$identify"].anonymous_id) == ("user-0", sent["anonymous"])
    assert (others["$page_view"].user_id, others["$page_view"].anonymous_id) == ("user-0", sent["anonymous"])
    assert len(arrived) == len(orders) + 2


@pytest.mark.parametrize("batch", [True, False], ids=["batch", "single"])
def test_mixpanel_web(served: Served, visit: Open, label: str, orders: list[Json], batch: bool) -> None:
    page = visit("mixpanel")
    orders = orders if batch else orders[:30]
    key = served.key("client", label)
    sent = page.evaluate("start", {"url": served.url, "key": key, "orders": orders, "batch": batch})
    who = {"user_id": "user-0", "anonymous_id": sent["anonymous"]}
    source = f"mixpanel:{label}"
    until(lambda: page.wait_for_timeout(50) or len(landed(served.folder, source)) >= len(orders) + 3)
    arrived = landed(served.folder, source)
    names = {order["name"] for order in orders}
    events = [replace(one, **who) for one in wanted(orders)]
    compare([event for event in arrived if event.name in names], events, in_order=False)
    others = [event for event in arrived if event.name not in names]
    assert sorted({event.name for event in others}) == ["$identify", "$page_view"]
    assert [event.name for event in others].count("$page_view") == 1
    profiles = [event.properties.get("$set", {}) for event in others if event.user_id == "user-0"]
    assert "pro" in [profile.get("plan") for profile in profiles]
