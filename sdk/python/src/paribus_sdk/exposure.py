"""Exposures: the unit met the difference. One for each flag, unit, variant assigned, variant served and revision."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

from paribus_sdk.decision import Decision
from paribus_sdk.event import SDK_VERSION

EXPOSURE = "$exposure"


class ExposureLog:
    """Remembers the latest exposures, at most `size` of them; safe between threads."""

    __slots__ = ("_lock", "_seen", "_size", "refresh")

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._seen: OrderedDict[Hashable, None] = OrderedDict()
        self.refresh = self._seen.move_to_end
        """Marks an exposure as used just now; KeyError when it is not remembered."""

    def add(self, key: Hashable) -> bool:
        """Whether the exposure is new; True for one caller only, however many ask at once."""
        with self._lock:
            if key in self._seen:
                return False
            self._seen[key] = None
            if len(self._seen) > self._size:
                self._seen.popitem(last=False)
            return True

    def after_fork(self) -> None:
        """A lock that no other thread of the parent holds."""
        self._lock = threading.Lock()

    def forget(self) -> None:
        """Forgets all: what comes next is new again."""
        with self._lock:
            self._seen.clear()


def exposure_properties(decision: Decision, environment: str | None, sequence: int) -> dict[str, Any]:
    """The properties of the `$exposure` event."""
    return {
        "flag": decision.flag,
        "assigned": decision.assigned,
        "served": decision.served,
        "reason": decision.reason,
        "revision": decision.revision,
        "epoch": decision.epoch,
        "traffic_bp": decision.traffic_bp,
        "split_bp": decision.split_bp,
        "probability": decision.probability,
        "attributes": decision.attributes,
        "environment": environment,
        "sdk": SDK_VERSION,
        "sequence": sequence,
        "unit_type": decision.unit_type,
        "unit": decision.unit,
    }
