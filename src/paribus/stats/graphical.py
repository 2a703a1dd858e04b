"""Sequentially rejective graphical procedures (Bretz, Maurer, Brannath, Posch 2009): alpha flows along a graph.

Each hypothesis has a share of alpha; when it is rejected its share is passed on along its edges. Holm's method, fixed
sequences, gatekeeping and fallback procedures are graphs; the family-wise error is at most alpha for any p-values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paribus.errors import InputError
from paribus.stats.estimate import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """Shares of alpha by hypothesis, shape (m,), sum at most 1; shares passed on, shape (m, m), rows at most 1."""

    weights: Floats
    transitions: Floats

    def __post_init__(self) -> None:
        m = len(self.weights)
        if self.transitions.shape != (m, m):
            raise InputError(f"{m} weights, and transitions of shape {self.transitions.shape}")
        sums = np.append(self.transitions.sum(axis=1), self.weights.sum())
        if (self.transitions < 0).any() or (self.weights < 0).any() or (sums > 1 + 1e-9).any():
            raise InputError(
                "a graph's weights and transitions",
                rule="none is negative; the weights, and each row of transitions, sum to at most 1",
            )
        if np.diag(self.transitions).any():
            raise InputError("a hypothesis cannot pass alpha on to itself", rule="the diagonal of transitions is 0")


@dataclass(frozen=True, slots=True, eq=False)
class GraphicalResult:
    """Which hypotheses are rejected, their adjusted p-values, and the weights left at the end (all shape (m,))."""

    rejected: NDArray[np.bool_]
    adjusted_p_value: Floats
    weights: Floats


def graph(weights: ArrayLike, transitions: ArrayLike) -> Graph:
    """A graph from its weights and transition matrix."""
    return Graph(np.asarray(weights, dtype=np.float64), np.atleast_2d(np.asarray(transitions, dtype=np.float64)))


def holm_graph(m: int) -> Graph:
    """Holm's procedure: equal weights, each passes its share equally to all others."""
    return Graph(np.full(m, 1 / m), (1 - np.eye(m)) / max(m - 1, 1))


def fixed_sequence_graph(m: int) -> Graph:
    """Test in order at full alpha, until the first that is not rejected."""
    weights = np.zeros(m)
    weights[0] = 1.0
    return Graph(weights, np.eye(m, k=1))


def gatekeeping_graph(primary: int, secondary: int) -> Graph:
    """Parallel gatekeeping: primaries share alpha (Holm among them); what they leave goes to the secondaries.

    A primary passes its share to the other primaries, and a millionth of it to the secondaries (the epsilon edges of
    Bretz et al. 2009, sec. 3): when the last primary falls, all of its share flows on to them. They share it by Holm.
    """
    m = primary + secondary
    weights = np.zeros(m)
    weights[:primary] = 1 / primary
    moves = np.zeros((m, m))
    tiny = 1e-6
    if primary > 1:
        moves[:primary, :primary] = (1 - np.eye(primary)) / (primary - 1) * (1 - tiny if secondary else 1.0)
    if secondary:
        moves[:primary, primary:] = (tiny if primary > 1 else 1.0) / secondary
    if secondary > 1:
        moves[primary:, primary:] = (1 - np.eye(secondary)) / (secondary - 1)
    return Graph(weights, moves)


def preferential_bonferroni(metrics: int, comparisons: int = 1, gamma: float = 0.9) -> Graph:
    """Eppo's preferential Bonferroni: the primary metric gets gamma of alpha, the others share the rest; no passing on.

    Hypotheses are ordered metric by metric, the primary first, each with its `comparisons` (treatment arms).

    >>> preferential_bonferroni(3, gamma=0.9).weights.round(3).tolist()
    [0.9, 0.05, 0.05]
    """
    if not 0 < gamma <= 1:
        raise InputError(f"gamma is {gamma}", rule="0 < gamma <= 1")
    rest = max(metrics - 1, 1)
    by_metric = np.full(metrics, (1 - gamma) / rest)
    by_metric[0] = gamma if metrics > 1 else 1.0
    m = metrics * comparisons
    return Graph(np.repeat(by_metric / comparisons, comparisons), np.zeros((m, m)))


def graphical_test(p_value: ArrayLike, procedure: Graph, alpha: float = 0.05) -> GraphicalResult:
    """Rejections and adjusted p-values of a graphical procedure (Bretz et al. 2009, algorithms 1 and 2).

    A hypothesis is rejected when its adjusted p-value is at most alpha. NaN p-values are never rejected.
    """
    p = np.asarray(p_value, dtype=np.float64)
    m = len(p)
    if len(procedure.weights) != m:
        raise InputError(f"{m} p-values for a graph of {len(procedure.weights)} hypotheses")
    if not 0 < alpha < 1:
        raise InputError(f"alpha is {alpha}", rule="0 < alpha < 1")
    weights, moves = procedure.weights.copy(), procedure.transitions.copy()
    left = np.ones(m, dtype=bool)
    adjusted, running = np.ones(m), 0.0
    at_end, stopped = weights.copy(), False
    while left.any():
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(left & (weights > 0) & ~np.isnan(p), p / weights, np.inf)
        first = int(np.argmin(ratio))
        if not np.isfinite(ratio[first]):
            break
        running = max(running, float(ratio[first]))
        if not stopped and running > alpha:
            at_end, stopped = weights.copy(), True
        adjusted[first] = min(running, 1.0)
        left[first] = False
        weights, moves = _remove(weights, moves, first, left)
    adjusted[np.isnan(p)] = np.nan
    # p / w <= alpha and p <= w * alpha may differ in the last bit; the adjusted p-value decides with that much slack.
    rejected = np.nan_to_num(adjusted, nan=1.0) <= alpha * (1 + 1e-12)
    return GraphicalResult(rejected, adjusted, at_end if stopped else weights)


def _remove(weights: Floats, moves: Floats, gone: int, left: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """The graph after a rejection: its share flows along its edges, and paths through it are joined."""
    new_weights = np.where(left, weights + weights[gone] * moves[gone], 0.0)
    loop = moves[:, gone] * moves[gone, :]  # from each hypothesis to `gone` and back
    with np.errstate(divide="ignore", invalid="ignore"):
        joined = (moves + np.outer(moves[:, gone], moves[gone])) / (1 - loop)[:, None]
    joined[(loop >= 1) | ~left] = 0.0
    joined[:, ~left] = 0.0
    np.fill_diagonal(joined, 0.0)
    return new_weights, joined
