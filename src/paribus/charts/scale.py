"""Scales from data to pixels, and ticks at round numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """The straight line that takes [lower, upper] to [start, end]; `clamped` keeps values outside at the rim."""

    lower: float
    upper: float
    start: float
    end: float

    def __call__(self, x: float) -> float:
        return self.start + (x - self.lower) / (self.upper - self.lower) * (self.end - self.start)

    def clamped(self, x: float) -> float:
        """The position of x, or of the nearest end of the domain."""
        return self(min(max(x, self.lower), self.upper))

    def holds(self, x: float) -> bool:
        """Whether x lies in the domain."""
        return self.lower <= x <= self.upper


def ticks(lower: float, upper: float, about: int = 5) -> tuple[float, ...]:
    """Round numbers within [lower, upper], about that many, at a step of 1, 2, 2.5 or 5 times a power of ten.

    >>> ticks(-0.021, 0.048, 4)
    (-0.02, 0.0, 0.02, 0.04)
    """
    raw = (upper - lower) / max(about, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = min((s * power for s in (1.0, 2.0, 2.5, 5.0, 10.0)), key=lambda s: abs(math.log(s / raw)))
    first, last = math.ceil(lower / step - 1e-9), math.floor(upper / step + 1e-9)
    places = max(0, 2 - math.floor(math.log10(step)))
    return tuple(round(i * step, places) + 0.0 for i in range(first, last + 1))


def domain(spans: Iterable[tuple[float, float]], *, pad: float = 0.06) -> tuple[float, float]:
    """A domain that holds zero and the spans, but is not stretched by a few very wide ones: those will be cut.

    A span reaches too far when it goes beyond four times the median reach; infinite ends never count.
    """
    pairs = [(a, b) for a, b in spans if not (math.isnan(a) or math.isnan(b))]
    reach = sorted(max(abs(x) for x in pair if math.isfinite(x)) for pair in pairs if any(map(math.isfinite, pair)))
    reach = [r for r in reach if r > 0]
    if not reach:
        return -1.0, 1.0
    limit = min(reach[-1], 4 * reach[len(reach) // 2])
    finite = [x for pair in pairs for x in pair if math.isfinite(x)]
    lower = max(min(0.0, *finite), -limit) if len(finite) > 1 else min(0.0, finite[0])
    upper = min(max(0.0, *finite), limit) if len(finite) > 1 else max(0.0, finite[0])
    room = pad * (upper - lower)
    return lower - room, upper + room
