"""Data quality measured now and kept as a time series, and the series that is kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from paribus.app.definition import PROJECT
from paribus.clock import Clock
from paribus.events.plan import KIND
from paribus.governance.quality import QualityPoint, keep, measured_days
from paribus.store import Address

if TYPE_CHECKING:
    from paribus.store import Store


def measure(store: Store, folder: Path, environment: str, *, clock: Clock | None = None) -> list[QualityPoint]:
    """The quality of each day's events up to now; days that are over are kept. Empty while nothing has arrived.

    Args:
        store: of the tracking plan and the series.
        folder: the data folder.
        environment: of the events.
        clock: the folder's own unless given.
    """
    from paribus.app.folder import clock_of
    from paribus.app.lake import reader_of

    now = clock or clock_of(folder)
    reader = reader_of(folder, clock=now)
    if reader is None:
        return []
    found = store.find(Address(PROJECT, KIND, "default"))
    events = (found.body or {}).get("events", {}) if found is not None else {}
    planned = [name for name, each in events.items() if not each.get("deprecated")]
    points = measured_days(reader, environment, planned, now())
    keep(store, points)
    return points
