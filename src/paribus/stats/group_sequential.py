"""Group-sequential designs: critical values and futility bounds for K looks, and what the design costs.

Two ways to choose the critical values: a shape fixed beforehand (Pocock 1977, O'Brien, Fleming 1979, Wang, Tsiatis
1987), whose looks must come as planned, or an error spending function (`Spending`), whose looks may come at any
information. The two O'Brien-Fleming rules are not the same: for K = 5 and two-sided .05 the constant gives 4.5617,
..., 2.0401, the spending function 4.8769, ..., 2.0310.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from paribus.errors import InputError
from paribus.stats.estimate import Floats
from paribus.stats.integration import exit_probabilities
from paribus.stats.spending import Rule, Spending, WangTsiatis
from paribus.stats.stopping import (
    bounds_at_drift,
    bounds_with_futility,
    critical_values,
    drift_for_power,
    fixed_drift,
)


@dataclass(frozen=True, slots=True)
class GroupSequentialDesign:
    """A design with K looks; tuples have K entries, on the z scale, in the direction of a positive effect.

    rule           spending function or boundary shape
    information    information at the looks as fractions of the planned maximum
    alpha          type I error, both sides together when `sides` is 2
    critical       stop for efficacy at |z| (or z) at or above; inf where the look cannot stop
    spent          cumulative alpha spent
    futility       stop for futility below; -inf where the look cannot, () without futility
    binding        whether the critical values count on stopping for futility
    power          probability to stop for efficacy, in the effect's direction, at `drift`
    drift          mean of z at full information under the alternative
    futility_rule  spending function of beta, None without futility
    spending_time  fractions at which the rules are read; () where they are the information (see `actual_looks`)
    """

    rule: Rule
    information: tuple[float, ...]
    alpha: float
    sides: int
    critical: tuple[float, ...]
    spent: tuple[float, ...]
    futility: tuple[float, ...]
    binding: bool
    power: float
    drift: float
    futility_rule: Spending | None = None
    spending_time: tuple[float, ...] = ()

    @property
    def looks(self) -> int:
        return len(self.information)

    @property
    def stage_levels(self) -> Floats:
        """Nominal one-sided level of each look, 1 - Phi(critical)."""
        from scipy.special import ndtr

        return np.asarray(ndtr(-np.asarray(self.critical)))

    @property
    def nominal_alpha(self) -> Floats:
        """Nominal level of each look as its p-value is read: two-sided for a two-sided design."""
        return self.sides * self.stage_levels

    @property
    def inflation_factor(self) -> float:
        """Maximal sample size over that of a fixed design with the same alpha and power."""
        return float(self.drift**2 / fixed_drift(self.alpha, self.sides, self.power) ** 2)

    def exits(self, drift: float = 0.0) -> tuple[Floats, Floats]:
        """Probabilities to stop below and above at each look, when z at full information has mean `drift`."""
        lower, upper = _regions(self)
        return exit_probabilities(lower, upper, np.asarray(self.information), drift)

    def power_at(self, drift: float) -> float:
        """Probability to stop for efficacy in the effect's direction when z at full information has mean `drift`."""
        return float(self.exits(drift)[1].sum())

    def expected_fraction(self, drift: float = 0.0) -> float:
        """Expected information when the trial stops, as a fraction of the planned maximum."""
        below, above = self.exits(drift)
        stop = (below + above)[:-1]
        return float(stop @ np.asarray(self.information[:-1]) + (1 - stop.sum()) * self.information[-1])

    @property
    def average_sample_h1(self) -> float:
        """Expected sample size under the alternative, over that of the fixed design."""
        return self.inflation_factor * self.expected_fraction(self.drift)

    @property
    def average_sample_h0(self) -> float:
        """Expected sample size under the null hypothesis, over that of the fixed design."""
        return self.inflation_factor * self.expected_fraction(0.0)


def equal_information(looks: int) -> tuple[float, ...]:
    """Information fractions of equally spaced looks: 1/K, ..., 1."""
    if looks < 1:
        raise InputError(f"a design with {looks} looks", rule="at least one look")
    return tuple((k + 1) / looks for k in range(looks))


def group_sequential_design(
    rule: Rule | None = None,
    *,
    looks: int | None = None,
    information: ArrayLike | None = None,
    alpha: float = 0.05,
    sides: Literal[1, 2] = 2,
    power: float = 0.8,
    beta: float | None = None,
    futility: Spending | None = None,
    binding: bool = False,
) -> GroupSequentialDesign:
    """Critical values of a group-sequential design, and the drift at which it has `power`.

    Args:
        rule: spending function (default: O'Brien-Fleming type) or boundary shape.
        looks: number of equally spaced looks; or give `information`.
        information: increasing information fractions of the looks; the last must be 1.
        alpha: type I error, both sides together.
        sides: 1 or 2.
        power: probability to stop for efficacy under the alternative.
        beta: 1 - power, instead of it.
        futility: spending function for beta; one-sided designs with a spending rule only.
        binding: count on stopping for futility when the critical values are computed. Not binding is the safe choice:
            alpha holds also when the futility bound is overruled.

    Source: Jennison, Turnbull 2000, chs. 2, 7, 19; beta spending: Pampallona, Tsiatis, Kim 2001.

    >>> from paribus.stats.spending import POCOCK
    >>> [round(c, 3) for c in group_sequential_design(POCOCK, looks=2).critical]
    [2.178, 2.178]
    """
    power = power if beta is None else 1 - beta
    if (looks is None) == (information is None):
        raise InputError("a design needs either the number of looks or their information", fix="looks=5")
    fractions = (
        equal_information(looks)
        if looks is not None
        else tuple(float(t) for t in np.atleast_1d(np.asarray(information, dtype=np.float64)))
    )
    if not fractions or fractions[0] <= 0 or any(b <= a for a, b in pairwise(fractions)):
        raise InputError(f"information fractions {fractions}", rule="they are positive and increase")
    if abs(fractions[-1] - 1) > 1e-9:
        raise InputError(f"the last look is at information {fractions[-1]}", rule="the last look has fraction 1")
    if not 0 < alpha < 1 or not 0 < power < 1 or sides not in (1, 2):
        raise InputError(
            f"alpha {alpha}, power {power}, sides {sides}", rule="0 < alpha < 1, 0 < power < 1, sides 1 or 2"
        )
    if futility is not None and (sides == 2 or isinstance(rule, WangTsiatis)):
        raise InputError(
            "futility bounds need a one-sided design with a spending function", fix="sides=1, rule=Spending(...)"
        )
    return _design(rule or Spending(), fractions, float(alpha), int(sides), float(power), futility, bool(binding))


def peeking_error(
    looks: int, critical: float, sides: Literal[1, 2] = 2, *, information: ArrayLike | None = None
) -> float:
    """Type I error of testing at each look against the same critical value.

    Args:
        looks: how many.
        critical: of the standardized estimate.
        sides: 2 for both signs.
        information: increasing information at the looks, in any unit; equally spaced when omitted.

    >>> round(peeking_error(5, 1.959964), 3)    # Armitage, McPherson, Rowe 1969
    0.142
    """
    times = np.asarray(equal_information(looks) if information is None else information, dtype=np.float64)
    if times.shape != (looks,):
        raise InputError(f"{times.size} values of information for {looks} looks", rule="one value for each look")
    upper = np.full(looks, critical)
    lower = -upper if sides == 2 else np.full(looks, -np.inf)
    below, above = exit_probabilities(lower, upper, times)
    return float(below.sum() + above.sum())


def actual_looks(
    design: GroupSequentialDesign,
    information: ArrayLike,
    planned: float,
    *,
    final: bool = False,
    spending_time: ArrayLike | None = None,
) -> GroupSequentialDesign:
    """The design's critical values for looks that came at other information than planned.

    Alpha is spent by information over the plan's maximum, so what an earlier look spent is never changed by how the
    trial went on: a look at or beyond the planned maximum spends all that is left, later ones have nothing. An
    under-run trial that is `final` spends all that is left at its last look. The correlation of the looks is that of
    the information observed.

    Args:
        design: the plan, with a spending function.
        information: information observed at the looks so far (1 / se^2), increasing.
        planned: information planned at the end, in the same unit.
        final: no look follows.
        spending_time: fractions at which alpha is spent, where that is another time than the information's, as the
            calendar's is where nobody planned how much information there will be (Lan, DeMets 1989).
    """
    if not isinstance(design.rule, Spending):
        raise InputError(
            "the looks of this design must come as planned",
            rule="only designs with a spending function allow other looks",
            fix="plan with Spending(...)",
        )
    observed = np.atleast_1d(np.asarray(information, dtype=np.float64))
    if len(observed) == 0 or observed[0] <= 0 or np.any(np.diff(observed) <= 0) or not planned > 0:
        raise InputError("information must be positive and increase from look to look", where=str(observed.tolist()))
    fraction = observed / planned
    time = np.minimum(fraction if spending_time is None else np.asarray(spending_time, dtype=np.float64), 1.0)
    if len(time) != len(fraction):
        raise InputError("every look has a time", where=f"{len(time)} times for {len(fraction)} looks")
    if final:
        time[-1] = 1.0
    looks, times = tuple(fraction.tolist()), tuple(time.tolist())
    if design.futility_rule is None:
        critical, spent = critical_values(design.rule, looks, design.alpha, design.sides, times)
        return replace(design, information=looks, critical=critical, spent=spent, spending_time=times)
    critical, spent, futility, _ = bounds_at_drift(
        looks,
        times,
        design.rule,
        design.futility_rule,
        design.alpha,
        1 - design.power,
        design.drift,
        binding=design.binding,
        final=final,
    )
    return replace(design, information=looks, critical=critical, spent=spent, futility=futility, spending_time=times)


@lru_cache(maxsize=1024)
def _design(
    rule: Rule,
    information: tuple[float, ...],
    alpha: float,
    sides: int,
    power: float,
    futility: Spending | None,
    binding: bool,
) -> GroupSequentialDesign:
    if futility is not None and isinstance(rule, Spending):
        critical, spent, bounds, drift = bounds_with_futility(rule, information, alpha, power, futility, binding)
        return GroupSequentialDesign(
            rule, information, alpha, sides, critical, spent, bounds, binding, power, drift, futility
        )
    critical, spent = critical_values(rule, information, alpha, sides)
    drift = drift_for_power(np.asarray(critical), np.asarray(information), alpha, sides, power)
    return GroupSequentialDesign(rule, information, alpha, sides, critical, spent, (), False, power, drift)


def _regions(design: GroupSequentialDesign) -> tuple[Floats, Floats]:
    upper = np.asarray(design.critical)
    if design.futility:
        return np.asarray(design.futility), upper
    return (-upper if design.sides == 2 else np.full_like(upper, -np.inf)), upper
