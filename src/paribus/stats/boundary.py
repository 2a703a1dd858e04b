"""A boundary turns a standard error into an interval and a p-value that belong together.

Every comparison of two arms takes one: `Fixed` for a fixed horizon; the group-sequential and anytime-valid boundaries
live in their own modules. Because interval and p-value come from the same object they can never disagree.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike

from paribus.stats.estimate import Alternative, Estimates, Floats, Reason, estimates


class Boundary(Protocol):
    """How far from the estimate the interval reaches, and how surprising a difference is.

    `n` is the number of units in both arms together, `df` the degrees of freedom of the standard error (inf: normal).
    For `alternative` "greater" the interval is [estimate - radius, inf); for "less" (-inf, estimate + radius].
    """

    @property
    def level(self) -> float: ...
    @property
    def alternative(self) -> Alternative: ...
    @property
    def method(self) -> str: ...

    def radius(self, se: Floats, n: Floats, df: Floats) -> Floats:
        """Distance from the estimate to the interval's end."""
        ...

    def p_value(self, difference: Floats, se: Floats, n: Floats, df: Floats) -> Floats:
        """P-value of estimate - null = `difference`, for `alternative`."""
        ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """The fixed-horizon t (or, with df = inf, normal) reference. Valid when read once, at the registered end."""

    level: float = 0.95
    alternative: Alternative = "two-sided"
    method: str = "fixed horizon"

    @classmethod
    def at_alpha(cls, alpha: float, alternative: Alternative = "two-sided") -> Fixed:
        """The test that rejects a true null with probability alpha, over both tails or all in one."""
        return cls(level=1 - alpha, alternative=alternative)

    def radius(self, se: ArrayLike, n: ArrayLike, df: ArrayLike) -> Floats:
        from scipy.special import ndtri, stdtrit

        tail = (1 - self.level) / (2 if self.alternative == "two-sided" else 1)
        df = np.asarray(df, dtype=np.float64)
        with np.errstate(invalid="ignore"):
            quantile = np.where(np.isinf(df), -ndtri(tail), -stdtrit(np.where(np.isinf(df), 1.0, df), tail))
        return np.asarray(quantile * np.asarray(se, dtype=np.float64))

    def p_value(self, difference: ArrayLike, se: ArrayLike, n: ArrayLike, df: ArrayLike) -> Floats:
        from scipy.special import ndtr, stdtr

        df = np.asarray(df, dtype=np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            t = np.asarray(difference, dtype=np.float64) / np.asarray(se, dtype=np.float64)
            if self.alternative == "two-sided":
                t = -np.abs(t)
            elif self.alternative == "greater":
                t = -t
            lower_tail = np.where(np.isinf(df), ndtr(t), stdtr(np.where(np.isinf(df), 1.0, df), t))
        return np.asarray(lower_tail * (2 if self.alternative == "two-sided" else 1))


B = TypeVar("B", bound=Boundary)


def one_sided(boundary: B, alternative: Alternative) -> B:
    """The same boundary with all of 1 - level in one tail.

    >>> round(float(one_sided(Fixed(level=0.975), "greater").radius(1.0, 1.0, float("inf"))), 4)
    1.96
    """
    return cast(B, replace(cast(Any, boundary), alternative=alternative))


def bounded(
    value: ArrayLike,
    se: ArrayLike,
    boundary: Boundary,
    *,
    n: ArrayLike,
    df: ArrayLike = np.inf,
    null: float = 0.0,
    method: str | None = None,
    reasons: tuple[tuple[ArrayLike, Reason], ...] = (),
    extra: dict[str, Any] | None = None,
) -> Estimates:
    """Estimates with the interval and the p-value of one boundary; `extra["statistic"]` is (value - null) / se.

    Args:
        value: estimates, any shape.
        se: their standard errors.
        boundary: interval and p-value rule.
        n: units in both arms together.
        df: degrees of freedom of the standard errors.
        null: value under the null hypothesis.
        method: what was done, after the boundary's own name.
        reasons: (mask, reason) where there is no result.
        extra: further arrays by cell.

    >>> found = bounded(2.0, 1.0, Fixed(), n=100).at()
    >>> round(found.lower, 2), round(found.p_value, 4)
    (0.04, 0.0455)
    """
    value, se, n, df = (np.asarray(a, dtype=np.float64) for a in (value, se, n, df))
    with np.errstate(invalid="ignore", divide="ignore"):
        radius = boundary.radius(se, n, df)
        p_value = boundary.p_value(value - null, se, n, df)
        statistic = (value - null) / se
    return estimates(
        value,
        se,
        -np.inf if boundary.alternative == "less" else value - radius,
        np.inf if boundary.alternative == "greater" else value + radius,
        p_value,
        df=df,
        level=boundary.level,
        alternative=boundary.alternative,
        method=f"{boundary.method}, {method}" if method else boundary.method,
        reasons=reasons,
        extra={"statistic": statistic, **(extra or {})},
    )
