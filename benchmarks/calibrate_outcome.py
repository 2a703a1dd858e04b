"""Outcomes with known truth, as moments of many replications at once: what a warehouse would have returned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from paribus.metrics.definition import MetricType
from paribus.stats.moments import Moments

Generator = np.random.Generator
Floats = NDArray[np.float64]

BATCH = 2_000_000  # values drawn at a time
POOL = 2**16  # units of the population that ratios are drawn from, with replacement
# One unit in ten buys, and the logarithm of what it spends has this standard deviation: Welch's test alone errs with
# probability .15 at 500 units split 90/10.
NONZERO, SIGMA = 0.1, 1.0
RARE = 0.01


@dataclass(frozen=True, slots=True)
class Outcome:
    """A distribution of unit values.

    draw        moments of n units in each of so many replications, cells of shape (replications,)
    truth       the value that an arm estimates: its mean, or ratio of means
    continuous  p-values under no effect are continuous, so that they should be uniform
    effect      the relative effect at which coverage is simulated
    """

    name: str
    type: MetricType
    truth: float
    continuous: bool
    effect: float
    draw: Callable[[Generator, int, int], Moments]


def _moments(rows: Floats, names: tuple[str, ...]) -> Moments:
    """Moments of rows (replication, unit, variable), third powers of the first variable and of a denominator."""
    n = rows.shape[1]
    mean = rows.mean(axis=1)
    d = rows - mean[:, None]
    m2 = np.swapaxes(d, 1, 2) @ d
    return Moments(names, np.full(len(rows), float(n)), mean, m2, np.einsum("rni,rni,rni->ri", d, d, d))


def _in_batches(rng: Generator, replications: int, n: int, one: Callable[[Generator, int, int], Moments]) -> Moments:
    size = max(1, BATCH // n)
    parts = [one(rng, min(size, replications - start), n) for start in range(0, replications, size)]
    return joined(parts)


def joined(parts: list[Moments]) -> Moments:
    """Replications one after another."""
    n, mean, m2, m3 = (np.concatenate([getattr(p, f) for p in parts]) for f in ("n", "mean", "m2", "m3"))
    return Moments(parts[0].names, n, mean, m2, m3)


def from_power_sums(n: Floats, s1: Floats, s2: Floats, s3: Floats) -> Moments:
    """Moments of one variable from its sums of powers; for values around zero."""
    shifted = (s1[..., None], s2[..., None, None], s3[..., None])
    return Moments.from_shifted_sums(["y"], n, [0.0], *shifted)


def _normal(rng: Generator, replications: int, n: int) -> Moments:
    return _in_batches(rng, replications, n, lambda g, r, k: _moments(g.normal(10, 5, (r, k, 1)), ("y",)))


def sums_of_spending(rng: Generator, units: NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
    """Sums of powers of a zero-inflated lognormal over so many units, any shape."""
    buyers = rng.binomial(units.ravel(), NONZERO)
    values = np.exp(SIGMA * rng.standard_normal(int(buyers.sum())))
    starts = np.concatenate([[0], np.cumsum(buyers)])
    out = []
    for power in (1, 2, 3):
        # For an empty stretch `reduceat` returns the next value instead of zero.
        sums = np.add.reduceat(np.append(values**power, 0.0), starts[:-1])
        out.append(np.where(buyers > 0, sums, 0.0).reshape(units.shape))
    return out[0], out[1], out[2]


def _spending(rng: Generator, replications: int, n: int) -> Moments:
    def one(g: Generator, r: int, k: int) -> Moments:
        return from_power_sums(np.full(r, float(k)), *sums_of_spending(g, np.full(r, k)))

    return _in_batches(rng, replications, n, one)


def of_successes(successes: Floats, n: Floats) -> Moments:
    """Moments of a variable of zeros and ones."""
    p = successes / n
    m2 = n * p * (1 - p)
    return Moments(("y",), n, p[..., None], m2[..., None, None], (m2 * (1 - 2 * p))[..., None])


def _rare(rng: Generator, replications: int, n: int) -> Moments:
    return of_successes(rng.binomial(n, RARE, replications).astype(np.float64), np.full(replications, float(n)))


@cache
def _population() -> Floats:
    """Clicks and page views of a population: views vary between units, and so does the rate of clicks."""
    rng = np.random.default_rng(20261124)
    views = rng.geometric(0.4, POOL)
    clicks = rng.poisson(views * rng.gamma(4.0, 0.075, POOL))
    return np.column_stack([clicks, views]).astype(np.float64)


def _click_rate(rng: Generator, replications: int, n: int) -> Moments:
    def one(g: Generator, r: int, k: int) -> Moments:
        return _moments(_population()[g.integers(0, POOL, (r, k), dtype=np.uint16)], ("y", "d"))

    return _in_batches(rng, replications, n, one)


def _rate() -> float:
    clicks, views = _population().mean(axis=0)
    return float(clicks / views)


@cache
def outcomes() -> tuple[Outcome, ...]:
    """The outcomes of statistics.md whose units are independent; correlated ones are in `calibrate_cluster`."""
    spending = NONZERO * float(np.exp(SIGMA**2 / 2))
    return (
        Outcome("normal", MetricType.MEAN, 10.0, True, 0.05, _normal),
        Outcome("zero-inflated lognormal", MetricType.MEAN, spending, True, 0.25, _spending),
        Outcome("Bernoulli .01", MetricType.PROPORTION, RARE, False, 0.25, _rare),
        Outcome("ratio", MetricType.RATIO, _rate(), True, 0.05, _click_rate),
    )


def with_lift(m: Moments, lift: float) -> Moments:
    """The same units with `y` multiplied by 1 + lift."""
    scale = np.ones(m.k)
    scale[m.names.index("y")] = 1 + lift
    return Moments(m.names, m.n, m.mean * scale, m.m2 * np.outer(scale, scale), m.m3 * scale**3)
