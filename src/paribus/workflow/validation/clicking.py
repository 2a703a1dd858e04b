"""A crawl of a page in a real browser: scripts run, everything that can be clicked is, each by a new visitor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from paribus.errors import TransientError
from paribus.workflow.validation.browser import browsing, visitor

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Json = dict[str, Any]
MOST_PAGES = 50
MOST_ACTS = 300
DEEPEST = 3
"""Clicks in a row on one page: what a click reveals is clicked too."""


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that can be done: on a page, after the clicks that reveal it."""

    page: str
    key: str
    name: str
    before: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """As people are shown it."""
        return f"{self.name} on {self.page}"


@dataclass(frozen=True, slots=True)
class Clicked:
    """An act, performed once by a visitor of its own.

    Attributes:
        ids: what names the visitor.
        asked: the requests to the site that the act made, as (method, path).
        leads_to: path of the page that is shown afterwards; empty where the page stayed.
        is_form: whether a form was sent and led there: the events of that page are then none of the act's.
    """

    act: Act
    ids: tuple[str, ...]
    asked: tuple[tuple[str, str], ...]
    leads_to: str
    is_form: bool


@dataclass(slots=True)
class Clicks:
    """What was found and done.

    Attributes:
        entered: by page, the ids of a visitor who only looked at it.
        clicked: every act that was performed.
        unperformed: what was seen and could not be done, with the reason.
        left_out: acts beyond the most that are done.
        frames: frames within pages, which were not entered.
        sent: ids of all events seen on the wire.
    """

    entered: dict[str, tuple[str, ...]] = field(default_factory=dict)
    clicked: list[Clicked] = field(default_factory=list)
    unperformed: dict[str, str] = field(default_factory=dict)
    left_out: int = 0
    frames: int = 0
    sent: set[str] = field(default_factory=set)


def click_through(url: str, start: str, *, offset: float = 0.0) -> Clicks:
    """Goes through a site from its start page, and does all that can be done on it.

    Args:
        url: scheme, host and port; nothing of other sites is opened.
        start: path of the first page.
        offset: seconds between the installation's clock and the system's.

    Raises:
        TransientError: the start page does not answer with a page.
    """
    found = Clicks()
    with browsing() as browser:
        _Crawl(browser, url, offset, found).run(start)
    return found


def look_twice(url: str, pages: Sequence[str], *, offset: float = 0.0) -> dict[str, tuple[str, ...]]:
    """By page, the ids of a visitor who only looked at it, twice."""
    found = {}
    with browsing() as browser:
        for page in pages:
            with visitor(browser, url, offset=offset) as one:
                one.go(page)
                one.go(page)
                one.leave()
            found[page] = one.ids
    return found


@dataclass(slots=True)
class _Crawl:
    browser: Browser
    url: str
    offset: float
    found: Clicks
    known: set[tuple[str, str]] = field(default_factory=set)
    waiting: list[Act] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)

    def run(self, start: str) -> None:
        self.pages.append(start)
        while self.pages or self.waiting:
            if self.waiting:
                self._do(self.waiting.pop(0))
                continue
            page = self.pages.pop(0)
            if page not in self.found.entered and len(self.found.entered) < MOST_PAGES:
                self._enter(page, is_start=page == start)

    def _enter(self, page: str, *, is_start: bool) -> None:
        with visitor(self.browser, self.url, offset=self.offset) as one:
            if not one.go(page):
                if is_start:
                    raise TransientError(f"the start page {page} gives no page", where=self.url)
                return
            self.found.frames += one.frames()
            listed = one.offered()
            one.leave()
        self.found.entered[page] = one.ids
        self.found.sent |= one.sent
        self._queue(page, listed, ())

    def _queue(self, page: str, listed: Sequence[Json], before: tuple[str, ...]) -> None:
        for each in listed:
            act = Act(page, each["key"], each["name"], before)
            if (page, act.key) in self.known:
                continue
            if not each["visible"] or not each["enabled"]:
                why = "it is never shown" if not each["visible"] else "it is switched off"
                self.found.unperformed.setdefault(act.words, why)
                continue
            self.known.add((page, act.key))
            self.found.unperformed.pop(act.words, None)
            if len(self.known) > MOST_ACTS:
                self.found.left_out += 1
            else:
                self.waiting.append(act)

    def _do(self, act: Act) -> None:
        with visitor(self.browser, self.url, offset=self.offset) as one:
            one.go(act.page)
            why = next((why for key in act.before if (why := one.click(key))), "")
            before, opened = len(one.asked), len(one.documents)
            why = why or one.click(act.key)
            if why:
                self.found.unperformed[act.words] = why
                return
            asked, documents = tuple(one.asked[before:]), one.documents[opened:]
            leads_to = one.path if documents or one.path != act.page else ""
            is_form = bool(leads_to) and any(method != "GET" for method in documents)
            listed = one.offered() if not leads_to and one.path else []
            one.leave()
        self.found.sent |= one.sent
        self.found.clicked.append(Clicked(act, one.ids, asked, leads_to, is_form))
        if leads_to:
            self.pages.append(leads_to)
        elif len(act.before) < DEEPEST - 1:
            self._queue(act.page, listed, (*act.before, act.key))
