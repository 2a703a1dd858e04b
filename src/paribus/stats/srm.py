"""Sample ratio mismatch: do the arms' counts fit the probabilities with which units were assigned?

A mismatch invalidates an experiment (Fabijan et al. 2019), so it is read early and often: a fixed test read daily
would condemn sound experiments. `sequential_sample_ratio` may be read at any time; `life_p_value` spends a stated
share of alpha on an exact test at the planned end, where the sequential test alone is weak.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from paribus.errors import InputError, did_you_mean
from paribus.stats.estimate import Floats

RatioTest = Literal["chi2", "g", "binomial", "multinomial", "z"]
MAX_ENUMERATED_TABLES = 2_000_000


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """A test of the counts against the probabilities: statistic (NaN for exact tests), degrees of freedom, p-value."""

    statistic: Floats
    df: int
    p_value: Floats


@dataclass(frozen=True, slots=True)
class SequentialSampleRatio:
    """An anytime-valid test at every look.

    log_bayes_factor  log evidence against the probabilities at each look
    p_value           the smallest 1 / Bayes factor so far, at most 1
    stopped_at        position of the first look with p_value <= alpha, None if there is none
    n                 units counted at each look
    """

    log_bayes_factor: Floats
    p_value: Floats
    stopped_at: int | None
    n: Floats


def sample_ratio_test(
    counts: ArrayLike, probabilities: ArrayLike, *, method: RatioTest = "chi2", correction: bool = False
) -> SampleRatio:
    """Fixed-sample test that counts come from arms of these probabilities.

    An arm of probability 0 is left out of the degrees of freedom; a single unit in it makes the p-value 0, since that
    cannot happen. Without units, or with one possible arm, the p-value is NaN.

    Args:
        counts: units by arm, shape (..., arms).
        probabilities: assignment probabilities or weights (normalized), shape (arms,).
        method: "chi2" (Pearson), "g" (likelihood ratio), "binomial" (exact, two arms), "multinomial" (exact, NaN when
            there are more than two million tables), "z" (two arms).
        correction: continuity correction of half a unit, for "z" only.

    >>> round(float(sample_ratio_test([821_588, 815_482], [1, 1]).p_value), 7)  # Kohavi, Tang, Xu 2020, ch. 21
    1.8e-06
    """
    from scipy.special import chdtrc, ndtr, xlogy

    x, p = _counts(counts, probabilities)
    possible = p > 0
    df = int(possible.sum()) - 1
    impossible = np.any(x[..., ~possible] > 0, axis=-1)
    x, p = x[..., possible], p[possible]
    n = x.sum(axis=-1)
    statistic: Floats
    if method in ("chi2", "g"):
        expected = n[..., None] * p
        with np.errstate(invalid="ignore", divide="ignore"):
            if method == "chi2":
                statistic = ((x - expected) ** 2 / expected).sum(axis=-1)
            else:
                statistic = 2 * (xlogy(x, x) - xlogy(x, expected)).sum(axis=-1)
        p_value = np.asarray(chdtrc(max(df, 1), np.maximum(statistic, 0)))
    elif method in ("z", "binomial"):
        if p.size != 2:
            raise InputError(f"{method!r} compares two arms, not {p.size}", fix="use method='chi2' or 'multinomial'")
        if method == "z":
            gap = np.abs(x[..., 1] - n * p[1])
            if correction:
                gap = np.where(gap > 0, np.maximum(gap - 0.5, 0), gap)
            with np.errstate(invalid="ignore", divide="ignore"):
                statistic = gap / np.sqrt(n * p[0] * p[1])
            p_value = np.asarray(2 * ndtr(-statistic))
        else:
            statistic, p_value = np.full(n.shape, np.nan), _binomial(x[..., 1], n, float(p[1]))
    elif method == "multinomial":
        statistic, p_value = np.full(n.shape, np.nan), _multinomial(x, p)
    else:
        methods = ("chi2", "g", "binomial", "multinomial", "z")
        raise InputError(f"no sample ratio test {method!r}", fix=did_you_mean(method, methods))
    unknown = (n == 0) | (df < 1)
    p_value = np.where(impossible, 0.0, np.where(unknown, np.nan, p_value))
    statistic = np.where(impossible, np.inf, np.where(unknown, np.nan, statistic))
    return SampleRatio(statistic, df, p_value)


def log_bayes_factor(counts: ArrayLike, probabilities: ArrayLike, concentration: float = 100.0) -> Floats:
    """Log Bayes factor of "the arms have other probabilities" against the stated ones; exp of it is an e-process.

    The alternative is Dirichlet(concentration x probabilities): the larger the concentration, the smaller the
    mismatches it looks for. Depends on the counts only, not on their order. Infinite when an arm of probability 0 has
    units. Source: Lindon, Malek 2022, eq. 8.

    >>> round(float(np.exp(log_bayes_factor([3, 0], [0.5, 0.5], 1.0))), 6)  # (1/2 * 3/2 * 5/2) / (1 * 2 * 3) / .5^3
    2.5
    """
    if concentration <= 0:
        raise InputError(f"the concentration is {concentration}", rule="concentration > 0")
    x, p = _counts(counts, probabilities)
    impossible = np.any(x[..., p == 0] > 0, axis=-1)
    x, p = x[..., p > 0], p[p > 0]
    rising = _log_rising(concentration * p, x).sum(axis=-1)
    evidence = rising - _log_rising(np.asarray(concentration), x.sum(axis=-1))
    return np.where(impossible, np.inf, evidence)


def sequential_sample_ratio(
    counts: ArrayLike,
    probabilities: ArrayLike,
    *,
    concentration: float = 100.0,
    alpha: float = 0.001,
    cumulative: bool = True,
) -> SequentialSampleRatio:
    """Anytime-valid sample ratio test over looks: under the stated probabilities P(ever p <= alpha) <= alpha.

    Args:
        counts: units by look and arm, shape (looks, arms).
        probabilities: assignment probabilities or weights, shape (arms,), the same at all looks.
        concentration: see `log_bayes_factor`.
        alpha: where `stopped_at` stops.
        cumulative: counts are totals up to each look; False: the units that arrived since the look before.

    >>> test = sequential_sample_ratio([[53, 47], [520, 480], [5600, 4400]], [1, 1])
    >>> test.stopped_at
    2
    """
    x = np.atleast_2d(np.asarray(counts, dtype=np.float64))
    x = x if cumulative else np.cumsum(x, axis=0)
    return sequential_sample_ratio_epochs([x], [probabilities], concentration=concentration, alpha=alpha)


def sequential_sample_ratio_epochs(
    counts: Sequence[ArrayLike],
    probabilities: Sequence[ArrayLike],
    *,
    concentration: float = 100.0,
    alpha: float = 0.001,
) -> SequentialSampleRatio:
    """Anytime-valid test over epochs with probabilities of their own: the product of the epochs' e-processes.

    Each epoch is tested against its own probabilities, and alpha holds over the life of the experiment, not per epoch.

    Args:
        counts: for each epoch the cumulative units by look and arm, shape (looks, arms); all epochs have the same
            looks (an epoch that has not begun counts 0, one that is over keeps its last counts).
        probabilities: for each epoch its assignment probabilities.
        concentration: see `log_bayes_factor`.
        alpha: where `stopped_at` stops.

    >>> one = sequential_sample_ratio_epochs([[[50, 50], [50, 50]], [[0, 0], [10, 90]]], [[1, 1], [1, 9]])
    >>> one.stopped_at is None, one.n.tolist()
    (True, [100.0, 200.0])
    """
    if len(counts) != len(probabilities) or not counts:
        raise InputError(f"{len(counts)} epochs of counts for {len(probabilities)} of probabilities")
    by_epoch = [np.atleast_2d(np.asarray(c, dtype=np.float64)) for c in counts]
    if len({c.shape[0] for c in by_epoch}) > 1:
        raise InputError("epochs with different numbers of looks", rule="every epoch has a row for every look")
    evidence = np.sum(
        [log_bayes_factor(c, p, concentration) for c, p in zip(by_epoch, probabilities, strict=True)], axis=0
    )
    return _over_looks(evidence, np.sum([c.sum(axis=-1) for c in by_epoch], axis=0), alpha)


def life_p_value(p_anytime: ArrayLike, p_end: ArrayLike, *, end_share: float = 0.9) -> Floats:
    """One p-value for watching all along and testing once more at the planned end, by weighted Bonferroni.

    Rejecting at alpha holds alpha over the experiment's life. With 90% of alpha = .001 kept for the end the final
    test's critical z is 3.32 instead of 3.29, so it keeps nearly the exact test's power. Before the end pass
    p_end = 1.

    >>> float(life_p_value(0.5, 0.0009))
    0.001
    """
    if not 0 < end_share < 1:
        raise InputError(f"end_share is {end_share}", rule="0 < end_share < 1")
    watched = np.asarray(p_anytime, dtype=np.float64) / (1 - end_share)
    return np.minimum(1.0, np.minimum(watched, np.asarray(p_end, dtype=np.float64) / end_share))


def sample_ratio_power(n: ArrayLike, probabilities: ArrayLike, actual: ArrayLike, *, alpha: float = 0.001) -> Floats:
    """Probability that the chi-squared test finds counts of `actual` proportions, when n units were counted.

    With 100,000 units per arm a 1% loss in one of two arms has the power .15 at alpha = .001.

    Args:
        n: units counted in all arms together, any shape.
        probabilities: stated assignment probabilities or weights.
        actual: proportions in which units really arrive.
        alpha: level of the test.

    >>> round(float(sample_ratio_power(199_000, [1, 1], [0.99, 1]), ), 2)
    0.15
    """
    from scipy.special import chdtri, chndtr

    p, q = (_normalized(a) for a in (probabilities, actual))
    if p.shape != q.shape:
        raise InputError(f"{p.size} probabilities and {q.size} actual proportions")
    noncentrality = np.asarray(n, dtype=np.float64) * ((q - p)[p > 0] ** 2 / p[p > 0]).sum()
    df = int((p > 0).sum()) - 1
    return np.asarray(1 - chndtr(chdtri(df, alpha), df, noncentrality))


def _over_looks(evidence: Floats, n: Floats, alpha: float) -> SequentialSampleRatio:
    p_value = np.minimum.accumulate(np.minimum(1.0, np.exp(-evidence)))
    reached = np.flatnonzero(p_value <= alpha)
    return SequentialSampleRatio(evidence, p_value, int(reached[0]) if reached.size else None, n)


def _log_rising(a: Floats, n: Floats) -> Floats:
    """log of a (a + 1) ... (a + n - 1) / a^n, without the cancellation of two large log gammas when n << a."""
    from scipy.special import gammaln

    def stirling(x: Floats) -> Floats:
        return (1 / 12 - (1 / 360 - (1 / 1260 - 1 / 1680 / x**2) / x**2) / x**2) / x

    a, n = np.broadcast_arrays(a, n)
    large = a > 30
    safe = np.where(large, a, 31.0)
    series = (safe + n - 0.5) * np.log1p(n / safe) - n + stirling(safe + n) - stirling(safe)
    return np.where(large, series, gammaln(a + n) - gammaln(a) - n * np.log(a))


def _binomial(x: Floats, n: Floats, p: float) -> Floats:
    if p == 0.5:  # symmetric: as likely or less means as far from the middle or farther
        from scipy.special import bdtr

        trials = np.maximum(n, 1).astype(np.int64)
        return np.where(n > 0, np.minimum(2 * bdtr(np.minimum(x, n - x), trials, 0.5), 1.0), 1.0)
    from scipy.stats import binomtest

    p_value = np.ones(n.shape)
    for index in np.ndindex(n.shape):
        if n[index] > 0:
            p_value[index] = binomtest(int(x[index]), int(n[index]), p).pvalue
    return p_value


def _multinomial(x: Floats, p: Floats) -> Floats:
    from math import comb

    p_value = np.full(x.shape[:-1], np.nan)
    for index in np.ndindex(p_value.shape):
        n = int(x[index].sum())
        if n and comb(n + p.size - 1, p.size - 1) <= MAX_ENUMERATED_TABLES:
            tables = _compositions(n, p.size)
            log_probability = _log_multinomial(tables, p)
            # Tables as likely as the observed one count, with the relative slack R's exact tests use.
            limit = _log_multinomial(x[index][None], p)[0] + 1e-7
            p_value[index] = min(1.0, float(np.exp(log_probability[log_probability <= limit]).sum()))
    return p_value


def _log_multinomial(tables: Floats, p: Floats) -> Floats:
    from scipy.special import gammaln, xlogy

    logs = gammaln(tables.sum(axis=-1) + 1) - gammaln(tables + 1).sum(axis=-1) + xlogy(tables, p).sum(axis=-1)
    return np.asarray(logs)


def _compositions(n: int, arms: int) -> Floats:
    """All ways to put n units into arms, shape (ways, arms)."""
    if arms == 1:
        return np.array([[float(n)]])
    parts = [_compositions(n - first, arms - 1) for first in range(n + 1)]
    return np.concatenate([np.column_stack([np.full(len(part), float(n - part[0].sum())), part]) for part in parts])


def _counts(counts: ArrayLike, probabilities: ArrayLike) -> tuple[Floats, Floats]:
    x, p = np.asarray(counts, dtype=np.float64), _normalized(probabilities)
    if x.ndim == 0 or x.shape[-1] != p.size:
        raise InputError(f"counts of shape {x.shape} for {p.size} probabilities", rule="one count for each arm")
    if np.any(x < 0):
        raise InputError("a negative count")
    return x, p


def _normalized(weights: ArrayLike) -> Floats:
    w = np.asarray(weights, dtype=np.float64)
    if w.ndim != 1 or np.any(w < 0) or not np.all(np.isfinite(w)) or w.sum() <= 0:
        raise InputError("the assignment probabilities are not a distribution", rule="not negative, and not all zero")
    return np.asarray(w / w.sum())
