"""How much of an effect lasts: read off the same units followed over longer and longer windows after exposure.

A lift that falls as c + a exp(-t / tau) is c + a tau / d (1 - exp(-d / tau)) over the first d days, if activity is even
over them. The fit gives all three; where no change is shown the effect is taken to last, and what cannot be ruled out
enters as the least.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paribus.experiments.result import Novelty
from paribus.impact.value import DAYS, Persistence
from paribus.stats.estimate import Estimate, Floats

# Without any view over days since exposure; a judgment, and said wherever it enters.
UNKNOWN = Persistence(1.0, 0.5, "no view by days since exposure: between half and all of the effect is taken to last")


@dataclass(frozen=True, slots=True)
class Decay:
    """A fitted decay.

    first       the effect at exposure
    lasting     the effect that is left in the end, with its standard error
    half_life   days in which the fading part halves
    days, fitted  the fit's points, as means over the first days
    """

    first: float
    lasting: float
    lasting_se: float
    half_life: float
    days: tuple[float, ...]
    fitted: tuple[float, ...]

    def mean(self, days: float) -> float:
        """Mean effect over the first days."""
        tau = self.half_life / np.log(2)
        return float(self.lasting + (self.first - self.lasting) * _mean_level(np.array([days]), tau)[0])

    def share(self, measured_days: float) -> float:
        """Mean effect over a year, over the mean effect in the window that was measured."""
        over = self.mean(measured_days)
        return self.mean(DAYS) / over if over else 0.0


def fit(novelty: Novelty) -> Decay | None:
    """The decay that fits the view by weighted least squares; None with fewer than four determined points."""
    known = [(p.days, p.effect) for p in novelty.points if isinstance(p.effect, Estimate) and p.effect.se > 0]
    if len(known) < 4:
        return None
    days = np.array([float(d) for d, _ in known])
    value = np.array([e.value for _, e in known])
    root = np.array([1 / e.se for _, e in known])

    def solved(tau: float) -> tuple[Floats, float, Floats]:
        design = np.stack([_mean_level(days, tau), np.ones_like(days)], axis=1) * root[:, None]
        parts = np.linalg.lstsq(design, value * root, rcond=None)[0]
        if parts[1] * value[0] < 0:  # an effect that fades does not turn round
            parts = np.array([float(design[:, 0] @ (value * root) / (design[:, 0] @ design[:, 0])), 0.0])
        return parts, float(((design @ parts - value * root) ** 2).sum()), design

    grid = np.geomspace(0.25, days[-1], 200)
    tau = float(grid[int(np.argmin([solved(t)[1] for t in grid]))])
    (fading, lasting), _, design = solved(tau)
    covariance = np.linalg.pinv(design.T @ design)
    return Decay(
        first=float(fading + lasting),
        lasting=float(lasting),
        lasting_se=float(np.sqrt(covariance[1, 1])),
        half_life=float(tau * np.log(2)),
        days=tuple(days.tolist()),
        fitted=tuple((fading * _mean_level(days, tau) + lasting).tolist()),
    )


def fades(novelty: Novelty) -> bool:
    """Whether the view shows that the effect gets smaller, beyond chance."""
    first, last, change = novelty.points[0].effect, novelty.points[-1].effect, novelty.change
    if not (isinstance(first, Estimate) and isinstance(last, Estimate) and isinstance(change, Estimate)):
        return False
    return (change.lower > 0 or change.upper < 0) and abs(last.value) < abs(first.value)


def persistence(novelty: Novelty | None, *, measured_days: float) -> Persistence:
    """What lasts of an effect that was measured over `measured_days` days after exposure."""
    if novelty is None or not isinstance(novelty.change, Estimate):
        return UNKNOWN
    first, last = novelty.points[0].effect, novelty.points[-1].effect
    if not isinstance(first, Estimate) or not isinstance(last, Estimate):
        return UNKNOWN
    change = novelty.change
    if not fades(novelty):
        good = 1.0 if first.value >= 0 else -1.0
        open_end = 1 + good * (change.lower if good > 0 else change.upper) / max(abs(first.value), 1e-12)
        least = min(max(open_end, UNKNOWN.least), 1.0)
        return Persistence(
            1.0,
            least,
            f"no fading is shown over {novelty.points[-1].days} days after exposure; between {least:.0%} and all of "
            "the effect is taken to last",
        )
    found = fit(novelty)
    if found is None:
        return Persistence(0.5, 0.0, "the effect fades; between nothing and half of it is taken to last")
    share = min(max(found.share(measured_days), 0.0), 1.0)
    error = found.lasting_se / max(abs(found.mean(measured_days)), 1e-12)
    return Persistence(
        min(share + error, 1.0),
        max(share - error, 0.0),
        f"the effect fades: what is new about it halves in about {found.half_life:.3g} days, and {share:.0%} of the "
        "measured effect is what a year keeps on average",
    )


def _mean_level(days: Floats, tau: float) -> Floats:
    """Mean over the first d days of exp(-t / tau)."""
    return np.asarray(tau / days * -np.expm1(-days / tau))
