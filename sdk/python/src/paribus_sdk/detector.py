"""Evidence that a variant fails, or is slow, more often than control allows; valid whenever one looks.

Each call of a variant is a Bernoulli trial, failed or not (and, apart from that, slow or not). The limit for a call is
fixed before it, from control's record in this process: `max(floor, ratio × control's rate)`, its long-run rate or its
recent one, whichever is larger. A trip needs an e-detector of "the variant's rate is within its limits" to pass
`run_length`: the mean of three CUSUMs of likelihood ratios against rates above the limit. E-detectors have an average
run length to a false alarm of at least their threshold, whatever the data do within the null and however often one
looks (Shin, Ramdas and Rinaldo 2024, "E-detectors: a nonparametric framework for sequential change detection", New
England Journal of Statistics in Data Science 2(2), arXiv 2203.03532; the likelihood-ratio CUSUM is Page 1954).
"""

from __future__ import annotations

ALTERNATIVES = (0.03, 0.15, 0.5)
HIGHEST_LIMIT = 0.95


class Rate:
    """A share of calls: over all of them, and over about the last ten."""

    __slots__ = ("calls", "failures", "recent")
    MEMORY = 10.0

    def __init__(self) -> None:
        self.calls = 0
        self.failures = 0
        self.recent = 0.0

    def add(self, failed: bool) -> None:
        self.calls += 1
        self.failures += failed
        self.recent += (failed - self.recent) / self.MEMORY

    def limit(self, floor: float, ratio: float) -> float:
        longest = self.failures / (self.calls + self.MEMORY)
        return min(max(floor, ratio * longest, ratio * self.recent), HIGHEST_LIMIT)


class Detector:
    """Evidence that a share of calls is above its limits: the mean of CUSUMs against three higher rates."""

    __slots__ = ("sums",)

    def __init__(self) -> None:
        self.sums = [0.0] * len(ALTERNATIVES)

    def add(self, failed: bool, limit: float) -> float:
        """The evidence after a call whose limit was `limit`; 1 is none."""
        total = 0.0
        for index, step in enumerate(ALTERNATIVES):
            above = limit + (1.0 - limit) * step
            grown = max(self.sums[index], 1.0) * (above / limit if failed else (1.0 - above) / (1.0 - limit))
            self.sums[index] = grown
            total += grown
        return total / len(ALTERNATIVES)


class Latency:
    """Control's 95th percentile of latency in seconds, tracked in steps (Robbins and Monro 1951)."""

    __slots__ = ("calls", "quantile")

    def __init__(self) -> None:
        self.calls = 0
        self.quantile = 0.0

    def add(self, seconds: float) -> None:
        self.calls += 1
        if self.calls == 1:
            self.quantile = seconds
            return
        step = max(self.quantile, 1e-4) * max(1.0 / self.calls**0.6, 0.02)
        self.quantile = max(self.quantile + step * (0.95 if seconds > self.quantile else -0.05), 0.0)
