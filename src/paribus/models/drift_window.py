"""Rows as they are served, compared with what was trained on, one full window after the other."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence

from paribus.models.drift import DriftReport, DriftWatch, Reference

SCORE = "score"


class DriftWindow:
    """Gathers rows and their scores; each full window is compared, and begins anew.

    Args:
        values: by series what was trained on: each input, and the score; a sample is enough.
        rows: rows of a window.
        false_alarm_rate: the chance, at most, that a window without drift raises an alarm in any series.

    Attributes:
        windows: windows compared so far.
        alarms: by series the windows that it had drifted in.
        psi: by series, of the last window.
        unwatched: rows that lacked a series, or had no number in one.
    """

    def __init__(
        self, values: Mapping[str, Sequence[float]], *, rows: int = 500, false_alarm_rate: float = 0.01
    ) -> None:
        references = {name: Reference.of(each) for name, each in values.items()}
        self._watch = DriftWatch(references, false_alarm_rate=false_alarm_rate)
        self._rows = rows
        self._waiting: list[list[float]] = []
        self._lock = threading.Lock()
        self.windows = 0
        self.alarms: Counter[str] = Counter()
        self.psi: dict[str, float] = {}
        self.unwatched = 0

    def add(self, columns: Mapping[str, Sequence[float]], scores: Sequence[float]) -> list[DriftReport]:
        """Takes rows as columns of inputs, and their scores; the reports of the windows that are full now."""
        found = []
        with self._lock:
            for place, score in enumerate(scores):
                row = self._row(columns, place, score)
                if row is None:
                    self.unwatched += 1
                else:
                    self._waiting.append(row)
                if len(self._waiting) >= self._rows:
                    found.append(self._compare())
        return found

    def _row(self, columns: Mapping[str, Sequence[float]], place: int, score: float) -> list[float] | None:
        try:
            given = [float(score if name == SCORE else columns[name][place]) for name in self._watch.references]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
        return given if all(abs(value) < float("inf") for value in given) else None

    def _compare(self) -> DriftReport:
        names = list(self._watch.references)
        report = self._watch.check(dict(zip(names, map(list, zip(*self._waiting, strict=True)), strict=True)))
        self._waiting = []
        self.windows += 1
        self.alarms.update(report.drifted)
        self.psi = {each.name: each.psi for each in report.series}
        return report
