"""How long scoring takes: the latest durations, and their quantiles."""

from __future__ import annotations

import threading
from collections import deque

import numpy as np


class Latency:
    """The latest `size` durations, in seconds; safe between threads."""

    def __init__(self, size: int = 4096) -> None:
        self._seconds: deque[float] = deque(maxlen=size)
        self._lock = threading.Lock()

    def add(self, seconds: float) -> None:
        """Takes in one duration."""
        with self._lock:
            self._seconds.append(seconds)

    def quantile(self, share: float) -> float | None:
        """The duration that this share of the latest calls stayed within; None before the first.

        >>> latency = Latency()
        >>> for ms in range(1, 101): latency.add(ms / 1000)
        >>> latency.quantile(0.99)
        0.099
        """
        with self._lock:
            values = list(self._seconds)
        return float(np.quantile(values, share, method="inverted_cdf")) if values else None
