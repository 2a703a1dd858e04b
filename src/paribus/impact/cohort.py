"""The effect by the week of first exposure: whether those who came late respond as those who came early did.

Only units whose window has closed are in the cells, so late cohorts are smaller and never half observed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from math import sqrt

from paribus.metrics.cells import Cells
from paribus.stats.estimate import estimates
from paribus.stats.interactions import heterogeneity

FEWEST = 50  # units in each arm of a week


@dataclass(frozen=True, slots=True)
class Cohort:
    """A week of first exposures: its first day, units, and relative effect with its standard error."""

    start: date
    days: int
    units: int
    effect: float
    se: float


@dataclass(frozen=True, slots=True)
class Cohorts:
    """The weeks, and Cochran's p-value of one effect in all of them; None with fewer than two."""

    weeks: tuple[Cohort, ...]
    p_value: float | None


def cohorts(cells: Cells, *, control: str, treatment: str) -> Cohorts:
    """Weekly effects of a mean or share from its cells by day of first exposure; no weeks without days."""
    sums: dict[int, dict[str, list[float]]] = {}
    days: dict[int, set[date]] = {}
    dated = [k.day for k in cells.keys if k.attribute is None and k.day is not None]
    if not dated:
        return Cohorts((), None)
    first = min(dated)
    for i, key in enumerate(cells.keys):
        if key.attribute is not None or key.day is None or key.variant not in (control, treatment):
            continue
        n = float(cells.moments.n[i])
        if n <= 0:
            continue
        week = (key.day - first).days // 7
        mean, m2 = float(cells.moments.mean[i, 0]), float(cells.moments.m2[i, 0, 0])
        own = sums.setdefault(week, {}).setdefault(key.variant, [0.0, 0.0, 0.0])
        own[0], own[1], own[2] = own[0] + n, own[1] + n * mean, own[2] + m2 + n * mean**2
        days.setdefault(week, set()).add(key.day)
    found = []
    for week, arms in sorted(sums.items()):
        if not {control, treatment} <= arms.keys() or min(arms[control][0], arms[treatment][0]) < FEWEST:
            continue
        (c, vc, nc), (t, vt, nt) = (_mean(*arms[name]) for name in (control, treatment))
        if c <= 0:
            continue
        se = sqrt(vt / nt / c**2 + vc / nc * t**2 / c**4)
        if se > 0:
            found.append(Cohort(min(days[week]), len(days[week]), round(nc + nt), t / c - 1, se))
    if len(found) < 2:
        return Cohorts(tuple(found), None)
    test = heterogeneity(estimates([w.effect for w in found], [w.se for w in found], 0, 0, 1, level=0.95, method="z"))
    return Cohorts(tuple(found), getattr(test, "p_value", None))


def _mean(n: float, total: float, squares: float) -> tuple[float, float, float]:
    mean = total / n
    return mean, max(squares / n - mean**2, 0.0) * n / max(n - 1, 1), n
