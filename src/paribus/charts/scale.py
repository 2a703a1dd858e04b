"""Scales from data to pixels, and ticks at round numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
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


def domain(
    spans: Iterable[Sequence[float]], holding: Iterable[float] = (), *, pad: float = 0.06
) -> tuple[float, float]:
    """A domain that holds zero, `holding` and the spans, but is not stretched by a few very wide ones: those are cut.

    A span reaches too far when it goes beyond three times the upper quartile of all reaches; infinite ends never count.
    """
    ends = [[x for x in span if math.isfinite(x)] for span in spans]
    reach = sorted(max(map(abs, finite)) for finite in ends if finite)
    limit = 3 * reach[(3 * len(reach)) // 4 if len(reach) > 3 else -1] if reach else math.inf
    values = [min(max(x, -limit), limit) for finite in ends for x in finite] + [*holding, 0.0]
    lower, upper = min(values), max(values)
    if lower == upper:
        return -1.0, 1.0
    room = pad * (upper - lower)
    return lower - room, upper + room
