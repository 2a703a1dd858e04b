"""Boundaries that hold at every look at once: read as often as you like, stop when you like.

All are mixtures of likelihood ratios (Robbins 1970): the data's e-process e_n has expected value at most 1 under the
null hypothesis at every stopping time, so p = 1 / e and the interval of nulls with e < 1 / alpha are valid always.

Two-sided intervals have total error alpha. A one-sided interval has the whole alpha on its side, by the mixture over
positive effects only. Tuning (`n_opt`, `tau`, `g`) is chosen before the start; re-tuned on the run it loses validity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from paribus.errors import InputError
from paribus.stats.estimate import Alternative, Floats

# Fewer units than this in both arms together, and the normal approximation of an asymptotic sequence means nothing.
BURN_IN = 100.0


@dataclass(frozen=True, slots=True)
class AsymptoticSequence:
    """Asymptotic confidence sequence, tightest at `n_opt` units in both arms together.

    Source: Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas 2021 (2103.06476v7), eqs. 9, 155 and 161 two-sided, 134
    one-sided. Below `burn_in` units there is no guarantee: the interval is the whole line and p is 1.
    """

    n_opt: float = 5000.0
    level: float = 0.95
    alternative: Alternative = "two-sided"
    burn_in: float = BURN_IN
    method: str = "asymptotic confidence sequence"

    def __post_init__(self) -> None:
        _check(self.level, self.n_opt, "n_opt")

    @classmethod
    def with_error(
        cls, alpha: float, n_opt: float = 5000.0, alternative: Alternative = "two-sided", burn_in: float = BURN_IN
    ) -> AsymptoticSequence:
        """The sequence whose interval misses with probability `alpha` over all time."""
        return cls(n_opt, 1 - alpha, alternative, burn_in)

    @property
    def rho(self) -> float:
        """The mixture's standard deviation, in standard deviations of one unit, that is best at `n_opt`."""
        return tuned_rho(self.n_opt, 1 - self.level, self.alternative)

    def radius(self, se: ArrayLike, n: ArrayLike, df: ArrayLike) -> Floats:
        var, n = _variance(se), np.asarray(n, dtype=np.float64)
        radius = _radius(var, self.rho**2 * var * n, 1 - self.level, self.alternative)
        return np.asarray(np.where(n < self.burn_in, np.inf, radius))

    def p_value(self, difference: ArrayLike, se: ArrayLike, n: ArrayLike, df: ArrayLike) -> Floats:
        var, n = _variance(se), np.asarray(n, dtype=np.float64)
        p = np.exp(-np.maximum(_log_e(difference, var, self.rho**2 * var * n, self.alternative), 0.0))
        return np.asarray(np.where(n < self.burn_in, 1.0, p))

    def log_e(self, difference: ArrayLike, se: ArrayLike, n: ArrayLike) -> Floats:
        """Logarithm of the e-process against a null difference of zero."""
        var, n = _variance(se), np.asarray(n, dtype=np.float64)
        return _log_e(difference, var, self.rho**2 * var * n, self.alternative)


@dataclass(frozen=True, slots=True)
class MixtureSPRT:
    """Mixture sequential probability ratio test with effects drawn from N(0, tau), `tau` a variance.

    Source: Johari, Koomen, Pekelis, Walsh 2017 (2022 Operations Research), sec. 4; Robbins 1970.
    """

    tau: float
    level: float = 0.95
    alternative: Alternative = "two-sided"
    burn_in: float = BURN_IN
    method: str = "mixture SPRT"

    def __post_init__(self) -> None:
        _check(self.level, self.tau, "tau")

    @classmethod
    def with_error(
        cls, alpha: float, tau: float, alternative: Alternative = "two-sided", burn_in: float = BURN_IN
    ) -> MixtureSPRT:
        """The test whose error over all time is `alpha`."""
        return cls(tau, 1 - alpha, alternative, burn_in)

    def radius(self, se: ArrayLike, n: ArrayLike, df: ArrayLike) -> Floats:
        radius = _radius(_variance(se), self.tau, 1 - self.level, self.alternative)
        return np.asarray(np.where(np.asarray(n) < self.burn_in, np.inf, radius))

    def p_value(self, difference: ArrayLike, se: ArrayLike, n: ArrayLike, df: ArrayLike) -> Floats:
        p = np.exp(-np.maximum(self.log_e(difference, se), 0.0))
        return np.asarray(np.where(np.asarray(n) < self.burn_in, 1.0, p))

    def log_e(self, difference: ArrayLike, se: ArrayLike) -> Floats:
        """Logarithm of the mixture likelihood ratio against a null difference of zero."""
        return _log_e(difference, _variance(se), self.tau, self.alternative)


@dataclass(frozen=True, slots=True)
class AnytimeT:
    """Anytime-valid t-test: exact for normal outcomes at any n, with the variance unknown.

    `g` is the number of units that the prior is worth: the smaller, the wider the effects that it expects. The degrees
    of freedom are those of the standard error. A one-sided interval uses the two-sided mixture at the same alpha,
    which is conservative.

    Source: Lindon, Ham, Tingley, Bojinov 2022 (2210.08589), eqs. for d = 1, with nu = n - p as in their package.
    """

    g: float = 1.0
    level: float = 0.95
    alternative: Alternative = "two-sided"
    method: str = "anytime-valid t"

    def __post_init__(self) -> None:
        _check(self.level, self.g, "g")

    def radius(self, se: ArrayLike, n: ArrayLike, df: ArrayLike) -> Floats:
        n = np.asarray(n, dtype=np.float64)
        return anytime_t_radius(n, self.g, 1 - self.level, df=_df(df, n)) * np.asarray(se, dtype=np.float64)

    def p_value(self, difference: ArrayLike, se: ArrayLike, n: ArrayLike, df: ArrayLike) -> Floats:
        n = np.asarray(n, dtype=np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            t = np.asarray(difference, dtype=np.float64) / np.asarray(se, dtype=np.float64)
            p = anytime_t_p_value(t, n, self.g, df=_df(df, n))
        if self.alternative == "two-sided":
            return p
        return np.asarray(np.where(t > 0 if self.alternative == "greater" else t < 0, p, 1.0))


def tuned_rho(n_opt: float, alpha: float, alternative: Alternative = "two-sided") -> float:
    """The mixture parameter rho for which an asymptotic confidence sequence is tightest at `n_opt` units.

    Source: Waudby-Smith et al. 2021, eq. 161 (Howard et al. 2021, eq. 3.6, approximated); one-sided with 2 alpha.
    """
    error = alpha if alternative == "two-sided" else 2 * alpha
    if not 0 < error < 1:
        raise InputError(
            f"alpha {alpha} for a {alternative} sequence", rule="0 < alpha < 1, and < 1/2 for one-sided sequences"
        )
    doubled = -2 * np.log(error)
    return float(np.sqrt((doubled + np.log(doubled + 1)) / n_opt))


def anytime_t_log_e(
    t: ArrayLike, n: ArrayLike, g: float = 1.0, *, n_coef: int | None = None, df: ArrayLike | None = None
) -> Floats:
    """Logarithm of the e-value of a t statistic from a regression on n units.

    Args:
        t: coefficient over its standard error.
        n: units.
        g: prior units.
        n_coef: coefficients of the regression, intercept included (df = n - n_coef); or give `df`.
        df: degrees of freedom.
    """
    n, nu = _units_and_df(n, n_coef, df)
    r = g / (g + n)
    x = np.asarray(t, dtype=np.float64) ** 2 / nu
    return np.asarray(0.5 * np.log(r) + 0.5 * (nu + 1) * (np.log1p(x) - np.log1p(r * x)))


def anytime_t_p_value(
    t: ArrayLike, n: ArrayLike, g: float = 1.0, *, n_coef: int | None = None, df: ArrayLike | None = None
) -> Floats:
    """Two-sided anytime-valid p-value of a t statistic: 1 / e, at most 1. Arguments as `anytime_t_log_e`."""
    return np.exp(-np.maximum(anytime_t_log_e(t, n, g, n_coef=n_coef, df=df), 0.0))


def anytime_t_radius(
    n: ArrayLike, g: float = 1.0, alpha: float = 0.05, *, n_coef: int | None = None, df: ArrayLike | None = None
) -> Floats:
    """Radius of the anytime-valid interval in standard errors; infinite while so few units can exclude nothing."""
    n, nu = _units_and_df(n, n_coef, df)
    r = g / (g + n)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        q = np.exp(-2 * np.log(alpha * np.sqrt(r)) / (nu + 1))
        x = np.where(q * r < 1, (q - 1) / (1 - q * r), np.inf)
        return np.asarray(np.sqrt(nu * x))


def best_g(n: float, alpha: float = 0.05, *, n_coef: int = 2) -> float:
    """The prior units g for which the anytime-valid t interval of a regression is narrowest at n units."""
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda log_g: float(anytime_t_radius(n, float(np.exp(log_g)), alpha, n_coef=n_coef)),
        bounds=(np.log(1e-3), np.log(n)),
        method="bounded",
    )
    return float(np.exp(found.x))


def running_minimum(p_value: ArrayLike, axis: int = -1) -> Floats:
    """Always-valid p-value by look: the smallest so far (NaN looks are skipped)."""
    return np.fmin.accumulate(np.asarray(p_value, dtype=np.float64), axis=axis)


def running_intersection(lower: ArrayLike, upper: ArrayLike, axis: int = -1) -> tuple[Floats, Floats]:
    """Intersection of the confidence sequence up to each look; empty (lower > upper) when an assumption failed."""
    return (
        np.fmax.accumulate(np.asarray(lower, dtype=np.float64), axis=axis),
        np.fmin.accumulate(np.asarray(upper, dtype=np.float64), axis=axis),
    )


def statsig_critical_value(n_total: ArrayLike, alpha: float = 0.05, *, treatment_share: float = 0.5) -> Floats:
    """Statsig's documented sequential critical value for equal variances; it is NOT anytime-valid.

    Its mixing variance is proportional to 1 / N, so it grows with the data and the value is the same at every N: a
    constant boundary, which the estimate of a long enough A/A test crosses with certainty. Named so that published
    readings can be reproduced, never to decide by.

    Source: docs.statsig.com, Frequentist Sequential Testing.
    """
    from scipy.special import ndtri

    n = np.asarray(n_total, dtype=np.float64)
    var = 1 / (n * treatment_share) + 1 / (n * (1 - treatment_share))
    tau = ndtri(alpha / 2) ** 2 * 2 / n
    return np.asarray(np.sqrt((var + tau) / tau * (-2 * np.log(alpha / 2) + np.log((var + tau) / var))))


def _check(level: float, tuning: float, name: str) -> None:
    if not 0 < level < 1:
        raise InputError(f"level {level}", rule="0 < level < 1")
    if not tuning > 0:
        raise InputError(f"{name} is {tuning}", rule=f"{name} is positive and chosen before the start")


def _variance(se: ArrayLike) -> Floats:
    return np.asarray(np.asarray(se, dtype=np.float64) ** 2)


def _radius(var: Floats, tau: Floats | float, alpha: float, alternative: Alternative) -> Floats:
    """Radius of the normal mixture N(0, tau) for an estimate of variance `var`."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.sqrt((var + tau) / var)
        # One-sided: half-normal mixture, 2 e^T Phi(x) >= 2 (e^T - 1); Waudby-Smith et al. 2021, eq. 134.
        two_sided = alternative == "two-sided"
        log_threshold = np.log(ratio / alpha) if two_sided else np.log1p(ratio / (2 * alpha))
        return np.asarray(np.sqrt(2 * var * (var + tau) / tau * log_threshold))


def _log_e(difference: ArrayLike, var: Floats, tau: Floats | float, alternative: Alternative) -> Floats:
    """Logarithm of the e-process that `_radius` inverts."""
    d = np.asarray(difference, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        exponent = d * d * tau / (2 * var * (var + tau))
        log_ratio = 0.5 * np.log((var + tau) / var)
        if alternative == "two-sided":
            return np.asarray(exponent - log_ratio)
        right_sign = d > 0 if alternative == "greater" else d < 0
        # log(e^T - 1) without overflow for large T
        log_expm1 = exponent + np.log(-np.expm1(-exponent))
        return np.asarray(
            np.where(np.isnan(d), np.nan, np.where(right_sign, np.log(2) + log_expm1 - log_ratio, -np.inf))
        )


def _df(df: ArrayLike, n: Floats) -> Floats:
    df = np.asarray(df, dtype=np.float64)
    return np.where(np.isinf(df), n - 2, df)


def _units_and_df(n: ArrayLike, n_coef: int | None, df: ArrayLike | None) -> tuple[Floats, Floats]:
    n = np.asarray(n, dtype=np.float64)
    if (n_coef is None) == (df is None):
        raise InputError("an anytime-valid t needs either n_coef or df")
    nu = n - n_coef if n_coef is not None else np.asarray(df, dtype=np.float64)
    return n, np.asarray(np.where(nu > 0, nu, np.nan))
