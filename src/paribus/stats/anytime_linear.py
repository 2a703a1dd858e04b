"""Anytime-valid linear regression: every coefficient may be read after every unit (Lindon et al. 2022, 2210.08589)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from paribus.errors import InputError
from paribus.stats.adjustment import inverse_of_products
from paribus.stats.anytime import AnytimeT, anytime_t_p_value, anytime_t_radius
from paribus.stats.estimate import Estimates, Floats, Reason, estimates
from paribus.stats.moments import Moments


@dataclass(frozen=True, slots=True, eq=False)
class AnytimeRegression:
    """Coefficients with anytime-valid intervals and p-values; arrays of shape (p,), in the order of `names`."""

    names: tuple[str, ...]
    coef: Floats
    se: Floats
    lower: Floats
    upper: Floats
    p_value: Floats
    df: float
    level: float

    def position(self, name: str) -> int:
        """Where the coefficient `name` stands."""
        if name not in self.names:
            raise InputError(f"no coefficient {name!r}; there are {', '.join(self.names)}")
        return self.names.index(name)


def anytime_regression(
    design: ArrayLike, outcome: ArrayLike, names: Sequence[str], *, g: float = 1.0, level: float = 0.95
) -> AnytimeRegression:
    """Least squares with anytime-valid t inference, df = n - p.

    Args:
        design: shape (n, p), the intercept's column included.
        outcome: shape (n,).
        names: of the p columns.
        g: prior units of the mixture, chosen before the start.
        level: of the intervals.
    """
    X, y = np.asarray(design, dtype=np.float64), np.asarray(outcome, dtype=np.float64)
    n, p = X.shape
    if len(names) != p or y.shape != (n,):
        raise InputError(f"a design of shape {X.shape} with {len(names)} names and an outcome of shape {y.shape}")
    q, r = np.linalg.qr(X)
    if n <= p or np.abs(np.diag(r)).min() < 1e-10 * np.abs(np.diag(r)).max():
        raise InputError(
            f"the regression's {p} columns are linearly dependent on {n} units",
            fix="drop a column that others determine, or wait for more units",
        )
    coef = np.linalg.solve(r, q.T @ y)
    residual = y - X @ coef
    inverse = np.linalg.inv(r)
    se = np.sqrt((residual @ residual) / (n - p) * (inverse**2).sum(axis=1))
    radius = anytime_t_radius(n, g, 1 - level, n_coef=p) * se
    p_value = anytime_t_p_value(coef / se, n, g, n_coef=p)
    return AnytimeRegression(tuple(names), coef, se, coef - radius, coef + radius, p_value, float(n - p), level)


def anytime_lin(
    outcome: ArrayLike,
    treatment: ArrayLike,
    covariates: ArrayLike,
    *,
    g: float = 1.0,
    level: float = 0.95,
    center: bool = True,
    names: Sequence[str] | None = None,
) -> AnytimeRegression:
    """The fully interacted regression of Lin 2013 with anytime-valid inference; "trt" is the treatment effect.

    Columns in R's order of y ~ x + trt + x:trt: intercept, covariates, trt, products.

    Args:
        outcome: shape (n,).
        treatment: 0 or 1, shape (n,).
        covariates: shape (n, k), known before exposure.
        g: prior units.
        level: of the intervals.
        center: subtract the covariates' pooled means, which makes "trt" the average effect; False when they are
            centered already.
        names: of the covariates, default X1, X2, ...
    """
    x = np.asarray(covariates, dtype=np.float64)
    x = x[:, None] if x.ndim == 1 else x
    x = x - x.mean(axis=0) if center else x
    t = np.asarray(treatment, dtype=np.float64)
    own = tuple(names) if names is not None else tuple(f"X{i + 1}" for i in range(x.shape[1]))
    design = np.column_stack([np.ones(len(t)), x, t, x * t[:, None]])
    return anytime_regression(
        design, outcome, ("(Intercept)", *own, "trt", *(f"{name}:trt" for name in own)), g=g, level=level
    )


def anytime_lin_from_moments(
    control: Moments,
    treatment: Moments,
    outcome: str,
    covariates: Sequence[str],
    *,
    g: float = 1.0,
    level: float = 0.95,
) -> Estimates:
    """The treatment effect of `anytime_lin` from moments, for all cells at once.

    The interacted regression is one regression in each arm, read at the pooled means of the covariates, with one
    residual variance on n - 2 - 2k degrees of freedom. Covariates that others determine in an arm add nothing there and
    count for none; there is no effect where none varies, or the pooled means lie beyond what an arm's units span.

    Args:
        control: moments of outcome and covariates in control, any shape of cells.
        treatment: the same of treatment.
        outcome: name of the outcome.
        covariates: names of the k covariates, at least one.
        g: prior units.
        level: of the intervals.
    """
    if not covariates:
        raise InputError("a regression adjustment needs at least one covariate", fix="use AnytimeT with difference()")
    names = (outcome, *covariates)
    arms = [m.select(names) for m in (control, treatment)]
    n = arms[0].n + arms[1].n
    with np.errstate(invalid="ignore", divide="ignore"):
        pooled = sum(m.n[..., None] * m.mean[..., 1:] for m in arms) / n[..., None]
        means, rss, leverage, flat = [], np.zeros_like(n), np.zeros_like(n), np.zeros(n.shape, dtype=np.bool_)
        df = n - 2.0
        for m in arms:
            sxx, sxy, syy = m.m2[..., 1:, 1:], m.m2[..., 1:, 0], m.m2[..., 0, 0]
            inverse = inverse_of_products(sxx)
            slope = np.einsum("...ij,...j->...i", inverse, sxy)
            away = pooled - m.mean[..., 1:]
            reached = np.einsum("...ij,...jk,...k->...i", sxx, inverse, away)
            sd = np.sqrt(np.einsum("...ii->...i", sxx) / m.n[..., None])
            means.append(m.mean[..., 0] + (away * slope).sum(axis=-1))
            rss += syy - (sxy * slope).sum(axis=-1)
            leverage += 1 / m.n + np.einsum("...i,...ij,...j->...", away, inverse, away)
            rank = np.rint(np.einsum("...ij,...ji->...", inverse, sxx))
            beyond = np.abs(away - reached) > 1e-6 * np.where(sd > 0, sd, np.abs(pooled))
            flat |= ~(rank > 0) | beyond.any(axis=-1)
            df = df - rank
        value, se = means[1] - means[0], np.sqrt(np.maximum(rss, 0.0) / df * leverage)
        rule = AnytimeT(g=g, level=level)
        radius, p_value = rule.radius(se, n, df), rule.p_value(value, se, n, df)
    return estimates(
        value,
        se,
        value - radius,
        value + radius,
        p_value,
        df=df,
        level=level,
        method=f"{rule.method}, Lin regression",
        reasons=(
            ((arms[0].n == 0) | (arms[1].n == 0), Reason.NO_DATA),
            (df < 1, Reason.TOO_FEW_UNITS),
            (flat | (se == 0), Reason.NO_VARIANCE),
        ),
    )
