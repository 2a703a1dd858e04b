"""What an analysis returns: an estimate with its uncertainty, or the reason why there is none.

`Estimates` holds one result for each cell (metric x comparison x segment x day) as arrays, so that thousands of cells
cost one numpy call; `estimates.at(i)` reads one of them as `Estimate | Undetermined`. A cell without a result has a
reason and NaN in every number: never a zero, never a one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Alternative = Literal["two-sided", "greater", "less"]
Floats = NDArray[np.float64]


class Reason(StrEnum):
    """Why a quantity is undetermined; the value is the sentence shown to people."""

    TOO_FEW_UNITS = "too few units for this method"
    TOO_FEW_CLUSTERS = "too few clusters for this method"
    TOO_FEW_EVENTS = "too few events for this method"
    TOO_SKEWED = "the distribution is too skewed for this many units"
    NO_VARIANCE = "the metric does not vary"
    ZERO_DENOMINATOR = "the denominator is zero"
    ZERO_BASELINE = "the baseline is zero, so a relative effect is not defined"
    NEGATIVE_BASELINE = "the baseline is negative, so a relative effect has no direction"
    NOT_POSITIVE = "a mean is not positive, so a log ratio is not defined"
    UNBOUNDED = "the confidence set is unbounded"
    TIED = "too many equal values at the quantile"
    NOT_FINITE = "the data hold values that are not finite"
    NO_DATA = "no data"
    SPLIT_MOVED = "the split moved between epochs, and what is read over all of them cannot be weighted"
    PLAN_FORBIDS = "the plan does not allow this to be read yet"
    NOT_CONVERGED = "the computation did not converge"
    BLOCKED = "a blocking health check fails, so effects are hidden"


@dataclass(frozen=True, slots=True)
class Undetermined:
    """A quantity that the data do not determine, with the reason; it takes no part in arithmetic."""

    reason: Reason
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason.value} ({self.detail})" if self.detail else self.reason.value


@dataclass(frozen=True, slots=True)
class Estimate:
    """One estimate: value, standard error, interval [lower, upper] at `level`, p-value, degrees of freedom, method.

    `lower` or `upper` is infinite for a one-sided interval; `df` is infinite for a normal reference; `p_value` and
    `se` are NaN where the method has none.
    """

    value: float
    se: float
    lower: float
    upper: float
    p_value: float
    df: float
    level: float
    alternative: Alternative
    method: str


@dataclass(frozen=True, slots=True)
class Estimates:
    """Estimates of many cells: every array has the cells' shape (possibly ()), `reason` holds a `Reason` or None."""

    value: Floats
    se: Floats
    lower: Floats
    upper: Floats
    p_value: Floats
    df: Floats
    level: float
    alternative: Alternative
    method: str
    reason: NDArray[Any]
    extra: dict[str, Floats] = field(default_factory=dict)

    def at(self, *index: int) -> Estimate | Undetermined:
        """The result of one cell."""
        reason = self.reason[index]
        if reason is not None:
            return Undetermined(Reason(reason))
        value, se, lower, upper, p_value, df = (float(getattr(self, name)[index]) for name in _NUMBERS)
        return Estimate(value, se, lower, upper, p_value, df, self.level, self.alternative, self.method)

    @property
    def reasons(self) -> tuple[tuple[NDArray[np.bool_], Reason], ...]:
        """Where there is no result and why, as `estimates` takes it."""
        present = (Reason(str(r)) for r in dict.fromkeys(self.reason.flat) if r is not None)
        return tuple((np.asarray(self.reason == reason, dtype=np.bool_), reason) for reason in present)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def determined(self) -> NDArray[np.bool_]:
        """True where the cell has a result."""
        return np.asarray(self.reason == None, dtype=np.bool_)  # noqa: E711 (elementwise)

    def without(self, mask: ArrayLike, reason: Reason) -> Estimates:
        """The same with the cells of `mask` undetermined for `reason`; an earlier reason stays."""
        mask = np.broadcast_to(np.asarray(mask, dtype=np.bool_), self.shape)
        reasons = self.reason.copy()
        reasons[mask & self.determined] = reason
        hidden = mask | ~self.determined
        blank: dict[str, Any] = {name: np.where(hidden, np.nan, getattr(self, name)) for name in _NUMBERS}
        extra = {name: np.where(hidden, np.nan, values) for name, values in self.extra.items()}
        return replace(self, **blank, extra=extra, reason=reasons)


_NUMBERS = ("value", "se", "lower", "upper", "p_value", "df")


def estimates(
    value: ArrayLike,
    se: ArrayLike,
    lower: ArrayLike,
    upper: ArrayLike,
    p_value: ArrayLike,
    *,
    df: ArrayLike = np.inf,
    level: float,
    alternative: Alternative = "two-sided",
    method: str,
    reasons: tuple[tuple[ArrayLike, Reason], ...] = (),
    extra: dict[str, Any] | None = None,
) -> Estimates:
    """Builds `Estimates` from broadcastable arrays; `reasons` lists (mask, reason), the first that applies wins.

    A cell whose value comes out NaN without a reason is undetermined as NOT_FINITE, so no NaN poses as a result.
    """
    given = (value, se, lower, upper, p_value, df)
    arrays = [np.array(a) for a in np.broadcast_arrays(*(np.asarray(a, dtype=np.float64) for a in given))]
    shape = arrays[0].shape
    built = Estimates(
        value=arrays[0],
        se=arrays[1],
        lower=arrays[2],
        upper=arrays[3],
        p_value=arrays[4],
        df=arrays[5],
        level=level,
        alternative=alternative,
        method=method,
        reason=np.full(shape, None, dtype=object),
        extra={k: np.array(np.broadcast_to(np.asarray(v, dtype=np.float64), shape)) for k, v in (extra or {}).items()},
    )
    for mask, reason in (*reasons, (np.isnan(arrays[0]), Reason.NOT_FINITE)):
        if np.any(mask):
            built = built.without(mask, reason)
    return built
