"""Numbers of business facts: rounded so that they are the same everywhere, with intervals from draws."""

from __future__ import annotations

import numpy as np

from paribus.stats.estimate import Floats
from paribus.workflow.artifact import Measured

DIGITS = 6
DOTS = 50
LEVEL = 0.95


def rounded(x: float) -> float:
    """A number with six significant digits: simulations agree on them whatever the machine.

    >>> rounded(1234.56789), rounded(0.0)
    (1234.57, 0.0)
    """
    return float(f"{x:.{DIGITS}g}") + 0.0 if np.isfinite(x) else x


def measured(value: float | None, evidence: str, *, unit: str = "", low: float | None = None, high: float | None = None,
             level: float | None = None) -> Measured:  # fmt: skip
    """A number with its interval; what is not finite is not there."""
    ends = [None if x is None or not np.isfinite(x) else rounded(x) for x in (value, low, high)]
    return Measured(
        value=ends[0],
        low=ends[1],
        high=ends[2],
        level=level if ends[1] is not None or ends[2] is not None else None,
        unit=unit,
        evidence=evidence,
    )


def of_draws(draws: Floats, evidence: str, *, unit: str = "", middle: str = "mean", level: float = LEVEL) -> Measured:
    """Mean (or median) of simulated values with their central interval; infinite ones count in the quantiles."""
    finite = np.where(np.isfinite(draws), draws, np.inf)
    low, at, high = (
        float(np.quantile(finite, q, method="inverted_cdf")) for q in ((1 - level) / 2, 0.5, (1 + level) / 2)
    )
    value = float(draws.mean()) if middle == "mean" and np.isfinite(draws).all() else at
    if np.isfinite(low) and np.isfinite(high) and abs(value) < 1e-9 * (high - low):
        value = 0.0  # a mean of zero, up to the rounding of a sum
    return measured(value, evidence, unit=unit, low=low, high=high, level=level)


def dots(draws: Floats, count: int = DOTS) -> tuple[float, ...]:
    """Quantiles in the middle of equal shares: each dot of a picture stands for one share of the chance."""
    at = (np.arange(count) + 0.5) / count
    return tuple(rounded(x) for x in np.quantile(draws, at).tolist())


def text(value: float | None, *, percent: bool = False, signed: bool = False) -> str:
    """A number for people: three significant digits, thousands separated; a dash where there is none."""
    from paribus.charts import numbers

    if value is None:
        return numbers.NOTHING
    return numbers.number(value, unit="percent" if percent else "number", signed=signed)


def span(of: Measured | None, *, percent: bool = False, signed: bool = False) -> str:
    """A number with its interval for people, all with the decimals that the interval's width leaves meaning to."""
    from paribus.charts import numbers

    if of is None or of.value is None:
        return text(None)
    if of.low is None and of.high is None:
        return text(of.value, percent=percent, signed=signed)
    spread = (of.high - of.low) / 4 if of.low is not None and of.high is not None else None
    unit: numbers.Unit = "percent" if percent else "number"
    factor = 100.0 if percent else 1.0
    value = of.value
    if spread and abs(value) * factor < 0.5 * 10 ** -numbers.decimals(spread * factor):
        value = 0.0  # nothing but the noise of a simulation
    low, high = (float("-inf") if of.low is None else of.low, float("inf") if of.high is None else of.high)
    shown = numbers.number(value, se=spread, unit=unit, signed=signed)
    return f"{shown} {numbers.interval(low, high, se=spread, unit=unit, signed=signed)}"
