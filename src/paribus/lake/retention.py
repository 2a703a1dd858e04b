"""Retention: whole days leave the tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from paribus.lake.compaction import Rewriter


@dataclass(frozen=True, slots=True)
class Expired:
    """What retention dropped: days, files and rows of events; rows of quarantine."""

    days: int
    files: int
    events: int
    quarantined: int


def expire(rewriters: Sequence[Rewriter], *, before: date) -> Expired:
    """Drops every day before the date from events and quarantine; the bytes go with the next vacuum."""
    rows: list[int] = []
    files: list[int] = []
    days: list[int] = []
    for rewriter in rewriters:
        with rewriter.exclusive:
            table = rewriter.table
            with table.commit_lock:
                old = [file for file in table.files() if file.day < before]
                dropped = rewriter.rows_by_dialect(old)
                if old:
                    table.replace(
                        [],
                        old,
                        operation="retention",
                        statistics={},
                        details={"paribus.expired": dict(Counter(dropped))},
                        is_data_change=True,
                    )
        rows.append(sum(dropped.values()))
        files.append(len(old))
        days.append(len({file.day for file in old}))
    return Expired(days[0], files[0], rows[0], rows[1])
