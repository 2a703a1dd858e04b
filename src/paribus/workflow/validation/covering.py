"""Coverage of a generated service: started, gone through, and compared with what arrived."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from paribus.lake.reading import LakeReader
from paribus.lake.recent import waiting
from paribus.workflow.context import Context
from paribus.workflow.facts.code import BackendFacts
from paribus.workflow.facts.validate import Coverage
from paribus.workflow.launching.health import settled
from paribus.workflow.validation.arrival import arrived
from paribus.workflow.validation.crawl import crawl, tracked
from paribus.workflow.validation.service import running
from paribus.workflow.validation.staging import STAGING, endpoint_of, key

Json = dict[str, Any]
LABEL = "crawl"


def cover(
    context: Context, reader: LakeReader, facts: BackendFacts, files: Mapping[str, str], *, scripts_run: bool = False
) -> Coverage:
    """Every interaction of the service without scripts, and whether it left an event.

    Args:
        context: of the step.
        reader: the lake.
        facts: how the service is started.
        files: the service.
        scripts_run: whether a browser goes through it as well, and judges what only a script can do.
    """
    endpoint = endpoint_of(context)
    offset = (context.clock() - datetime.now(UTC)).total_seconds()  # next to nothing but where the clock is moved
    context.progress(0.3, "crawling the generated service")
    with key(endpoint, "server", LABEL) as door, TemporaryDirectory(prefix="paribus-crawl-") as folder:
        with running(files, facts, door, Path(folder), offset=offset) as service:
            found = crawl(service.url, facts.start_path)
            logged = service.requests()
        settled(context)
        stored = complete(context, lambda: arrived(reader, STAGING, LABEL).rows)
    by_unit: dict[str, Counter[str]] = {}
    for row in stored:
        for unit in {row["unit"], row["user_id"], row["anonymous_id"]} - {None}:
            by_unit.setdefault(unit, Counter())[row["name"]] += 1
    units = {str(line["trace"]): str(line["unit"]) for line in logged if line.get("trace") and line.get("unit")}

    def visitors(ids: Sequence[str]) -> Counter[str]:
        return sum((by_unit.get(each, Counter()) for each in ids), Counter[str]())

    listed = [each for each in tracked(found, visitors, units) if each[0].interaction.path or not scripts_run]
    missing = [each.interaction.name for each, events in listed if not events]
    return Coverage(
        performed=len(listed),
        tracked=len(listed) - len(missing),
        missing=tuple(missing),
        interactions=tuple(
            {
                "page": each.interaction.page,
                "element": each.interaction.element,
                "request": f"{each.interaction.method} {each.interaction.path}".strip()
                if each.interaction.path
                else "script only",
                "status": each.status,
                "events": list(events),
                "evidence": "crawl",
            }
            for each, events in listed
        ),
        pages=len(found.pages),
        logged=sum(1 for each, _ in listed if each.trace in units),
    )


def complete(context: Context, ask: Callable[[], Sequence[Json]], *, patience: float = 0.0) -> Sequence[Json]:
    """What came in, once two looks a moment apart say the same: clients deliver their last events as they end.

    Args:
        context: of the step.
        ask: gives what is there.
        patience: seconds to wait before the first look, for clients that do not end.
    """
    time.sleep(patience)
    before = -1
    for _ in range(40):
        if not waiting(context.folder):
            found = ask()
            if len(found) == before:
                return found
            before = len(found)
        time.sleep(0.25)
    return ask()
