"""Covariate adjustment from moments: CUPED with one or many covariates, for means and ratios, and Lin's estimator.

The adjusted value of an arm is g - theta' (h - h0), with g the outcome, h the covariates and h0 their value in both
arms together, so that adjusted and unadjusted values are comparable (Deng, Xu, Kohavi, Walker 2013, eq. 3). Ratios are
first linearized, so one formula serves all. Tools differ in theta:

    pooled_within  covariances pooled within arms: ANCOVA's coefficient. Our default: an effect of the treatment on x
                   (a leak) cannot pose as correlation.
    total          covariance of both arms as one sample (GrowthBook, tea-tasting).
    mean_of_arms   mean of the arms' covariances, whatever their sizes (GrowthBook, for ratios).
    per_arm        each arm's own: Lin 2013, the interacted regression.

Nothing needs rows. An indicator "this unit has history" is one more covariate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from paribus.errors import InputError, did_you_mean
from paribus.stats.arm import Arm, Outcome, linearize, outcome
from paribus.stats.estimate import Floats
from paribus.stats.moments import Moments

Theta = Literal["pooled_within", "total", "mean_of_arms", "per_arm"]


@dataclass(frozen=True, slots=True)
class Adjusted:
    """Two arms after covariate adjustment; each carries its unadjusted value as `baseline`.

    theta               coefficients, shape (*cells, k); for per_arm (*cells, 2, k), control first
    variance_reduction  share of the difference's variance that the covariates remove, shape (*cells)
    center              value of the covariates at which arms are compared, shape (*cells, k)
    """

    control: Arm
    treatment: Arm
    theta: Floats
    variance_reduction: Floats
    center: Floats


def cuped(
    control: Moments,
    treatment: Moments,
    what: Outcome | None = None,
    covariates: Sequence[Outcome] | None = None,
    *,
    theta: Theta | ArrayLike = "pooled_within",
    small_sample: bool = True,
) -> Adjusted:
    """The two arms with what the covariates explain removed.

    A covariate that does not vary, or repeats others, gets the minimum-norm coefficient (zero if it is constant)
    rather than an error; the estimate stays that of the remaining covariates.

    Args:
        control: moments of outcome and covariates.
        treatment: the same variables and cells.
        what: the outcome: a variable (default: the first) or (numerator, denominator) of a ratio of sums.
        covariates: variables or ratios (default: all other variables); all fixed before exposure.
        theta: a convention (see the module) or the coefficients themselves, shape (k,) or (*cells, k).
        small_sample: with "pooled_within", let the variance count the k coefficients and the imbalance of the
            covariates, as ANCOVA does; without, k covariates at n units cost about 2 k / n of the variance.

    Source: Deng, Xu, Kohavi, Walker 2013; Lin 2013; for ratios Deng, Knoblich, Lu 2018.

    >>> a = Moments.from_rows([[1, 1], [2, 2], [3, 3.0]], ["y", "x"])
    >>> b = Moments.from_rows([[3, 2], [4, 3], [5, 4.0]], ["y", "x"])
    >>> found = cuped(a, b)  # y - x is 0 in one arm and 1 in the other
    >>> found.theta, float(found.treatment.value - found.control.value)
    (array([1.]), 1.0)
    """
    if control.names != treatment.names:
        raise InputError("the arms have different variables", rule="control and treatment share names and cells")
    what = control.names[0] if what is None else what
    if covariates is None:
        covariates = [name for name in control.names if name not in (what if isinstance(what, tuple) else (what,))]
    outcomes: list[Outcome] = [what, *covariates]
    arms = [linearize(m, outcomes) for m in (control, treatment)]
    center = _center(control, treatment, arms, outcomes)
    coefficients, shown = _theta(control, treatment, arms, outcomes, theta)
    adjusted = [
        _adjust(linear, outcome(m, what), coefficient, center)
        for linear, m, coefficient in zip(arms, (control, treatment), coefficients, strict=True)
    ]
    if small_sample and isinstance(theta, str) and theta == "pooled_within":
        factor = _ancova_factor(*arms)
        adjusted = [replace(arm, var=arm.var * factor) for arm in adjusted]
    with np.errstate(invalid="ignore", divide="ignore"):
        before = sum(arm.unadjusted.var / arm.n for arm in adjusted)
        after = sum(arm.var / arm.n for arm in adjusted)
        reduction = np.where(before > 0, 1 - after / before, 0.0)
    return Adjusted(adjusted[0], adjusted[1], shown, reduction, center)


def lin(
    control: Moments,
    treatment: Moments,
    what: Outcome | None = None,
    covariates: Sequence[Outcome] | None = None,
    *,
    correction: Literal["HC0", "HC1"] = "HC1",
) -> Adjusted:
    """Lin's estimator from moments: each arm's regression read at the covariates' mean over both arms.

    The variance of each arm is that of its residuals, with divisor n (HC0) or n - 1 - k (HC1): the influence-function
    form, equal to the sandwich but for leverages, which need rows (`lin_regression`) and vanish with n. The
    covariates' common center is taken as fixed, as in Lin 2013: inference is for the units at hand.

    >>> a = Moments.from_rows([[1, 1], [2, 2], [3, 3.0], [4, 3]], ["y", "x"])
    >>> b = Moments.from_rows([[2, 1], [4, 2], [6, 3.0], [8, 4]], ["y", "x"])  # y = 2 x
    >>> found = lin(a, b)
    >>> [round(float(v), 6) for v in found.theta.ravel()], round(float(found.treatment.value), 6)
    ([1.272727, 2.0], 4.75)
    """
    found = cuped(control, treatment, what, covariates, theta="per_arm")
    spent = 0 if correction == "HC0" else 1 + found.center.shape[-1]

    def corrected(arm: Arm) -> Arm:
        with np.errstate(invalid="ignore", divide="ignore"):
            return replace(arm, var=np.where(arm.n > spent, arm.var * (arm.n - 1) / (arm.n - spent), np.nan))

    return replace(found, control=corrected(found.control), treatment=corrected(found.treatment))


def _adjust(linear: Moments, plain: Arm, theta: Floats, center: Floats) -> Arm:
    cov = linear.cov
    explained = np.einsum("...i,...i->...", theta, cov[..., 0, 1:])
    squared = np.einsum("...i,...ij,...j->...", theta, cov[..., 1:, 1:], theta)
    own = cov[..., 0, 0]
    return Arm(
        n=linear.n,
        value=linear.mean[..., 0] - np.einsum("...i,...i->...", theta, linear.mean[..., 1:] - center),
        var=np.maximum(own - 2 * explained + squared, 0.0),
        skewness=plain.skewness,
        baseline=linear.mean[..., 0],
        baseline_var=own,
        baseline_cov=own - explained,
    )


def _center(control: Moments, treatment: Moments, arms: list[Moments], outcomes: list[Outcome]) -> Floats:
    """Covariates of both arms as one sample; zero where there is nothing to average."""
    if all(isinstance(what, str) for what in outcomes[1:]):
        a, b = (np.where(m.n[..., None] > 0, m.mean[..., 1:], 0.0) * m.n[..., None] for m in arms)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((a + b) / (arms[0].n + arms[1].n)[..., None])
    return linearize(control.merge(treatment), outcomes).mean[..., 1:]


def _theta(
    control: Moments, treatment: Moments, arms: list[Moments], outcomes: list[Outcome], theta: Theta | ArrayLike
) -> tuple[tuple[Floats, Floats], Floats]:
    if not isinstance(theta, str):
        given = np.broadcast_to(np.asarray(theta, dtype=np.float64), (*arms[0].cells, len(outcomes) - 1))
        return (given, given), given
    if theta == "per_arm":
        own = tuple(_solve(m.m2, m.n) for m in arms)
        return (own[0], own[1]), np.stack(own, axis=-2)
    if theta == "total":
        both = linearize(control.merge(treatment), outcomes)
        one = _solve(both.m2, both.n)
    elif theta in {"pooled_within", "mean_of_arms"}:
        summed = [m.m2 if theta == "pooled_within" else m.cov for m in arms]
        a, b = (np.where(m.n[..., None, None] > 1, each, 0.0) for m, each in zip(arms, summed, strict=True))
        one = _solve(a + b, arms[0].n + arms[1].n - 1)
    else:
        raise InputError(f"no theta {theta!r}", fix=did_you_mean(theta, get_args(Theta)))
    return (one, one), one


def _solve(m2: Floats, n: Floats) -> Floats:
    """Coefficients of the first variable on the others, from cross-products; minimum norm where they are collinear."""
    found = np.einsum("...ij,...j->...i", inverse_of_products(m2[..., 1:, 1:]), m2[..., 1:, 0])
    enough = np.asarray(n[..., None] - 1 > found.shape[-1])  # a coefficient for every unit would explain anything
    return np.where(enough, found, 0.0)


def inverse_of_products(xx: Floats) -> Floats:
    """Pseudo-inverses of cross-products of covariates, NaN where they are not finite."""
    scale = np.sqrt(np.einsum("...ii->...i", xx))
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = np.where(scale > 0, 1 / scale, np.where(np.isnan(scale), np.nan, 0.0))
    units = unit[..., :, None] * unit[..., None, :]
    if xx.shape[-1] == 1:
        return np.asarray(units)
    with np.errstate(invalid="ignore"):
        correlation = xx * units
    known = np.asarray(np.isfinite(correlation).all(axis=(-1, -2)))[..., None, None]
    # Correlations, so that a covariate's unit decides nothing; below 1e-10 a direction is rounding.
    inverse = np.linalg.pinv(np.where(known, correlation, 0.0), rcond=1e-10, hermitian=True)
    return np.where(known, units * inverse, np.nan)


def _ancova_factor(control: Moments, treatment: Moments) -> Floats:
    """What estimating theta costs: (N - 2) / (N - 2 - k) x (1 + d' S^-1 d nc nt / N), d the covariates' difference.

    Times the residual variance over nc and nt this is ANCOVA's variance of the effect (Cochran 1957, eq. 7).
    """
    within = (control.m2 + treatment.m2)[..., 1:, 1:]
    inverse = inverse_of_products(within)
    k = np.rint(np.einsum("...ij,...ji->...", inverse, within))  # rank: covariates that add something
    nc, nt = control.n, treatment.n
    d = treatment.mean[..., 1:] - control.mean[..., 1:]
    distance = np.einsum("...i,...ij,...j->...", d, inverse, d)
    free = nc + nt - 2
    with np.errstate(invalid="ignore", divide="ignore"):
        factor = np.where(free > k, free / (free - k), 1.0) * (1 + distance * nc * nt / (nc + nt))
    return np.where(np.isfinite(factor), factor, 1.0)
