"""Coverage of a page in a real browser: everything clicked, compared with what arrived and with the access log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar
from urllib.parse import urlsplit

from paribus.lake.reading import LakeReader
from paribus.workflow.context import Context
from paribus.workflow.facts.code import BackendFacts, FrontendFacts
from paribus.workflow.facts.validate import PageCoverage
from paribus.workflow.launching.health import settled
from paribus.workflow.validation.arrival import arrived_of
from paribus.workflow.validation.browser import program, sdk_build, why_not
from paribus.workflow.validation.clicking import Clicked, Clicks, click_through, look_twice
from paribus.workflow.validation.covering import complete
from paribus.workflow.validation.crawl import SILENT
from paribus.workflow.validation.service import running
from paribus.workflow.validation.staging import STAGING, endpoint_of, key

Json = dict[str, Any]
T = TypeVar("T")
LABEL = "page-crawl"
PAGE_LABEL = "page-crawl-script"
AUTOMATIC = SILENT | {"$page_view", "$web_vital", "$error", "$recording", "$session_start"}
"""Events that a page sends by itself, whatever its visitor does."""
MOST_NAMED = 50
NONE = "none"


def cover_page(context: Context, reader: LakeReader) -> PageCoverage:
    """Every interaction of the page in Chromium, and whether it left an event; or why that is not known."""
    given = context.config.implementation.page
    absent = "implementation.page is none" if given == NONE else why_not()
    if absent:
        return PageCoverage(why_not=absent)
    site: _Given | _Generated = _Given(given)
    if not given:
        backend, frontend = (context.artifacts.get(slug) for slug in ("backend", "frontend"))
        if backend is None or backend.not_applicable or not backend.facts:
            return PageCoverage(why_not="no service was generated, and implementation.page names no address")
        script, sdk = _script(frontend.facts if frontend is not None else {})
        page = {file.path: file.text for file in frontend.files} if frontend is not None else {}
        facts = BackendFacts.model_validate(backend.facts)
        service = {file.path: file.text for file in backend.files}
        site = _Generated(context, facts, service, page, sdk, script)
    context.progress(0.4, f"clicking through {site.address}")
    offset = _offset(context)
    with site.open() as (url, log):
        clicks = _aside(lambda: click_through(url, site.start, offset=offset))
    groups = [*clicks.entered.values(), *(each.ids for each in clicks.clicked)]
    events = _arrivals(context, reader, groups, patience=site.patience)
    again: dict[str, Counter[str]] = {}
    if doubtful := _doubtful(clicks, events):
        with site.open() as (other, _):
            looked = _aside(lambda: look_twice(other, doubtful, offset=offset))
        twice = _arrivals(context, reader, looked.values(), patience=site.patience)
        again = {page: twice.of(ids) - events.of(clicks.entered[page]) for page, ids in looked.items()}
    left = [_left(each, clicks, events, again) for each in clicks.clicked]
    return _counted(clicks, left, events, site, log() if log is not None else None)


Log = Callable[[], list[Json]]


@dataclass(frozen=True, slots=True)
class _Given:
    """A page of the product's own, where it serves."""

    address: str
    script: str = "its own"
    patience: float = 4.0
    """Seconds after which a service that goes on has delivered what it gathered."""

    @property
    def start(self) -> str:
        split = urlsplit(self.address)
        return (split.path or "/") + (f"?{split.query}" if split.query else "")

    @contextmanager
    def open(self) -> Iterator[tuple[str, Log | None]]:
        """Its scheme and host; there is no access log."""
        split = urlsplit(self.address)
        yield f"{split.scheme}://{split.netloc}", None


@dataclass(frozen=True, slots=True)
class _Generated:
    """The generated page, served by the generated service."""

    context: Context
    facts: BackendFacts
    service: Mapping[str, str]
    page: Mapping[str, str]
    sdk: Path | None
    script: str
    patience: float = 0.0

    @property
    def start(self) -> str:
        return self.facts.start_path

    @property
    def address(self) -> str:
        return f"the generated page at {self.start}"

    @contextmanager
    def open(self) -> Iterator[tuple[str, Log | None]]:
        """The address where it serves until the end of the block, and its access log, also after it."""
        endpoint, offset = endpoint_of(self.context), _offset(self.context)
        lines: list[Json] = []
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="paribus-page-")))
            door = stack.enter_context(key(endpoint, "server", LABEL))
            variables: dict[str, str] = {}
            if self.sdk is not None:
                client = stack.enter_context(key(endpoint, "client", PAGE_LABEL))
                _written(self.page, folder / "page")
                assets = {"PAGE_ASSETS": str(folder / "page"), "PAGE_SDK": str(self.sdk)}
                variables = {"PAGE_KEY": client.secret, "PAGE_URL": client.url, "PAGE_CONSENT": "granted", **assets}
            with running(self.service, self.facts, door, folder, offset=offset, variables=variables) as service:
                yield service.url, lambda: lines
            lines += service.requests()


def _script(facts: Json) -> tuple[str, Path | None]:
    """What is said of the page's script, and the browser SDK that it needs; None where it cannot run."""
    if not facts:
        return "not run: no page was generated", None
    if FrontendFacts.model_validate(facts).build:
        return "not run: the React page is built first; implementation.page names the address of a built one", None
    build = sdk_build()
    if build is None:
        return "not run: the browser SDK is not built here; PAGE_SDK names the folder of its build", None
    return "run", build


def _written(files: Mapping[str, str], folder: Path) -> None:
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


def _aside(crawl: Callable[[], T]) -> T:
    """In a thread of its own: the driver of the browser runs an event loop."""
    with ThreadPoolExecutor(1, thread_name_prefix="crawl") as pool:
        return pool.submit(crawl).result()


def _offset(context: Context) -> float:
    return (context.clock() - datetime.now(UTC)).total_seconds() if context.feature.simulated else 0.0


class _Arrivals:
    """What arrived, by visitor."""

    def __init__(self, rows: Iterable[Json]) -> None:
        self.rows = list(rows)
        self.ids = {str(row["event_id"]) for row in self.rows}

    def of(self, ids: Sequence[str]) -> Counter[str]:
        """Events of a visitor by name, each once."""
        wanted = set(ids)
        return Counter(
            str(row["name"]) for row in self.rows if wanted & {row["unit"], row["user_id"], row["anonymous_id"]}
        )


def _arrivals(context: Context, reader: LakeReader, groups: Iterable[Sequence[str]], *, patience: float) -> _Arrivals:
    settled(context)
    ids = sorted({each for group in groups for each in group})
    return _Arrivals(complete(context, lambda: arrived_of(reader, STAGING, ids), patience=patience))


def _left(
    each: Clicked, clicks: Clicks, events: _Arrivals, again: Mapping[str, Counter[str]] | None = None
) -> tuple[str, ...]:
    """Names of the events that an act left, beyond what its page, and the page a form leads to, leave by themselves."""
    own = events.of(each.ids) - events.of(clicks.entered.get(each.act.page, ()))
    if each.is_form:
        own = own - (again or {}).get(each.leads_to, Counter())
    return tuple(sorted(name for name in own if name not in AUTOMATIC))


def _doubtful(clicks: Clicks, events: _Arrivals) -> list[str]:
    """Pages that forms lead to and that may have left by themselves all that such a form seems to leave."""
    found = set()
    for each in clicks.clicked:
        if each.is_form and each.leads_to in clicks.entered:
            left = _left(each, clicks, events)
            if left and set(left) <= set(events.of(clicks.entered[each.leads_to])):
                found.add(each.leads_to)
    return sorted(found)


def _counted(
    clicks: Clicks,
    left: Sequence[tuple[str, ...]],
    events: _Arrivals,
    site: _Given | _Generated,
    log: Sequence[Json] | None,
) -> PageCoverage:
    """The crawl compared with the lake, and with the access log where there is one."""
    missing = tuple(each.act.words for each, own in zip(clicks.clicked, left, strict=True) if not own)
    by_unit = {unit: bool(own) for each, own in zip(clicks.clicked, left, strict=True) for unit in each.ids}
    acts = [line for line in log or () if _is_act(line) and line.get("unit") in by_unit]
    requests = {(str(line.get("unit")), str(line.get("method")), str(line.get("path"))) for line in log or ()}
    asking = [each for each in clicks.clicked if each.asked] if log is not None else []
    return PageCoverage(
        performed=len(clicks.clicked),
        tracked=len(clicks.clicked) - len(missing),
        missing=missing,
        pages=len(clicks.entered),
        logged=sum(1 for each in asking if _stands(each, requests)),
        requests=len(asking),
        acts=len(acts),
        acts_tracked=sum(by_unit[str(line["unit"])] for line in acts),
        sent=len(clicks.sent),
        lost=len(clicks.sent - events.ids),
        interactions=tuple(
            {
                "page": each.act.page,
                "element": each.act.name,
                "request": ", ".join(f"{method} {path}" for method, path in each.asked) or "script only",
                "events": list(own),
                "evidence": "page",
            }
            for each, own in zip(clicks.clicked, left, strict=True)
        ),
        address=site.address,
        browser=Path(program()).name,
        script=site.script,
        unperformed=tuple(f"{name}: {why}" for name, why in sorted(clicks.unperformed.items())[:MOST_NAMED]),
        left_out=clicks.left_out,
        frames=clicks.frames,
    )


def _is_act(line: Json) -> bool:
    """Whether a line of the access log is something a visitor did, and not a page or a file that was looked at."""
    return line.get("method") != "GET" or 300 <= int(line.get("status", 0)) < 400


def _stands(each: Clicked, requests: set[tuple[str, str, str]]) -> bool:
    paths = [(method, urlsplit(path).path) for method, path in each.asked]
    return all(any((unit, method, path) in requests for unit in each.ids) for method, path in paths)
