"""Ordinary least squares from rows with the covariance that the design calls for.

Means and CUPED need no rows; leverages (HC2, HC3), general cluster designs and serial correlation do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paribus.errors import InputError
from paribus.stats.boundary import Boundary, Fixed, bounded
from paribus.stats.estimate import Estimates, Floats, Reason

Covariance = Literal["classical", "HC0", "HC1", "HC2", "HC3", "CR0", "CR1", "CR2", "newey_west"]


@dataclass(frozen=True, slots=True)
class Regression:
    """Coefficients of k columns on n rows: coef (k,), cov (k, k), degrees of freedom by coefficient (k,)."""

    coef: Floats
    cov: Floats
    df: Floats
    covariance: str
    n: int

    @property
    def se(self) -> Floats:
        """Standard errors, shape (k,)."""
        return np.asarray(np.sqrt(np.diag(self.cov)))

    def estimates(self, boundary: Boundary | None = None) -> Estimates:
        """Every coefficient with interval and p-value, shape (k,)."""
        return bounded(
            self.coef,
            self.se,
            boundary or Fixed(),
            n=self.n,
            df=self.df,
            method=f"OLS with {self.covariance} covariance",
            reasons=((~(self.df > 0), Reason.TOO_FEW_UNITS), (self.se == 0, Reason.NO_VARIANCE)),
        )


def ols(
    y: ArrayLike,
    X: ArrayLike,
    *,
    covariance: Covariance = "HC2",
    clusters: ArrayLike | None = None,
    second_clusters: ArrayLike | None = None,
    lag: int | None = None,
) -> Regression:
    """Least squares of y on the columns of X (the caller adds the constant), with a robust covariance.

    Args:
        y: outcomes, shape (n,).
        X: columns, shape (n, k), of full rank.
        covariance:
            "classical"  one error variance, df n - k;
            "HC0".."HC3"  White 1980; MacKinnon & White 1985, df n - k;
            "CR0"  sums over clusters (Liang & Zeger 1986), df G - 1;
            "CR1"  CR0 x G/(G-1) x (n-1)/(n-k), as Stata; two-way by inclusion and exclusion, each part so corrected
                   (Cameron, Gelbach, Miller 2011), df min(G) - 1;
            "CR2"  bias-reduced (Bell & McCaffrey 2002), Satterthwaite df under iid working errors (Imbens & Kolesar
                   2016), one for each coefficient;
            "newey_west"  Bartlett weights 1 - l / (lag + 1) over rows in time order (Newey & West 1987), df n - k.
        clusters: a label for each row.
        second_clusters: labels of a second way to cluster.
        lag: the last lag with a weight, for "newey_west".

    Raises:
        InputError: shapes differ, X lacks full rank, or the covariance lacks its clusters or lag.

    >>> fit = ols([1.0, 3, 2, 6], [[1, 0], [1, 0], [1, 1], [1, 1]], covariance="HC2")
    >>> fit.coef, fit.se[1].round(4)  # HC2 of two groups is Welch: sqrt(2/2 + 8/2)
    (array([2., 2.]), np.float64(2.2361))
    """
    y, X = np.asarray(y, dtype=np.float64), np.asarray(X, dtype=np.float64)
    if X.ndim != 2 or y.shape != (X.shape[0],):
        raise InputError(f"y has shape {y.shape} and X {X.shape}", rule="y is (n,) and X is (n, k)")
    n, k = X.shape
    if n <= k or np.linalg.matrix_rank(X) < k:
        raise InputError(f"X ({n} rows, {k} columns) has not full rank", fix="drop columns that repeat others")
    # Through QR, since X'X squares the condition number.
    q, r = np.linalg.qr(X)
    inverse = np.linalg.inv(r)
    coef = inverse @ (q.T @ y)
    bread = inverse @ inverse.T
    e = y - X @ coef
    df = np.full(k, float(n - k))
    if covariance == "classical":
        return Regression(coef, bread * (e @ e) / (n - k), df, covariance, n)
    if covariance in {"HC0", "HC1", "HC2", "HC3"}:
        leverage = np.einsum("ij,ij->i", q, q)
        weight = _hc_weight(covariance, leverage, n, k)
        meat = (X * (weight * e**2)[:, None]).T @ X
        return Regression(coef, bread @ meat @ bread, df, covariance, n)
    if covariance == "newey_west":
        if lag is None or lag < 0:
            raise InputError("Newey-West needs a lag", rule="lag is the number of periods that errors may correlate")
        return Regression(coef, bread @ _newey_west(X * e[:, None], lag) @ bread, df, covariance, n)
    if clusters is None:
        raise InputError(f"{covariance} needs clusters", fix="pass a cluster label for each row")
    if covariance not in {"CR0", "CR1", "CR2"}:
        raise InputError(f"no covariance {covariance!r}", rule="classical, HC0-HC3, CR0-CR2 or newey_west")
    labels = _labels(clusters, n)
    if covariance == "CR2":
        if second_clusters is not None:
            raise InputError("two-way clusters have no CR2", fix='use covariance="CR1"')
        cov, df = _cr2(X, e, bread, labels)
        return Regression(coef, cov, df, covariance, n)
    ways = [labels]
    if second_clusters is not None:
        second = _labels(second_clusters, n)
        ways += [second, _labels(labels * (second.max() + 1) + second, n)]
    meat = np.zeros((k, k))
    for sign, way in zip((1, 1, -1), ways, strict=False):
        g = int(way.max()) + 1
        correction = g / (g - 1) * (n - 1) / (n - k) if covariance == "CR1" else 1.0
        scores = _sums(X * e[:, None], way)
        meat += sign * correction * scores.T @ scores
    fewest = min(int(way.max()) + 1 for way in ways[:2])
    return Regression(coef, bread @ meat @ bread, np.full(k, fewest - 1.0), covariance, n)


def ancova(y: ArrayLike, treated: ArrayLike, covariates: ArrayLike, *, covariance: Covariance = "HC2") -> Regression:
    """Regression on (constant, treated, covariates): coefficient 1 is the effect.

    Args:
        y: outcomes, shape (n,).
        treated: 0 or 1, shape (n,).
        covariates: shape (n,) or (n, k), fixed before treatment.
        covariance: as in `ols`.
    """
    y, t, x = _columns(y, treated, covariates)
    return ols(y, np.column_stack([np.ones_like(t), t, x]), covariance=covariance)


def lin_regression(
    y: ArrayLike, treated: ArrayLike, covariates: ArrayLike, *, covariance: Covariance = "HC2"
) -> Regression:
    """Lin's interacted regression on (1, treated, x - mean(x), treated (x - mean(x))): coefficient 1 is the effect.

    Never less precise than the difference in means asymptotically, whatever the truth (Lin 2013, AoAS). `lin` does the
    same from moments, without leverages.

    Args:
        y: outcomes, shape (n,).
        treated: 0 or 1, shape (n,).
        covariates: shape (n,) or (n, k); for post-stratification, indicators of all strata but one.
        covariance: as in `ols`.
    """
    y, t, x = _columns(y, treated, covariates)
    x = x - x.mean(axis=0)
    return ols(y, np.column_stack([np.ones_like(t), t, x, t[:, None] * x]), covariance=covariance)


def indicators(levels: ArrayLike) -> Floats:
    """One 0/1 column for each level but the first (sorted), shape (n, levels - 1).

    >>> indicators(["b", "a", "c"])
    array([[1., 0.],
           [0., 0.],
           [0., 1.]])
    """
    values, codes = np.unique(np.asarray(levels), return_inverse=True)
    return np.eye(len(values))[codes][:, 1:]


def _columns(y: ArrayLike, treated: ArrayLike, covariates: ArrayLike) -> tuple[Floats, Floats, Floats]:
    y, t, x = (np.asarray(a, dtype=np.float64) for a in (y, treated, covariates))
    if not np.isin(t, (0, 1)).all():
        raise InputError("`treated` holds values other than 0 and 1", rule="treated is 1 for treatment, 0 for control")
    return y, t, x[:, None] if x.ndim == 1 else x


def _hc_weight(covariance: str, leverage: Floats, n: int, k: int) -> Floats:
    # A row with leverage 1 is fitted exactly: its residual is 0 and says nothing of its variance.
    room = np.where(leverage < 1 - 1e-12, 1 - leverage, np.inf)
    weights = {"HC0": np.ones(n), "HC1": np.full(n, n / (n - k)), "HC2": 1 / room, "HC3": 1 / room**2}
    return np.asarray(weights[covariance])


def _newey_west(scores: Floats, lag: int) -> Floats:
    meat = scores.T @ scores
    for step in range(1, min(lag, len(scores) - 1) + 1):
        across = scores[step:].T @ scores[:-step]
        meat = meat + (1 - step / (lag + 1)) * (across + across.T)
    return np.asarray(meat)


def _labels(clusters: ArrayLike, n: int) -> NDArray[np.intp]:
    labels = np.asarray(clusters)
    if labels.shape != (n,):
        raise InputError(f"{labels.shape} cluster labels for {n} rows", rule="one label for each row")
    codes = np.unique(labels, return_inverse=True)[1]
    if codes.max() < 1:
        raise InputError("all rows are in one cluster", rule="a cluster-robust covariance needs at least two")
    return codes.astype(np.intp)


def _sums(rows: Floats, labels: NDArray[np.intp]) -> Floats:
    sums = np.zeros((int(labels.max()) + 1, rows.shape[1]))
    np.add.at(sums, labels, rows)
    return sums


def _cr2(X: Floats, e: Floats, bread: Floats, labels: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Bell & McCaffrey 2002: adjust residuals by (I - H_gg)^(-1/2); df by Satterthwaite under iid errors.

    With v_g = A_g X_g bread c, the variance is a quadratic form in P_gh = v_g' (I - H)_gh v_h: df = tr(P)^2 / tr(P^2).
    """
    k = X.shape[1]
    groups = int(labels.max()) + 1
    order = np.argsort(labels, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(labels))[:-1])
    scores = np.empty((groups, k))
    diagonal = np.empty((groups, k))  # v_g' v_g by coefficient
    cross = np.empty((groups, k, k))  # X_g' v_g: (group, column of X, coefficient)
    for g, rows in enumerate(parts):
        x = X[rows]
        adjusted = _half_inverse(x, bread) @ x  # A_g X_g, A_g symmetric
        scores[g] = adjusted.T @ e[rows]
        v = adjusted @ bread
        diagonal[g] = np.einsum("ij,ij->j", v, v)
        cross[g] = x.T @ v
    cov = bread @ (scores.T @ scores) @ bread
    df = np.empty(k)
    for j in range(k):
        b = cross[:, :, j]
        p = np.diag(diagonal[:, j]) - b @ bread @ b.T
        df[j] = np.trace(p) ** 2 / (p**2).sum()
    return cov, df


def _half_inverse(x: Floats, bread: Floats) -> Floats:
    """Symmetric (I - x bread x')^(-1/2), zero along directions that the cluster alone determines."""
    value, vector = np.linalg.eigh(np.eye(len(x)) - x @ bread @ x.T)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.where(value > 1e-10, 1 / np.sqrt(np.maximum(value, 1e-300)), 0.0)
    return np.asarray((vector * scale) @ vector.T)
