"""Latency by arm: a quantile from a histogram of logarithmic bins, with an interval that does not trust repetition.

The bins are 2% wide, so a quantile is exact to 1%. Requests of one unit are alike; the interval therefore counts as
many independent values as there are units, not requests, which is wide enough even when a unit's requests are equal.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from paribus.monitoring.finding import Finding, Severity
from paribus.stats.proportion import proportion_interval

QUANTILE = 0.95
_LOG_WIDTH = math.log(1.02)


@dataclass(slots=True)
class Histogram:
    """Latencies of one arm in milliseconds."""

    bins: Counter[int] = field(default_factory=Counter)
    requests: int = 0

    def add(self, milliseconds: float, count: int = 1) -> None:
        """Requests of this latency; what is not positive and finite is left out."""
        if 0 < milliseconds < math.inf:
            self.bins[round(math.log(milliseconds) / _LOG_WIDTH)] += count
            self.requests += count

    @property
    def mean_ms(self) -> float | None:
        """The mean, exact to 1%; None where nothing was timed."""
        total = sum(count * math.exp(place * _LOG_WIDTH) for place, count in self.bins.items())
        return total / self.requests if self.requests else None


@dataclass(frozen=True, slots=True)
class Latency:
    """A quantile of latency with its interval, in milliseconds; None where there are too few values."""

    value: float | None
    low: float | None
    high: float | None
    requests: int
    units: int
    level: float


def quantile(histogram: Histogram, units: int, *, p: float = QUANTILE, level: float = 0.95) -> Latency:
    """The p-quantile of an arm, its interval over `units` independent values."""
    if not histogram.requests or units < 2:
        return Latency(None, None, None, histogram.requests, units, level)
    effective = min(units, histogram.requests)
    low, high = map(float, proportion_interval(round(p * effective), effective, method="clopper_pearson", level=level))
    return Latency(
        _at(histogram, p),
        _at(histogram, low) if low > 0 else None,
        _at(histogram, high) if high < 1 else None,
        histogram.requests,
        units,
        level,
    )


def compare(control: Latency, treatment: Latency, arm: str, *, margin: float = 0.1) -> Finding:
    """Whether treatment's quantile is beyond control's by more than `margin` (relative), both intervals considered.

    The intervals do not overlap beyond the margin: a level of their own each, so the comparison errs less often than
    either. It may pause traffic and never convicts: requests are not randomized, units are.
    """
    numbers = {
        "p95_ms": treatment.value,
        "low_ms": treatment.low,
        "high_ms": treatment.high,
        "control_p95_ms": control.value,
        "control_high_ms": control.high,
        "margin": margin,
    }
    if treatment.value is None or control.value is None:
        return Finding("latency", Severity.WELL, f"latency: too few requests in {arm} or control", arm, numbers)
    is_beyond = treatment.low is not None and control.high is not None and treatment.low > control.high * (1 + margin)
    sentence = f"latency: p95 {treatment.value:,.0f} ms in {arm} against {control.value:,.0f} ms in control"
    return Finding(
        "latency",
        Severity.PAUSES if is_beyond else Severity.WELL,
        sentence + (f", worse by more than {margin:.0%}" if is_beyond else ""),
        arm,
        numbers,
    )


def by_arm(histograms: Mapping[str, Histogram], units: Mapping[str, int], *, level: float = 0.95) -> dict[str, Latency]:
    """The quantile of each arm."""
    return {arm: quantile(each, units.get(arm, 0), level=level) for arm, each in histograms.items()}


def _at(histogram: Histogram, p: float) -> float:
    wanted = p * histogram.requests
    seen = 0
    for place in sorted(histogram.bins):
        seen += histogram.bins[place]
        if seen >= wanted:
            return math.exp(place * _LOG_WIDTH)
    return math.exp(max(histogram.bins) * _LOG_WIDTH)
