"""A forecast before the experiment, and its score after: chance of success, value under the rule, Brier, interval hit.

A change that is not shown better is not rolled out, so what it would lose is not lost: the forecast simulates the rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paribus.impact.value import Case, Worth
from paribus.stats.estimate import Floats


@dataclass(frozen=True)
class Forecast:
    """What the experiment is expected to end in.

    lift               draws of the true relative effect
    chance_of_success  probability that the rule ships
    worth              yearly value under the rule: nothing is earned, run or supported where it does not ship; the
                       build cost is spent either way
    """

    lift: Floats
    chance_of_success: float
    worth: Worth


def forecast(
    case: Case, *, se: float, z: float = 1.959963984540054, guardrails_pass: float = 1.0, seed: int, draws: int = 20_000
) -> Forecast:
    """The forecast of an experiment on a change whose effect is distributed as `case.effect`.

    Args:
        case: what its value follows from.
        se: standard error of the relative effect at the plan's end.
        z: the |z| at which the rule shows an effect.
        guardrails_pass: probability that every guardrail is shown safe when nothing is harmed.
        seed: of the simulation.
        draws: of the simulation.
    """
    rng = np.random.default_rng([seed, 2])
    lift = case.effect.draw(rng, draws)
    shown = lift + se * rng.standard_normal(draws) > z * se
    ships = shown & (rng.random(draws) < guardrails_pass)
    gained = (
        case.units_per_year.draw(rng, draws) * case.base.draw(rng, draws) * lift * case.persistence.draw(rng, draws)
    )
    yearly = np.where(ships, gained * case.money_per_success.draw(rng, draws) - case.costs.yearly, 0.0)
    return Forecast(lift, float(ships.mean()), Worth(yearly, case.costs.build))


@dataclass(frozen=True, slots=True)
class Scored:
    """A forecast beside what came: `chance` of success, whether it came, whether the lift fell into its interval."""

    feature: str
    chance: float
    shipped: bool
    hit: bool | None = None

    @property
    def brier(self) -> float:
        """Squared error of the chance: 0 is perfect, .25 is what a coin says (Brier 1950)."""
        return (self.chance - self.shipped) ** 2


@dataclass(frozen=True, slots=True)
class Bin:
    """Forecasts of about the same chance: their mean, how often success came, and how many they are."""

    low: float
    high: float
    count: int
    forecast: float
    observed: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """How forecasts fared together; `skill` is 1 - Brier over that of always saying the observed rate (None if 0)."""

    count: int
    brier: float
    skill: float | None
    coverage: float | None
    bins: tuple[Bin, ...]


def calibration(scored: Sequence[Scored], bins: int = 5) -> Calibration | None:
    """Calibration over features; None without any.

    >>> calibration([Scored("a", 0.8, True), Scored("b", 0.4, False)]).brier
    0.1
    """
    if not scored:
        return None
    chance = np.array([each.chance for each in scored])
    came = np.array([float(each.shipped) for each in scored])
    brier = float(((chance - came) ** 2).mean())
    reference = float(came.mean() * (1 - came.mean()))
    hits = [each.hit for each in scored if each.hit is not None]
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, chance, side="right") - 1, 0, bins - 1)
    found = tuple(
        Bin(
            float(edges[b]),
            float(edges[b + 1]),
            int((place == b).sum()),
            float(chance[place == b].mean()),
            float(came[place == b].mean()),
        )
        for b in range(bins)
        if (place == b).any()
    )
    return Calibration(
        len(scored),
        round(brier, 12),
        1 - brier / reference if reference > 0 else None,
        float(np.mean(hits)) if hits else None,
        found,
    )
