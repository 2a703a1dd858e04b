"""Exact unconditional inference for two proportions with few events (Chan, Zhang 1999).

For a hypothetical difference (or ratio) all possible tables are ordered by the score statistic at that difference.
The upper p-value is the largest probability of a statistic as large as the observed one, over all pairs of
proportions that differ by that much; the lower p-value mirrors it. The limits are the differences at which these
p-values equal the error of one tail, so the level is guaranteed in each tail. At no difference the statistics of
difference and ratio are one and the same, so both intervals and the p-value always agree about "no difference".

The unknown proportions are searched only within their joint exact interval of level 1 - 1e-8, which is added to the
p-value (Berger, Boos 1994): it keeps the sums short. The largest probability is sought on a grid, which finds it to
about 5e-4 of itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from paribus.stats import score
from paribus.stats.estimate import Floats

GAMMA = 1e-8
_GRID = 64

Interval = tuple[float, float]


class ExactComparison(NamedTuple):
    """One-sided p-values against the null (for a larger, for a smaller treatment), and limits at the tail's error."""

    p_greater: float
    p_less: float
    lower: float
    upper: float


@lru_cache(maxsize=8192)
def exact_comparison(
    x_c: int, n_c: int, x_t: int, n_t: int, null: float, tail: float, relative: bool
) -> ExactComparison:
    """Exact p-values for `null` and limits at error `tail` in each direction, of one table.

    Args:
        x_c, n_c, x_t, n_t: successes and units of control and treatment, at least one unit each.
        null: hypothetical p_t - p_c, or p_t / p_c when `relative`.
        tail: error of each limit.
        relative: ratio instead of difference; its limits are 0 and infinity where the counts leave them open.
    """
    table = _Table(_Binomial.around(x_c, n_c), _Binomial.around(x_t, n_t), x_c, x_t, relative)
    p_greater, p_less = table.p_value(null, upper=True), table.p_value(null, upper=False)
    if relative:  # searched as u = r / (1 + r)
        ends, u_null = (1e-9, 1 - 1e-9), null / (1 + null)
    else:
        ends, u_null = (-1.0, 1.0), null

    def effect(u: float) -> float:
        return u / (1 - u) if relative else u

    def rising(u: float) -> float:
        return table.p_value(effect(u), upper=True) - tail

    def falling(u: float) -> float:
        return tail - table.p_value(effect(u), upper=False)

    guess_lower, guess_upper = _guess(x_c, n_c, x_t, n_t, tail, relative)
    width = max(guess_upper - guess_lower, 1e-9)
    # The crossing is sought on the side of the null where the p-value says it lies, so interval and p-value agree
    # even where the p-value is not quite monotone.
    sides = (ends[0], u_null) if p_greater >= tail else (u_null, ends[1])
    lower = _crossing(rising, *sides, guess_lower, width)
    sides = (u_null, ends[1]) if p_less >= tail else (ends[0], u_null)
    upper = _crossing(falling, *sides, guess_upper, width)
    return ExactComparison(
        p_greater,
        p_less,
        (0.0 if relative else -1.0) if lower is None else effect(lower),
        (np.inf if relative else 1.0) if upper is None else effect(upper),
    )


def _guess(x_c: int, n_c: int, x_t: int, n_t: int, tail: float, relative: bool) -> Interval:
    """The score interval, on the scale on which the limits are searched."""
    from scipy.special import ndtri

    z = float(-ndtri(tail))
    interval = score.ratio_interval if relative else score.difference_interval
    c, at_c, t, at_t = (np.asarray(float(a)) for a in (x_c, n_c, x_t, n_t))
    low, high = interval(c, at_c, t, at_t, z, z, factor=False)
    if relative:
        return float(low / (1 + low)), 1.0 if np.isinf(high) else float(high / (1 + high))
    return float(low), float(high)


def _crossing(f: Callable[[float], float], left: float, right: float, guess: float, width: float) -> float | None:
    """Where an increasing f changes sign between left and right, to a 1e-6th of `width`; None if it does not."""
    from scipy.optimize import brentq

    guess = min(max(guess, left), right)
    step = width / 16
    if f(guess) > 0:
        high, low = guess, max(left, guess - step)
        while f(low) > 0:
            if low == left:
                return None
            high, low, step = low, max(left, low - 4 * step), 4 * step
    else:
        low, high = guess, min(right, guess + step)
        while f(high) < 0:
            if high == right:
                return None
            low, high, step = high, min(right, high + 4 * step), 4 * step
    return float(brentq(f, low, high, xtol=1e-6 * width, rtol=1e-12))


@dataclass(frozen=True, slots=True)
class _Table:
    """The observed table among all that can occur."""

    control: _Binomial
    treatment: _Binomial
    x_c: int
    x_t: int
    relative: bool

    def p_value(self, effect: float, *, upper: bool) -> float:
        """The largest probability of a table at least as far up (or down) as the observed one, at this effect."""
        points = self._proportions(effect, upper)
        if points is None:
            return GAMMA
        p_c, p_t = points
        weights, tails = self.control.pmf(p_c), self.treatment.pmf(p_t)
        edge = self._edge(effect, upper)
        none = np.zeros((len(p_c), 1))
        if upper:  # the probability of treatment's successes from the edge on
            tails = np.concatenate([np.cumsum(tails[:, ::-1], axis=1)[:, ::-1], none], axis=1)
        else:  # and below the edge
            tails = np.concatenate([none, np.cumsum(tails, axis=1)], axis=1)
        probability = np.einsum("gc,gc->g", weights, tails[:, edge])
        return min(1.0, float(probability.max()) + GAMMA)

    def _edge(self, effect: float, upper: bool) -> np.ndarray:
        """For each count of control, how many of treatment's counts lie below the region's edge (it is monotone)."""
        x_c, x_t = self.control.x, self.treatment.x
        n_c, n_t, own_c, own_t, at = (
            np.asarray(float(a)) for a in (self.control.n, self.treatment.n, self.x_c, self.x_t, effect)
        )
        z = score.ratio_z if self.relative else score.difference_z
        observed = float(z(own_c, n_c, own_t, n_t, at, factor=False))
        slack = 1e-9 * max(1.0, abs(observed)) if np.isfinite(observed) else 0.0  # ties differ by rounding
        low, high = np.zeros(len(x_c), dtype=np.intp), np.full(len(x_c), len(x_t), dtype=np.intp)
        for _ in range(len(x_t).bit_length()):
            middle = (low + high) // 2
            statistic = z(x_c, n_c, x_t[np.minimum(middle, len(x_t) - 1)], n_t, at, factor=False)
            beyond = statistic >= observed - slack if upper else statistic > observed + slack
            low, high = np.where(~beyond & (low < high), middle + 1, low), np.where(beyond & (low < high), middle, high)
        return np.minimum(low, len(x_t))

    def _proportions(self, effect: float, upper: bool) -> tuple[Floats, Floats] | None:
        """Pairs inside the joint interval with this effect; its worst corner if all of it lies beyond; else None."""
        control, treatment = self.control.range, self.treatment.range
        a, b = (control[0], treatment[1]) if upper else (control[1], treatment[0])
        gap = b - effect * a if self.relative else b - a - effect
        if gap <= 0 if upper else gap >= 0:
            return np.array([a]), np.array([b])
        if self.relative:
            low, high = max(control[0], treatment[0] / effect), min(control[1], treatment[1] / effect)
        else:
            low, high = max(control[0], treatment[0] - effect), min(control[1], treatment[1] - effect)
        if low > high:
            return None
        p_c = np.linspace(low, high, _GRID)
        return p_c, np.clip(p_c * effect if self.relative else p_c + effect, 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class _Binomial:
    """One arm: the successes worth summing over, their log binomial coefficients, its proportion's exact interval."""

    n: int
    x: Floats
    log_choose: Floats
    range: Interval

    @classmethod
    def around(cls, x: int, n: int) -> _Binomial:
        from scipy.special import gammaln

        from paribus.stats.proportion import proportion_interval

        low, high = map(float, proportion_interval(x, n, level=1 - GAMMA / 2, method="clopper_pearson"))
        # 7 standard deviations beyond (and 15 for Poisson tails): what is left out is below 1e-11.
        first = max(0, int(n * low - 7 * np.sqrt(n * low * (1 - low)) - 15))
        last = min(n, int(n * high + 7 * np.sqrt(n * high * (1 - high)) + 15))
        successes = np.arange(first, last + 1, dtype=np.float64)
        log_choose = gammaln(n + 1) - gammaln(successes + 1) - gammaln(n - successes + 1)
        return cls(n, successes, np.asarray(log_choose), (low, high))

    def pmf(self, p: Floats) -> Floats:
        """Probabilities, shape (proportions, successes)."""
        from scipy.special import xlog1py, xlogy

        p = p[:, None]
        return np.asarray(np.exp(self.log_choose + xlogy(self.x, p) + xlog1py(self.n - self.x, -p)))
