"""Adjusted p-values for several hypotheses, and intervals that belong to them.

Family-wise error: bonferroni, sidak, holm, holm-sidak, hochberg, hochberg-sidak, hommel. False discovery rate:
benjamini-hochberg, benjamini-yekutieli. Hochberg, Hommel and their relatives need p-values that are independent or
positively dependent (Simes' inequality); Sidak's needs the same; the others hold always (Benjamini-Hochberg under
positive dependence, Benjamini-Yekutieli always).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from paribus.errors import InputError, did_you_mean
from paribus.stats.boundary import Fixed
from paribus.stats.estimate import Estimates, Floats

Adjustment = Literal[
    "none",
    "bonferroni",
    "sidak",
    "holm",
    "holm-sidak",
    "hochberg",
    "hochberg-sidak",
    "hommel",
    "benjamini-hochberg",
    "benjamini-yekutieli",
]


def adjusted_p_values(p_value: ArrayLike, method: Adjustment = "holm") -> Floats:
    """P-values adjusted along the last axis: reject where the adjusted one is at most alpha.

    NaN p-values (undetermined) stay NaN and are not counted as hypotheses.

    >>> adjusted_p_values([0.01, 0.04, 0.03, 0.005], "holm").tolist()
    [0.03, 0.06, 0.06, 0.02]
    """
    adjust = _ADJUST.get(method)
    if adjust is None:
        raise InputError(f"unknown adjustment {method!r}", fix=did_you_mean(str(method), get_args(Adjustment)))
    p = np.asarray(p_value, dtype=np.float64)
    if np.any((p < 0) | (p > 1)):
        raise InputError("p-values outside [0, 1] cannot be adjusted")
    if p.ndim == 0:
        return p

    def one_family(row: Floats) -> Floats:
        known = ~np.isnan(row)
        out = np.full(row.shape, np.nan)
        if known.any():
            out[known] = adjust(row[known])
        return out

    return np.apply_along_axis(one_family, -1, p)


def simes(p_value: ArrayLike) -> float:
    """P-value of the hypothesis that all hold (Simes 1986): min over i of m p_(i) / i.

    >>> round(simes([0.01, 0.04, 0.03, 0.005]), 12)
    0.02
    """
    p = np.sort(np.asarray(p_value, dtype=np.float64))
    return float(min(1.0, (len(p) * p / np.arange(1, len(p) + 1)).min()))


def rejections(p_value: ArrayLike, alpha: float = 0.05, method: Adjustment = "holm") -> int:
    """Number of hypotheses rejected at alpha."""
    return int(np.count_nonzero(adjusted_p_values(p_value, method) <= alpha))


def interval_levels(p_value: ArrayLike, level: float = 0.95, method: Adjustment = "holm") -> Floats:
    """The confidence level at which each hypothesis' own interval is computed so that it belongs to the adjustment.

    Single-step and step-wise family-wise methods: 1 - alpha / m (Sidak: (1 - alpha)^(1/m)), which covers all m
    parameters at once. False discovery rate: 1 - R alpha / m for R rejections, so that among the intervals of the
    rejected ones the expected share that misses is at most alpha (Benjamini, Yekutieli 2005; divided by the harmonic
    number for benjamini-yekutieli).
    """
    p = np.asarray(p_value, dtype=np.float64)
    alpha, known = 1 - level, ~np.isnan(p)
    m = max(int(known.sum()), 1)
    if method == "none":
        own = level
    elif method in ("sidak", "holm-sidak", "hochberg-sidak"):
        own = float(level ** (1 / m))
    elif method in ("benjamini-hochberg", "benjamini-yekutieli"):
        spread = _harmonic(m) if method == "benjamini-yekutieli" else 1.0
        own = 1 - max(rejections(p[known], alpha, method), 1) * alpha / (m * spread)
    else:
        own = 1 - alpha / m
    return np.where(known, own, np.nan)


def adjusted(estimates: Estimates, method: Adjustment = "holm", *, boundary: Any = None, n: Any = None) -> Estimates:
    """The same estimates with adjusted p-values and the intervals that belong to them.

    The interval is recomputed at `interval_levels`. Where a step-wise method rejects although that interval reaches
    over the null value of zero, the interval ends at zero: decision and interval never contradict. (For one-sided Holm
    these are the compatible simultaneous bounds of Strassburger, Bretz 2008, and Guilbaud 2008; two-sided, coverage of
    the unclipped interval and the sign of a clipped one each hold at the level.)

    Args:
        estimates: shape (..., m), one family along the last axis, tested against zero at `estimates.level`.
        method: the adjustment.
        boundary: interval rule with a `level`, default `Fixed`; its own level is ignored.
        n: units in both arms, for boundaries that need them.
    """
    p = adjusted_p_values(estimates.p_value, method)
    rule = boundary if boundary is not None else Fixed(alternative=estimates.alternative)
    families = estimates.p_value.reshape(-1, estimates.p_value.shape[-1]) if estimates.p_value.ndim else None
    if families is None:
        return estimates
    levels = np.concatenate([interval_levels(row, estimates.level, method) for row in families])
    levels = levels.reshape(estimates.shape)
    radius = np.full(estimates.shape, np.nan)
    units = np.broadcast_to(np.nan if n is None else np.asarray(n, dtype=np.float64), estimates.shape)
    for own in np.unique(levels[~np.isnan(levels)]):
        at = levels == own
        at_own = rule.at_level(float(own)) if hasattr(rule, "at_level") else replace(rule, level=float(own))
        radius[at] = at_own.radius(estimates.se[at], units[at], estimates.df[at])
    lower = estimates.value - radius if estimates.alternative != "less" else estimates.lower
    upper = estimates.value + radius if estimates.alternative != "greater" else estimates.upper
    if method in _STEPWISE:
        rejected = p <= 1 - estimates.level
        lower = np.where(rejected & (estimates.value > 0) & (lower < 0), 0.0, lower)
        upper = np.where(rejected & (estimates.value < 0) & (upper > 0), 0.0, upper)
    return replace(estimates, p_value=p, lower=lower, upper=upper, method=f"{estimates.method}, {method}")


_STEPWISE = ("holm", "holm-sidak", "hochberg", "hochberg-sidak", "hommel")


def _harmonic(m: int) -> float:
    return float((1 / np.arange(1, m + 1)).sum())


def _sidak(p: Floats, count: ArrayLike) -> Floats:
    """1 - (1 - p)^count without cancellation."""
    with np.errstate(divide="ignore"):
        return np.asarray(-np.expm1(count * np.log1p(-p)))


def _step(p: Floats, steps: Callable[[Floats, Floats], Floats], *, down: bool) -> Floats:
    """Step-down (running maximum from the smallest) or step-up (running minimum from the largest) adjustment.

    `steps(p, m - rank + 1)` adjusts the sorted p-values.
    """
    order = np.argsort(p, kind="stable")
    m = len(p)
    each = steps(p[order], np.arange(m, 0, -1.0))
    running = np.maximum.accumulate(each) if down else np.minimum.accumulate(each[::-1])[::-1]
    out = np.empty(m)
    out[order] = np.minimum(running, 1.0)
    return out


def _benjamini_hochberg(p: Floats) -> Floats:
    m = len(p)
    return _step(p, lambda q, left: q * (m / (m - left + 1)), down=False)


def _benjamini_yekutieli(p: Floats) -> Floats:
    m = len(p)
    return _step(p, lambda q, left: q * (m * _harmonic(m) / (m - left + 1)), down=False)


def _hommel(p: Floats) -> Floats:
    """Hommel 1988 by Wright's (1992) algorithm: the closure of Simes' test."""
    m = len(p)
    order = np.argsort(p, kind="stable")
    q = p[order]
    ranks = np.arange(1, m + 1)
    adjusted_p = np.full(m, (m * q / ranks).min())
    best = adjusted_p.copy()
    for size in range(m - 1, 1, -1):
        largest = np.arange(m - size + 1, m)
        bound = (size * q[largest] / np.arange(2, size + 1)).min()
        best[: m - size + 1] = np.minimum(size * q[: m - size + 1], bound)
        best[largest] = best[m - size]
        adjusted_p = np.maximum(adjusted_p, best)
    out = np.empty(m)
    out[order] = np.maximum(adjusted_p, q)
    return out


_ADJUST: dict[str, Callable[[Floats], Floats]] = {
    "none": lambda p: p,
    "bonferroni": lambda p: np.minimum(len(p) * p, 1.0),
    "sidak": lambda p: _sidak(p, len(p)),
    "holm": lambda p: _step(p, lambda q, left: q * left, down=True),
    "holm-sidak": lambda p: _step(p, _sidak, down=True),
    "hochberg": lambda p: _step(p, lambda q, left: q * left, down=False),
    "hochberg-sidak": lambda p: _step(p, _sidak, down=False),
    "hommel": _hommel,
    "benjamini-hochberg": _benjamini_hochberg,
    "benjamini-yekutieli": _benjamini_yekutieli,
}
