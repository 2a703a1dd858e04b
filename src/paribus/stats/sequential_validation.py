"""Is predicted heterogeneity real? Tests on blocks of units that the predictions had not seen.

Blocks are in order, and the predictions of a block come from the blocks before it alone. Given the past, a block's
statistic is then that of a fresh sample, and the sum over blocks is a martingale: exact size in large samples, which
leaving one fold out of K has not (Wager 2024, arXiv:2405.05534). The statistics are the best linear predictor and the
sorted group effects of Chernozhukov, Demirer, Duflo, Fernández-Val 2018 (arXiv:1712.04802), with the known
probabilities of a randomized experiment.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paribus.stats.estimate import Floats
from paribus.stats.multiplicity import adjusted_p_values

FEWEST = 20
"""Units of a block below which nothing is regressed."""


@dataclass(frozen=True, slots=True)
class Coefficient:
    """A coefficient of the best linear predictor; `p_value` is one-sided, against 0 or less."""

    value: float
    se: float
    p_value: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """The best linear predictor of unit effects by their predictions.

    mean          1 where the mean prediction is right
    differential  1 where differences of predictions are right, 0 where they say nothing
    """

    mean: Coefficient
    differential: Coefficient


@dataclass(frozen=True, slots=True)
class GroupEffect:
    """The effect in one group of units by rank of prediction, `low` to `high` simultaneous over the groups.

    predicted   mean prediction of its units
    adjusted_p  of no effect, Holm over the groups
    """

    units: int
    predicted: float
    value: float
    se: float
    low: float
    high: float
    adjusted_p: float


def calibration(
    outcome: ArrayLike, treated: ArrayLike, probability: ArrayLike, predicted: ArrayLike, block: ArrayLike
) -> Calibration | None:
    """Mean and differential coefficient; None where predictions do not vary within any block.

    Args:
        outcome: of each unit, less what its attributes predict of it, shape (n,); the subtraction only sharpens.
        treated: 1 or 0.
        probability: of being treated, known by design, in (0, 1).
        predicted: effect, from units of other, earlier blocks.
        block: the unit's block; a coefficient is that of each block, weighted by its precision.
    """
    y, t, p, s, b = _arrays(outcome, treated, probability, predicted, block)
    means: list[tuple[float, float]] = []
    slopes: list[tuple[float, float]] = []
    for each in np.unique(b):
        own = b == each
        if own.sum() < FEWEST:
            continue
        residual, mean = t[own] - p[own], s[own].mean()
        weight = 1 / (p[own] * (1 - p[own]))
        spread = s[own] - mean
        if not mean or spread.std() <= 1e-9 * max(abs(mean), 1e-300):
            continue
        value, se = _robust(y[own], np.column_stack([mean * residual, spread * residual]), weight)
        means.append((float(value[0]), float(se[0])))
        slopes.append((float(value[1]), float(se[1])))
    if not slopes or any(se <= 0 or not np.isfinite(se) for _, se in (*means, *slopes)):
        return None
    return Calibration(_together(means), _together(slopes))


def group_effects(
    outcome: ArrayLike,
    treated: ArrayLike,
    probability: ArrayLike,
    predicted: ArrayLike,
    block: ArrayLike,
    *,
    groups: int = 4,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[tuple[GroupEffect, ...], tuple[float, float, float]]:
    """Effects by group of predicted effect, least first; and the last less the first: value, standard error, p-value.

    Units are ranked within their block; equal predictions are put in a random order. Each unit counts with
    (y - m)(t - p) / (p (1 - p)), whose mean is the effect whatever m is, so no model enters the estimates.

    Args:
        outcome, treated, probability, predicted, block: as for `calibration`.
        groups: of equal size.
        level: of the simultaneous intervals (Bonferroni).
        seed: of the order of equal predictions.
    """
    from scipy.special import ndtr, ndtri

    y, t, p, s, b = _arrays(outcome, treated, probability, predicted, block)
    score = y * (t - p) / (p * (1 - p))
    group = np.zeros(len(y), dtype=np.intp)
    draw = np.random.default_rng(seed).random(len(y))
    for each in np.unique(b):
        own = np.flatnonzero(b == each)
        order = np.lexsort((draw[own], s[own]))
        group[own[order]] = np.arange(len(own)) * groups // len(own)
    found = [_mean(score[group == g]) for g in range(groups)]
    z = float(ndtri(1 - (1 - level) / 2 / groups))
    p_values = [float(2 * ndtr(-abs(value) / se)) if se > 0 else 1.0 for value, se in found]
    adjusted = adjusted_p_values(p_values, "holm").tolist()
    effects = tuple(
        GroupEffect(
            int((group == g).sum()), float(s[group == g].mean()), value, se, value - z * se, value + z * se, adjusted[g]
        )
        for g, (value, se) in enumerate(found)
    )
    (low, low_se), (high, high_se) = found[0], found[-1]
    se = sqrt(low_se**2 + high_se**2)
    return effects, (high - low, se, float(2 * ndtr(-abs(high - low) / se)) if se > 0 else 1.0)


def _together(found: list[tuple[float, float]]) -> Coefficient:
    """Weights 1/se make the ratio of value and standard error the sum of the blocks' t over the root of their number.

    >>> _together([(2.0, 1.0), (1.0, 1.0)]).value
    1.5
    """
    from scipy.special import ndtr

    precision = sum(1 / se for _, se in found)
    value = sum(coefficient / se for coefficient, se in found) / precision
    se = sqrt(len(found)) / precision
    return Coefficient(value, se, float(ndtr(-value / se)))


def _robust(y: Floats, x: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Weighted least squares without intercept, standard errors HC3."""
    root = np.sqrt(weight)
    x, y = x * root[:, None], y * root
    inverse = np.linalg.pinv(x.T @ x)
    value = inverse @ (x.T @ y)
    leverage = np.einsum("ij,jk,ik->i", x, inverse, x)
    scaled = x * ((y - x @ value) / np.maximum(1 - leverage, 1e-12))[:, None]
    return value, np.sqrt(np.diag(inverse @ (scaled.T @ scaled) @ inverse))


def _mean(score: Floats) -> tuple[float, float]:
    n = len(score)
    return (float(score.mean()), float(score.std(ddof=1) / sqrt(n))) if n > 1 else (float("nan"), float("nan"))


def _arrays(*given: ArrayLike) -> tuple[Floats, Floats, Floats, Floats, NDArray[np.float64]]:
    y, t, p, s, b = (np.asarray(each, dtype=np.float64) for each in given)
    return y, t, np.broadcast_to(p, y.shape), s, b
