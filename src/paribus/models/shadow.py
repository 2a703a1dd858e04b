"""Shadow mode: the challenger scores what the champion served, and only the difference is kept."""

from __future__ import annotations

import math
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from paribus.models.chain import Link, Row


@dataclass(frozen=True, slots=True)
class ShadowReport:
    """How a challenger's scores differ from those that were served; None where nothing was scored.

    mean_difference  challenger − served
    disagreement     share of rows on different sides of the threshold
    p95_difference   the 95th percentile of the absolute difference
    """

    scored: int
    failed: int
    dropped: int
    mean_difference: float | None
    p95_difference: float | None
    largest_difference: float | None
    disagreement: float | None


class Shadow:
    """Scores beside the answer, in a thread of its own: it can neither delay nor change what is served.

    Args:
        challenger: what is tried.
        threshold: where a score decides.
        waiting: rows that wait at most; more are dropped and counted.
        size: differences kept.
    """

    def __init__(self, challenger: Link, *, threshold: float = 0.5, waiting: int = 256, size: int = 10_000) -> None:
        self.challenger = challenger
        self._threshold = threshold
        self._pairs: deque[tuple[float, float]] = deque(maxlen=size)
        self._room = threading.BoundedSemaphore(waiting)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"shadow-{challenger.name}")
        self._lock = threading.Lock()
        self._scored = self._failed = self._dropped = 0

    def compare(self, row: Row, served: float) -> None:
        """Scores the row later; returns at once."""
        if not self._room.acquire(blocking=False):
            with self._lock:
                self._dropped += 1
            return
        self._pool.submit(self._score, dict(row), served)

    def settle(self) -> None:
        """Waits until all rows so far are scored."""
        self._pool.submit(lambda: None).result()

    def close(self) -> None:
        """Ends the thread."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def report(self) -> ShadowReport:
        """The differences so far."""
        with self._lock:
            pairs = np.array(self._pairs, dtype=np.float64).reshape(-1, 2)
            counts = (self._scored, self._failed, self._dropped)
        if not len(pairs):
            return ShadowReport(*counts, None, None, None, None)
        difference = pairs[:, 0] - pairs[:, 1]
        sides = pairs >= self._threshold
        return ShadowReport(
            *counts,
            mean_difference=float(difference.mean()),
            p95_difference=float(np.quantile(np.abs(difference), 0.95)),
            largest_difference=float(np.abs(difference).max()),
            disagreement=float((sides[:, 0] != sides[:, 1]).mean()),
        )

    def _score(self, row: Row, served: float) -> None:
        try:
            score = float(self.challenger.score(row))
            is_good = math.isfinite(score)
        except Exception:  # noqa: BLE001 - a challenger may fail in any way; it is counted
            score, is_good = 0.0, False
        finally:
            self._room.release()
        with self._lock:
            if is_good:
                self._scored += 1
                self._pairs.append((score, served))
            else:
                self._failed += 1
