"""Barnard's and Boschloo's exact tests of two proportions: the largest probability over their common value.

Under "no difference" both arms have the same unknown proportion. All tables are ordered by a statistic, and the p-value
is the largest probability, over that proportion, of a table at least as extreme as the one seen.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paribus.errors import InputError
from paribus.stats.estimate import Alternative, Floats

MOST_TABLES = 50_000_000
_TIE = 1e-10  # tables whose statistics differ by less are equally extreme


def barnard(x_c: int, n_c: int, x_t: int, n_t: int, alternative: Alternative) -> tuple[float, float]:
    """The pooled Wald statistic of treatment minus control and Barnard's p-value (Barnard 1947).

    >>> z, p = barnard(0, 2, 2, 2, "greater")  # only the table seen is as extreme: the largest p^2 (1 - p)^2
    >>> z, round(p, 6)
    (2.0, 0.0625)
    """
    treated, untreated = _tables(n_c, n_t)
    gap = treated / n_t - untreated / n_c
    share = (treated + untreated) / (n_c + n_t)
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.where(gap == 0, 0.0, gap / np.sqrt(share * (1 - share) * (1 / n_c + 1 / n_t)))
    seen = float(z[x_t, x_c])
    extreme = {"greater": z >= seen - _TIE, "less": z <= seen + _TIE, "two-sided": np.abs(z) >= abs(seen) - _TIE}
    return seen, _largest_probability(extreme[alternative])


def boschloo(x_c: int, n_c: int, x_t: int, n_t: int, alternative: Alternative) -> tuple[float, float]:
    """Fisher's one-sided p-value, and that of ordering tables by it (Boschloo 1970); two-sided, twice the smaller one.

    >>> fisher, p = boschloo(0, 2, 2, 2, "greater")  # Fisher: 1 of the 6 ways to place two successes
    >>> round(fisher, 6), round(p, 6)
    (0.166667, 0.0625)
    """
    if alternative == "two-sided":
        smaller = min((boschloo(x_c, n_c, x_t, n_t, side) for side in ("greater", "less")), key=lambda test: test[1])
        return smaller[0], min(1.0, 2 * smaller[1])
    fisher = _fisher_tails(n_c, n_t, upper=alternative == "greater")
    seen = float(fisher[x_t, x_c])
    return seen, _largest_probability(fisher <= seen * (1 + _TIE))


def _tables(n_c: int, n_t: int) -> tuple[Floats, Floats]:
    """Successes in treatment down, in control across."""
    if (n_c + 1) * (n_t + 1) > MOST_TABLES:
        raise InputError(f"{(n_c + 1) * (n_t + 1)} possible tables to compare", fix="method='z' at this many units")
    return np.arange(n_t + 1.0)[:, None], np.arange(n_c + 1.0)[None, :]


def _fisher_tails(n_c: int, n_t: int, *, upper: bool) -> Floats:
    """P(treatment has as many successes or more, or fewer) given the successes in both, for every table."""
    from scipy.special import gammaln

    def log_choose(n: int, k: Floats) -> Floats:
        return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))

    treated, untreated = _tables(n_c, n_t)
    log_p = log_choose(n_t, treated) + log_choose(n_c, untreated)
    log_p -= log_choose(n_c + n_t, treated + untreated)
    likely = np.exp(log_p)[:, ::-1]  # tables with the same successes now lie on one diagonal, from top left
    tails = np.empty_like(likely)
    for offset in range(-n_t, n_c + 1):
        line = np.diagonal(likely, offset)
        summed = np.cumsum(line[::-1])[::-1] if upper else np.cumsum(line)
        rows = np.arange(max(0, -offset), max(0, -offset) + line.size)
        tails[rows, rows + offset] = summed
    return tails[:, ::-1]


def _largest_probability(extreme: NDArray[np.bool_]) -> float:
    """The largest probability of the marked tables over the proportion that both arms share."""
    from scipy.optimize import minimize_scalar

    n_t, n_c = extreme.shape[0] - 1, extreme.shape[1] - 1
    marked = extreme.astype(np.float64)

    def probability(angle: Floats) -> Floats:
        p = np.sin(angle) ** 2  # on this scale every proportion has about the same error
        return np.asarray(((_pmf(n_t, p) @ marked) * _pmf(n_c, p)).sum(axis=1))

    angles = np.linspace(0.0, np.pi / 2, 65 + int(12 * np.sqrt(n_c + n_t)))
    found = probability(angles)
    best = float(found.max())
    inner = np.arange(1, angles.size - 1)
    peaks = inner[(found[inner] >= found[inner - 1]) & (found[inner] >= found[inner + 1]) & (found[inner] > 0.9 * best)]
    for i in sorted(peaks, key=lambda peak: -found[peak])[:6]:
        refined = minimize_scalar(
            lambda angle: -float(probability(np.array([angle]))[0]),
            bounds=(angles[i - 1], angles[i + 1]),
            method="bounded",
            options={"xatol": 1e-9},
        )
        best = max(best, -float(refined.fun))
    return min(1.0, best)


def _pmf(n: int, p: Floats) -> Floats:
    """Binomial probabilities of 0 to n successes, one row for each proportion."""
    from scipy.special import gammaln, xlog1py, xlogy

    k = np.arange(n + 1.0)
    ways = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return np.asarray(np.exp(ways + xlogy(k, p[:, None]) + xlog1py(n - k, -p[:, None])))
