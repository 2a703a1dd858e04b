"""Inference from a group-sequential trial: while it runs (repeated intervals and p-values, conditional power) and after
it stopped (stage-wise p-value, median-unbiased estimate and interval).

The plain estimate after an early stop is biased away from zero, and its interval covers too rarely: show the
median-unbiased estimate (stage-wise ordering: Tsiatis, Rosner, Mehta 1984) beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from paribus.errors import InputError
from paribus.stats.arm import Arm
from paribus.stats.estimate import Alternative, Floats, Reason, Undetermined
from paribus.stats.group_sequential import GroupSequentialDesign
from paribus.stats.integration import Walk, exit_probabilities
from paribus.stats.spending import POCOCK, Spending
from paribus.stats.stopping import critical_values

# Levels at which the table behind vectorized repeated p-values is computed exactly.
_TABLE_LEVELS = np.concatenate([10.0 ** np.arange(-12, -2.0, 0.5), np.arange(0.01, 0.995, 0.015), [0.995, 0.999]])

# Share of new information below which a watched look is joined with the next.
_LEAST_GAIN = 0.01


@dataclass(frozen=True, slots=True)
class GroupSequentialLook:
    """The boundary of one look: repeated interval estimate +- critical * se, and the repeated p-value.

    Repeated intervals cover simultaneously at all looks (Jennison, Turnbull 2000, ch. 9); the repeated p-value is the
    smallest alpha at which the design would have stopped, so p <= alpha exactly when the interval excludes the null.
    A one-sided design serves the alternatives "greater" and "less", and "two-sided" at the level 1 - 2 alpha. With a
    finite df the nominal level of the look is taken from the t distribution (Jennison, Turnbull 2000, ch. 3.8).

    design       the plan, or what `actual_looks` made of it
    look         1 for the first look
    alternative  by default the design's: two-sided, or greater
    """

    design: GroupSequentialDesign
    look: int
    alternative: Alternative = "two-sided"
    method: str = "group sequential"

    def __post_init__(self) -> None:
        if not 1 <= self.look <= self.design.looks:
            raise InputError(f"look {self.look} of a design with {self.design.looks} looks")

    @property
    def level(self) -> float:
        return 1 - self._errors * self.design.alpha

    def at_level(self, level: float) -> GroupSequentialLook:
        """The same look of the same plan at another level, for alpha that is shared among hypotheses."""
        if self.design.futility and self.design.binding:
            raise InputError("the level of a design with binding futility cannot be changed", fix="binding=False")
        alpha = (1 - level) / self._errors
        plan = self.design
        critical, spent = critical_values(plan.rule, plan.information, alpha, plan.sides, plan.spending_time)
        return replace(self, design=replace(plan, alpha=alpha, critical=critical, spent=spent))

    @property
    def _errors(self) -> float:
        """How many times the design's alpha the interval's error is."""
        own = 2 if self.alternative == "two-sided" else 1
        return own / self.design.sides

    def radius(self, se: ArrayLike, n: ArrayLike, df: ArrayLike) -> Floats:
        from scipy.special import ndtr, stdtrit

        critical = self.design.critical[self.look - 1]
        df = np.asarray(df, dtype=np.float64)
        with np.errstate(invalid="ignore"):
            quantile = np.where(np.isinf(df), critical, -stdtrit(np.where(np.isinf(df), 1.0, df), ndtr(-critical)))
            return np.asarray(quantile * np.asarray(se, dtype=np.float64))

    def p_value(self, difference: ArrayLike, se: ArrayLike, n: ArrayLike, df: ArrayLike) -> Floats:
        from scipy.special import ndtri, stdtr

        df = np.asarray(df, dtype=np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            t = np.asarray(difference, dtype=np.float64) / np.asarray(se, dtype=np.float64)
            t = np.abs(t) if self.alternative == "two-sided" else -t if self.alternative == "less" else t
            z = np.where(np.isinf(df), t, -ndtri(stdtr(np.where(np.isinf(df), 1.0, df), -t)))
        return np.minimum(self._errors * repeated_p_value(self.design, self.look, z), 1.0)


def repeated_p_value(design: GroupSequentialDesign, look: int, z: ArrayLike, *, largest: float = 1.0) -> Floats:
    """The smallest alpha at which the design stops for efficacy at this look, for each z.

    Source: Jennison, Turnbull 2000, ch. 9.4.

    For a two-sided design pass |z|. Up to eight values are solved exactly, more are read from a monotone table that
    is exact at the design's own alpha. Levels above `largest` are not told apart from it (.5: no one-sided test has
    them, and rpact stops there).
    """
    from scipy.optimize import brentq

    z = np.asarray(z, dtype=np.float64)

    def critical(alpha: float) -> float:
        return _critical_at(design, look, alpha)

    def exact(value: float) -> float:
        if not np.isfinite(value):
            return np.nan if np.isnan(value) else float(value < 0)
        low, high = _TABLE_LEVELS[0], _TABLE_LEVELS[-1]
        if critical(high) >= value:
            return 1.0
        if critical(low) <= value:
            return float(low)
        # On the log scale, since p-values of interest span decades.
        root = brentq(
            lambda a: min(critical(float(np.exp(a))), 40.0) - value, np.log(low), np.log(high), xtol=1e-10, rtol=1e-12
        )
        return float(np.exp(root))

    if z.size <= 8:
        solved = np.asarray([exact(float(value)) for value in z.ravel()]).reshape(z.shape)
        return np.asarray(np.minimum(solved, largest))
    nodes, logs = _table(design, look)
    with np.errstate(invalid="ignore"):
        p = np.exp(np.interp(z, nodes, logs))
    return np.asarray(np.minimum(np.where(np.isnan(z), np.nan, np.where(z <= nodes[0], 1.0, p)), largest))


def arms_by_look(n: ArrayLike, mean: ArrayLike, sd: ArrayLike) -> Arm:
    """The arm at each look, cumulated from per-stage summaries: units, mean and standard deviation of each stage."""
    n, mean, sd = (np.asarray(a, dtype=np.float64) for a in (n, mean, sd))
    units = np.cumsum(n)
    offset = mean - mean[0]  # shifted, so that a large mean does not cancel the digits of a small spread
    total = np.cumsum(n * offset) / units
    squares = np.cumsum((n - 1) * sd**2 + n * offset**2) - units * total**2
    return Arm(units, mean[0] + total, squares / (units - 1), np.full_like(units, np.nan))


def information_of_means(n: ArrayLike, sd: float = 1.0, ratio: float = 1.0) -> Floats:
    """Information 1 / se^2 of a difference of means from n units in both arms together, treatment/control = `ratio`.

    >>> information_of_means(400, sd=1.0).item()    # se^2 = 2 / 200
    100.0
    """
    return np.asarray(np.asarray(n, dtype=np.float64) * ratio / (1 + ratio) ** 2 / sd**2)


def conditional_power(
    design: GroupSequentialDesign, z: float, look: int, *, effect: float, information: ArrayLike
) -> float:
    """Probability to stop for efficacy at a later look, given z at this one (Lan, Simon, Halperin 1982).

    Stages keep the weights of the plan, so a changed sample size of what follows does not touch alpha.

    Args:
        design: the plan.
        z: standardized estimate now, positive in the effect's direction.
        look: the look at which z was seen (1 for the first).
        effect: assumed true effect.
        information: information of each stage to come, in units 1 / effect^2 (see `information_of_means`).
    """
    stages = np.atleast_1d(np.asarray(information, dtype=np.float64))
    if not 1 <= look < design.looks or len(stages) != design.looks - look:
        raise InputError(
            f"{len(stages)} stages to come after look {look} of {design.looks}",
            rule="information holds one number for each look that is left",
        )
    t = np.asarray(design.information)
    weight = np.diff(t)[look - 1 :]
    means = effect * np.sqrt(stages * weight)
    walk = Walk(np.array([z * np.sqrt(t[look - 1])]), np.ones(1), 0.0, z * np.sqrt(t[look - 1]))
    power = 0.0
    for k, (variance, mean) in enumerate(zip(weight, means, strict=True), start=look):
        scale = np.sqrt(t[k])
        high = design.critical[k] * scale
        power += walk.above(high, variance, mean)
        if k + 1 < design.looks:
            low = -high if design.sides == 2 else design.futility[k] * scale if design.futility else -np.inf
            walk = walk.advance(low, high, variance, mean, np.sqrt(weight[k - look + 1]))
    return power


@dataclass(frozen=True, slots=True)
class StoppedEstimate:
    """After the trial: the median-unbiased estimate with its interval and p-value, in the effect's unit."""

    value: float
    lower: float
    upper: float
    p_value: float
    level: float
    plain: float
    method: str = "median unbiased, stage-wise ordering"


def stopped_estimate(
    design: GroupSequentialDesign, z: float, look: int, information: float, *, level: float | None = None
) -> StoppedEstimate | Undetermined:
    """Median-unbiased estimate, interval and p-value of a trial that stopped at `look` with `z`.

    Outcomes are ordered by stage: stopping earlier above is more extreme. Futility bounds that do not bind are left
    out, which keeps the p-value valid when they were overruled.

    Args:
        design: the plan, or what `actual_looks` made of it; looks after `look` are not used.
        z: standardized estimate at the stop (negative when the effect is).
        look: 1 for the first look.
        information: 1 / se^2 at the stop, in the effect's unit.
        level: of the interval; default 1 - alpha for two-sided designs, 1 - 2 alpha for one-sided ones.

    Source: Tsiatis, Rosner, Mehta 1984; Jennison, Turnbull 2000, ch. 8.
    """
    from scipy.optimize import brentq

    if not 1 <= look <= design.looks:
        raise InputError(f"look {look} of a design with {design.looks} looks")
    if not (np.isfinite(z) and information > 0):
        return Undetermined(Reason.NOT_FINITE)
    level = 1 - design.alpha * (1 if design.sides == 2 else 2) if level is None else level
    scale = np.sqrt(information)
    t = np.asarray(design.information[:look])
    t = t / t[-1]  # drift is then the mean of z at the stop
    center = float(z)

    def tail(drift: float) -> float:
        return _more_extreme(design, z, t, drift)

    def solve(target: float) -> float:
        low, high = center - 8.0, center + 8.0
        while tail(low) > target:
            low -= 8.0
        while tail(high) < target:
            high += 8.0
        return float(brentq(lambda d: tail(d) - target, low, high, xtol=1e-9))

    error = (1 - level) / 2
    upper_tail = tail(0.0)
    p_value = upper_tail if design.sides == 1 else min(1.0, 2 * min(upper_tail, 1 - upper_tail))
    lower, value, upper = (solve(target) / scale for target in (error, 0.5, 1 - error))
    return StoppedEstimate(value, lower, upper, p_value, level, z / scale)


def watched_design(critical: ArrayLike, information: ArrayLike, *, alpha: float) -> GroupSequentialDesign:
    """A two-sided design from the boundary of any sequence that was watched at certain looks, for `stopped_estimate`.

    Looks that could not stop are left out, and so are those before the last that brought less than 1% of new
    information: stopping there is as good as stopping at the next.

    Args:
        critical: |z| at which the sequence would have stopped, look by look.
        information: information at the looks, in any unit.
        alpha: the sequence's error over all time, both sides together.

    >>> watched_design([np.inf, 3.0, 2.9, 2.5], [1.0, 2.0, 2.01, 4.0], alpha=0.05).information
    (0.5, 1.0)
    """
    critical, t = np.asarray(critical, dtype=np.float64), np.asarray(information, dtype=np.float64)
    if not (np.isfinite(critical[-1]) and np.isfinite(t[-1]) and t[-1] > 0):
        raise InputError("the last look has no boundary or no information")
    bounds: list[float] = []
    times: list[float] = []
    for bound, at in zip(critical[:-1].tolist(), (t[:-1] / t[-1]).tolist(), strict=True):
        if np.isfinite(bound) and (times[-1] if times else 0.0) * (1 + _LEAST_GAIN) < at < 1 - _LEAST_GAIN:
            bounds.append(bound)
            times.append(at)
    return GroupSequentialDesign(
        rule=POCOCK,
        information=(*times, 1.0),
        alpha=alpha,
        sides=2,
        critical=(*bounds, float(critical[-1])),
        spent=(),
        futility=(),
        binding=False,
        power=float("nan"),
        drift=float("nan"),
    )


def without_futility(design: GroupSequentialDesign) -> GroupSequentialDesign:
    """The same looks and critical values when futility is overruled; binding bounds cannot be."""
    if design.futility and design.binding:
        raise InputError(
            "binding futility bounds cannot be overruled", rule="the critical values count on them", fix="binding=False"
        )
    return replace(design, futility=(), futility_rule=None)


def _critical_at(design: GroupSequentialDesign, look: int, alpha: float) -> float:
    """The critical value of the look if the design were at level `alpha`; a shape's constant needs all looks."""
    end = look if isinstance(design.rule, Spending) else design.looks
    information, time = design.information[:end], design.spending_time[:end]
    return critical_values(design.rule, information, alpha, design.sides, time)[0][look - 1]


def _more_extreme(design: GroupSequentialDesign, z: float, t: Floats, drift: float) -> float:
    """P(stopped above before this look, or reached it with a score of at least z) under `drift`."""
    upper = np.array(design.critical[: len(t)])
    upper[-1] = z
    if design.sides == 2:
        lower = -np.array(design.critical[: len(t)])
    elif design.futility and design.binding:
        lower = np.array(design.futility[: len(t)])
    else:
        lower = np.full(len(t), -np.inf)
    return float(exit_probabilities(lower, upper, t, drift)[1].sum())


@lru_cache(maxsize=256)
def _table(design: GroupSequentialDesign, look: int) -> tuple[Floats, Floats]:
    """Critical values of the look at a grid of levels, refined by interpolation, with log levels; increasing in z."""
    from scipy.interpolate import PchipInterpolator

    levels = np.unique(np.append(_TABLE_LEVELS, design.alpha))
    critical = np.array([_critical_at(design, look, float(a)) for a in levels])
    use = np.isfinite(critical)
    levels, critical = levels[use][::-1], critical[use][::-1]
    keep = np.append(True, np.diff(critical) > 1e-9)
    critical, logs = critical[keep], np.log(levels[keep])
    fine = np.unique(np.concatenate([critical, np.linspace(critical[0], critical[-1], 2000)]))
    return fine, np.asarray(PchipInterpolator(critical, logs)(fine))
