"""Power and sample size of tests that are read more than once, and how many more units a running one needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from paribus.errors import InputError
from paribus.stats.anytime import AsymptoticSequence
from paribus.stats.boundary import Boundary
from paribus.stats.estimate import Alternative, Floats, Reason, Undetermined
from paribus.stats.group_sequential import GroupSequentialDesign
from paribus.stats.integration import exit_probabilities
from paribus.stats.power import SampleSize, sample_size_means
from paribus.stats.solving import check_error_rates, distance_from_null, solve_increasing


@dataclass(frozen=True, slots=True)
class SequentialSampleSize:
    """Largest sample, and the expected total when the effect is as assumed (h1) or absent (h0)."""

    maximum: SampleSize
    expected_h1: float
    expected_h0: float


def sample_size_sequential(
    design: GroupSequentialDesign, effect: float, sd: float, *, ratio: float = 1.0, margin: float = 0.0
) -> SequentialSampleSize:
    """Units of a group-sequential comparison of means: those of the fixed z test times the inflation factor.

    Args:
        design: made with the alpha, sides and power wanted.
        effect: true difference, positive for a one-sided design.
        sd: standard deviation of a unit.
        ratio: treatment over control.
        margin: difference under the null.
    """
    fixed = sample_size_means(
        effect,
        sd,
        power=design.power,
        alpha=design.alpha,
        alternative="two-sided" if design.sides == 2 else "greater",
        ratio=ratio,
        margin=margin,
        reference="z",
    )
    factor = design.inflation_factor
    return SequentialSampleSize(
        SampleSize(fixed.control * factor, fixed.treatment * factor),
        fixed.total * design.average_sample_h1,
        fixed.total * design.average_sample_h0,
    )


def sample_size_anytime(
    effect: float,
    sd: float,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    ratio: float = 1.0,
    n_opt: float | None = None,
    margin: float = 0.0,
) -> SampleSize:
    """Units at which an asymptotic confidence sequence excludes the null with this power, read there.

    Reading earlier too can only find more, so the power is a lower bound for continuous monitoring.

    Args:
        effect: true difference.
        sd: standard deviation of a unit.
        power: probability to exclude the null at this size.
        alpha: error of the sequence over all time.
        alternative: two-sided, greater or less.
        ratio: treatment over control.
        n_opt: units the sequence is tuned to, default the size found.
        margin: difference under the null.
    """
    check_error_rates(power, alpha)
    distance = distance_from_null(effect, margin, alternative)
    spread = sd * (1 + ratio) / np.sqrt(ratio)  # standard error times sqrt(total)

    def power_at(n: float) -> float:
        from scipy.special import ndtr

        se = spread / np.sqrt(n)
        sequence = AsymptoticSequence(n_opt or n, 1 - alpha, alternative, burn_in=0.0)
        return float(ndtr((distance - float(sequence.radius(se, n, np.inf))) / se))

    total = solve_increasing(power_at, power, near=4.0 * (spread / distance) ** 2, least=1.0)
    return SampleSize(total / (1 + ratio), total * ratio / (1 + ratio))


def power_over_looks(
    boundary: Boundary, effect: float, se: ArrayLike, n: ArrayLike, *, null: float = 0.0
) -> tuple[Floats, Floats]:
    """Probability to have excluded the null by each look, below and above: two cumulative arrays of shape (K,).

    With `effect` = `null` their sum is the type I error of reading this boundary at these looks.

    Args:
        boundary: any interval rule, for example an `AsymptoticSequence` or `Fixed` (naive peeking).
        effect: true difference.
        se: standard errors at the looks, decreasing.
        n: units in both arms at the looks.
        null: difference under the null.
    """
    se, n = np.asarray(se, dtype=np.float64), np.asarray(n, dtype=np.float64)
    if se.ndim != 1 or np.any(np.diff(se) >= 0):
        raise InputError("the standard errors of the looks must decrease")
    reach = boundary.radius(se, n, np.full_like(se, np.inf)) / se
    none = np.full_like(se, np.inf)
    lower = -none if boundary.alternative == "greater" else -reach
    upper = none if boundary.alternative == "less" else reach
    below, above = exit_probabilities(lower, upper, 1 / se**2, effect - null)
    return np.cumsum(below), np.cumsum(above)


def additional_units_factor(
    se: float,
    effect: float,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
    n: ArrayLike | None = None,
    n_opt: float | None = None,
    prior: tuple[float, float] | None = None,
    tests: int = 1,
    metrics: int = 1,
) -> float | Undetermined:
    """How many times the present number of units must be added for the power wanted; 0 when it is there already.

    Args:
        se: present standard error, on the scale of `effect` (relative for lifts).
        effect: target minimum detectable effect.
        power: probability that all `metrics` are found; each gets power^(1/metrics).
        alpha: two-sided error, divided over `tests` comparisons.
        n: present units, by arm or of all arms together, for a sequential test.
        n_opt: tuning of the asymptotic confidence sequence; None for a fixed horizon.
        prior: mean and variance of a normal prior of the effect; significance is then read from the posterior.
        tests: comparisons that share alpha.
        metrics: goal metrics that must all be found.

    Source: GrowthBook's mid-experiment power (growthbook packages/stats), solved to full precision.
    """
    from scipy.special import ndtr, ndtri

    if not se > 0 or effect == 0:
        raise InputError(f"standard error {se}, effect {effect}", rule="se > 0 and effect is not 0")
    if n_opt is not None and n is None:
        raise InputError("a sequential test needs the present number of units", fix="n=…")
    critical = float(-ndtri(alpha / (2 * tests)))
    needed = power ** (1 / metrics)
    size = abs(effect)
    units = None if n is None else float(np.sum(n))

    def power_at(factor: float) -> float:
        variance = se**2 / (1 + factor)
        sd = np.sqrt(variance)
        pull = 0.0
        if prior is not None:
            mean, prior_variance = prior
            reach = critical * variance * np.sqrt(1 / prior_variance + 1 / variance)
            pull = variance * mean / prior_variance
        elif n_opt is not None and units is not None:
            sequence = AsymptoticSequence(n_opt, 1 - alpha / tests, burn_in=0.0)
            reach = float(sequence.radius(sd, units * (1 + factor), np.inf))
        else:
            reach = critical * sd
        # In the effect's direction only: a result on the other side is not the one that was looked for.
        return float(ndtr((size + pull - reach) / sd))

    if power_at(0.0) >= needed:
        return 0.0
    most = 2.0**27
    if power_at(most) < needed:
        return Undetermined(Reason.NOT_CONVERGED, f"the power stays below {power} for {most:.0f} times the units")
    return solve_increasing(power_at, needed, near=1.0, least=0.0)
