"""Where events live: the durable landing queue, the Delta tables, their upkeep, and erasure."""

from paribus.lake.background import Health
from paribus.lake.lake import Lake
from paribus.lake.landing import Depth, Landing, open_landing
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
