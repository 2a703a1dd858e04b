"""When the level of a series changed for good."""

from __future__ import annotations

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
    series: NDArray[np.float64],
    weekday: NDArray[np.int64],
    *,
    alpha: float = 0.01,
    permutations: int = 999,
    seed: int = 1,
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
    statistics = _statistics(rest[None, :])[0]
    i = int(np.argmax(statistics))
    largest, place = float(statistics[i]), SHORTEST + i
    if largest < 3:
        return None  # no order of the days would make this rare
    generator = np.random.default_rng(seed)
    even = n - n % 2
    blocks = rest[:even].reshape(-1, 2)
    orders = generator.permuted(np.tile(np.arange(len(blocks)), (permutations, 1)), axis=1)
    mixed = blocks[orders].reshape(permutations, even)
    if even < n:
        mixed = np.concatenate([mixed, np.full((permutations, 1), rest[-1])], axis=1)
    p = (int((_statistics(mixed).max(axis=1) >= largest).sum()) + 1) / (permutations + 1)
    if p > alpha:
        return None
    return ChangePoint(int(np.flatnonzero(known)[place]), float(x[:place].mean()), float(x[place:].mean()), p)


def _statistics(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The standardized difference of means at each place, of each row."""
    n = x.shape[1]
    k = np.arange(SHORTEST, n - SHORTEST + 1)
    sums = np.cumsum(x, axis=1)
    squares = ((x - x.mean(axis=1, keepdims=True)) ** 2).sum(axis=1, keepdims=True)
    before = sums[:, k - 1] / k
    after = (sums[:, -1:] - sums[:, k - 1]) / (n - k)
    gain = k * (n - k) / n * (before - after) ** 2
    within = np.maximum(squares - gain, 1e-12 * np.maximum(squares, 1e-300))
    return np.asarray(np.sqrt(gain / (within / (n - 2))))
