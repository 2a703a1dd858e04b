"""Many experiments together: random-effects meta-analysis, and what it says about each of them.

The spread of true effects over past experiments is a prior for the next one (empirical Bayes), and over segments it
says how far each segment's estimate is to be shrunk towards their mean. Use all completed experiments, also those that
failed: a prior from winners believes in winners.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from paribus.errors import InputError, did_you_mean
from paribus.stats.estimate import Estimates, Floats, Reason, Undetermined

TauMethod = Literal["DL", "PM", "REML"]

_WIDEST = 100.0  # where a search for tau2 that may stop early begins


@dataclass(frozen=True, slots=True)
class RandomEffects:
    """A random-effects meta-analysis: true effects are normal with mean `mu` and variance `tau2`.

    mu, se     mean of the true effects and its standard error
    tau2       between-experiment variance
    Q          Cochran's heterogeneity statistic, with k - 1 degrees of freedom, and its p-value
    I2         share of the variance that is between experiments, percent (Higgins, Thompson 2002)
    shrunk     best linear unbiased prediction of each true effect
    shrunk_se  its standard error, the uncertainty of mu included
    method     how tau2 was estimated
    """

    mu: float
    se: float
    tau2: float
    Q: float
    Q_p_value: float
    I2: float
    shrunk: Floats
    shrunk_se: Floats
    method: TauMethod

    @property
    def prior(self) -> tuple[float, float]:
        """Mean and standard deviation of the prior for a new experiment; tau2 plus the uncertainty of mu."""
        return self.mu, float(np.sqrt(self.tau2 + self.se**2))


def random_effects(
    estimates: ArrayLike, variances: ArrayLike, *, method: TauMethod = "REML", accuracy: float = 0.0
) -> RandomEffects | Undetermined:
    """Random-effects meta-analysis of independent estimates with known variances.

    Args:
        estimates: one effect per experiment (or segment), shape (k,); NaN entries are refused, not dropped.
        variances: their squared standard errors, positive.
        method: "DL" (DerSimonian, Laird 1986), "PM" (Paule, Mandel 1982), "REML" (restricted likelihood).
        accuracy: error of tau2 at which the search of "PM" over [0, 100] may stop; 0 searches to the last digit. R's
            metafor stops at 2^-13, which is coarse where effects are small.

    Returns:
        The analysis, or Undetermined with fewer than two estimates.

    >>> pooled = random_effects([1.0, 3.0], [1.0, 1.0], method="DL")  # Q = 2, so tau2 = (2 - 1) / (2 - 2/2)
    >>> pooled.mu, pooled.tau2, pooled.shrunk.tolist()
    (2.0, 1.0, [1.5, 2.5])
    """
    from scipy.special import chdtrc

    y, v = np.asarray(estimates, dtype=np.float64), np.asarray(variances, dtype=np.float64)
    if y.shape != v.shape or y.ndim != 1:
        raise InputError(
            f"estimates of shape {y.shape} and variances of shape {v.shape}", rule="one of each, shape (k,)"
        )
    if not np.all(np.isfinite(y) & np.isfinite(v)) or np.any(v <= 0):
        raise InputError("an estimate or variance that is not finite and positive", fix="leave undetermined ones out")
    if y.size < 2:
        return Undetermined(Reason.TOO_FEW_UNITS, f"{y.size} estimates, at least 2 are needed")
    if method not in ("DL", "PM", "REML"):
        raise InputError(f"no estimator {method!r} of tau2", fix=did_you_mean(method, ("DL", "PM", "REML")))
    if method == "PM":
        tau2 = _paule_mandel(y, v, accuracy)
    else:
        tau2 = _dersimonian_laird(y, v) if method == "DL" else _restricted_likelihood(y, v)
    w0 = 1 / v
    q = _heterogeneity(y, w0)
    w = 1 / (v + tau2)
    mu, se = float((w * y).sum() / w.sum()), float(1 / np.sqrt(w.sum()))
    typical = (y.size - 1) * w0.sum() / (w0.sum() ** 2 - (w0**2).sum())
    keep = tau2 / (tau2 + v)
    return RandomEffects(
        mu=mu,
        se=se,
        tau2=tau2,
        Q=q,
        Q_p_value=float(chdtrc(y.size - 1, q)),
        I2=float(100 * tau2 / (tau2 + typical)),
        shrunk=keep * y + (1 - keep) * mu,
        shrunk_se=np.sqrt(keep * v + (1 - keep) ** 2 * se**2),
        method=method,
    )


def shrink(effects: Estimates, axis: int) -> Estimates:
    """Every effect drawn toward the random-effects mean of its set (DerSimonian and Laird 1986), sets along `axis`.

    The interval is normal, at the effects' level, with the uncertainty of the mean included. A set with fewer than two
    determined effects comes back as it was, and an undetermined effect stays undetermined.

    >>> from paribus.stats.estimate import estimates
    >>> e = estimates([1.0, 3.0], 1.0, 0, 0, 1, level=0.95, method="z")
    >>> shrink(e, axis=0).value.tolist()
    [1.5, 2.5]
    """
    from scipy.special import ndtr, ndtri

    known = effects.determined & (effects.se > 0)
    y = np.where(known, effects.value, 0.0)
    v = np.where(known, effects.se, 1.0) ** 2
    w = np.where(known, 1 / v, 0.0)

    def total(a: Floats) -> Floats:
        return np.asarray(a.sum(axis=axis, keepdims=True), dtype=np.float64)

    with np.errstate(invalid="ignore", divide="ignore"):
        k, center = total(known.astype(np.float64)), total(w * y) / total(w)
        q = total(w * (y - center) ** 2)
        tau2 = np.maximum((q - (k - 1)) / (total(w) - total(w**2) / total(w)), 0.0)
        w = np.where(known, 1 / (v + tau2), 0.0)
        mu, se2 = total(w * y) / total(w), 1 / total(w)
        keep = tau2 / (tau2 + v)
        value = keep * y + (1 - keep) * mu
        se = np.sqrt(keep * v + (1 - keep) ** 2 * se2)
        alone = np.broadcast_to(k < 2, y.shape)
        value, se = np.where(alone, effects.value, value), np.where(alone, effects.se, se)
        radius = -ndtri((1 - effects.level) / 2) * se
        p_value = 2 * ndtr(-np.abs(value / se))
    return replace(
        effects,
        value=np.where(known, value, effects.value),
        se=np.where(known, se, effects.se),
        lower=np.where(known, value - radius, effects.lower),
        upper=np.where(known, value + radius, effects.upper),
        p_value=np.where(known, p_value, effects.p_value),
        df=np.where(known, np.inf, effects.df),
        alternative="two-sided",
        method="random effects",
        extra={},
    )


def prior_from_past(
    effects: ArrayLike, ses: ArrayLike, *, method: TauMethod = "REML"
) -> tuple[float, float] | Undetermined:
    """Mean and standard deviation of a normal prior for the next experiment, from past ones (Deng 2015).

    The variance is tau2 plus the squared error of the mean.

    Args:
        effects: estimated effects of past experiments, all on one scale, shape (experiments,).
        ses: their standard errors, positive.
        method: how tau2 is estimated; see `random_effects`.

    Returns:
        (prior mean, prior sd) as `normal_posterior` takes them, or Undetermined with fewer than two experiments.

    >>> center, spread = prior_from_past([0.0, 4.0], [1.0, 1.0], method="DL")  # tau2 = 7, squared error of the mean 4
    >>> center, round(spread**2, 9)
    (2.0, 11.0)
    """
    errors = np.asarray(ses, dtype=np.float64)
    if np.any(errors <= 0):
        raise InputError("a standard error that is not positive", rule="se > 0")
    pooled = random_effects(effects, errors**2, method=method)
    return pooled if isinstance(pooled, Undetermined) else pooled.prior


def _heterogeneity(y: Floats, w: Floats) -> float:
    return float((w * (y - (w * y).sum() / w.sum()) ** 2).sum())


def _dersimonian_laird(y: Floats, v: Floats) -> float:
    w = 1 / v
    return max(0.0, (_heterogeneity(y, w) - (y.size - 1)) / float(w.sum() - (w**2).sum() / w.sum()))


def _paule_mandel(y: Floats, v: Floats, accuracy: float) -> float:
    """The tau2 at which the generalized Q equals its expectation, k - 1."""
    from scipy.optimize import brentq

    def excess(tau2: float) -> float:
        return _heterogeneity(y, 1 / (v + tau2)) - (y.size - 1)

    if excess(0.0) <= 0:
        return 0.0
    top = float(np.var(y) * y.size + v.max())
    if accuracy:
        return float(brentq(excess, 0.0, max(top, _WIDEST), xtol=accuracy))
    return float(brentq(excess, 0.0, top, xtol=1e-14 * top, rtol=1e-13))


def _restricted_likelihood(y: Floats, v: Floats) -> float:
    """The maximum of the restricted likelihood, by its derivative in tau2, which may vanish more than once."""
    from scipy.optimize import minimize_scalar

    def minus_log_likelihood(root: float) -> float:
        w = 1 / (v + root**2)
        return 0.5 * float(-np.log(w).sum() + np.log(w.sum()) + _heterogeneity(y, w))

    # Searched over tau itself on a grid first: the likelihood can have two modes, one of them at 0.
    top = float(np.sqrt(np.var(y) * 4 + v.max()))
    grid = np.linspace(0.0, top, 101)
    best = int(np.argmin([minus_log_likelihood(t) for t in grid]))
    ends = (grid[max(best - 1, 0)], grid[min(best + 1, 100)])
    found = minimize_scalar(minus_log_likelihood, bounds=ends, method="bounded", options={"xatol": 1e-10 * top})
    if minus_log_likelihood(0.0) <= found.fun:
        return 0.0
    return _polish(float(found.x) ** 2, y, v)


def _polish(tau2: float, y: Floats, v: Floats) -> float:
    """Fisher scoring steps: near its maximum the likelihood itself is flat to half the digits."""
    for _ in range(20):
        w = 1 / (v + tau2)
        s1, s2, s3 = w.sum(), (w**2).sum(), (w**3).sum()
        mu = (w * y).sum() / s1
        score = (w**2 * (y - mu) ** 2).sum() - s1 + s2 / s1
        information = s2 - 2 * s3 / s1 + (s2 / s1) ** 2
        step = score / information
        tau2 = max(0.0, tau2 + float(step))
        if abs(step) < 1e-13 * max(tau2, 1e-300):
            break
    return tau2
