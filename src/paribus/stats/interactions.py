"""Does the effect differ between segments or epochs? Tests of effects against each other, from their errors alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paribus.stats.boundary import Boundary, Fixed
from paribus.stats.estimate import Estimates, Reason, Undetermined, estimates


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
        first, second: effects on the same scale from units that do not overlap, of broadcastable cells.
        boundary: interval and p-value rule (default: fixed horizon, 95%, two-sided).
    """
    boundary = boundary or Fixed()
    value = second.value - first.value
    with np.errstate(invalid="ignore", divide="ignore"):
        a, b = first.se**2, second.se**2
        se = np.sqrt(a + b)
        lost = a**2 / first.df + b**2 / second.df
        df = np.where(lost > 0, (a + b) ** 2 / np.where(lost > 0, lost, 1.0), np.inf)
        n = np.full_like(se, np.inf)
        radius = boundary.radius(se, n, df)
        p_value = boundary.p_value(value, se, n, df)
    missing = [(e.reason == reason, reason) for e in (first, second) for reason in set(e.reason.flat) - {None}]
    return estimates(
        value,
        se,
        -np.inf if boundary.alternative == "less" else value - radius,
        np.inf if boundary.alternative == "greater" else value + radius,
        p_value,
        df=df,
        level=boundary.level,
        alternative=boundary.alternative,
        method=f"{boundary.method}, interaction",
        reasons=tuple(missing),
    )


def heterogeneity(effects: Estimates) -> Heterogeneity | Undetermined:
    """Whether effects of disjoint segments (one axis) are equal: Cochran 1954, chi-square with segments - 1 df.

    Segments without an effect are left out; fewer than two leave nothing to compare.

    >>> e = estimates([0.0, 2.0], [1.0, 1.0], [0, 0], [0, 0], [1, 1], level=0.95, method="z")
    >>> found = heterogeneity(e)  # (0 - 1)^2 + (2 - 1)^2
    >>> found.q, found.df, round(found.p_value, 4), found.i_squared
    (2.0, 1, 0.1573, 0.5)
    """
    from scipy.special import chdtrc

    known = effects.determined & (effects.se > 0)
    value, se = effects.value[known], effects.se[known]
    if len(value) < 2:
        return Undetermined(Reason.TOO_FEW_UNITS, "fewer than two segments with an effect")
    weight = 1 / se**2
    center = (weight @ value) / weight.sum()
    q = float(weight @ (value - center) ** 2)
    df = len(value) - 1
    return Heterogeneity(q, df, float(chdtrc(df, q)), max(0.0, 1 - df / q) if q > 0 else 0.0)
