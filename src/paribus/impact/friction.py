"""Where units are lost on the way, by arm: each step of the funnel after exposure, errors controlled over all steps."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from paribus.stats.multiplicity import adjusted_p_values

ALPHA = 0.05
Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Share:
    """Units that did something, of those that could, in one arm."""

    done: float
    of: float

    @property
    def value(self) -> float:
        """The share; 0 of none."""
        return self.done / self.of if self.of > 0 else 0.0

    @property
    def variance(self) -> float:
        """Of the share, with (done + 1) / (of + 2), so that none is taken for certain."""
        p = (self.done + 1) / (self.of + 2)
        return p * (1 - p) / max(self.of, 1)


@dataclass(frozen=True, slots=True)
class Contrast:
    """A share in treatment against the same in control.

    difference   treatment less control, with its 95% interval
    p_value      of equality, corrected over all contrasts tested together
    """

    name: str
    control: Share
    treatment: Share
    difference: float
    low: float
    high: float
    p_value: float

    @property
    def is_shown(self) -> bool:
        """Whether the arms differ beyond chance."""
        return self.p_value <= ALPHA


@dataclass(frozen=True, slots=True)
class Transition:
    """A step of the funnel: of those who came to `start`, who went on to `end`.

    lost       units of treatment, as a share of its exposed units, that stop here
    is_worse   whether treatment loses more here than control, beyond chance
    """

    start: str
    end: str
    contrast: Contrast
    lost: float

    @property
    def is_worse(self) -> bool:
        """Friction that the change brought."""
        return self.contrast.is_shown and self.contrast.difference < 0


def contrasts(
    named: Sequence[tuple[str, Share, Share]], *, correction: str = "benjamini-hochberg"
) -> tuple[Contrast, ...]:
    """Treatment against control for each name (name, control, treatment), corrected over all of them.

    Args:
        named: with at least one unit in each arm; others are left out.
        correction: "holm" for few that all matter, "benjamini-hochberg" for many that are searched.
    """
    from scipy.special import ndtr

    kept = [(name, c, t) for name, c, t in named if c.of > 0 and t.of > 0]
    p_values = []
    for _, c, t in kept:
        pooled = (c.done + t.done + 1) / (c.of + t.of + 2)
        se = sqrt(pooled * (1 - pooled) * (1 / c.of + 1 / t.of))
        p_values.append(float(2 * ndtr(-abs(t.value - c.value) / se)) if se > 0 else 1.0)
    adjusted = adjusted_p_values(p_values, correction).tolist() if p_values else []  # type: ignore[arg-type]
    found = []
    for (name, c, t), p in zip(kept, adjusted, strict=True):
        difference, half = t.value - c.value, Z * sqrt(c.variance + t.variance)
        found.append(Contrast(name, c, t, difference, difference - half, difference + half, float(p)))
    return tuple(found)


def transitions(steps: Sequence[tuple[str, float, float]], control: int, treatment: int) -> tuple[Transition, ...]:
    """Every transition after exposure, in the order of the funnel.

    Args:
        steps: (event, units of control, units of treatment) in order; the first is the entry, with all exposed units.
        control: exposed units of control.
        treatment: exposed units of treatment.

    >>> found = transitions([("checkout", 1000, 1000), ("pay", 600, 500), ("order", 540, 450)], 1000, 1000)
    >>> [(t.end, round(t.contrast.difference, 2), t.is_worse) for t in found]
    [('pay', -0.1, True), ('order', 0.0, False)]
    """
    pairs = []
    for (start, c0, t0), (end, c1, t1) in itertools.pairwise(steps):
        pairs.append((start, end, Share(min(c1, c0), c0), Share(min(t1, t0), t0)))
    tested = {c.name: c for c in contrasts([(f"{a} to {b}", c, t) for a, b, c, t in pairs], correction="holm")}
    return tuple(
        Transition(a, b, tested[f"{a} to {b}"], (t.of - t.done) / treatment if treatment else 0.0)
        for a, b, _, t in pairs
        if f"{a} to {b}" in tested
    )
