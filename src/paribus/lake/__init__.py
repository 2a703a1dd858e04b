"""Where events live: the durable landing queue, the Delta tables, their upkeep, and erasure."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from paribus.lake.reading import AddedFile, Changes, LakeReader, Snapshot, select_events
from paribus.lake.reconciliation import Reconciliation
from paribus.lake.record import (
    ACCEPTED,
    QUARANTINED,
    REJECTED,
    UNPLANNED,
    Decode,
    LandingRow,
    Quarantined,
    Record,
    microseconds,
)
from paribus.lake.writer_lock import WORKER_FILE, WriterLock, lock_holder

if TYPE_CHECKING:
    from paribus.lake.background import Health
    from paribus.lake.lake import Lake
    from paribus.lake.landing import Depth, Landing, open_landing

__all__ = [
    "ACCEPTED",
    "QUARANTINED",
    "REJECTED",
    "UNPLANNED",
    "WORKER_FILE",
    "AddedFile",
    "Changes",
    "Decode",
    "Depth",
    "Health",
    "Lake",
    "LakeReader",
    "Landing",
    "LandingRow",
    "Quarantined",
    "Reconciliation",
    "Record",
    "Snapshot",
    "WriterLock",
    "lock_holder",
    "microseconds",
    "open_landing",
    "select_events",
]

# Who only reads needs none of them.
_LATER = {"Health": "background", "Lake": "lake", "Depth": "landing", "Landing": "landing", "open_landing": "landing"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"paribus.lake.{_LATER[name]}"), name)
