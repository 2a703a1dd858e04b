"""Value by simulation: effect x eligible exposed population x persistence, in money, minus what it costs.

    successes a year = exposed units a year x share that succeeds without the change x relative effect x persistence
    yearly value     = successes a year x money per success - running - support - model
    first year       = yearly value - build

Each unit counts once, with what it does within the metric's window, so returning units are not counted twice. The
effect is on units that meet the change; `diluted` says what share of all successes that is (intention to treat).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from paribus.impact.effect import TrueEffect
from paribus.stats.estimate import Floats

DRAWS = 20_000
DAYS = 365.0


@dataclass(frozen=True, slots=True)
class Costs:
    """Money: once for building, a year for the rest."""

    build: float = 0.0
    running: float = 0.0
    support: float = 0.0
    model: float = 0.0

    @property
    def yearly(self) -> float:
        """What it costs every year."""
        return self.running + self.support + self.model


@dataclass(frozen=True, slots=True)
class Uncertain:
    """A positive input with its standard error; drawn from the gamma of that mean and spread."""

    value: float
    se: float = 0.0

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """n draws."""
        if self.se <= 0 or self.value <= 0:
            return np.full(n, self.value)
        shape = (self.value / self.se) ** 2
        return rng.gamma(shape, self.value / shape, n)


@dataclass(frozen=True, slots=True)
class Persistence:
    """The share of the measured effect that a year keeps on average: the most, and the least that is not ruled out.

    Drawn evenly between both.
    """

    most: float = 1.0
    least: float = 1.0
    why: str = "assumed to last"

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """n draws."""
        return rng.uniform(min(self.least, self.most), self.most, n)

    @property
    def mean(self) -> float:
        """Mean of the draws."""
        return (min(self.least, self.most) + self.most) / 2


@dataclass(frozen=True, slots=True)
class Case:
    """Everything a value follows from.

    units_per_year     units that meet the change at full rollout
    base               share that succeeds (or mean of the metric) without the change, per exposed unit
    money_per_success  margin per success (1 where the metric is money already)
    """

    effect: TrueEffect
    units_per_year: Uncertain
    base: Uncertain
    money_per_success: Uncertain
    persistence: Persistence = Persistence()
    costs: Costs = Costs()


@dataclass(frozen=True)
class Worth:
    """Draws of what it is worth a year, in the case's money."""

    yearly: Floats
    build: float

    @property
    def first_year(self) -> Floats:
        """Net of building."""
        return self.yearly - self.build

    @property
    def chance_of_loss(self) -> float:
        """Probability that the first year ends with a loss."""
        return float((self.first_year < 0).mean())

    def break_even_days(self) -> Floats:
        """Days until the build cost is earned back; infinite where a year earns nothing."""
        with np.errstate(divide="ignore", invalid="ignore"):
            days = self.build / self.yearly * DAYS
        return np.where(self.yearly > 0, days, np.inf)

    def cost_of_delay(self, days: float = 7.0) -> Floats:
        """What is not earned while it waits; negative where waiting saves."""
        return self.yearly * days / DAYS


def worth(case: Case, *, seed: int, draws: int = DRAWS) -> Worth:
    """The value of a change that is rolled out to everyone eligible.

    >>> from paribus.impact.effect import normal_effect
    >>> case = Case(normal_effect(0.1, 0.0, "known"), Uncertain(1000), Uncertain(0.2), Uncertain(50.0))
    >>> round(float(worth(case, seed=1).yearly.mean()), 6)  # 1000 x .2 x .1 x 50
    1000.0
    """
    rng = np.random.default_rng([seed, 15])
    lift = case.effect.draw(rng, draws)
    gained = (
        case.units_per_year.draw(rng, draws) * case.base.draw(rng, draws) * lift * case.persistence.draw(rng, draws)
    )
    return Worth(gained * case.money_per_success.draw(rng, draws) - case.costs.yearly, case.costs.build)


def center(case: Case) -> float:
    """The yearly value with every input at its middle."""
    gained = case.units_per_year.value * case.base.value * case.effect.value * case.persistence.mean
    return gained * case.money_per_success.value - case.costs.yearly


@dataclass(frozen=True, slots=True)
class Swing:
    """One input of a sensitivity analysis: the yearly value with it at its low and high end, others at their middle."""

    name: str
    low: float
    high: float
    at_low: float
    at_high: float

    @property
    def width(self) -> float:
        """How far the value moves."""
        return abs(self.at_high - self.at_low)


def tornado(case: Case, *, level: float = 0.9) -> tuple[Swing, ...]:
    """The inputs by how far they move the yearly value, widest first; those that cannot move it are left out."""
    from scipy.special import ndtri

    z = float(ndtri((1 + level) / 2))

    def ends(x: Uncertain) -> tuple[float, float]:
        return max(x.value - z * x.se, 0.0), x.value + z * x.se

    def moved(change: Callable[[Case, float], Case], low: float, high: float) -> tuple[float, float]:
        return center(change(case, low)), center(change(case, high))

    def effect(c: Case, x: float) -> Case:
        return replace(c, effect=replace(c.effect, value=x))

    def persistence(c: Case, x: float) -> Case:
        return replace(c, persistence=replace(c.persistence, most=x, least=x))

    lasting = case.persistence
    inputs: Sequence[tuple[str, tuple[float, float], Callable[[Case, float], Case]]] = (
        ("effect", case.effect.interval(level), effect),
        ("exposed units a year", ends(case.units_per_year), lambda c, x: replace(c, units_per_year=Uncertain(x))),
        ("share that succeeds without it", ends(case.base), lambda c, x: replace(c, base=Uncertain(x))),
        ("money per success", ends(case.money_per_success), lambda c, x: replace(c, money_per_success=Uncertain(x))),
        ("persistence", (min(lasting.least, lasting.most), lasting.most), persistence),
        (
            "yearly costs",
            (0.5 * case.costs.yearly, 1.5 * case.costs.yearly),
            lambda c, x: replace(c, costs=Costs(c.costs.build, running=x)),
        ),
    )
    swings = [Swing(name, *pair, *moved(change, *pair)) for name, pair, change in inputs if pair[1] > pair[0]]
    return tuple(sorted(swings, key=lambda s: (-s.width, s.name)))


def diluted(lift: float, exposed_successes: float, all_successes: float) -> float:
    """The relative effect on all successes when only some come from units that meet the change (Deng, Hu 2015).

    Diluting by the share of units would be wrong: exposed units succeed more or less often than the others.

    >>> round(diluted(0.1, 200, 1000), 6)
    0.02
    """
    return lift * min(exposed_successes / all_successes, 1.0) if all_successes > 0 else lift
