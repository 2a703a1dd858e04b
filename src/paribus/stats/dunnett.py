"""Many-to-one comparisons (Dunnett 1955): several arms against one control, which makes them correlated.

With shares lambda_i^2 = n_i / (n_0 + n_i) the correlations are lambda_i lambda_j: one common factor, so the joint
probability is a single integral over it, and over the common standard error where df is finite.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from paribus.errors import InputError
from paribus.stats.estimate import Floats

_FACTOR_POINTS = 160
_SCALE_POINTS = 64


def dunnett_critical_value(
    arms: int | None = None,
    alpha: float = 0.05,
    *,
    n_control: float = 1.0,
    n_treatments: ArrayLike | None = None,
    df: float = np.inf,
    sides: Literal[1, 2] = 2,
) -> float:
    """The critical value that the largest of k |t| (or t) against one control passes with probability alpha.

    Args:
        arms: number of treatment arms k, of the control's size; or give `n_treatments`.
        alpha: family-wise error.
        n_control: units of the control arm; only the ratios of units matter.
        n_treatments: units of each treatment arm.
        df: degrees of freedom of the common variance.
        sides: 1 or 2.

    >>> round(dunnett_critical_value(2), 2)    # Dunnett 1964, table, df = inf
    2.21
    """
    from scipy.optimize import brentq

    loadings = _loadings(arms, n_control, n_treatments)
    if not 0 < alpha < 1 or not df > 0:
        raise InputError(f"alpha {alpha}, df {df}", rule="0 < alpha < 1 and df > 0")

    def excess(c: float) -> float:
        return float(_exceed(np.array([c]), loadings, df, sides)[0]) - alpha

    high = 8.0
    while excess(high) > 0:
        high *= 2
    return float(brentq(excess, -8.0 if sides == 1 else 0.0, high, xtol=1e-11, rtol=1e-12))


def dunnett_p_values(
    t: ArrayLike,
    *,
    n_control: float = 1.0,
    n_treatments: ArrayLike | None = None,
    df: float = np.inf,
    sides: Literal[1, 2] = 2,
    step_down: bool = False,
) -> Floats:
    """Adjusted p-values of k comparisons with one control, from their t statistics, shape (k,).

    `step_down` tests the largest first among all and then among those left (Dunnett, Tamhane 1991): never less
    powerful, but without simultaneous intervals.
    """
    t = np.asarray(t, dtype=np.float64)
    loadings = np.asarray(_loadings(len(t), n_control, n_treatments))
    size = np.abs(t) if sides == 2 else t
    if not step_down:
        return _exceed(size, tuple(loadings), df, sides)
    order = np.argsort(-size, kind="stable")
    out, running = np.empty(len(t)), 0.0
    for rank, i in enumerate(order):
        p = _exceed(size[i : i + 1], tuple(loadings[order[rank:]]), df, sides)[0]
        running = max(running, float(p))
        out[i] = running
    return out


def _loadings(arms: int | None, n_control: float, n_treatments: ArrayLike | None) -> tuple[float, ...]:
    if n_treatments is None:
        if arms is None or arms < 1:
            raise InputError("Dunnett's method needs the number of treatment arms or their sizes")
        n = np.full(arms, float(n_control))
    else:
        n = np.atleast_1d(np.asarray(n_treatments, dtype=np.float64))
    if n_control <= 0 or (n <= 0).any():
        raise InputError("arms without units cannot be compared")
    return tuple(np.sqrt(n / (n + n_control)).tolist())


def _exceed(c: Floats, loadings: tuple[float, ...], df: float, sides: int) -> Floats:
    """P(max of the statistics > c) for each c, shape (j,)."""
    from scipy.special import ndtr

    factor, weight = _normal_rule()
    scale, scale_weight = _scale_rule(float(df))
    lam = np.asarray(loadings)
    own = np.sqrt(1 - lam**2)
    # Axes: c, scale, factor, arm. The pooled standard error multiplies c; the factor shifts all arms together.
    reach = (np.asarray(c)[:, None] * scale)[:, :, None, None] / own
    shift = (factor[:, None] * lam / own)[None, None]
    inside = ndtr(reach - shift) - ndtr(-reach - shift) if sides == 2 else ndtr(reach - shift)
    joint = np.prod(inside, axis=-1) @ weight
    return np.asarray(np.clip(1 - joint @ scale_weight, 0.0, 1.0))


@lru_cache(maxsize=1)
def _normal_rule() -> tuple[Floats, Floats]:
    from scipy.special import roots_legendre

    nodes, weights = roots_legendre(_FACTOR_POINTS)
    nodes = 9.0 * nodes
    weights = 9.0 * weights * np.exp(-0.5 * nodes**2) / np.sqrt(2 * np.pi)
    return nodes, weights / weights.sum()


@lru_cache(maxsize=64)
def _scale_rule(df: float) -> tuple[Floats, Floats]:
    """Nodes and weights for s = sqrt(chi2_df / df), the estimated over the true standard deviation."""
    from scipy.special import chdtri, roots_legendre

    if np.isinf(df):
        return np.ones(1), np.ones(1)
    low, high = (float(np.sqrt(chdtri(df, q) / df)) for q in (1 - 1e-14, 1e-14))
    nodes, weights = roots_legendre(_SCALE_POINTS)
    s = low + (high - low) * (nodes + 1) / 2
    log_density = (df - 1) * np.log(s) - df * s**2 / 2
    weights = weights * np.exp(log_density - log_density.max())
    return s, weights / weights.sum()
