"""Exposures: the unit met the difference. One for each flag, unit, variant assigned, variant served and revision."""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Any

from paribus_sdk.decision import Decision, Outcome
from paribus_sdk.event import SDK_VERSION, json_text, quoted

EXPOSURE = "$exposure"
OUTCOMES = 10_000


class ExposureLog:
    """Remembers the latest exposures, at most `size` of them and no fewer than half of that; safe between threads.

    Units are kept in one set for each (flag, assigned, served, revision). When half of `size` is reached, the sets
    become the older generation, from which what is met again moves to the new one; the one before is forgotten.

    Attributes:
        known: The units of an outcome by the outcome's `id`, so that the usual question costs two look-ups.
    """

    __slots__ = ("_count", "_half", "_lock", "_older", "_outcomes", "_recent", "known")

    def __init__(self, size: int) -> None:
        self.known: dict[int, set[str]] = {}
        self._outcomes: list[Outcome] = []  # (alive, so that no other outcome gets the id of one that is known)
        self._recent: dict[tuple[object, ...], set[str]] = {}
        self._older: dict[tuple[object, ...], set[str]] = {}
        self._count = 0
        self._half = max(size // 2, 1)
        self._lock = threading.RLock()

    def add(self, outcome: Outcome, unit: str) -> bool:
        """Whether the exposure is new; True for one caller only, however many ask at once."""
        key = (outcome.flag, outcome.assigned, outcome.served, outcome.revision)
        with self._lock:
            units = self._recent.setdefault(key, set())
            if id(outcome) not in self.known:
                if len(self._outcomes) >= OUTCOMES:
                    self.known.clear()
                    self._outcomes.clear()
                self.known[id(outcome)] = units
                self._outcomes.append(outcome)
            if unit in units:
                return False
            units.add(unit)
            is_new = unit not in self._older.get(key, ())
            self._count += 1
            if self._count >= self._half:
                self._start_generation(self._recent)
            return is_new

    def after_fork(self) -> None:
        """A lock that no other thread of the parent holds."""
        self._lock = threading.RLock()

    def forget(self) -> None:
        """Forgets all: what comes next is new again."""
        with self._lock:
            self._start_generation({})

    def _start_generation(self, older: dict[tuple[object, ...], set[str]]) -> None:
        self._older, self._recent, self._count = older, {}, 0
        self.known.clear()
        self._outcomes.clear()


def exposure_json(
    decision: Decision, attributes: dict[str, Any], environment: str | None, sequence: int, sdk: str = SDK_VERSION
) -> str:
    """The properties of the `$exposure` event, as JSON; `sdk` names the program that decided."""
    outcome = decision.outcome
    shared = _shared_json(
        outcome.flag,
        outcome.assigned,
        outcome.served,
        outcome.reason,
        outcome.revision,
        outcome.epoch,
        outcome.traffic_bp,
        outcome.split_bp,
        outcome.unit_type,
        environment,
        sdk,
    )
    unit = quoted(decision.unit or "")
    return f'{{{shared},"attributes":{json_text(attributes)},"sequence":{sequence},"unit":{unit}}}'


@lru_cache(4096)
def _shared_json(
    flag: str,
    assigned: str | None,
    served: str | None,
    reason: str,
    revision: int | None,
    epoch: int | None,
    traffic_bp: int | None,
    split_bp: int | None,
    unit_type: str | None,
    environment: str | None,
    sdk: str,
) -> str:
    fields = {
        "flag": flag,
        "assigned": assigned,
        "served": served,
        "reason": reason,
        "revision": revision,
        "epoch": epoch,
        "traffic_bp": traffic_bp,
        "split_bp": split_bp,
        "probability": None if split_bp is None else split_bp / 10_000,
        "unit_type": unit_type,
        "environment": environment,
        "sdk": sdk,
    }
    return json_text(fields)[1:-1]
