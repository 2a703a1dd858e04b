"""Proportions: intervals for one sample, tests of two by their 2 x 2 table, non-inferiority.

Everything closed-form works on arrays of cells. Intervals of a difference or a ratio of two proportions live in
`proportion_interval`, and the comparison that analyses use by default in `proportion_difference`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paribus.errors import InputError, did_you_mean
from paribus.stats.barnard import barnard, boschloo
from paribus.stats.estimate import Alternative, Floats

OneSample = Literal["wilson", "wilson_cc", "clopper_pearson", "agresti_coull", "jeffreys"]
TableTest = Literal["z", "z_unpooled", "chi2", "g", "fisher", "barnard", "boschloo"]


class TwoSampleTest(NamedTuple):
    """A test statistic (NaN where the test has none) and its p-value, in the cells' shape."""

    statistic: Floats
    p_value: Floats


def proportion_interval(
    x: ArrayLike, n: ArrayLike, *, level: float = 0.95, method: OneSample = "wilson"
) -> tuple[Floats, Floats]:
    """The two-sided confidence interval of one proportion, x successes among n units.

    Args:
        x: successes, any shape.
        n: units, broadcastable to x; cells with n = 0 give NaN.
        level: confidence level.
        method: "wilson" (Wilson 1927), "wilson_cc" with continuity correction (Newcombe 1998a, method 4),
            "clopper_pearson" (1934, exact), "agresti_coull" (1998, unclipped), "jeffreys" (plain equal-tailed
            quantiles of Beta(x + 1/2, n - x + 1/2), also at x = 0 and x = n).

    >>> [round(end, 4) for end in map(float, proportion_interval(81, 263))]  # Newcombe 1998a, table I
    [0.2553, 0.3662]
    """
    from scipy.special import betaincinv, ndtri

    x, n = counts(x, n)
    z = float(ndtri((1 + check_level(level)) / 2))
    tail = (1 - level) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        p = np.where(n > 0, x / n, np.nan)
        if method == "wilson":
            return _wilson(p, n, z)
        if method == "wilson_cc":
            center, scale = 2 * n * p + z**2, 2 * (n + z**2)
            low = z**2 - 2 - 1 / n + 4 * p * (n * (1 - p) + 1)
            high = z**2 + 2 - 1 / n + 4 * p * (n * (1 - p) - 1)
            lower = np.where(x == 0, 0.0, (center - 1 - z * np.sqrt(low)) / scale)
            upper = np.where(x == n, 1.0, (center + 1 + z * np.sqrt(np.maximum(high, 0))) / scale)
            return np.where(n > 0, np.maximum(lower, 0), np.nan), np.where(n > 0, np.minimum(upper, 1), np.nan)
        if method == "clopper_pearson":
            lower = np.where(x == 0, 0.0, betaincinv(np.maximum(x, 0.5), n - x + 1, tail))
            upper = np.where(x == n, 1.0, betaincinv(x + 1, np.maximum(n - x, 0.5), 1 - tail))
            return np.where(n > 0, lower, np.nan), np.where(n > 0, upper, np.nan)
        if method == "agresti_coull":
            total = n + z**2
            center = (x + z**2 / 2) / total
            radius = z * np.sqrt(center * (1 - center) / total)
            return np.where(n > 0, center - radius, np.nan), np.where(n > 0, center + radius, np.nan)
        if method == "jeffreys":
            a, b = x + 0.5, n - x + 0.5
            lower, upper = betaincinv(a, b, tail), betaincinv(a, b, 1 - tail)
            return np.where(n > 0, lower, np.nan), np.where(n > 0, upper, np.nan)
    methods = ("wilson", "wilson_cc", "clopper_pearson", "agresti_coull", "jeffreys")
    raise InputError(f"no interval {method!r} for one proportion", fix=did_you_mean(method, methods))


def proportion_test(
    x_c: ArrayLike,
    n_c: ArrayLike,
    x_t: ArrayLike,
    n_t: ArrayLike,
    *,
    method: TableTest = "z",
    correction: bool = False,
    alternative: Alternative = "two-sided",
) -> TwoSampleTest:
    """Test of equal proportions in control and treatment.

    A table with an empty margin (no successes, or no failures) has no "z", "chi2" or "g" statistic: NaN.

    Args:
        x_c, n_c, x_t, n_t: successes and units of control and treatment, any broadcastable shapes.
        method: "z" with the variance pooled under the null, "z_unpooled", "chi2" (Pearson), "g" (likelihood ratio),
            and cell by cell the exact tests "fisher", "barnard" (pooled Wald statistic), "boschloo".
        correction: continuity correction: (1/n_c + 1/n_t) / 2 on the difference for "z"; Yates for "chi2" and "g".
        alternative: "greater" when treatment's proportion is larger; "chi2" and "g" are two-sided only.

    >>> test = proportion_test(15, 100, 25, 100)  # pooled p = .2: z = .10 / sqrt(.16 * .02)
    >>> round(float(test.statistic), 4)
    1.7678
    """
    x_c, n_c = counts(x_c, n_c)
    x_t, n_t = counts(x_t, n_t)
    if method in ("z", "z_unpooled"):
        return _z_test(x_c, n_c, x_t, n_t, pooled=method == "z", correction=correction, alternative=alternative)
    if method in ("chi2", "g"):
        if alternative != "two-sided":
            raise InputError(f"{method!r} has no one-sided form", fix="use method='z' for a one-sided test")
        return _chi2_test(x_c, n_c, x_t, n_t, log_likelihood=method == "g", correction=correction)
    if method in ("fisher", "barnard", "boschloo"):
        return _exact_test(x_c, n_c, x_t, n_t, method=method, alternative=alternative)
    methods = ("z", "z_unpooled", "chi2", "g", "fisher", "barnard", "boschloo")
    raise InputError(f"no test {method!r} of two proportions", fix=did_you_mean(method, methods))


def farrington_manning(
    x_c: ArrayLike,
    n_c: ArrayLike,
    x_t: ArrayLike,
    n_t: ArrayLike,
    *,
    null: ArrayLike,
    alternative: Alternative = "greater",
) -> TwoSampleTest:
    """Score test of p_t - p_c against a null difference, for non-inferiority with null = -margin and "greater".

    The variance is that of the restricted maximum likelihood estimate under the null (Farrington, Manning 1990).

    >>> test = farrington_manning(90, 100, 95, 100, null=-0.10)
    >>> round(float(test.statistic), 4)
    3.4806
    """
    from paribus.stats.score import difference_z

    x_c, n_c = counts(x_c, n_c)
    x_t, n_t = counts(x_t, n_t)
    z = difference_z(x_c, n_c, x_t, n_t, np.asarray(null, dtype=np.float64), factor=False)
    return TwoSampleTest(z, normal_p_value(z, alternative))


def normal_p_value(z: Floats, alternative: Alternative) -> Floats:
    """The p-value of a standard normal statistic; large z means "greater"."""
    from scipy.special import ndtr

    tail = {"two-sided": -np.abs(z), "greater": -z, "less": z}[alternative]
    return np.asarray(ndtr(tail) * (2 if alternative == "two-sided" else 1))


def counts(x: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats]:
    """Successes and units as float arrays, checked: 0 <= x <= n.

    Raises:
        InputError: a negative count, or more successes than units.
    """
    x, n = (np.asarray(a, dtype=np.float64) for a in (x, n))
    if np.any(x < 0) or np.any(x > n):
        raise InputError("successes outside 0 to n", rule="0 <= x <= n in every cell")
    return x, n


def check_level(level: float) -> float:
    """The confidence level, if it is one."""
    if not 0 < level < 1:
        raise InputError(f"the confidence level is {level}", rule="0 < level < 1")
    return level


def _wilson(p: Floats, n: Floats, z: float) -> tuple[Floats, Floats]:
    center = p + z**2 / (2 * n)
    radius = z * np.sqrt(p * (1 - p) / n + (z / (2 * n)) ** 2)
    scale = 1 + z**2 / n
    # The ends are exactly 0 and 1 at x = 0 and x = n; computed they miss by a rounding error.
    lower = np.where(p == 0, 0.0, (center - radius) / scale)
    upper = np.where(p == 1, 1.0, (center + radius) / scale)
    return np.where(np.isnan(p), np.nan, lower), np.where(np.isnan(p), np.nan, upper)


def _z_test(
    x_c: Floats, n_c: Floats, x_t: Floats, n_t: Floats, *, pooled: bool, correction: bool, alternative: Alternative
) -> TwoSampleTest:
    with np.errstate(invalid="ignore", divide="ignore"):
        p_c, p_t = x_c / n_c, x_t / n_t
        if pooled:
            p = (x_c + x_t) / (n_c + n_t)
            se = np.sqrt(p * (1 - p) * (1 / n_c + 1 / n_t))
        else:
            se = np.sqrt(p_c * (1 - p_c) / n_c + p_t * (1 - p_t) / n_t)
        d = p_t - p_c
        if correction:
            shrunk = np.sign(d) * np.maximum(np.abs(d) - (1 / n_c + 1 / n_t) / 2, 0)
            toward = {"two-sided": d != 0, "greater": d > 0, "less": d < 0}[alternative]
            d = np.where(toward, shrunk, d)
        z = np.where(se > 0, d / se, np.nan)
    return TwoSampleTest(z, normal_p_value(z, alternative))


def _chi2_test(
    x_c: Floats, n_c: Floats, x_t: Floats, n_t: Floats, *, log_likelihood: bool, correction: bool
) -> TwoSampleTest:
    from scipy.special import chdtrc, xlogy

    observed = np.stack(np.broadcast_arrays(x_c, n_c - x_c, x_t, n_t - x_t), axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (x_c + x_t) / (n_c + n_t)
        expected = np.stack(
            np.broadcast_arrays(n_c * share, n_c * (1 - share), n_t * share, n_t * (1 - share)), axis=-1
        )
        if correction:  # Yates: each cell half a count nearer to its expectation, never beyond it
            gap = expected - observed
            observed = observed + np.sign(gap) * np.minimum(np.abs(gap), 0.5)
        if log_likelihood:
            terms = 2 * (xlogy(observed, observed) - xlogy(observed, expected))
        else:
            terms = (observed - expected) ** 2 / expected
    statistic = np.where(np.all(expected > 0, axis=-1), terms.sum(axis=-1), np.nan)
    return TwoSampleTest(statistic, np.asarray(chdtrc(1, np.maximum(statistic, 0))))


def _exact_test(
    x_c: Floats, n_c: Floats, x_t: Floats, n_t: Floats, *, method: str, alternative: Alternative
) -> TwoSampleTest:
    columns = np.broadcast_arrays(x_c, n_c, x_t, n_t)
    statistic, p_value = np.full(columns[0].shape, np.nan), np.full(columns[0].shape, np.nan)
    for index in np.ndindex(columns[0].shape):
        a, m, b, n = (int(column[index]) for column in columns)
        if min(m, n) == 0:
            continue
        if method == "fisher":
            statistic[index], p_value[index] = _fisher(a, m, b, n, alternative)
        elif a + b in (0, m + n):
            p_value[index] = 1.0  # one column is empty: every table is as extreme
        else:
            unconditional = barnard if method == "barnard" else boschloo
            statistic[index], p_value[index] = unconditional(a, m, b, n, alternative)
    return TwoSampleTest(statistic, p_value)


def _log_choose(n: int, k: NDArray[np.int64]) -> Floats:
    from scipy.special import gammaln

    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))


def _fisher(a: int, m: int, b: int, n: int, alternative: Alternative) -> tuple[float, float]:
    """The sample odds ratio and Fisher's exact p-value of a of m in control, b of n in treatment.

    Two-sided, a table counts that is as likely as the one seen, or less: with the relative slack of R's fisher.test.
    """
    successes, failures = a + b, m + n - a - b
    if 0 in (successes, failures):
        return float("nan"), 1.0
    odds = b * (m - a) / (a * (n - b)) if a * (n - b) else float("inf")
    share = n / (m + n)
    mean, sd = successes * share, np.sqrt(successes * share * (1 - share) * failures / (m + n - 1))
    # Tables further than this from the mean add nothing that a float could hold.
    low, high = min(b, int(mean - 40 * sd) - 1), max(b, int(mean + 40 * sd) + 1)
    possible = np.arange(max(0, successes - m, low), min(successes, n, high) + 1)
    log_p = _log_choose(n, possible) + _log_choose(m, successes - possible)
    likelihood = np.exp(log_p - log_p.max())
    extreme = {
        "two-sided": log_p <= log_p[b - possible[0]] + 1e-7,
        "greater": possible >= b,
        "less": possible <= b,
    }[alternative]
    return odds, min(1.0, float(likelihood[extreme].sum() / likelihood.sum()))
