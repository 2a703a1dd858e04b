"""When the level of a series changed for good."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHORTEST = 5  # days on each side of a change


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """The first day of a new level (index of the series), the mean before and after, and an adjusted p-value."""

    place: int
    before: float
    after: float
    p_value: float


def find_change(
    series: NDArray[np.float64], weekday: NDArray[np.int64], *, alpha: float = 0.01, permutations: int = 999, seed: int = 1
) -> ChangePoint | None:
    """The one place where the level changed most, if chance does not explain it; missing days are NaN.

    The largest standardized difference of means over all places (CUSUM), after the weekday's means, against the same
    of the series in random order of blocks of two days.
    """
    known = ~np.isnan(series)
    x = series[known]
    n = len(x)
    if n < 2 * SHORTEST + 4 or np.nanstd(x) == 0:
        return None
    # weekday effects from differences with the running mean, so that a change is not taken for a season
    rest = x.copy()
    if n >= 21:
        days = weekday[known]
        centered = x - np.array([np.median(x[max(0, t - 3) : t + 4]) for t in range(n)])
        for d in range(7):
            if (days == d).sum() >= 2:
                rest[days == d] -= centered[days == d].mean()
    largest, place = _largest(rest)
    generator = np.random.default_rng(seed)
    blocks = [rest[i : i + 2] for i in range(0, n, 2)]
    above = 0
    for _ in range(permutations):
        order = generator.permutation(len(blocks))
        if _largest(np.concatenate([blocks[i] for i in order]))[0] >= largest:
            above += 1
    p = (above + 1) / (permutations + 1)
    if p > alpha:
        return None
    return ChangePoint(int(np.flatnonzero(known)[place]), float(x[:place].mean()), float(x[place:].mean()), p)


def _largest(x: NDArray[np.float64]) -> tuple[float, int]:
    n = len(x)
    k = np.arange(SHORTEST, n - SHORTEST + 1)
    sums = np.cumsum(x)
    squares = float(((x - x.mean()) ** 2).sum())
    before = sums[k - 1] / k
    after = (sums[-1] - sums[k - 1]) / (n - k)
    gain = k * (n - k) / n * (before - after) ** 2
    within = np.maximum(squares - gain, 1e-12 * max(squares, 1e-300))
    statistic = np.sqrt(gain / (within / (n - 2)))
    i = int(np.argmax(statistic))
    value = float(statistic[i])
    return (value if math.isfinite(value) else 0.0), int(k[i])
