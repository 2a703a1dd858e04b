"""How likely an experiment shows its first success metric better at all, given what is believed of the effect.

Power supposes the planned effect. Assurance averages power over a prior of the effect (O'Hagan, Stevens, Campbell
2005): effects that are smaller, absent or negative count as often as they are believed to happen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from paribus.charts import numbers
from paribus.errors import InputError
from paribus.experiments.plan import Method, Prior
from paribus.experiments.sample_size import Comparison, Reader
from paribus.stats.estimate import Floats
from paribus.stats.metric_power import MetricVariance, power_relative
from paribus.stats.prior_power import assurance, expected_power, power_upward

STEP = 0.1  # standard errors between the distances at which power is integrated
MOST = 80.0  # standard errors at most
SETTLED = 1e-9


@dataclass(frozen=True, slots=True)
class Assurance:
    """The chance of a success, averaged over the prior of the relative effect.

    units           of all arms, at which it holds
    expected_power  chance that the plan's own method shows the metric better
    closed_form     the same for a single test of a normal estimate at the end
    limit           chance that the effect is in the good direction at all, what very many units come to
    """

    prior: Prior
    units: int
    expected_power: float
    closed_form: float
    limit: float

    def sentence(self, metric: str) -> str:
        """The chance, what it rests on, and the chance that there is anything to show."""
        mean, sd = (float(f"{100 * x:.3g}") for x in (self.prior.mean, self.prior.sd))
        believed = f"mean {mean:{'+' if mean else ''}g}%, sd {sd:g}%; {self.prior.origin}"
        return (
            f"If effects are as believed ({believed}), {numbers.count(self.units)} units show {metric} better with a "
            f"chance of {numbers.share(self.expected_power)}; the chance that it is better at all is "
            f"{numbers.share(self.limit)}."
        )


def belief(prior: tuple[float, float]) -> Prior:
    """A prior of the relative effect that someone states as its mean and standard deviation.

    Raises:
        InputError: the deviation is not positive, or either is no share of the baseline.
    """
    mean, sd = prior
    fix = "--prior 0,3% for effects that are as often negative, two thirds of them within 3% of zero"
    if not (np.isfinite(sd) and sd > 0):
        raise InputError(f"a prior with standard deviation {sd:g}", where="prior", rule="it is positive", fix=fix)
    if not (np.isfinite(mean) and abs(mean) <= 1 and sd <= 1):
        raise InputError(
            f"a prior of mean {mean:g} and standard deviation {sd:g}",
            where="prior",
            rule="both are relative to the baseline: 0.03 or 3%, at most 1",
            fix=fix,
        )
    return Prior(mean, sd, "stated")


def assured(reader: Reader, c: Comparison, pair: float, prior: Prior, *, units: int) -> Assurance:
    """The assurance of one comparison, read by its plan's method.

    Args:
        reader: the plan's method with its looks.
        c: the comparison, at its corrected level.
        pair: units of control and treatment together.
        prior: of the relative effect, as in the plan: positive where the metric rises.
        units: of all arms, told with the answer.
    """
    scale = abs(c.baseline)
    mean = prior.mean if c.upward else -prior.mean
    se = c.se(pair, c.distance)
    curve = _curve(reader, c, pair)
    return Assurance(
        prior=prior,
        units=units,
        expected_power=expected_power(lambda effect: curve(effect * scale), mean, prior.sd),
        closed_form=float(assurance(mean, prior.sd, se / scale, alpha=c.alpha)),
        limit=float(assurance(mean, prior.sd, 0.0)),
    )


def power_better(reader: Reader, c: Comparison, pair: float, distance: float) -> float:
    """Probability to be shown better at a true distance in the good direction (negative: in the bad one)."""
    if reader.plan.method is not Method.FIXED:
        return reader.power(c, pair, distance)
    if not c.share:
        lift, metric = distance / abs(c.baseline), MetricVariance(abs(c.baseline), c.variance)
        return power_relative(metric, lift, pair, ratio=c.ratio, alpha=c.alpha / 2, alternative="greater")
    if distance > 0:
        return reader.power(c, pair, distance)
    return float(power_upward(distance, c.se(pair, distance), alpha=c.alpha))


def _curve(reader: Reader, c: Comparison, pair: float) -> Callable[[Floats], Floats]:
    """The power to be shown better over true distances, as a cubic spline through the method's own integrals."""
    from scipy.interpolate import CubicSpline

    se = c.se(pair, 0.0)
    up, down = MOST * se, MOST * se
    if c.share:
        room = (1 - c.baseline, c.baseline) if c.upward else (c.baseline, 1 - c.baseline)
        up, down = (min(most, edge * (1 - 1e-6)) for most, edge in zip((up, down), room, strict=True))

    def at(distance: float) -> float:
        return power_better(reader, c, pair, distance)

    high = low = 0.0
    while high < up and at(high) < 1 - SETTLED:
        high = min(high + 4 * se, up)
    while low > -down and at(low) > SETTLED:
        low = max(low - 4 * se, -down)
    if high == low:
        return lambda distance: np.full_like(distance, at(high))
    knots = np.linspace(low, high, int((high - low) / (STEP * se)) + 4)
    spline = CubicSpline(knots, [at(float(x)) for x in knots])
    return lambda distance: np.clip(spline(np.clip(distance, low, high)), 0.0, 1.0)
