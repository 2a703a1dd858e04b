"""What arrived, what is held back and why, and whether the counts add up; from any process."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from paribus.app.lake import reader_of
from paribus.events.timing import to_datetime
from paribus.lake import LakeReader, LandingRow, Quarantined, Record, microseconds
from paribus.lake.recent import SHOWN, held, newest, waiting
from paribus.lake.reconciliation import Reconciliation

if TYPE_CHECKING:
    from paribus.app.live import Installation

Json = dict[str, Any]
Decode = Callable[[LandingRow], Iterable[Record | Quarantined]]
PAGE = 1000


def tail(folder: Path, decode: Decode, limit: int, *, name: str | None = None) -> list[Json]:
    """The events that arrived last, newest first, those that still wait for the lake included; each of them once."""
    found: list[Json] = []
    for row in waiting(folder):
        records = [each for each in decode(row) if isinstance(each, Record)]
        found += [_shown(each) | {"landed": False} for each in reversed(records) if name in (None, each.name)]
        if len(found) >= limit:
            break
    reader = reader_of(folder)
    if reader is not None and len(found) < limit:
        landed = newest(reader, limit, name)
        found += [each | {"properties": json.loads(each["properties"] or "{}"), "landed": True} for each in landed]
    # What waited a moment ago may lie in the lake by now, and a client may have sent it twice.
    once: dict[tuple[str, str], Json] = {}
    for each in found:
        once.setdefault((each["source"], each["event_id"]), each)
    return list(once.values())[:limit]


def quarantine(folder: Path, *, reason: str | None = None, after: str = "", limit: int = 100) -> Json:
    """A page of events that were held back, with their reasons, and the count of each reason in all."""
    reader = reader_of(folder)
    if reader is None:
        return {"items": [], "next": None, "reasons": {}}
    page = held(reader, reason=reason, after=after, limit=limit)
    return {"items": page.rows, "next": page.next, "reasons": page.reasons}


def replay(live: Installation, project: str, environment: str, *, reason: str | None = None) -> Json:
    """Judges what is in quarantine by the plan in force, and brings back what it accepts.

    What came back once stays listed in quarantine as it was; replayed again it is still one event to every reader.
    """
    from paribus.app.decoder import local_key
    from paribus.events.quarantine import replay as judge

    plan = live.plans(project, environment)
    replayed, still = 0, Counter[str]()
    after: str | None = ""
    while after is not None:
        page = held(live.lake, reason=reason, after=after, limit=PAGE)
        after = page.next
        judged = judge(
            [_held(row) for row in page.rows],
            plan,
            key_id=local_key(project, environment),
            now=microseconds(live.clock()),
        )
        if judged.rows:
            live.landing.append(judged.rows)
        replayed += len(judged.replayed)
        still.update(why for _, why in judged.kept)
    return {"replayed": replayed, "still_quarantined": still.total(), "reasons": dict(still.most_common(20))}


def reconcile(reader: LakeReader) -> Json:
    """The counts by dialect from the door to the lake, and whether they add up."""
    found = reader.reconcile()
    names = [each.name for each in fields(Reconciliation)]
    dialects = [
        {name: getattr(each, name) for name in names}
        | {
            "received": each.received,
            "duplicates": each.duplicates,
            "missing": each.missing,
            "unexplained_rows": each.unexplained_rows,
        }
        for each in found
    ]
    # Replayed and imported events stand in the table under the source they had first: rows are compared in total.
    adds_up = all(each.missing == 0 for each in found) and sum(each.unexplained_rows for each in found) == 0
    return {"adds_up": adds_up, "dialects": dialects}


def _held(row: Json) -> Quarantined:
    received = datetime.fromisoformat(row["received_time"])
    given = {name: row[name] for name in ("reason", "detail", "source", "name", "event_id", "plan_revision", "body")}
    return Quarantined(received_time=microseconds(received), **given)


def _shown(record: Record) -> Json:
    plain = {name: value for name, value in msgspec.structs.asdict(record).items() if name in SHOWN}
    for name in ("original_time", "corrected_time", "received_time"):
        plain[name] = to_datetime(plain[name]).isoformat()
    return plain | {"properties": json.loads(record.properties)}
