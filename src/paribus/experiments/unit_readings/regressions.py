"""Means of units read by regression on what was known before, by other standard errors, and by the bootstrap."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from paribus.experiments.unit_readings.pair import Found, UnitPair
from paribus.stats.anytime import BURN_IN, best_g
from paribus.stats.anytime_linear import AnytimeRegression, anytime_lin
from paribus.stats.bootstrap import poisson_bootstrap
from paribus.stats.boundary import Fixed
from paribus.stats.estimate import Estimate, Reason, Undetermined
from paribus.stats.regression import Covariance, Regression, ancova, lin_regression

COVARIANCES: tuple[Covariance, ...] = ("classical", "HC2", "HC3")
MOST_WEIGHTS = 20_000_000  # units x replicates of a bootstrap
REPLICATES = (200, 1000)
ROUNDING = 1e-13  # of the largest value

Fit = Callable[[UnitPair, Covariance], Regression]


def adjusted(pair: UnitPair) -> Found:
    """ANCOVA and Lin's regression, each with these errors; at any look, Lin's alone."""
    if not pair.names:
        return
    for name, domain, fit in (("ANCOVA", "cuped", _ancova), ("Lin regression", "lin", _lin)) if pair.once else ():
        refused = pair.refused(domain)
        for covariance in COVARIANCES:
            yield f"{name}, {covariance}", False, refused or _coefficient(fit(pair, covariance), 1, pair)
    if pair.every:
        yield "anytime-valid Lin regression", True, _of_sequence(_sequence(pair), "trt", pair)


def slopes(pair: UnitPair) -> Iterator[tuple[str, str, bool, Estimate | Undetermined]]:
    """By how much the effect is larger where a covariate is one standard deviation larger.

    The covariate's name, the method, whether it holds at any look, and the change; of values, not of having one.
    """
    own = [(j, name) for j, name in enumerate(pair.names) if name.startswith("x")]
    if own and pair.once:
        refused = pair.refused("lin")
        fitted = None if refused else _lin(pair, "HC2")
        for j, name in own:
            found = refused if fitted is None else _coefficient(fitted, 2 + len(pair.names) + j, pair)
            yield name, "Lin regression, HC2", False, found or Undetermined(Reason.TOO_FEW_UNITS)
    if own and pair.every:
        always = _sequence(pair)
        for _, name in own:
            yield name, "anytime-valid Lin regression", True, _of_sequence(always, f"{name}:trt", pair)


def resampled(pair: UnitPair) -> Found:
    """The Poisson bootstrap of the difference of means; fewer replicates of very many units."""
    if not pair.once:
        return
    fewest, most = REPLICATES
    replicates = int(np.clip(MOST_WEIGHTS / max(pair.y.size, 1), fewest, most))
    name = f"Poisson bootstrap, {replicates} times"
    refused = pair.refused("welch")
    if refused is not None:
        yield name, False, refused
        return
    keys = np.arange(pair.y.size, dtype=np.uint64)
    control, treatment = ((keys[pair.treated == arm], pair.y[pair.treated == arm]) for arm in (0, 1))
    found = poisson_bootstrap(
        control, treatment, lambda s: s[..., 1] / s[..., 0], replicates=replicates, level=pair.level
    )
    yield name, False, found.at()


def _ancova(pair: UnitPair, covariance: Covariance) -> Regression:
    return ancova(pair.y, pair.treated, pair.covariates, covariance=covariance)


def _lin(pair: UnitPair, covariance: Covariance) -> Regression:
    return lin_regression(pair.y, pair.treated, pair.covariates, covariance=covariance)


def _coefficient(fit: Regression, at: int, pair: UnitPair) -> Estimate | Undetermined:
    return fit.estimates(Fixed(pair.level)).at(at) if _varies(fit.se[at], pair) else Undetermined(Reason.NO_VARIANCE)


def _sequence(pair: UnitPair) -> AnytimeRegression | None:
    if pair.y.size < max(BURN_IN, 4 * len(pair.names) + 4):
        return None
    g = best_g(pair.n_opt, 1 - pair.level)
    return anytime_lin(pair.y, pair.treated, pair.covariates, g=g, level=pair.level, center=False, names=pair.names)


def _of_sequence(fit: AnytimeRegression | None, name: str, pair: UnitPair) -> Estimate | Undetermined:
    if fit is None:
        return Undetermined(Reason.TOO_FEW_UNITS)
    at = fit.position(name)
    value, se, lower, upper, p = (float(a[at]) for a in (fit.coef, fit.se, fit.lower, fit.upper, fit.p_value))
    if not _varies(se, pair):
        return Undetermined(Reason.NO_VARIANCE)
    return Estimate(value, se, lower, upper, p, fit.df, fit.level, "two-sided", "anytime-valid t, Lin regression")


def _varies(se: float, pair: UnitPair) -> bool:
    """Whether a standard error is more than what rounding leaves of a metric that covariates or a constant explain."""
    return bool(se > ROUNDING * np.abs(pair.y).max())
