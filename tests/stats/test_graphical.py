"""Graphical procedures against brute-force closed tests and the procedures that they contain."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from paribus.errors import InputError
from paribus.stats.graphical import (
    Graph,
    fixed_sequence_graph,
    gatekeeping_graph,
    graph,
    graphical_test,
    holm_graph,
    preferential_bonferroni,
)
from paribus.stats.multiplicity import adjusted_p_values


def closed_test(p: np.ndarray, procedure: Graph, alpha: float) -> np.ndarray:
    """Rejections by testing each intersection with its Bonferroni weights, found by removing the other hypotheses."""
    m = len(p)

    def weights(subset: tuple[int, ...]) -> np.ndarray:
        w, g = procedure.weights.copy(), procedure.transitions.copy()
        kept = list(range(m))
        for j in [i for i in range(m) if i not in subset]:
            kept.remove(j)
            new = g.copy()
            for a in kept:
                w[a] += w[j] * g[j, a]
                for b in kept:
                    if a != b:
                        loop = g[a, j] * g[j, a]
                        new[a, b] = (g[a, b] + g[a, j] * g[j, b]) / (1 - loop) if loop < 1 else 0.0
            g = new
            w[j] = 0.0
        return w

    subsets = [s for r in range(1, m + 1) for s in combinations(range(m), r)]
    rejects = {s: any(p[i] <= weights(s)[i] * alpha for i in s) for s in subsets}
    return np.array([all(rejects[s] for s in subsets if i in s) for i in range(m)])


@pytest.mark.parametrize("seed", range(25))
def test_equal_to_the_closed_test(seed: int) -> None:
    rng = np.random.default_rng(seed)
    m = int(rng.integers(2, 5))
    moves = rng.random((m, m)) * (1 - np.eye(m))
    procedure = graph(rng.dirichlet(np.ones(m)), moves / moves.sum(axis=1, keepdims=True))
    p = rng.random(m) ** 4 * 0.2
    assert (graphical_test(p, procedure).rejected == closed_test(p, procedure, 0.05)).all()


def test_holm_is_a_graph() -> None:
    p = np.random.default_rng(1).random(6) ** 4
    assert graphical_test(p, holm_graph(6)).adjusted_p_value == pytest.approx(adjusted_p_values(p, "holm"))


def test_fixed_sequence_stops_at_the_first_failure() -> None:
    result = graphical_test([0.01, 0.06, 0.001], fixed_sequence_graph(3))
    assert result.rejected.tolist() == [True, False, False]
    assert result.adjusted_p_value.tolist() == [0.01, 0.06, 0.06]
    assert result.weights.tolist() == [0.0, 1.0, 0.0]


def test_secondaries_wait_for_the_primaries() -> None:
    gate = gatekeeping_graph(2, 2)
    assert graphical_test([0.01, 0.2, 0.001, 0.001], gate).rejected.tolist() == [True, False, False, False]
    assert graphical_test([0.01, 0.04, 0.02, 0.04], gate).rejected.tolist() == [True, True, True, True]
    assert graphical_test([0.01, 0.04, 0.03, 0.03], gate).rejected.tolist() == [True, True, False, False]


def test_gatekeeping_controls_the_family_wise_error() -> None:
    rng = np.random.default_rng(9)
    from scipy.stats import norm

    truth = np.array([3.0, 0.0, 0.0, 2.0])
    p = norm.sf(truth + rng.normal(size=(3000, 4)))
    gate = gatekeeping_graph(2, 2)
    false = sum(graphical_test(row, gate).rejected[1:3].any() for row in p) / 3000
    assert false < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 3000)


def test_preferential_bonferroni_shares() -> None:
    shares = preferential_bonferroni(3, comparisons=2, gamma=0.8)
    assert shares.weights.tolist() == pytest.approx([0.4, 0.4, 0.05, 0.05, 0.05, 0.05])
    assert preferential_bonferroni(1).weights.tolist() == [1.0]
    assert graphical_test([0.021, 0.5, 0.0024, 0.5, 0.5, 0.5], shares).rejected.tolist()[:3] == [False, False, True]


def test_undetermined_hypotheses_keep_their_share() -> None:
    result = graphical_test([np.nan, 0.03], holm_graph(2))
    assert result.rejected.tolist() == [False, False]
    assert np.isnan(result.adjusted_p_value[0])


@pytest.mark.parametrize(
    ("weights", "moves"),
    [
        ([0.7, 0.7], [[0, 1], [1, 0]]),
        ([0.5, 0.5], [[0, 1.2], [1, 0]]),
        ([0.5, 0.5], [[0.5, 0.5], [1, 0]]),
        ([1.0], [[0, 1]]),
    ],
)
def test_impossible_graphs_are_refused(weights: list, moves: list) -> None:
    with pytest.raises(InputError):
        graph(weights, moves)
