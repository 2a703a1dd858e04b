"""Re-randomization of the units of a history from their cells by bucket: a thousand splits from one statement.

Buckets are random sets of units, and whole buckets are drawn into arms. Given the buckets, the variance of the
difference between arms is proportional to the sum over buckets of (S_b - n_b mean)^2, whose expectation over random
buckets is that of drawing units singly; with B buckets it varies around that by the factor 1 +- sqrt(2 / B), as the
variance of B normal sums does. At B = 4096 that is 2.2%, and a type I error of 5% moves by z phi(z) sqrt(2 / B), a
quarter of a percentage point (`bucket_error`). Moments add exactly, so nothing else is approximate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from paribus.metrics.cells import Cells
from paribus.stats.adjustment import cuped
from paribus.stats.arm import Arm, Outcome, difference, outcome
from paribus.stats.boundary import Boundary
from paribus.stats.estimate import Floats
from paribus.stats.moments import Moments
from paribus.stats.two_proportions import proportion_difference

SIDE = 64  # buckets are pairs of two numbers below this: 4096
_AT_ONCE = 256  # re-randomizations per matrix product


def assignments(weights: Sequence[float], replications: int, seed: int, buckets: int = SIDE**2) -> NDArray[np.int8]:
    """The arm of every bucket in every re-randomization, shape (replications, buckets), independently by weight."""
    shares = np.cumsum(np.asarray(weights, dtype=np.float64) / np.sum(weights))
    draws = np.random.default_rng(seed).random((replications, buckets))
    return np.minimum(np.searchsorted(shares, draws, side="right"), len(shares) - 1).astype(np.int8)


def bucket_error(alpha: float, buckets: int) -> float:
    """Standard deviation of a two-sided type I error over the draw of the buckets (see the module).

    >>> round(bucket_error(0.05, 4096), 4)  # 1.96 * 0.0584 * sqrt(2 / 4096)
    0.0025
    """
    from scipy.special import ndtri

    z = float(ndtri(1 - alpha / 2))
    return float(z * np.exp(-z * z / 2) / np.sqrt(2 * np.pi) * np.sqrt(2 / buckets))


def by_bucket(cells: Cells, side: int = SIDE) -> Moments:
    """Moments by bucket, shape (side^2,), the variants of the history together."""
    place = np.array([int(key.stratum or 0) * side + int(key.epoch or 0) for key in cells.keys], dtype=np.intp)
    used, compact = np.unique(place, return_inverse=True)
    found = cells.moments.total(compact)
    size, k = side * side, found.k
    n, mean, m2, m3 = np.zeros(size), np.zeros((size, k)), np.zeros((size, k, k)), np.zeros((size, k))
    has = found.n > 0
    at = used[has]
    n[at], mean[at], m2[at], m3[at] = found.n[has], found.mean[has], found.m2[has], found.m3[has]
    return Moments(found.names, n, mean, m2, m3)


def arms_of(buckets: Moments, assigned: NDArray[np.int8]) -> tuple[Moments, Moments]:
    """Moments of control (0) and treatment (1) in every re-randomization, shape (replications,).

    Sums are taken around the mean of all units, so that nothing cancels.
    """
    center = buckets.total().mean
    k = buckets.k
    n = buckets.n[:, None]
    d = buckets.mean - center
    second = buckets.m2 + n[..., None] * d[..., :, None] * d[..., None, :]
    third = buckets.m3 + 3 * d * np.einsum("...ii->...i", buckets.m2) + n * d**3
    table = np.concatenate([n, n * d, second.reshape(-1, k * k), third], axis=1)
    pair = []
    for arm in (0, 1):
        parts = [
            (assigned[start : start + _AT_ONCE] == arm).astype(np.float64) @ table
            for start in range(0, len(assigned), _AT_ONCE)
        ]
        s = np.concatenate(parts)
        pair.append(
            Moments.from_shifted_sums(
                buckets.names,
                s[:, 0],
                center,
                s[:, 1 : 1 + k],
                s[:, 1 + k : 1 + k + k * k].reshape(-1, k, k),
                s[:, 1 + k + k * k :],
            )
        )
    return pair[0], pair[1]


@dataclass(frozen=True, slots=True, eq=False)
class Replays:
    """One metric's two arms in every re-randomization, and the plan's test of them.

    share       the units' values are 0 and 1 and no covariate is used: the test is that of two counts
    covariates  pre-exposure covariates, empty where the plan uses none
    """

    control: Moments
    treatment: Moments
    what: Outcome
    covariates: tuple[Outcome, ...]
    boundary: Boundary
    share: bool = False

    def rejected(self, effect: float = 0.0) -> tuple[NDArray[np.bool_], Floats]:
        """Where the test rejects, and the sign of its estimate, with y multiplied by 1 + `effect` in treatment.

        A share becomes min(1, (1 + effect) p): some units more, or fewer, have the value 1.
        """
        treatment = multiplied(self.treatment, effect)
        if self.share:
            counts = [np.rint(m.n * np.clip(m.mean[..., 0], 0.0, 1.0)) for m in (self.control, treatment)]
            found = proportion_difference(counts[0], self.control.n, counts[1], treatment.n, level=self.boundary.level)
        else:
            found = difference(*self.tested(treatment), boundary=self.boundary)
        with np.errstate(invalid="ignore"):
            return np.asarray(found.p_value < 1 - self.boundary.level), np.asarray(np.sign(found.value))

    def power(self, effect: float) -> float:
        """Share of the re-randomizations in which the injected effect is found with its sign."""
        rejected, sign = self.rejected(effect)
        return float(np.mean(rejected & (sign == np.sign(effect) * np.sign(self.baseline))))

    def tested(self, treatment: Moments) -> tuple[Arm, Arm]:
        """Control and treatment as the test sees them."""
        if not self.covariates:
            return outcome(self.control, self.what), outcome(treatment, self.what)
        found = cuped(self.control, treatment, self.what, list(self.covariates))
        return found.control, found.treatment

    @property
    def baseline(self) -> float:
        """The metric's value over both arms, averaged over the re-randomizations."""
        return float(np.mean(outcome(self.control.merge(self.treatment), self.what).value))

    @property
    def variance_reduction(self) -> float:
        """Share of the variance that the covariates remove, averaged over the re-randomizations."""
        if not self.covariates:
            return 0.0
        return float(np.mean(cuped(self.control, self.treatment, self.what, list(self.covariates)).variance_reduction))

    def detectable(self, power: float, sign: float) -> float | None:
        """Smallest relative effect with that power, to 0.1% of itself; None where none has it.

        Looked for up to eleven times the baseline, or down to nothing.
        """
        largest = 10.0 if sign > 0 else 1.0
        low, high = 0.0, 1e-4
        while self.power(sign * high) < power:
            if high >= largest:
                return None
            low, high = high, min(2 * high, largest)
        while high - low > 1e-3 * high:
            middle = (low + high) / 2
            low, high = (low, middle) if self.power(sign * middle) >= power else (middle, high)
        return sign * high


def multiplied(m: Moments, effect: float) -> Moments:
    """The moments of units whose first variable is (1 + effect) times what it was: exact, rows are not needed."""
    if effect == 0.0:
        return m
    factor = np.ones(m.k)
    factor[0] = 1.0 + effect
    return replace(m, mean=m.mean * factor, m2=m.m2 * np.outer(factor, factor), m3=m.m3 * factor**3)
