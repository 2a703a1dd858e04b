"""The winner's curse: what is left of an effect that was noticed because it was significant.

An estimate with a known standard error passes a test and is then read: the estimate is too large on average (type M
error), sometimes of the wrong sign (type S), and conditional likelihood corrects it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from paribus.errors import InputError
from paribus.stats.estimate import Floats

Selection = Literal["two-sided", "greater", "less"]


@dataclass(frozen=True, slots=True)
class Retrodesign:
    """What significance would mean if the effect were the stated one.

    power         probability of a significant estimate
    type_s        probability that a significant estimate has the wrong sign
    exaggeration  expected |significant estimate| / |true effect| (type M)
    """

    power: Floats
    type_s: Floats
    exaggeration: Floats


@dataclass(frozen=True, slots=True)
class ConditionalEstimate:
    """Maximum likelihood estimate and interval given that the estimate passed the test; NaN where it did not."""

    value: Floats
    lower: Floats
    upper: Floats
    level: float


def retrodesign(true_effect: ArrayLike, se: ArrayLike, alpha: float = 0.05) -> Retrodesign:
    """Power, type S and type M error of a two-sided z test of an effect (Gelman, Carlin 2014; Lu, Qiu, Deng 2019).

    Args:
        true_effect: the effect thought to be real, any shape.
        se: standard error of its estimate.
        alpha: two-sided level of the test.

    >>> r = retrodesign(0.1, 3.28)  # Gelman, Carlin 2014: power .05, type S .46, exaggeration 77
    >>> round(float(r.power), 2), round(float(r.type_s), 2), round(float(r.exaggeration))
    (0.05, 0.46, 77)
    """
    from scipy.special import ndtr, ndtri

    effect = np.abs(np.asarray(true_effect, dtype=np.float64)) / _positive(se)
    z = float(-ndtri(_level(alpha) / 2))
    right, wrong = ndtr(effect - z), ndtr(-effect - z)
    power = right + wrong
    with np.errstate(invalid="ignore", divide="ignore"):
        # E|Z| over |Z| > z for Z ~ N(effect, 1)
        mean = _density(z - effect) + _density(z + effect) + effect * (right - wrong)
        return Retrodesign(np.asarray(power), np.asarray(wrong / power), np.asarray(mean / power / effect))


def conditional_mle(
    estimate: ArrayLike,
    se: ArrayLike,
    *,
    alpha: float = 0.05,
    selection: Selection = "two-sided",
    level: float = 0.95,
) -> ConditionalEstimate:
    """The effect that makes a significant estimate most likely, given that only significant ones are shown.

    The interval inverts the test of the estimate's conditional distribution with equal tails, so it covers at its
    level among the selected. The estimate shrinks most just past the threshold.

    Args:
        estimate: estimates that were selected, any shape; those that do not pass the test give NaN.
        se: their standard errors.
        alpha: level of the test that selected: two-sided for "two-sided", in one tail for "greater" or "less".
        selection: which estimates were shown: any significant one, or only significant ones of one sign.
        level: confidence level of the interval.

    Source: Zhong, Prentice 2008, eq. 4; Ghosh, Zou, Wright 2008.

    >>> round(float(conditional_mle(2.5, 1.0).value), 4)
    1.1379
    """
    from scipy.special import ndtri

    from paribus.stats.score import solve

    se = _positive(se)
    x, se = np.broadcast_arrays(np.asarray(estimate, dtype=np.float64) / se, se)
    sign = np.where(x < 0, -1.0, 1.0) if selection == "two-sided" else np.ones_like(x)
    sign = -sign if selection == "less" else sign
    x = x * sign
    two_sided = selection == "two-sided"
    z = float(-ndtri(_level(alpha) / (2 if two_sided else 1)))
    chosen = x >= z
    x = np.where(chosen, x, z + 1.0)
    tail = (1 - _level(level)) / 2

    # Far below, the most likely effect of a one-sided selection is about z - 1 / (x - z): bracket beyond it.
    low = np.minimum(-1.0, z - 3 / np.maximum(x - z, 1e-4)) - 5
    if two_sided:
        low = np.zeros_like(x)  # the mode has the estimate's sign
    value = solve(lambda mu: x - mu - _hazard(mu, z, two_sided), low, np.array(x))
    reach = 40 / np.maximum(x - z, 0.02) + 10
    lower = solve(lambda mu: tail - _upper_tail(x, mu, z, two_sided), x - reach, x + 10)
    upper = solve(lambda mu: 1 - tail - _upper_tail(x, mu, z, two_sided), x - reach, x + 10)
    lower, upper = np.where(sign > 0, lower, -upper), np.where(sign > 0, upper, -lower)
    value, lower, upper = (np.where(chosen, end * se, np.nan) for end in (value * sign, lower, upper))
    return ConditionalEstimate(value, lower, upper, level)


def _hazard(mu: Floats, z: float, two_sided: bool) -> Floats:
    """d log P(selected) / d mu: how fast selection becomes likelier with the effect."""
    from scipy.special import log_ndtr, ndtr

    if not two_sided:
        return np.asarray(np.exp(-((z - mu) ** 2) / 2 - np.log(np.sqrt(2 * np.pi)) - log_ndtr(mu - z)))
    return np.asarray((_density(z - mu) - _density(z + mu)) / (ndtr(mu - z) + ndtr(-mu - z)))


def _upper_tail(x: Floats, mu: Floats, z: float, two_sided: bool) -> Floats:
    """P(X >= x | selected) for X ~ N(mu, 1) and x >= z."""
    from scipy.special import log_ndtr

    selected = log_ndtr(mu - z)
    if two_sided:
        selected = np.logaddexp(selected, log_ndtr(-mu - z))
    return np.asarray(np.exp(log_ndtr(mu - x) - selected))


def _density(z: Floats) -> Floats:
    return np.asarray(np.exp(-(np.asarray(z) ** 2) / 2) / np.sqrt(2 * np.pi))


def _positive(se: ArrayLike) -> Floats:
    se = np.asarray(se, dtype=np.float64)
    if np.any(se <= 0):
        raise InputError("a standard error that is not positive", rule="se > 0")
    return se


def _level(level: float) -> float:
    if not 0 < level < 1:
        raise InputError(f"a level of {level}", rule="0 < level < 1")
    return level
