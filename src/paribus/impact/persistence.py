"""How much of an effect lasts: read off the same units followed over longer and longer windows after exposure.

The effect over the first d days of a lift that decays as exp(-t / tau) is a tau / d (1 - exp(-d / tau)), if activity
is even over the days. The fit gives tau; where no change is shown the effect is taken to last, and what cannot be ruled
out enters as the least.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paribus.experiments.result import Novelty
from paribus.impact.value import DAYS, Persistence
from paribus.stats.estimate import Estimate, Floats

# Without any view over days since exposure; a judgment, and said wherever it enters.
UNKNOWN = Persistence(1.0, 0.5, "no view by days since exposure: between half and all of the effect is taken to last")
LONGEST = 10 * DAYS


@dataclass(frozen=True, slots=True)
class Decay:
    """A fitted decay: the effect on the first day, its half-life in days (infinite: none), and the fit's points."""

    first: float
    half_life: float
    days: tuple[float, ...]
    fitted: tuple[float, ...]

    def share(self, measured_days: float) -> float:
        """Mean effect over a year, over the mean effect in the window that was measured."""
        if not np.isfinite(self.half_life):
            return 1.0
        tau = self.half_life / np.log(2)
        return float(_mean_level(np.array([DAYS]), tau)[0] / _mean_level(np.array([measured_days]), tau)[0])


def fit(novelty: Novelty) -> Decay | None:
    """The decay that fits the view by weighted least squares; None with fewer than three determined points."""
    known = [(p.days, p.effect) for p in novelty.points if isinstance(p.effect, Estimate) and p.effect.se > 0]
    if len(known) < 3:
        return None
    days = np.array([float(d) for d, _ in known])
    value = np.array([e.value for _, e in known])
    weight = np.array([1 / e.se**2 for _, e in known])

    def solved(tau: float) -> tuple[float, float]:
        shape = _mean_level(days, tau)
        a = float((weight * value * shape).sum() / (weight * shape**2).sum())
        return a, float((weight * (value - a * shape) ** 2).sum())

    grid = np.geomspace(0.25, LONGEST, 400)
    tau = float(grid[int(np.argmin([solved(t)[1] for t in grid]))])
    first, _ = solved(tau)
    endless = tau >= LONGEST * 0.99
    return Decay(
        first,
        np.inf if endless else float(tau * np.log(2)),
        tuple(days.tolist()),
        tuple((first * _mean_level(days, tau)).tolist()),
    )


def persistence(novelty: Novelty | None, *, measured_days: float) -> Persistence:
    """What lasts of an effect that was measured over `measured_days` days after exposure."""
    if novelty is None or not isinstance(novelty.change, Estimate):
        return UNKNOWN
    first, last = novelty.points[0].effect, novelty.points[-1].effect
    if not isinstance(first, Estimate) or not isinstance(last, Estimate):
        return UNKNOWN
    change = novelty.change
    fades = (change.lower > 0 or change.upper < 0) and abs(last.value) < abs(first.value)
    if not fades:
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
    share = found.share(measured_days) if found is not None else 0.0
    words = (
        f"the effect fades, with a half-life of about {found.half_life:.3g} days"
        if found is not None and np.isfinite(found.half_life)
        else "the effect fades"
    )
    return Persistence(min(max(share, 0.0), 1.0), 0.0, f"{words}; between nothing and what the fit leaves is counted")


def _mean_level(days: Floats, tau: float) -> Floats:
    """Mean over the first d days of exp(-t / tau)."""
    return np.asarray(tau / days * -np.expm1(-days / tau))
