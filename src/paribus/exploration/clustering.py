"""Clusters of weighted points, and how much two clusterings agree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STARTS = 4
ROUNDS = 60


def k_means(
    points: NDArray[np.float64], weights: NDArray[np.float64], k: int, *, seed: int = 1, starts: int = STARTS
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels and centers of the best of a few runs (Lloyd 1982; started as Arthur and Vassilvitskii 2007)."""
    generator = np.random.default_rng(seed)
    best: tuple[float, NDArray[np.int64], NDArray[np.float64]] | None = None
    for _ in range(starts):
        centers = _start(points, weights, k, generator)
        labels = np.zeros(len(points), dtype=np.int64)
        for turn in range(ROUNDS):
            distance = ((points[:, None, :] - centers[None]) ** 2).sum(axis=2)
            moved = np.argmin(distance, axis=1)
            if (moved == labels).all() and turn > 0:
                break
            labels = moved
            for c in range(k):
                inside = labels == c
                if weights[inside].sum() > 0:
                    centers[c] = np.average(points[inside], axis=0, weights=weights[inside])
        cost = float((weights * ((points - centers[labels]) ** 2).sum(axis=1)).sum())
        if best is None or cost < best[0] - 1e-12:
            best = (cost, labels, centers)
    assert best is not None  # noqa: S101 - STARTS is positive
    return best[1], best[2]


def adjusted_rand(a: NDArray[np.int64], b: NDArray[np.int64], weights: NDArray[np.float64]) -> float:
    """The adjusted Rand index (Hubert and Arabie 1985) of two labelings of points that stand for `weights` units each.

    >>> import numpy as np
    >>> adjusted_rand(np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0]), np.ones(4))
    1.0
    """
    table = np.zeros((int(a.max()) + 1, int(b.max()) + 1))
    np.add.at(table, (a, b), weights)
    together = float(_pairs(table).sum())
    rows, columns = float(_pairs(table.sum(axis=1)).sum()), float(_pairs(table.sum(axis=0)).sum())
    expected = rows * columns / float(_pairs(table.sum()))
    most = (rows + columns) / 2
    return (together - expected) / (most - expected) if most > expected else 1.0


def _pairs(n: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(n * (n - 1) / 2)


def _start(
    points: NDArray[np.float64], weights: NDArray[np.float64], k: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    chosen = [int(generator.choice(len(points), p=weights / weights.sum()))]
    while len(chosen) < k:
        distance = ((points[:, None, :] - points[chosen][None]) ** 2).sum(axis=2).min(axis=1) * weights
        total = distance.sum()
        chosen.append(int(generator.choice(len(points), p=distance / total)) if total > 0 else chosen[0])
    return points[chosen].copy()
