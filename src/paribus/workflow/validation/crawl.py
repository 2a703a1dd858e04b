"""An independent crawl of a running service: every page reached, every link, form and button performed as served."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from paribus.errors import TransientError
from paribus.workflow.validation.page import Interaction, interactions
from paribus.workflow.validation.staging import trust

if TYPE_CHECKING:
    import httpx

Json = dict[str, Any]
MOST_PAGES = 100
TIMEOUT_SECONDS = 20.0
SILENT = frozenset({"$exposure", "$request", "$identify", "$dropped", "$breaker"})
"""Events that say nothing about what a visitor did."""


@dataclass(frozen=True, slots=True)
class Performed:
    """One interaction, performed once by a visitor of its own.

    Attributes:
        visitor: ids that may name the visitor: the cookies the service gave.
        status: what the service answered; 0 where only a script could have acted.
        trace: the trace id that the request carried.
    """

    interaction: Interaction
    visitor: tuple[str, ...]
    status: int
    trace: str


@dataclass(slots=True)
class Crawl:
    """What was found and done.

    Attributes:
        pages: paths that answered with a page, in the order they were reached.
        entered: by page, a visitor who only looked at it.
        performed: every interaction.
    """

    pages: list[str] = field(default_factory=list)
    entered: dict[str, tuple[str, ...]] = field(default_factory=dict)
    performed: list[Performed] = field(default_factory=list)


def crawl(url: str, start: str, *, headers: Mapping[str, str] | None = None) -> Crawl:
    """Goes through a service from its start page.

    Raises:
        TransientError: the start page does not answer.
    """
    found = Crawl()
    waiting = [start]
    seen: set[Interaction] = set()
    while waiting and len(found.pages) < MOST_PAGES:
        page = waiting.pop(0)
        if page in found.entered:
            continue
        with _visitor(url, headers) as client:
            answer = _get(client, page, trace_of("page", page))
            if answer is None or "html" not in answer.headers.get("content-type", ""):
                if page == start:
                    raise TransientError(f"the start page {start} gives no page", where=url)
                continue
            found.pages.append(page)
            found.entered[page] = _ids(client)
        for each in interactions(page, answer.text):
            if each in seen:
                continue
            seen.add(each)
            done, leads_to = _perform(url, each, headers)
            found.performed.append(done)
            if leads_to and leads_to not in found.entered and leads_to not in waiting:
                waiting.append(leads_to)
    return found


def tracked(
    found: Crawl, visitors: Callable[[Sequence[str]], Counter[str]], logged: Mapping[str, str]
) -> list[tuple[Performed, tuple[str, ...]]]:
    """Each interaction with the events that it left: those of its visitor beyond what its page leaves by itself.

    Args:
        found: the crawl.
        visitors: the events of visitors, counted by name.
        logged: the unit by trace id, from the access log.
    """
    by_page = {page: visitors(_known(ids, logged.get(trace_of("page", page)))) for page, ids in found.entered.items()}
    listed = []
    for each in found.performed:
        own = visitors(_known(each.visitor, logged.get(each.trace)))
        left = own - by_page.get(each.interaction.page, Counter())
        listed.append((each, tuple(sorted(name for name in left if name not in SILENT))))
    return listed


def trace_of(*parts: str) -> str:
    """A trace id (W3C Trace Context), the same for the same parts."""
    from paribus.workflow.validation.scenario import planted_id

    return planted_id("trace", *parts).replace("-", "")


def _perform(url: str, each: Interaction, headers: Mapping[str, str] | None) -> tuple[Performed, str]:
    """Looks at the page, then does the one thing; where it leads to, when that is a page of the service."""
    trace = trace_of("act", each.page, each.element, each.method, each.path)
    with _visitor(url, headers) as client:
        _get(client, each.page, trace_of("before", trace))
        if not each.path:
            return Performed(each, _ids(client), 0, trace), ""
        parent = {"traceparent": f"00-{trace}-{trace[:16]}-01"}
        if each.method == "POST":
            answer = client.post(each.path, data=dict(each.fields), headers=parent)
        else:
            answer = client.get(each.path, params=dict(each.fields) or None, headers=parent)
        target = each.path if each.method == "GET" and answer.status_code == 200 else ""
        if answer.is_redirect:
            target = _own(url, urljoin(url + each.path, answer.headers["location"]))
        return Performed(each, _ids(client), answer.status_code, trace), target


def _visitor(url: str, headers: Mapping[str, str] | None) -> httpx.Client:
    import httpx

    return httpx.Client(
        base_url=url, headers=dict(headers or {}), timeout=TIMEOUT_SECONDS, follow_redirects=False, verify=trust()
    )


def _get(client: httpx.Client, path: str, trace: str) -> httpx.Response | None:
    answer = client.get(path, headers={"traceparent": f"00-{trace}-{trace[:16]}-01"})
    return answer if answer.status_code == 200 else None


def _ids(client: httpx.Client) -> tuple[str, ...]:
    return tuple(sorted({str(cookie.value) for cookie in client.cookies.jar if cookie.value}))


def _known(ids: Sequence[str], logged: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*ids, *((logged,) if logged else ()))))


def _own(url: str, target: str) -> str:
    split, here = urlsplit(target), urlsplit(url)
    if split.netloc != here.netloc:
        return ""
    return (split.path or "/") + (f"?{split.query}" if split.query else "")
