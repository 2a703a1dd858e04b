"""One arm of a comparison as a smooth function of its mean vector, and the comparison of two arms.

Mean, proportion, ratio of sums, CUPED and post-stratified estimates all become an `Arm`: a value g(mean) and the
variance per unit of its influence function, grad' C grad (delta method: Deng, Knoblich, Lu 2018, eq. 4), so that
se^2 = var / n. After that one function compares them, absolutely or relatively, under any `Boundary`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paribus.stats.boundary import Boundary, Fixed
from paribus.stats.estimate import Estimates, Floats, Reason, estimates
from paribus.stats.moments import Moments


@dataclass(frozen=True, slots=True)
class Arm:
    """Value of one arm by cell, its per-unit influence variance, its number of units (all of the cells' shape)."""

    n: Floats
    value: Floats
    var: Floats
    skewness: Floats

    @property
    def se(self) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.sqrt(self.var / self.n)


def mean(m: Moments, name: str | None = None) -> Arm:
    """The mean of one variable (the first unless named)."""
    i = m.names.index(name) if name else 0
    return Arm(m.n, m.mean[..., i], m.var[..., i], m.skewness[..., i])


def difference(
    control: Arm,
    treatment: Arm,
    *,
    boundary: Boundary | None = None,
    null: float = 0.0,
    pooled: bool = False,
    normal: bool = False,
) -> Estimates:
    """Treatment minus control with interval and p-value under `boundary` (default: fixed horizon, 95%, two-sided).

    Args:
        control, treatment: arms with the same shape of cells.
        boundary: interval and p-value rule.
        null: difference under the null hypothesis.
        pooled: pool the variances (Student), else Welch-Satterthwaite (Welch 1947).
        normal: use the normal reference (df = inf) instead of t.
    """
    boundary = boundary or Fixed()
    with np.errstate(invalid="ignore", divide="ignore"):
        vc, vt = control.var / control.n, treatment.var / treatment.n
        if pooled:
            df = control.n + treatment.n - 2
            var = ((control.n - 1) * control.var + (treatment.n - 1) * treatment.var) / df
            se = np.sqrt(var * (1 / control.n + 1 / treatment.n))
        else:
            se = np.sqrt(vc + vt)
            df = (vc + vt) ** 2 / (vc**2 / (control.n - 1) + vt**2 / (treatment.n - 1))
        df = np.full_like(se, np.inf) if normal else df
        value = treatment.value - control.value
        n = control.n + treatment.n
        radius = boundary.radius(se, n, df)
        p_value = boundary.p_value(value - null, se, n, df)
    few = (control.n < 2) | (treatment.n < 2)
    return estimates(
        value,
        se,
        -np.inf if boundary.alternative == "less" else value - radius,
        np.inf if boundary.alternative == "greater" else value + radius,
        p_value,
        df=df,
        level=boundary.level,
        alternative=boundary.alternative,
        method=boundary.method,
        reasons=(
            ((control.n == 0) | (treatment.n == 0), Reason.NO_DATA),
            (few, Reason.TOO_FEW_UNITS),
            (se == 0, Reason.NO_VARIANCE),
        ),
    )
