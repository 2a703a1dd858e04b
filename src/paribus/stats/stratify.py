"""Strata and epochs: one estimate from cells of units that had different shares, means or allocation.

Both work on moments and give moments back, so that difference, ratio, CUPED and lift apply to the result unchanged.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from paribus.errors import InputError
from paribus.stats.arm import Outcome, functional
from paribus.stats.boundary import Boundary, Fixed, bounded
from paribus.stats.estimate import Estimates, Floats, Reason
from paribus.stats.moments import Moments


def poststratify(control: Moments, treatment: Moments, *, shares: ArrayLike | None = None) -> tuple[Moments, Moments]:
    """Both arms reweighted to the same strata: mean sum_s W_s m_s and variance of the mean sum_s W_s^2 C_s / n_s.

    Conditional on the strata's sizes (Miratrix, Sekhon, Yu 2013, eq. 9); `poststratified` adds the uncertainty of the
    shares. An arm with fewer than two units in a stratum gets that stratum's n, hence TOO_FEW_UNITS downstream.

    Args:
        control: moments with strata along the first axis.
        treatment: the same names and cells.
        shares: population share of each stratum, shape (S,); default: both arms together.

    >>> c = Moments.from_covariance(["y"], [50, 50], [[1.0], [3.0]], [[[1.0]], [[1.0]]])
    >>> t = Moments.from_covariance(["y"], [25, 25], [[2.0], [4.0]], [[[1.0]], [[1.0]]])
    >>> a, b = poststratify(c, t)
    >>> float(b.mean[0] - a.mean[0])
    1.0
    """
    w = _shares(control, treatment, shares)
    return _mix(control, w), _mix(treatment, w)


def poststratified(
    control: Moments,
    treatment: Moments,
    what: Outcome | None = None,
    *,
    scale: Literal["absolute", "relative"] = "absolute",
    boundary: Boundary | None = None,
) -> Estimates:
    """Post-stratified effect for a population whose shares are themselves estimated from these units.

    The covariance of the two arms' mean vectors is that within strata plus, jointly for both arms,
    (1/N) sum_s W_s (m_s - m)(m_s - m)', the multinomial uncertainty of the shares (GrowthBook's estimator). The effect
    is a smooth function of those vectors (delta method, normal reference).

    Args:
        control: moments with strata along the first axis.
        treatment: the same names and cells.
        what: a variable (default: the first) or (numerator, denominator).
        scale: difference, or lift over |control|.
        boundary: interval and p-value rule (default: fixed horizon, 95%, two-sided).
    """
    what = control.names[0] if what is None else what
    k = control.k
    w = _shares(control, treatment, None)
    both = np.concatenate([control.mean, treatment.mean], axis=-1)
    center = np.einsum("s...,s...k->...k", w, both)
    d = both - center
    total = (control.n + treatment.n).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        cov = np.einsum("s...,s...i,s...j->...ij", w, d, d) / total[..., None, None]
        for part, m in ((slice(0, k), control), (slice(k, None), treatment)):
            cov[..., part, part] += np.einsum("s...,s...ij->...ij", w**2 / m.n, m.cov)
        (before, to_control), (after, to_treatment) = (
            functional(replace(m.take(0), mean=center[..., part]), what)
            for part, m in ((slice(0, k), control), (slice(k, None), treatment))
        )
        value = after - before
        scale_by = np.abs(before) if scale == "relative" else np.ones_like(before)
        # d[(t - c) / |c|] / dc = -t / (c |c|); on the absolute scale -1.
        to_control = to_control * (-after / before if scale == "relative" else -np.ones_like(before))[..., None]
        gradient = np.concatenate([to_control, to_treatment], axis=-1) / scale_by[..., None]
        value = value / scale_by
        se = np.sqrt(np.einsum("...i,...ij,...j->...", gradient, cov, gradient))
    few = (np.minimum(control.n, treatment.n) < 2).any(axis=0)
    return bounded(
        value,
        se,
        boundary or Fixed(),
        n=total,
        method="post-stratified",
        reasons=(
            (total == 0, Reason.NO_DATA),
            (few, Reason.TOO_FEW_UNITS),
            (scale_by == 0, Reason.ZERO_BASELINE),
            (se == 0, Reason.NO_VARIANCE),
        ),
    )


def hajek(m: Moments, probabilities: ArrayLike) -> Moments:
    """One arm over allocation epochs, each unit weighted by 1 / (its known probability of this arm).

    Pooling epochs of different splits compares users of different days (Simpson). With weights fixed at assignment the
    estimate stays valid when monitored. The covariance of the mean vector is that of the influence function
    w_i (x_i - mean) / sum(w) (Hajek 1971), with the divisor n - 1.

    Args:
        m: moments with epochs along the first axis.
        probabilities: probability of this arm in each epoch, shape (E,) or (E, *cells).

    >>> m = Moments.from_covariance(["y"], [90, 50], [[1.0], [2.0]], [[[1.0]], [[1.0]]])
    >>> float(hajek(m, [0.9, 0.5]).mean[0])  # 100 units each after weighting
    1.5
    """
    p = np.asarray(probabilities, dtype=np.float64)
    if not ((p > 0) & (p <= 1)).all():
        raise InputError("a probability lies outside (0, 1]", rule="each epoch's probability of the arm is known")
    w = 1 / p.reshape(p.shape + (1,) * (m.n.ndim - p.ndim))
    has = m.n > 0
    own = replace(
        m,
        mean=np.where(has[..., None], m.mean, 0.0),
        m2=np.where(has[..., None, None], m.m2, 0.0),
        m3=np.where(has[..., None], m.m3, 0.0),
    )
    n = m.n.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = (w * m.n).sum(axis=0)
        mean = ((w * m.n)[..., None] * own.mean).sum(axis=0) / total[..., None]
        d = np.where(has[..., None], own.mean - mean, 0.0)
        second = own.m2 + m.n[..., None, None] * d[..., :, None] * d[..., None, :]
        third = own.m3 + 3 * d * np.einsum("...ii->...i", own.m2) + m.n[..., None] * d**3
        # Each unit counts as u = (n / sum w) w (x - mean), so that cov(u) / n is the variance of the weighted mean.
        u = w * n / total
        m2 = ((u**2)[..., None, None] * second).sum(axis=0)
        m3 = ((u**3)[..., None] * third).sum(axis=0)
    return Moments(m.names, n, mean, m2, m3, None)


def _mix(m: Moments, w: Floats) -> Moments:
    n = m.n.sum(axis=0)
    few = np.min(m.n, axis=0) < 2
    with np.errstate(invalid="ignore", divide="ignore"):
        used = np.where((w > 0)[..., None], m.mean, 0.0)
        mean = np.einsum("s...,s...k->...k", w, used)
        cov = np.einsum("s...,s...ij->...ij", w**2 * n / m.n, m.cov)
        m2 = cov * (n - 1)[..., None, None]
        m3 = np.einsum("s...,s...k->...k", w**3 * n**3 / m.n**3, m.m3)
    return Moments(m.names, np.where(few, np.min(m.n, axis=0), n), mean, m2, m3, None)


def _shares(control: Moments, treatment: Moments, shares: ArrayLike | None) -> Floats:
    if control.names != treatment.names or control.cells != treatment.cells or not control.cells:
        raise InputError("the arms have different variables or strata", rule="strata lie along the first axis of both")
    if shares is None:
        size = control.n + treatment.n
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(size / size.sum(axis=0))
    w = np.asarray(shares, dtype=np.float64)
    if (w < 0).any() or not np.allclose(w.sum(axis=0), 1.0):
        raise InputError("the strata's shares do not sum to one", rule="shares are positive and sum to 1")
    return np.broadcast_to(w.reshape(w.shape + (1,) * (control.n.ndim - w.ndim)), control.n.shape)
