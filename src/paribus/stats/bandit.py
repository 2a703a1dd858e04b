"""Which arm is best, and how often to play each: Thompson and top-two Thompson sampling with normal posteriors."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from paribus.errors import InputError
from paribus.stats.estimate import Floats

_NODES_PER_PANEL = 20


def probability_best(posterior_mean: ArrayLike, posterior_sd: ArrayLike) -> Floats:
    """Probability that each arm has the largest mean, for independent normal posteriors; Thompson's allocation.

    By Gauss-Legendre quadrature of phi_i(t) prod_{j != i} Phi_j(t), to about 1e-12; the probabilities sum to 1.

    Args:
        posterior_mean: shape (arms,).
        posterior_sd: shape (arms,), positive.

    >>> [round(p, 4) for p in probability_best([0.0, 1.0], [0.6, 0.8]).tolist()]  # Phi(-1 / 1), Phi(1)
    [0.1587, 0.8413]
    """
    from scipy.special import log_ndtr

    mean, sd = _posteriors(posterior_mean, posterior_sd)
    t, weights = _rule(mean, sd)
    z = (t[:, None] - mean) / sd
    log_below = log_ndtr(z)
    log_density = -(z**2) / 2 - np.log(sd * np.sqrt(2 * np.pi))
    others = log_below.sum(axis=1, keepdims=True) - log_below
    p = weights @ np.exp(log_density + others)
    return np.asarray(p / p.sum())


def top_two_probabilities(posterior_mean: ArrayLike, posterior_sd: ArrayLike, beta: float = 0.5) -> Floats:
    """How often top-two Thompson sampling plays each arm (Russo 2016, section 3.3).

    The leader, drawn by `probability_best`, is played with probability beta; else draws are repeated until another
    arm leads. p_i = a_i (beta + (1 - beta) sum_{j != i} a_j / (1 - a_j)).

    >>> top_two_probabilities([0.0, 1.0], [1.0, 1.0]).round(12).tolist()  # two arms: half and half
    [0.5, 0.5]
    """
    if not 0 < beta <= 1:
        raise InputError(f"beta is {beta}", rule="0 < beta <= 1")
    a = probability_best(posterior_mean, posterior_sd)
    if a.size == 1:
        return a
    with np.errstate(divide="ignore", invalid="ignore"):
        # 1 - a_j as the sum of the others: exact when one arm has nearly all the probability.
        rest = np.array([np.delete(a, j).sum() for j in range(a.size)])
        odds = np.where(a > 0, a / rest, 0.0)
        replaced = np.array([a[i] * np.delete(odds, i).sum() for i in range(a.size)])
        shares = a[:, None] / rest[None, :] * a[None, :]
        np.fill_diagonal(shares, 0.0)
        replaced = np.where(np.isfinite(replaced), replaced, np.nansum(shares, axis=1))
    return np.asarray(beta * a + (1 - beta) * replaced)


def _posteriors(posterior_mean: ArrayLike, posterior_sd: ArrayLike) -> tuple[Floats, Floats]:
    mean, sd = np.broadcast_arrays(
        np.asarray(posterior_mean, dtype=np.float64), np.asarray(posterior_sd, dtype=np.float64)
    )
    if mean.ndim != 1 or mean.size == 0:
        raise InputError("posteriors come as one mean and one standard deviation for each arm")
    if np.any(sd <= 0) or not np.all(np.isfinite(mean) & np.isfinite(sd)):
        raise InputError("a posterior that is not a normal distribution", rule="finite mean, standard deviation > 0")
    return mean, sd


def _rule(mean: Floats, sd: Floats) -> tuple[Floats, Floats]:
    """Nodes and weights over 9 standard deviations of every arm, in panels that follow the narrowest arms."""
    steps = np.arange(-9.0, 9.5, 0.5)
    edges = np.unique((mean[:, None] + sd[:, None] * steps).ravel())
    x, w = np.polynomial.legendre.leggauss(_NODES_PER_PANEL)
    half = np.diff(edges) / 2
    nodes = (edges[:-1] + half)[:, None] + half[:, None] * x
    return nodes.ravel(), (half[:, None] * w).ravel()
