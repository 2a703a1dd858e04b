"""Estimates from values and standard errors that were computed elsewhere: running summaries, reports, other tools."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from paribus.errors import InputError
from paribus.stats.boundary import Boundary
from paribus.stats.estimate import Estimates, Floats, Reason, estimates


def read(
    value: ArrayLike,
    boundary: Boundary,
    *,
    se: ArrayLike | None = None,
    variance: ArrayLike | None = None,
    n: ArrayLike = np.inf,
    df: ArrayLike = np.inf,
    null: float = 0.0,
) -> Estimates:
    """Estimates with the boundary's intervals and p-values.

    Args:
        value: the estimates, any shape.
        boundary: interval and p-value rule.
        se: their standard errors; or give `variance`.
        variance: their squared standard errors.
        n: units in both arms together, for boundaries that depend on it.
        df: degrees of freedom of the standard errors.
        null: value under the null hypothesis.

    >>> from paribus.stats.boundary import Fixed
    >>> round(read(0.3, Fixed(), se=0.1).at().lower, 3)    # .3 - 1.96 * .1
    0.104
    """
    if (se is None) == (variance is None):
        raise InputError("an estimate is read from either its standard error or its variance")
    given = np.asarray(se if variance is None else variance, dtype=np.float64)
    value, n, df = (np.asarray(a, dtype=np.float64) for a in (value, n, df))
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = given if variance is None else np.sqrt(given)
        radius = boundary.radius(spread, n, df)
        p_value = boundary.p_value(value - null, spread, n, df)
        none = np.full_like(radius, np.inf)
        return estimates(
            value,
            spread,
            -none if boundary.alternative == "less" else value - radius,
            none if boundary.alternative == "greater" else value + radius,
            p_value,
            df=df,
            level=boundary.level,
            alternative=boundary.alternative,
            method=boundary.method,
            reasons=((~(spread > 0), Reason.NO_VARIANCE),),
        )


def z_statistic(read_estimates: Estimates) -> Floats:
    """Estimate over standard error, cell by cell."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return read_estimates.value / read_estimates.se
