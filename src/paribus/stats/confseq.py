"""Uniform boundaries for sums: with probability 1 - alpha the sum S stays below the boundary at all times at once.

`s` is the sum of deviations from the null and `v` its intrinsic time (accumulated variance). A mixture boundary is
where the mixture of exponential supermartingales reaches 1 / alpha, tuned to be tight at `v_opt` for `alpha_opt`;
which mixture depends on the tails: normal (sub-Gaussian), gamma-exponential (sub-exponential with scale c),
gamma-Poisson (bounded above by c), beta-binomial (bounded between -g and h).

Source: Howard, Ramdas, McAuliffe, Sekhon 2021 (Annals of Statistics 49), propositions 5 to 8 and theorem 1; Howard,
Ramdas 2022 (Bernoulli 28) for quantiles.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from paribus.errors import InputError
from paribus.stats.estimate import Floats

_SPACING = 1.4  # exponent s of the stitching boundaries' zeta function
_EPOCH_RATIO = 2.0  # eta: each stitched epoch is twice as long as the one before


def best_rho(v_opt: float, alpha_opt: float = 0.05, *, one_sided: bool = False) -> float:
    """The precision rho that makes the normal mixture tight at intrinsic time `v_opt` (Howard et al. 2021, eq. 3.6).

    >>> round(best_rho(100), 5)
    12.60056
    """
    error = 2 * alpha_opt if one_sided else alpha_opt
    if not v_opt > 0 or not 0 < error < 1:
        raise InputError(f"v_opt {v_opt}, alpha_opt {alpha_opt}", rule="v_opt > 0; alpha_opt < 1 (one-sided: < 1/2)")
    doubled = 2 * np.log(1 / error)
    return float(v_opt / (doubled + np.log1p(doubled)))


def normal_log_mixture(
    s: ArrayLike, v: ArrayLike, v_opt: float, alpha_opt: float = 0.05, *, one_sided: bool = True
) -> Floats:
    """Logarithm of the normal mixture at sum s and time v: over all effects, or over positive ones only."""
    from scipy.special import log_ndtr

    rho = best_rho(v_opt, alpha_opt, one_sided=one_sided)
    s, spread = np.asarray(s, dtype=np.float64), np.asarray(v, dtype=np.float64) + rho
    two_sided = 0.5 * np.log(rho / spread) + s * s / (2 * spread)
    return np.asarray(two_sided + np.log(2) + log_ndtr(s / np.sqrt(spread)) if one_sided else two_sided)


def normal_mixture_bound(
    v: ArrayLike, alpha: float, v_opt: float, alpha_opt: float = 0.05, *, one_sided: bool = True
) -> Floats:
    """Uniform boundary of the normal mixture for each intrinsic time v."""
    v = np.asarray(v, dtype=np.float64)
    if one_sided:
        return _boundary(lambda s, u: normal_log_mixture(s, u, v_opt, alpha_opt), v, alpha)
    rho = best_rho(v_opt, alpha_opt)
    return np.asarray(np.sqrt((v + rho) * (np.log1p(v / rho) + 2 * np.log(1 / alpha))))


def gamma_exponential_log_mixture(
    s: ArrayLike, v: ArrayLike, v_opt: float, c: float, alpha_opt: float = 0.05
) -> Floats:
    """Logarithm of the gamma-exponential mixture, for sub-exponential sums of scale c (Howard et al. 2021, prop. 9)."""
    from scipy.special import gammaln

    s, v = np.asarray(s, dtype=np.float64), np.asarray(v, dtype=np.float64)
    prior = best_rho(v_opt, alpha_opt, one_sided=True) / c**2
    shape, shift = v / c**2 + prior, (c * s + v) / c**2
    constant = prior * np.log(prior) - gammaln(prior) - _log_gamma_cdf(prior, prior)
    return np.asarray(
        constant + gammaln(shape) + _log_gamma_cdf(shape, shift + prior) - shape * np.log(shift + prior) + shift
    )


def gamma_exponential_mixture_bound(
    v: ArrayLike, alpha: float, v_opt: float, c: float, alpha_opt: float = 0.05
) -> Floats:
    """Uniform boundary of the gamma-exponential mixture for each intrinsic time v."""
    return _boundary(lambda s, u: gamma_exponential_log_mixture(s, u, v_opt, c, alpha_opt), v, alpha)


def gamma_poisson_log_mixture(s: ArrayLike, v: ArrayLike, v_opt: float, c: float, alpha_opt: float = 0.05) -> Floats:
    """Logarithm of the gamma-Poisson mixture, for sums with increments bounded above by c (prop. 10)."""
    from scipy.special import gammaincc, gammaln

    s, v = np.asarray(s, dtype=np.float64), np.asarray(v, dtype=np.float64)
    prior = best_rho(v_opt, alpha_opt, one_sided=True) / c**2
    rate = v / c**2 + prior
    shape = s / c + rate
    constant = prior * np.log(prior) - gammaln(prior) - np.log(gammaincc(prior, prior))
    with np.errstate(divide="ignore"):
        tail = np.log(gammaincc(shape, rate))
    return np.asarray(constant + gammaln(shape) + tail - shape * np.log(rate) + v / c**2)


def gamma_poisson_mixture_bound(v: ArrayLike, alpha: float, v_opt: float, c: float, alpha_opt: float = 0.05) -> Floats:
    """Uniform boundary of the gamma-Poisson mixture for each intrinsic time v."""
    return _boundary(lambda s, u: gamma_poisson_log_mixture(s, u, v_opt, c, alpha_opt), v, alpha)


def beta_binomial_log_mixture(
    s: ArrayLike, v: ArrayLike, v_opt: float, g: float, h: float, alpha_opt: float = 0.05, *, one_sided: bool = True
) -> Floats:
    """Logarithm of the beta-binomial mixture, for sums of increments between -g and h (prop. 7).

    For n Bernoulli(p) trials g = p, h = 1 - p, s = successes - n p and v = n p (1 - p).
    """
    if not (g > 0 and h > 0):
        raise InputError(f"increments between {-g} and {h}", rule="g and h are positive")
    s, v = np.asarray(s, dtype=np.float64), np.asarray(v, dtype=np.float64)
    r = max(best_rho(v_opt, alpha_opt, one_sided=one_sided) - g * h, 1e-3 * g * h)
    width = g + h
    truncation = h / width if one_sided else 1.0
    misses, hits = (v - g * s) / (g * width), (v + h * s) / (h * width)
    prior = r / (g * width), r / (h * width)
    with np.errstate(divide="ignore"):
        return np.asarray(
            v / (g * h) * np.log(width)
            - hits * np.log(g)
            - misses * np.log(h)
            + _log_incomplete_beta(prior[0] + misses, prior[1] + hits, truncation)
            - _log_incomplete_beta(np.asarray(prior[0]), np.asarray(prior[1]), truncation)
        )


def beta_binomial_mixture_bound(
    v: ArrayLike, alpha: float, v_opt: float, g: float, h: float, alpha_opt: float = 0.05, *, one_sided: bool = True
) -> Floats:
    """Uniform boundary of the beta-binomial mixture for each intrinsic time v; at most v / g, the largest sum."""
    return _boundary(
        lambda s, u: beta_binomial_log_mixture(s, u, v_opt, g, h, alpha_opt, one_sided=one_sided),
        v,
        alpha,
        largest=lambda u: u / g,
    )


def poly_stitching_bound(v: ArrayLike, alpha: float, v_min: float, c: float = 0.0) -> Floats:
    """Polynomial stitched boundary, iterated-logarithm rate, sub-gamma with scale c (Howard et al. 2021, theorem 1)."""
    from scipy.special import zeta

    used = np.maximum(np.asarray(v, dtype=np.float64), v_min)
    k1, k2 = _stitching_constants()
    ell = (
        _SPACING * np.log(np.log(_EPOCH_RATIO * used / v_min))
        + np.log(zeta(_SPACING) / np.log(_EPOCH_RATIO) ** _SPACING)
        + np.log(1 / alpha)
    )
    linear = k2 * c * ell
    return np.asarray(np.sqrt(k1**2 * used * ell + linear**2) + linear)


def double_stitching_bound(p: float, t: ArrayLike, alpha: float, t_opt: float, delta: float = 0.5) -> Floats:
    """Boundary for the count of observations below the p-quantile, for all p and t at once (Howard, Ramdas 2022, 3)."""
    from scipy.special import expit, logit, zeta

    used = np.maximum(np.asarray(t, dtype=np.float64), t_opt)
    k1, k2 = _stitching_constants()
    distance = abs(float(logit(p)))
    moved = np.minimum(0.5, expit(logit(p) + 2 * delta * np.sqrt(t_opt * _EPOCH_RATIO / used)))
    r = np.full_like(used, p) if p >= 0.5 else moved
    variance = r * (1 - r)
    step = np.sqrt(used / t_opt) * distance / (2 * delta) + 1
    z = zeta(_SPACING)
    ell = _SPACING * (np.log(np.log(_EPOCH_RATIO * used / t_opt)) + np.log(step)) + np.log(
        2 * z * (2 * z + 1) / (alpha * np.log(_EPOCH_RATIO) ** _SPACING)
    )
    linear = k2 * (1 - 2 * p) / 3 * ell
    return np.asarray(
        delta * np.sqrt(_EPOCH_RATIO * used * variance / t_opt)
        + np.sqrt(k1**2 * variance * used * ell + linear**2)
        + linear
    )


def empirical_process_lil_bound(t: ArrayLike, alpha: float, t_min: float, A: float = 0.85) -> Floats:
    """Uniform bound on the Kolmogorov distance sup |F_t - F| for all t >= t_min (Howard, Ramdas 2022, theorem 2).

    Infinite before `t_min`.
    """
    if not 1 / np.sqrt(2) < A or not t_min >= 1 or not 0 < alpha < 1:
        raise InputError(f"A {A}, t_min {t_min}, alpha {alpha}", rule="A > 1/sqrt(2), t_min >= 1, 0 < alpha < 1")
    t = np.asarray(t, dtype=np.float64)
    constant = _lil_constant(alpha, A)
    late = np.maximum(t, t_min)
    return np.where(t < t_min, np.inf, A * np.sqrt((np.log1p(np.log(late / t_min)) + constant) / late))


def bernoulli_confidence_interval(
    successes: float, n: float, alpha: float, t_opt: float, alpha_opt: float = 0.05
) -> tuple[float, float]:
    """Confidence sequence of a probability after n trials, tightest at `t_opt` trials (beta-binomial mixture).

    >>> tuple(round(x, 4) for x in bernoulli_confidence_interval(5, 50, 0.05, 50))
    (0.013, 0.2693)
    """
    from scipy.optimize import brentq

    if not 0 <= successes <= n or n <= 0:
        raise InputError(f"{successes} successes of {n} trials")
    rate = successes / n

    def evidence(p: float) -> float:
        v = p * (1 - p)
        mixture = beta_binomial_log_mixture((rate - p) * n, v * n, v * t_opt, p, 1 - p, alpha_opt, one_sided=False)
        return float(mixture) + float(np.log(alpha))

    edge = 1e-12
    lower, upper = 0.0, 1.0
    if rate > edge and evidence(edge) > 0:
        lower = float(brentq(evidence, edge, min(rate, 1 - edge), xtol=1e-13))
    if rate < 1 - edge and evidence(1 - edge) > 0:
        upper = float(brentq(evidence, max(rate, edge), 1 - edge, xtol=1e-13))
    return lower, upper


def quantile_ab_p_value(
    control: ArrayLike, treatment: ArrayLike, p: float, t_opt: float = 100.0, alpha_opt: float = 0.05
) -> float:
    """Always-valid p-value of the hypothesis that both arms have the same p-quantile (Howard, Ramdas 2022, sec. 5).

    For a common quantile x the evidence is the sum of the arms' beta-binomial mixtures at their shares of values
    below x; the p-value takes the x with the least evidence. Ties can be counted to either side, so each arm takes
    the share between "below x" and "up to x" that is nearest to the mixture's minimum.
    """
    from scipy.optimize import minimize_scalar

    if not 0 < p < 1:
        raise InputError(f"quantile {p}", rule="0 < p < 1")
    arms = [np.sort(np.asarray(values, dtype=np.float64).ravel()) for values in (control, treatment)]
    if any(len(values) == 0 for values in arms):
        raise InputError("an arm has no values")
    candidates = np.unique(np.concatenate(arms))
    evidence = np.zeros(len(candidates))
    for values in arms:
        n = len(values)

        def log_mixture(share: ArrayLike, n: int = n) -> Floats:
            s = (np.asarray(share, dtype=np.float64) - p) * n
            return beta_binomial_log_mixture(
                s, n * p * (1 - p), t_opt * p * (1 - p), p, 1 - p, alpha_opt, one_sided=False
            )

        least = minimize_scalar(lambda x: float(log_mixture(x)), bounds=(0.0, 1.0), method="bounded").x
        below = np.searchsorted(values, candidates, side="left") / n
        up_to = np.searchsorted(values, candidates, side="right") / n
        evidence += log_mixture(np.clip(least, below, up_to))
    return float(min(1.0, np.exp(-evidence.min())))


def _stitching_constants() -> tuple[float, float]:
    return (_EPOCH_RATIO**0.25 + _EPOCH_RATIO**-0.25) / np.sqrt(2.0), (np.sqrt(_EPOCH_RATIO) + 1) / 2


def _lil_constant(alpha: float, A: float) -> float:
    """The smallest C for which the union bound over epochs of ratio eta is at most alpha, for the best eta."""
    from scipy.optimize import brentq, minimize_scalar

    def error(C: float) -> float:
        top = brentq(lambda eta: np.sqrt(eta / 2) + np.sqrt(2 * (eta - 1) / C) - A, 1.0, 2 * A * A)

        def union(eta: float) -> float:
            rate = 2 / eta * (A - np.sqrt(2 * (eta - 1) / C)) ** 2
            if rate <= 1 or eta <= 1:
                return np.inf
            return float(4 * np.exp(-rate * C) * (1 + 1 / ((rate - 1) * np.log(eta))))

        return float(minimize_scalar(union, bounds=(1.0, top), method="bounded", options={"xatol": 1e-10}).fun)

    high = 10.0
    while error(high) > alpha:
        high *= 2
    low = 1.0
    while error(low) <= alpha:
        low /= 2
    return float(brentq(lambda C: np.log(error(C) / alpha), low, high, xtol=1e-11))


def _boundary(
    log_mixture: Callable[[float, float], Floats],
    v: ArrayLike,
    alpha: float,
    largest: Callable[[float], float] | None = None,
) -> Floats:
    """The sum at which the mixture reaches 1 / alpha, for each v."""
    from scipy.optimize import brentq

    if not 0 < alpha < 1:
        raise InputError(f"alpha is {alpha}", rule="0 < alpha < 1")
    threshold = np.log(1 / alpha)

    def at(u: float) -> float:
        if largest is not None:
            high = largest(u)
            if not float(log_mixture(high * (1 - 1e-15), u)) > threshold:
                return high
        else:
            high = max(u, 1.0)
            while float(log_mixture(high, u)) < threshold:
                high *= 2
        return float(brentq(lambda s: float(log_mixture(s, u)) - threshold, 0.0, high, xtol=1e-12))

    v = np.asarray(v, dtype=np.float64)
    return np.asarray([at(float(u)) for u in v.ravel()]).reshape(v.shape)


def _log_gamma_cdf(shape: Floats | float, x: Floats | float) -> Floats:
    from scipy.special import gammainc

    with np.errstate(divide="ignore"):
        return np.asarray(np.log(gammainc(shape, x)))


def _log_incomplete_beta(a: Floats, b: Floats, x: float) -> Floats:
    """Logarithm of the unregularized incomplete beta function."""
    from scipy.special import betainc, betaln

    complete = betaln(a, b)
    return np.asarray(complete if x == 1 else complete + np.log(betainc(a, b, x)))
