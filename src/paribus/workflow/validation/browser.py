"""A real Chromium, where there is one: visitors of their own, each with its cookies, its requests, and what it sent."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ElementHandle, Page, Request, Route

Json = dict[str, Any]
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ID = re.compile(r"[A-Za-z0-9._:|-]{8,200}")
LOAD_MS = 15_000
CLICK_MS = 3_000
QUIET_SECONDS = 0.08
LONGEST_SECONDS = 2.0
"""After it a page is read as it is: one that polls or streams is never quiet."""
UNIT_KEYS = frozenset(
    {"unit", "user_id", "anonymous_id", "userId", "anonymousId", "distinct_id", "device_id", "$device_id"}
)
ASK = "() => globalThis[Symbol.for('paribus.crawl')].list()"
AT = "place => globalThis[Symbol.for('paribus.crawl')].at(place)"
FILL = "element => globalThis[Symbol.for('paribus.crawl')].fill(element)"
HIDE = """() => {
  Object.defineProperty(document, "visibilityState", { configurable: true, get: () => "hidden" });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
FRAMES = "() => globalThis[Symbol.for('paribus.crawl')].frames()"
SHIFTED = """
(() => {{
  const now = Date.now;
  globalThis.Date = new Proxy(Date, {{
    construct: (target, given, as) => Reflect.construct(target, given.length ? given : [now() + {offset}], as),
    get: (target, name) => (name === "now" ? () => now() + {offset} : Reflect.get(target, name)),
  }});
}})();
"""


def program() -> str:
    """Path of Chromium on this machine; empty where there is none."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), "")


def why_not() -> str:
    """Why no browser can be driven here; empty where one can."""
    if find_spec("playwright") is None:
        return 'the package playwright is not installed (pip install "paribus[browser]")'
    return "" if program() else f"no Chromium is installed: none of {', '.join(PROGRAMS)} is on the path"


@dataclass(eq=False)  # without slots: playwright notes its handlers on the object
class Visitor:
    """One visitor: nothing is shared with others.

    Attributes:
        url: of the site; whatever leads elsewhere is not followed.
        left_for: addresses of other sites that it would have gone to.
        asked: requests to the site, as (method, path).
        documents: methods of the requests for whole pages.
        sent: ids of events seen on the wire.
    """

    context: BrowserContext
    page: Page
    url: str
    left_for: list[str] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)
    sent: set[str] = field(default_factory=set)
    _units: set[str] = field(default_factory=set)
    _under_way: dict[Any, float] = field(default_factory=dict)

    def go(self, path: str) -> bool:
        """Opens a page of the site; whether it answered with one."""
        from playwright.sync_api import Error

        try:
            answer = self.page.goto(urljoin(self.url, path), timeout=LOAD_MS, wait_until="load")
        except Error:
            return False
        self.settle()
        return answer is not None and answer.ok and "html" in answer.headers.get("content-type", "")

    def settle(self) -> None:
        """Waits until the page asks for nothing more."""
        end, quiet_since = time.monotonic() + LONGEST_SECONDS, time.monotonic()
        while time.monotonic() < end:
            self.page.wait_for_timeout(20)
            now = time.monotonic()
            if any(now - begun < 1.0 for begun in self._under_way.values()):
                quiet_since = now
            if now - quiet_since >= QUIET_SECONDS:
                return

    def offered(self) -> list[Json]:
        """What can be done on the page now."""
        from playwright.sync_api import Error

        try:
            found: list[Json] = self.page.evaluate(ASK)
        except Error:  # the page was just being left
            self.settle()
            found = self.page.evaluate(ASK)
        return found

    def frames(self) -> int:
        """Frames within the page, which are not entered."""
        return int(self.page.evaluate(FRAMES))

    def click(self, key: str) -> str:
        """Does the one thing; empty, or why it could not be done."""
        from playwright.sync_api import Error

        listed = [each["key"] for each in self.offered()]
        if key not in listed:
            return "it is not there for every visitor"
        element: ElementHandle | None = self.page.evaluate_handle(AT, listed.index(key)).as_element()
        if element is None:
            return "it is not there for every visitor"
        try:
            element.evaluate(FILL)
            if element.evaluate("element => element.tagName") == "SELECT":
                count = element.evaluate("element => element.options.length")
                element.select_option(index=min(1, count - 1), timeout=CLICK_MS)
            elif element.evaluate(
                "e => e.matches('textarea, input:not([type]), input[type=text], input[type=search]')"
            ):
                element.fill("sample", timeout=CLICK_MS)
            else:
                element.click(timeout=CLICK_MS)
        except Error as error:
            return f"it could not be clicked: {str(error).splitlines()[0]}"
        self.settle()
        return ""

    @property
    def path(self) -> str:
        """Path and query of the page that is shown; empty on another site."""
        return own_path(self.url, self.page.url)

    def leave(self) -> None:
        """Goes away, as one who puts the window aside first, so that the page sends what it still holds."""
        self._read_ids()
        self.page.evaluate(HIDE)
        self.settle()
        self.page.goto("about:blank")
        self.page.wait_for_timeout(100)

    @property
    def ids(self) -> tuple[str, ...]:
        """What may name the visitor: cookies, what the page keeps, and the units of what was sent."""
        return tuple(sorted(self._units))

    def _read_ids(self) -> None:
        values = [str(cookie.get("value", "")) for cookie in self.context.cookies()]
        if self.path:
            values += self.page.evaluate("() => [localStorage, sessionStorage].flatMap((kept) => Object.values(kept))")
        for value in values:
            self._units.update(_names(value))

    def watch(self) -> None:
        """Begins to note requests."""
        self.context.on("request", self._began)
        self.context.on("requestfinished", self._ended)
        self.context.on("requestfailed", self._ended)
        self.context.on("page", self._opened)
        self.page.on("dialog", lambda dialog: dialog.accept())

    def _opened(self, page: Page) -> None:
        if page is not self.page:
            self.left_for.append(page.url)
            page.close()

    def _began(self, request: Request) -> None:
        if request.resource_type not in {"eventsource", "websocket"}:
            self._under_way[request] = time.monotonic()
        path = own_path(self.url, request.url)
        if path and request.resource_type in {"document", "fetch", "xhr", "ping"}:
            self.asked.append((request.method, path))
        if request.is_navigation_request() and request.frame == self.page.main_frame:
            self.documents.append(request.method)
        elif request.method == "POST":
            self._note(request)

    def _ended(self, request: Request) -> None:
        self._under_way.pop(request, None)

    def _note(self, request: Request) -> None:
        try:
            body = json.loads(request.post_data or "null")
        except (ValueError, UnicodeDecodeError):
            return
        for key, value in _leaves(body):
            if key in UNIT_KEYS and isinstance(value, str):
                self._units.add(value)
            elif key == "event_id" and isinstance(value, str):
                self.sent.add(value)


@contextmanager
def browsing() -> Iterator[Browser]:
    """Chromium, until the end of the block."""
    from playwright.sync_api import sync_playwright

    as_root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=program(), args=[*as_root, "--disable-background-networking", "--disable-sync"]
        )
        try:
            yield launched
        finally:
            launched.close()


@contextmanager
def visitor(browser: Browser, url: str, *, offset: float = 0.0) -> Iterator[Visitor]:
    """A new visitor of the site.

    Args:
        browser: the browser.
        url: scheme, host and port of the site.
        offset: seconds between the installation's clock and the system's.
    """
    context = browser.new_context(service_workers="block")
    try:
        if offset:
            context.add_init_script(SHIFTED.format(offset=round(offset * 1000)))
        context.add_init_script(files("paribus.workflow.validation").joinpath("elements.js").read_text("utf-8"))
        page = context.new_page()
        made = Visitor(context, page, url)
        made.watch()
        context.route(lambda address: not own_path(url, address), lambda route: _stay(route, made))
        yield made
    finally:
        context.close()


def own_path(url: str, address: str) -> str:
    """Path and query of an address of the site; empty for other sites."""
    here, there = urlsplit(url), urlsplit(address)
    if (there.scheme, there.netloc) != (here.scheme, here.netloc):
        return ""
    return (there.path or "/") + (f"?{there.query}" if there.query else "")


def sdk_build() -> Path | None:
    """Folder of the browser SDK's build: PAGE_SDK, or that of a checkout; None where there is none."""
    named = os.environ.get("PAGE_SDK", "")
    places = [Path(named)] if named else [each / "sdk" / "browser" / "dist" for each in Path(__file__).parents[3:5]]
    return next((each for each in places if (each / "paribus.mjs").is_file()), None)


def _stay(route: Route, made: Visitor) -> None:
    request = route.request
    if request.is_navigation_request() and request.frame == made.page.main_frame:
        made.left_for.append(request.url)
        route.fulfill(status=204)  # no content: the browser stays where it is
    else:
        route.continue_()


def _names(value: str) -> Sequence[str]:
    """A kept value, and the texts within it where it is JSON."""
    try:
        read = json.loads(value)
    except ValueError:
        read = value
    if isinstance(read, dict | list):
        return [leaf for _, leaf in _leaves(read) if isinstance(leaf, str) and ID.fullmatch(leaf)]
    return [value] if ID.fullmatch(value) else []


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _leaves(each, str(name))
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each, key)
    else:
        yield key, value
