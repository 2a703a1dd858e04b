"""What step 10 measured before anybody is served: coverage, loss, funnels, people, quality."""

from __future__ import annotations

from typing import Any

from paribus.workflow.artifact import Measured, Part


class Planted(Part):
    """One event of the plan, sent through a real door and counted where it should arrive.

    sent, received and stored are events; `properties` is, by property, the share stored with the value that was sent.
    """

    event: str
    door: str
    sent: int
    received: int
    stored: int
    properties: dict[str, float] = {}
    evidence: str = "planted"


class Coverage(Part):
    """Interactions performed by a crawl of the running service, and those that left an event.

    The denominator comes from the pages as served and from the service's access log, never from the plan.
    """

    performed: int
    tracked: int
    missing: tuple[str, ...] = ()
    interactions: tuple[dict[str, Any], ...] = ()
    """Each interaction: where it stands, what it does, the events that it left."""
    pages: int = 0
    logged: int = 0
    """Requests of the crawl that the access log holds."""
    evidence: str = "crawl"


class PageCoverage(Part):
    """Interactions performed on a page in a real browser, its scripts running, and those that left an event.

    performed, tracked and missing come from clicking through the page, requests and acts from the access log.
    """

    why_not: str = ""
    """Why nothing was counted; empty where it was."""
    address: str = ""
    browser: str = ""
    script: str = ""
    """Whether the page's own script ran, and why not."""
    performed: int = 0
    tracked: int = 0
    missing: tuple[str, ...] = ()
    interactions: tuple[dict[str, Any], ...] = ()
    """Each interaction: where it stands, the requests it made, the events that it left."""
    pages: int = 0
    requests: int = 0
    """Interactions that asked the service for something; 0 where no access log is known."""
    logged: int = 0
    """Of those, the ones whose requests all stand in the access log."""
    acts: int = 0
    """Lines of the access log that are acts of the crawl's visitors: everything but pages and files looked at."""
    acts_tracked: int = 0
    """Of those, the lines whose visitor left an event."""
    sent: int = 0
    """Events seen on the wire as the pages sent them."""
    lost: int = 0
    """Of those, the ones that are not in the lake."""
    unperformed: tuple[str, ...] = ()
    """What stands on a page and could not be done, each with the reason; not counted."""
    left_out: int = 0
    """Interactions beyond the most that are performed; not counted."""
    frames: int = 0
    """Frames within the pages, which are not entered."""
    evidence: str = "page"


class ValidateFacts(Part):
    """The validation report."""

    environment: str
    planted: tuple[Planted, ...]
    coverage: Coverage | None = None
    page: PageCoverage | None = None
    funnel: dict[str, Any] = {}
    """Expected and measured units by step of the feature's funnel."""
    people: tuple[dict[str, Any], ...] = ()
    """Expected and measured persons by case of identity."""
    sessions: tuple[dict[str, Any], ...] = ()
    """Expected and measured sessions by case."""
    product: tuple[dict[str, Any], ...] = ()
    """By planned event, what the product's own staging traffic did."""
    quality: dict[str, Measured] = {}
    """Completeness, validity, uniqueness, timeliness."""
    quality_history: tuple[dict[str, Any], ...] = ()
    """The same of each run of this step so far, oldest first; kept as a time series in the store."""
    replay: dict[str, Any] = {}
    """The experiment on history, split by the real flag, without any effect."""
    planned: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    unplanned: tuple[str, ...] = ()
    evidence: str = "staging"
