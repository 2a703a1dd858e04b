"""Score statistics of two binomial proportions, and their inversion into intervals.

The score statistic at a hypothetical difference (or ratio) is the gap between the observed and the hypothetical one
over its standard error at the restricted maximum likelihood estimate, which exists with 0 events and at the edge of
the parameter space. With the factor N / (N - 1) it is Miettinen and Nurminen's (1985), without it Mee's (1984) and
Farrington and Manning's (1990); for the ratio Koopman's (1984). At no difference all are the pooled z test, so the
interval of the difference excludes 0 exactly when that of the ratio excludes 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from paribus.stats.estimate import Floats


def difference_z(x_c: Floats, n_c: Floats, x_t: Floats, n_t: Floats, delta: Floats, *, factor: bool) -> Floats:
    """Score statistic of p_t - p_c = delta; large when the observed difference is larger than delta."""
    with np.errstate(invalid="ignore", divide="ignore"):
        p_c = restricted_by_difference(x_c, n_c, x_t, n_t, delta)
        p_t = np.clip(p_c + delta, 0, 1)
        variance = p_t * (1 - p_t) / n_t + p_c * (1 - p_c) / n_c
        return _standardize(x_t / n_t - x_c / n_c - delta, variance, n_c + n_t, factor)


def ratio_z(x_c: Floats, n_c: Floats, x_t: Floats, n_t: Floats, ratio: Floats, *, factor: bool) -> Floats:
    """Score statistic of p_t / p_c = ratio; large when the observed ratio is larger."""
    with np.errstate(invalid="ignore", divide="ignore"):
        p_c = restricted_by_ratio(x_c, n_c, x_t, n_t, ratio)
        p_t = np.clip(ratio * p_c, 0, 1)
        variance = p_t * (1 - p_t) / n_t + ratio**2 * p_c * (1 - p_c) / n_c
        return _standardize(x_t / n_t - ratio * x_c / n_c, variance, n_c + n_t, factor)


def restricted_by_difference(x_c: Floats, n_c: Floats, x_t: Floats, n_t: Floats, delta: Floats) -> Floats:
    """Maximum likelihood estimate of p_c given p_t - p_c = delta (Miettinen, Nurminen 1985, appendix).

    The cubic's trigonometric root loses half its digits where roots meet; two Newton steps on the concave log
    likelihood restore them.
    """
    x_c, n_c, x_t, n_t, delta = np.broadcast_arrays(x_c, n_c, x_t, n_t, delta)
    total, events = n_c + n_t, x_c + x_t
    lowest, highest = np.maximum(0.0, -delta), np.minimum(1.0, 1.0 - delta)
    with np.errstate(invalid="ignore", divide="ignore"):
        b = ((n_t + 2 * n_c) * delta - total - events) / (3 * total)
        c = ((n_c * delta - total - 2 * x_c) * delta + events) / total
        d = x_c * delta * (1 - delta) / total
        q = b**3 - b * c / 2 + d / 2
        spread = np.where(q < 0, -1.0, 1.0) * np.sqrt(np.maximum(b**2 - c / 3, 0.0))
        cosine = np.where(spread == 0, 0.0, q / spread**3)
        angle = (np.pi + np.arccos(np.clip(cosine, -1, 1))) / 3
        p = np.clip(2 * spread * np.cos(angle) - b, lowest, highest)
        for _ in range(2):
            s = p + delta
            slope = _over(x_t, s) - _over(n_t - x_t, 1 - s) + _over(x_c, p) - _over(n_c - x_c, 1 - p)
            bend = _over(x_t, s**2) + _over(n_t - x_t, (1 - s) ** 2) + _over(x_c, p**2) + _over(n_c - x_c, (1 - p) ** 2)
            moved = p + slope / bend
            p = np.where(np.isfinite(moved) & (moved > lowest) & (moved < highest), moved, p)
    return np.asarray(p)


def restricted_by_ratio(x_c: Floats, n_c: Floats, x_t: Floats, n_t: Floats, ratio: Floats) -> Floats:
    """Maximum likelihood estimate of p_c given p_t = ratio p_c, the root of a quadratic (Miettinen, Nurminen 1985)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        a = (n_c + n_t) * ratio
        b = n_t * ratio + x_t + n_c + x_c * ratio
        c = x_c + x_t
        # c / (b/2 + root) form: no cancellation where the events are few
        p = 2 * c / (b + np.sqrt(np.maximum(b**2 - 4 * a * c, 0.0)))
        return np.clip(p, 0.0, np.minimum(1.0, np.where(ratio > 0, 1 / ratio, 1.0)))


def difference_interval(
    x_c: Floats, n_c: Floats, x_t: Floats, n_t: Floats, z_low: float, z_high: float, *, factor: bool
) -> tuple[Floats, Floats]:
    """The differences with a score statistic between -z_high and z_low; an infinite z leaves that end at -1 or 1."""
    x_c, n_c, x_t, n_t = np.broadcast_arrays(x_c, n_c, x_t, n_t)
    with np.errstate(invalid="ignore", divide="ignore"):
        estimate = x_t / n_t - x_c / n_c

    def z(delta: Floats) -> Floats:
        return difference_z(x_c, n_c, x_t, n_t, delta, factor=factor)

    one = np.ones_like(estimate)
    lower = -one if np.isinf(z_low) else solve(lambda delta: z(delta) - z_low, -one, estimate)
    upper = one if np.isinf(z_high) else solve(lambda delta: z(delta) + z_high, estimate, one)
    known = np.isfinite(estimate)
    return np.where(known, lower, np.nan), np.where(known, upper, np.nan)


def ratio_interval(
    x_c: Floats, n_c: Floats, x_t: Floats, n_t: Floats, z_low: float, z_high: float, *, factor: bool
) -> tuple[Floats, Floats]:
    """The ratios p_t / p_c whose score statistic lies between; [0, inf) without events, upper end inf if x_c = 0."""
    x_c, n_c, x_t, n_t = np.broadcast_arrays(x_c, n_c, x_t, n_t)
    with np.errstate(invalid="ignore", divide="ignore"):
        estimate = (x_t / n_t) / (x_c / n_c)

    # Solved in u = r / (1 + r), which maps the ratios 0 to infinity onto 0 to 1.
    def z(u: Floats) -> Floats:
        return ratio_z(x_c, n_c, x_t, n_t, u / (1 - u), factor=factor)

    tiny = np.full(estimate.shape, 1e-12)
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = np.where(np.isnan(estimate), 0.5, 1 - 1 / (1 + estimate))
    middle = np.clip(middle, tiny, 1 - tiny)
    lower = tiny if np.isinf(z_low) else solve(lambda u: z(u) - z_low, tiny, middle)
    upper = 1 - tiny if np.isinf(z_high) else solve(lambda u: z(u) + z_high, middle, 1 - tiny)
    empty = x_c + x_t == 0
    low = np.where((x_t == 0) | empty | np.isinf(z_low), 0.0, lower / (1 - lower))
    high = np.where((x_c == 0) | empty | np.isinf(z_high), np.inf, upper / (1 - upper))
    known = (n_c > 0) & (n_t > 0)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def solve(f: Callable[[Floats], Floats], left: Floats, right: Floats, rounds: int = 60) -> Floats:
    """The root of a decreasing f between left and right, cell by cell; the end itself where f has one sign.

    Chandrupatla's (1997) bracketing with inverse quadratic steps, on all cells at once.
    """
    a, b = np.array(right, dtype=np.float64), np.array(left, dtype=np.float64)
    fa, fb = f(a), f(b)
    right_end, left_end = fa > 0, fb < 0  # the whole interval lies on one side of the root
    c, fc = a.copy(), fa.copy()
    t = np.full(a.shape, 0.5)
    for _ in range(rounds):
        x = a + t * (b - a)
        fx = f(x)
        same = np.sign(fx) == np.sign(fa)
        c, fc = np.where(same, a, b), np.where(same, fa, fb)
        b, fb = np.where(same, b, a), np.where(same, fb, fa)
        a, fa = x, fx
        best = np.where(np.abs(fa) < np.abs(fb), a, b)
        tolerance = 4 * np.finfo(float).eps * np.abs(best) + 1e-15
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            limit = tolerance / np.abs(b - a)
            if np.all((limit > 0.5) | (fa == 0) | right_end | left_end | np.isnan(fa)):
                break
            xi, phi = (a - b) / (c - b), (fa - fb) / (fc - fb)
            quadratic = (phi**2 < xi) & ((1 - phi) ** 2 < 1 - xi)
            step = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
            t = np.where(quadratic & np.isfinite(step), step, 0.5)
            t = np.where(np.isfinite(limit), np.clip(t, np.minimum(limit, 0.5), np.maximum(1 - limit, 0.5)), 0.5)
    root = np.where(np.abs(fa) < np.abs(fb), a, b)
    return np.where(right_end, right, np.where(left_end, left, root))


def _standardize(gap: Floats, variance: Floats, total: Floats, factor: bool) -> Floats:
    if factor:
        variance = variance * total / (total - 1)
    z = gap / np.sqrt(variance)
    # Without variance under the null, no gap is no evidence and any gap refutes the null.
    return np.where(variance > 0, z, np.where(np.abs(gap) < 1e-15, 0.0, np.sign(gap) * np.inf))


def _over(count: Floats, p: Floats) -> Floats:
    """count / p with 0 / 0 = 0: an outcome that never happened says nothing about its own probability of 0."""
    return np.where(count == 0, 0.0, count / p)
