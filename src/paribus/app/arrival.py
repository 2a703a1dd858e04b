"""What arrived, what is held back and why, and whether the counts add up; from any process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.app.lake import reader_of
from paribus.lake import LandingRow, Quarantined, Record
from paribus.lake.recent import SHOWN, held, newest, waiting
from paribus.lake.reconciliation import Reconciliation

if TYPE_CHECKING:
    from paribus.app.live import Installation

Json = dict[str, Any]
Decode = Callable[[LandingRow], Iterable[Record | Quarantined]]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def tail(folder: Path, decode: Decode, limit: int, *, name: str | None = None) -> list[Json]:
    """The events that arrived last, newest first, those that still wait for the lake included."""
    found: list[Json] = []
    for row in waiting(folder):
        records = [each for each in decode(row) if isinstance(each, Record)]
        found += [_shown(each) | {"landed": False} for each in reversed(records) if name in (None, each.name)]
        if len(found) >= limit:
            return found[:limit]
    reader = reader_of(folder)
    if reader is not None:
        landed = newest(reader, limit - len(found), name)
        found += [each | {"properties": json.loads(each["properties"] or "{}"), "landed": True} for each in landed]
    return found


def quarantine(folder: Path, *, reason: str | None = None, after: str = "", limit: int = 100) -> Json:
    """A page of events that were held back, with their reasons, and the count of each reason in all."""
    reader = reader_of(folder)
    if reader is None:
        return {"items": [], "next": None, "reasons": {}}
    page = held(reader, reason=reason, after=after, limit=limit)
    return {"items": page.rows, "next": page.next, "reasons": page.reasons}


def reconcile(live: Installation) -> Json:
    """The counts by dialect from the door to the lake, and whether they add up."""
    found = live.lake.reconcile()
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
    adds_up = all(each.missing == 0 and each.unexplained_rows == 0 for each in found)
    return {"adds_up": adds_up, "dialects": dialects}


def _shown(record: Record) -> Json:
    plain = {name: value for name, value in asdict(record).items() if name in SHOWN}
    for name in ("original_time", "corrected_time", "received_time"):
        plain[name] = (_EPOCH + timedelta(microseconds=plain[name])).isoformat()
    return plain | {"properties": json.loads(record.properties)}
