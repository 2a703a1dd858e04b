"""Does the effect differ between segments or epochs? Tests of effects against each other, from their errors alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from paribus.stats.boundary import Boundary, Fixed, bounded
from paribus.stats.estimate import Estimates, Floats, Reason, Undetermined


@dataclass(frozen=True, slots=True)
class Heterogeneity:
    """Cochran's Q over `df` + 1 effects, its p-value, and I^2, the share of their spread that is not noise."""

    q: float
    df: int
    p_value: float
    i_squared: float


def interaction(first: Estimates, second: Estimates, *, boundary: Boundary | None = None) -> Estimates:
    """Second effect minus first, for disjoint units: the treatment x segment interaction.

    The degrees of freedom combine by Satterthwaite. Looking at many pairs is many tests: correct the p-values.

    Args:
        first: effects.
        second: effects on the same scale, of broadcastable cells, from units that are not in the first.
        boundary: interval and p-value rule (default: fixed horizon, 95%, two-sided).
    """
    value = second.value - first.value
    with np.errstate(invalid="ignore", divide="ignore"):
        a, b = first.se**2, second.se**2
        se = np.sqrt(a + b)
        lost = a**2 / first.df + b**2 / second.df
        df = np.where(lost > 0, (a + b) ** 2 / np.where(lost > 0, lost, 1.0), np.inf)
    return bounded(
        value,
        se,
        boundary or Fixed(),
        n=np.inf,
        df=df,
        method="interaction",
        reasons=(*first.reasons, *second.reasons),
    )


def heterogeneity(effects: Estimates) -> Heterogeneity | Undetermined:
    """Whether effects of disjoint segments (one axis) are equal: Cochran 1954, chi-square with segments - 1 df.

    Segments without an effect are left out; fewer than two leave nothing to compare.

    >>> from paribus.stats.estimate import estimates
    >>> e = estimates([0.0, 2.0], [1.0, 1.0], [0, 0], [0, 0], [1, 1], level=0.95, method="z")
    >>> found = heterogeneity(e)  # (0 - 1)^2 + (2 - 1)^2
    >>> found.q, found.df, round(found.p_value, 4), found.i_squared
    (2.0, 1, 0.1573, 0.5)
    """
    found = cochran(effects, axis=0)
    q, df = float(found.q), float(found.df)
    if np.isnan(q):
        return Undetermined(Reason.TOO_FEW_UNITS, "fewer than two segments with an effect")
    return Heterogeneity(q, int(df), float(found.p_value), max(0.0, 1 - df / q) if q > 0 else 0.0)


class Cochran(NamedTuple):
    """Cochran's Q of many sets of effects: arrays without the axis of the segments; NaN below two segments."""

    q: Floats
    df: Floats
    p_value: Floats


def cochran(effects: Estimates, axis: int) -> Cochran:
    """`heterogeneity` for many sets of effects at once, whose segments lie along `axis`.

    >>> from paribus.stats.estimate import estimates
    >>> e = estimates([[0.0, 2.0], [1.0, 1.0]], [1.0, 1.0], 0, 0, 1, level=0.95, method="z")
    >>> cochran(e, axis=1).q.tolist()
    [2.0, 0.0]
    """
    from scipy.special import chdtrc

    known = effects.determined & (effects.se > 0)
    value = np.where(known, effects.value, 0.0)
    weight = np.where(known, 1 / np.where(known, effects.se, 1.0) ** 2, 0.0)
    df = known.sum(axis=axis) - 1.0
    with np.errstate(invalid="ignore", divide="ignore"):
        center = np.expand_dims((weight * value).sum(axis=axis) / weight.sum(axis=axis), axis)
        q = (weight * (value - center) ** 2).sum(axis=axis)
    enough = df >= 1
    q = np.where(enough, q, np.nan)
    return Cochran(q, np.where(enough, df, np.nan), np.where(enough, chdtrc(np.maximum(df, 1), q), np.nan))
