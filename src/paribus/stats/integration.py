"""Exit probabilities of a Gaussian random walk that is looked at K times (Armitage, McPherson, Rowe 1969).

At look k the score S_k = S_{k-1} + N(mean_k, variance_k) leaves the trial above `upper` or below `lower`, else the
trial goes on. The density of the scores that go on is carried from look to look on quadrature nodes (Jennison,
Turnbull 2000, ch. 19, with Gauss-Legendre in place of their Simpson grid: the kernel is analytic, so some 2 nodes for
each standard deviation of an increment give ten digits).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from paribus.stats.estimate import Floats

REACH = 9.0  # standard deviations kept of a density; the tail beyond is 2e-19


@dataclass(frozen=True, slots=True)
class Walk:
    """The scores that are still in the trial after a look: nodes, and density times quadrature weight at each.

    `variance` is the walk's total variance so far (its information), `mean` its mean without stopping.
    """

    nodes: Floats
    mass: Floats
    variance: float
    mean: float

    def above(self, bound: float, variance: float, mean: float = 0.0) -> float:
        """Probability to be in the trial and to have the next score at or above `bound` (score scale)."""
        from scipy.special import ndtr

        if np.isposinf(bound):
            return 0.0
        return float(self.mass @ ndtr((self.nodes + mean - bound) / np.sqrt(variance)))

    def below(self, bound: float, variance: float, mean: float = 0.0) -> float:
        """Probability to be in the trial and to have the next score below `bound` (score scale)."""
        from scipy.special import ndtr

        if np.isneginf(bound):
            return 0.0
        return float(self.mass @ ndtr((bound - self.nodes - mean) / np.sqrt(variance)))

    def advance(self, lower: float, upper: float, variance: float, mean: float = 0.0, next_sd: float = np.inf) -> Walk:
        """The walk after its next look, for the scores between `lower` and `upper`.

        `next_sd` is the standard deviation of the increment after this one: it sets how fine the nodes must be.
        """
        total, center = self.variance + variance, self.mean + mean
        reach = REACH * np.sqrt(total)
        low, high = max(lower, center - reach), min(upper, center + reach)
        if not low < high:
            return Walk(np.zeros(1), np.zeros(1), total, center)
        sd = np.sqrt(variance)
        nodes, weights = _legendre(_count((high - low) / min(sd, next_sd)))
        nodes = low + (high - low) * (nodes + 1) / 2
        z = (nodes[:, None] - (self.nodes + mean)[None, :]) / sd
        density = np.exp(-0.5 * z * z) @ self.mass / (sd * np.sqrt(2 * np.pi))
        return Walk(nodes, density * weights * (high - low) / 2, total, center)


def start() -> Walk:
    """The walk before its first look: all mass at zero."""
    return Walk(np.zeros(1), np.ones(1), 0.0, 0.0)


def exit_probabilities(
    lower: Floats, upper: Floats, information: Floats, drift: float | Floats = 0.0
) -> tuple[Floats, Floats]:
    """Probabilities to leave below `lower` and above `upper` (z scale) at each look: two arrays of shape (K,).

    Args:
        lower: lower bounds on the z scale, -inf where there is none.
        upper: upper bounds on the z scale.
        information: increasing information at the looks, in any unit.
        drift: mean of the score for each unit of information, so that z_k has mean drift * sqrt(information_k); an
            array of shape (K,) gives each stage its own.
    """
    stage = np.diff(information, prepend=0.0)
    means = np.broadcast_to(drift, stage.shape) * stage
    scale = np.sqrt(information)
    out = np.zeros((2, len(stage)))
    walk = start()
    for k, (variance, mean) in enumerate(zip(stage, means, strict=True)):
        low, high = lower[k] * scale[k], upper[k] * scale[k]
        out[:, k] = walk.below(low, variance, mean), walk.above(high, variance, mean)
        if k + 1 < len(stage):
            walk = walk.advance(low, high, variance, mean, np.sqrt(stage[k + 1]))
    return out[0], out[1]


def _count(width_in_sd: float) -> int:
    """Number of nodes, rounded up to a multiple of 16 so that few node sets are ever computed."""
    return 16 * (int(2.0 * width_in_sd + 24.0) // 16 + 1)


@lru_cache(maxsize=256)
def _legendre(count: int) -> tuple[Floats, Floats]:
    from scipy.special import roots_legendre

    nodes, weights = roots_legendre(count)
    return nodes, weights
