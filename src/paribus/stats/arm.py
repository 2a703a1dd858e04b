"""One arm of a comparison as a smooth function of its mean vector, and the comparison of two arms.

Mean, proportion, ratio of sums, CUPED and post-stratified estimates all become an `Arm`: a value g(mean) and the
variance per unit of its influence function, grad' C grad (delta method: Deng, Knoblich, Lu 2018, eq. 4), so that
se^2 = var / n. After that one function compares them, absolutely or relatively, under any `Boundary`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from paribus.errors import InputError, did_you_mean
from paribus.stats.boundary import Boundary, Fixed, bounded
from paribus.stats.estimate import Estimates, Floats, Reason
from paribus.stats.moments import Moments

# A variance that is left of terms this much larger than itself is what rounding leaves: units do not differ.
ROUNDING = 1e-12

Outcome = str | tuple[str, str]  # a variable, or a ratio of sums as (numerator, denominator)


@dataclass(frozen=True, slots=True)
class Arm:
    """Value of one arm by cell, its per-unit influence variance, its number of units (all of the cells' shape).

    n             independent units (clusters, in a cluster design)
    value         the arm's value
    var           variance per unit: se^2 = var / n
    skewness      third standardized moment of a unit's contribution; NaN where unknown
    baseline      the value without covariates, when `value` is adjusted (None: `value` itself)
    baseline_var  its variance per unit
    baseline_cov  covariance per unit of value and baseline, which a relative effect needs
    """

    n: Floats
    value: Floats
    var: Floats
    skewness: Floats
    baseline: Floats | None = None
    baseline_var: Floats | None = None
    baseline_cov: Floats | None = None

    @property
    def se(self) -> Floats:
        """Standard error of the value."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.sqrt(self.var / self.n))

    @property
    def unadjusted(self) -> Arm:
        """The same arm without its covariates."""
        if self.baseline is None or self.baseline_var is None:
            return self
        return Arm(self.n, self.baseline, self.baseline_var, self.skewness)

    def denominator(self, *, adjusted: bool = False) -> tuple[Floats, Floats, Floats]:
        """What a relative effect divides by: its value, variance per unit, and covariance per unit with `value`."""
        if adjusted or self.baseline is None or self.baseline_var is None or self.baseline_cov is None:
            return self.value, self.var, self.var
        return self.baseline, self.baseline_var, self.baseline_cov


def mean(m: Moments, name: str | None = None) -> Arm:
    """The mean of one variable (the first unless named).

    >>> a = mean(Moments.from_rows([1.0, 2.0, 6.0], ["y"]))
    >>> float(a.value), float(a.var)
    (3.0, 7.0)
    """
    i = position(m, name) if name else 0
    return Arm(m.n, m.mean[..., i], m.var[..., i], m.skewness[..., i])


def bernoulli(n: ArrayLike, successes: ArrayLike) -> Arm:
    """The share of successes among n units, with variance p (1 - p), not times n / (n - 1).

    >>> a = bernoulli(100, 20)
    >>> float(a.value), round(float(a.var), 12)
    (0.2, 0.16)
    """
    n, successes = (np.asarray(a, dtype=np.float64) for a in (n, successes))
    with np.errstate(invalid="ignore", divide="ignore"):
        p = successes / n
        var = p * (1 - p)
        return Arm(n, p, var, (1 - 2 * p) / np.sqrt(var))


def ratio(m: Moments, numerator: str, denominator: str) -> Arm:
    """The ratio of two sums over units, with the delta-method variance of (y - R d) / mean(d).

    The estimand is sum(y) / sum(d), not the average of each unit's own ratio; units with d = 0 stay in. The skewness
    is that of numerator or denominator, whichever is larger: moments hold no mixed third moment. Where the
    denominator's mean is zero the value is NaN. Source: Deng, Knoblich, Lu 2018, eq. 4.

    >>> a = ratio(Moments.from_rows([[1, 2], [3, 2], [2, 2]], ["y", "d"]), "y", "d")
    >>> float(a.value), float(a.var)  # a constant denominator only scales: var(y) / 2^2
    (1.0, 0.25)
    """
    linear = linearize(m, [(numerator, denominator)])
    i = [position(m, name) for name in (numerator, denominator)]
    with np.errstate(invalid="ignore"):
        skewness = np.fmax(*(np.abs(m.skewness[..., j]) for j in i))
    return Arm(m.n, linear.mean[..., 0], linear.var[..., 0], skewness)


def outcome(m: Moments, what: Outcome) -> Arm:
    """The arm of a variable's mean, or of a ratio of sums given as (numerator, denominator)."""
    return mean(m, what) if isinstance(what, str) else ratio(m, *what)


def linearize(m: Moments, outcomes: list[Outcome]) -> Moments:
    """Moments of outcomes as if each unit carried its influence: means and ratios of sums alike.

    `mean` holds the outcomes' values and `m2` grad' M2 grad (Deng, Knoblich, Lu 2018), so that whatever is linear in
    unit values, such as CUPED, works on ratios without a second formula. Third moments of ratios are unknown (NaN).
    Where all units have the same ratio its variance is zero, not what rounding leaves of it.
    """
    if all(isinstance(what, str) for what in outcomes):
        return m.select([str(what) for what in outcomes])
    read = [functional(m, what) for what in outcomes]
    gradient = np.stack([slope for _, slope in read], axis=-2)
    used = [i for i in range(m.k) if np.any(gradient[..., i] != 0)]
    g, m2 = gradient[..., used], m.m2[..., used, :][..., used]
    linear = g @ m2 @ np.swapaxes(g, -1, -2)
    scale = np.abs(g) @ np.abs(m2) @ np.swapaxes(np.abs(g), -1, -2)
    same = np.einsum("...ii->...i", np.abs(linear)) <= ROUNDING * np.einsum("...ii->...i", scale)
    linear = np.where(same[..., None] | same[..., None, :], 0.0, linear)
    third = [m.m3[..., position(m, w)] if isinstance(w, str) else np.full(m.cells, np.nan) for w in outcomes]
    return Moments(
        names=tuple(what if isinstance(what, str) else f"{what[0]}/{what[1]}" for what in outcomes),
        n=m.n,
        mean=np.stack([value for value, _ in read], axis=-1),
        m2=linear,
        m3=np.stack(third, axis=-1),
        units=m.units,
    )


def functional(m: Moments, what: Outcome) -> tuple[Floats, Floats]:
    """An outcome's value (*cells) and its gradient (*cells, k) at the mean vector; NaN for a zero denominator."""
    gradient = np.zeros_like(m.mean)
    if isinstance(what, str):
        i = position(m, what)
        gradient[..., i] = 1.0
        return m.mean[..., i], gradient
    numerator, denominator = (position(m, name) for name in what)
    d = np.where(m.mean[..., denominator] == 0, np.nan, m.mean[..., denominator])
    value = m.mean[..., numerator] / d
    gradient[..., numerator] = 1 / d
    gradient[..., denominator] = -value / d
    return value, gradient


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

    `extra["statistic"]` holds (difference - null) / se.

    Args:
        control: arm that is subtracted.
        treatment: arm of the same shape of cells.
        boundary: interval and p-value rule.
        null: difference under the null hypothesis.
        pooled: pool the variances (Student), else Welch-Satterthwaite (Welch 1947).
        normal: use the normal reference (df = inf) instead of t.

    >>> rows = Moments.from_rows
    >>> d = difference(mean(rows([1.0, 2, 3], ["y"])), mean(rows([3.0, 4, 5], ["y"]))).at()
    >>> d.value, round(d.se, 4), d.df  # se^2 = 1/3 + 1/3
    (2.0, 0.8165, 4.0)
    """
    se, df = spread(control, treatment, pooled=pooled, normal=normal)
    return bounded(
        treatment.value - control.value,
        se,
        boundary or Fixed(),
        n=control.n + treatment.n,
        df=df,
        null=null,
        reasons=refusals(control, treatment, se),
    )


def spread(control: Arm, treatment: Arm, *, pooled: bool = False, normal: bool = False) -> tuple[Floats, Floats]:
    """Standard error of the difference of two arms and its degrees of freedom (Welch 1947; Satterthwaite 1946)."""
    nc, nt = control.n, treatment.n
    with np.errstate(invalid="ignore", divide="ignore"):
        if pooled:
            df = nc + nt - 2
            var = ((nc - 1) * control.var + (nt - 1) * treatment.var) / df
            se = np.sqrt(var * (1 / nc + 1 / nt))
        else:
            vc, vt = control.var / nc, treatment.var / nt
            se = np.sqrt(vc + vt)
            df = (vc + vt) ** 2 / (vc**2 / (nc - 1) + vt**2 / (nt - 1))
    return np.asarray(se), np.full_like(se, np.inf) if normal else np.asarray(df)


def refusals(control: Arm, treatment: Arm, se: Floats) -> tuple[tuple[ArrayLike, Reason], ...]:
    """Where two arms cannot be compared by any method that needs a variance, and why."""
    return (
        ((control.n == 0) | (treatment.n == 0), Reason.NO_DATA),
        ((control.n < 2) | (treatment.n < 2), Reason.TOO_FEW_UNITS),
        (~np.isfinite(se), Reason.NOT_FINITE),
        (se == 0, Reason.NO_VARIANCE),
    )


def position(m: Moments, name: str) -> int:
    """Where a variable stands in the moments."""
    if name not in m.names:
        raise InputError(f"no variable {name!r} in the moments", fix=did_you_mean(name, m.names))
    return m.names.index(name)
