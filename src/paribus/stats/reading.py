"""Estimates from values and standard errors that were computed elsewhere: running summaries, reports, other tools."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from paribus.errors import InputError
from paribus.stats.boundary import Boundary, bounded
from paribus.stats.estimate import Estimates, Floats, Reason


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
    with np.errstate(invalid="ignore"):
        spread = given if variance is None else np.sqrt(given)
    missing = ((~(spread > 0), Reason.NO_VARIANCE),)
    return bounded(value, spread, boundary, n=n, df=df, null=null, reasons=missing)


def z_statistic(read_estimates: Estimates) -> Floats:
    """Estimate over standard error, cell by cell."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return read_estimates.value / read_estimates.se
