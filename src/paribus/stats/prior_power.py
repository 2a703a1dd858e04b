"""Power averaged over what is known of the effect (assurance), and power of a Bayesian decision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from paribus.errors import InputError
from paribus.stats.estimate import Alternative, Floats

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_SETTLED = 1e-11
_MOST_HALVINGS = 40
_MOST_PANELS = 4096  # a curve that is itself uncertain to more than a panel's share never settles


def assurance(
    prior_mean: ArrayLike, prior_sd: ArrayLike, se: ArrayLike, *, alpha: float = 0.05, sides: Literal[1, 2] = 2
) -> Floats:
    """Probability of a significant result in the positive direction when the effect is drawn from the prior.

    Args:
        prior_mean: mean of the normal prior of the effect.
        prior_sd: its standard deviation; 0 gives the power at `prior_mean`.
        se: standard error at the end.
        alpha: error of the test; with two sides the positive one has half of it.
        sides: of the test.

    Source: O'Hagan, Stevens, Campbell 2005, eq. 3.

    >>> round(float(assurance(0.0, 1.0, 1e-9)), 6)    # a perfect measurement finds every positive effect
    0.5
    """
    from scipy.special import ndtr, ndtri

    m, tau, se = (np.asarray(a, dtype=np.float64) for a in (prior_mean, prior_sd, se))
    return np.asarray(ndtr((m + ndtri(alpha / sides) * se) / np.sqrt(se**2 + tau**2)))


def power_upward(effect: ArrayLike, se: ArrayLike, *, alpha: float = 0.05, sides: Literal[1, 2] = 2) -> Floats:
    """Probability of a significant result in the positive direction, at a true effect; `assurance` averages it."""
    from scipy.special import ndtr, ndtri

    ratio = np.asarray(effect, dtype=np.float64) / np.asarray(se, dtype=np.float64)
    return np.asarray(ndtr(ratio + ndtri(alpha / sides)))


def expected_power(power_at: Callable[[Floats], Floats], prior_mean: float, prior_sd: float) -> float:
    """Any power curve averaged over a normal prior of the effect, by adaptive quadrature over 9 prior deviations.

    Panels are halved where that still changes their share by more than 1e-11, so a curve that is steep against the
    prior is followed as closely as a flat one.

    Args:
        power_at: power as a vectorized function of the effect.
        prior_mean: of the effect.
        prior_sd: of the effect; 0 gives the power at `prior_mean`.

    >>> round(expected_power(lambda effect: effect > 0.3, 0.0, 1.0), 6)    # the share of the prior above .3
    0.382089
    """
    if not prior_sd >= 0:
        raise InputError(f"prior_sd is {prior_sd}", rule="prior_sd >= 0")

    def over(low: Floats, high: Floats) -> Floats:
        z = (high + low)[:, None] / 2 + (high - low)[:, None] / 2 * _NODES
        density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
        power = np.asarray(power_at(prior_mean + prior_sd * z), dtype=np.float64)
        return np.asarray((density * power) @ _WEIGHTS * (high - low) / 2)

    edges = np.linspace(-9.0, 9.0, 37)
    low, high = edges[:-1], edges[1:]
    rough = over(low, high)
    total = 0.0
    for _ in range(_MOST_HALVINGS):
        middle = (low + high) / 2
        left, right = over(low, middle), over(middle, high)
        settled = np.abs(left + right - rough) <= _SETTLED
        total += float((left + right)[settled].sum())
        low, high = (
            np.concatenate(pair) for pair in ((low[~settled], middle[~settled]), (middle[~settled], high[~settled]))
        )
        rough = np.concatenate([left[~settled], right[~settled]])
        if not 0 < low.size <= _MOST_PANELS:
            break
    return total + float(rough.sum())


def power_bayesian(
    effect: ArrayLike,
    se: ArrayLike,
    *,
    prior_mean: float = 0.0,
    prior_sd: float = np.inf,
    chance_to_win: float = 0.95,
    alternative: Alternative = "greater",
) -> Floats:
    """Probability that the posterior chance of a positive effect exceeds `chance_to_win`, at a true effect.

    With a flat prior this is the power of the one-sided test at 1 - chance_to_win. "two-sided" counts both a chance
    above and one below 1 - chance_to_win.

    >>> round(float(power_bayesian(0.0, 1.0, chance_to_win=0.95)), 6)    # flat prior: the one-sided alpha
    0.05
    """
    from scipy.special import ndtr, ndtri

    effect, se = np.asarray(effect, dtype=np.float64), np.asarray(se, dtype=np.float64)
    precision = 0.0 if np.isinf(prior_sd) else 1 / prior_sd**2
    posterior = 1 / (precision + 1 / se**2)
    # posterior mean = posterior * (prior_mean * precision + estimate / se^2) must exceed z * posterior sd
    needed = ndtri(chance_to_win) * np.sqrt(posterior)
    pull = prior_mean * precision * posterior
    up = ndtr((effect - (needed - pull) * se**2 / posterior) / se)
    down = ndtr(((-needed - pull) * se**2 / posterior - effect) / se)
    return np.asarray({"greater": up, "less": down, "two-sided": up + down}[alternative])


def power_expected_loss(
    effect: float, se: float, threshold: float, *, prior_mean: float = 0.0, prior_sd: float = np.inf
) -> float:
    """Probability to ship by expected loss: the posterior mean of max(0, -effect) is below `threshold`."""
    from scipy.optimize import brentq
    from scipy.special import ndtr

    if not threshold > 0 or not se > 0:
        raise InputError(f"threshold {threshold}, se {se}", rule="both are positive")
    precision = 0.0 if np.isinf(prior_sd) else 1 / prior_sd**2
    variance = 1 / (precision + 1 / se**2)
    sd = np.sqrt(variance)

    def excess(mean: float) -> float:
        z = mean / sd
        density = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
        return float(sd * density - mean * ndtr(-z)) - threshold

    low, high = -threshold - 9 * sd, 40 * sd
    if excess(high) >= 0:
        return 0.0
    mean = float(brentq(excess, low, high))
    estimate = (mean / variance - prior_mean * precision) * se**2
    return float(ndtr((effect - estimate) / se))
