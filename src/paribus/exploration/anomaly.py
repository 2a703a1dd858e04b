"""Days that cannot be what they seem: missing, thin, doubled, or an event that stopped. They are left out, and said.

The level of a day is compared with the same weekday's median over the other weeks. The spread is that of the data
themselves (median absolute deviation) but never less than chance (Poisson), and a deviation must be large as well as
improbable, after correction for all days and events looked at: clean data give few findings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from paribus.exploration.days import Days
from paribus.exploration.event_log import date_of

Kind = Literal["missing day", "thin day", "doubled day", "stopped event", "gap of an event", "unusual day"]
LEAVES_OUT: frozenset[str] = frozenset({"missing day", "thin day", "doubled day"})
FEWEST = 20.0  # events a day, below which an event's days are too thin to judge
THIN = 0.5
UNUSUAL = 0.5


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Something about one or several days.

    Attributes:
        kind: what it looks like.
        event: which event; empty: all of them.
        first, until: the days, [first, until) since 1970.
        observed, expected: events on these days.
    """

    kind: Kind
    event: str
    first: int
    until: int
    observed: float
    expected: float

    @property
    def is_left_out(self) -> bool:
        """Whether analyses do not read these days at all."""
        return self.kind in LEAVES_OUT

    def sentence(self) -> str:
        """What was found, in words."""
        day = date_of(self.first).isoformat()
        stretch = day if self.until - self.first == 1 else f"{day} to {date_of(self.until - 1).isoformat()}"
        whose = self.event or "all events"
        numbers = f"{self.observed:,.0f} events where {self.expected:,.0f} are usual"
        told = {
            "missing day": f"no data on {stretch}: {numbers}",
            "thin day": f"a part of the data of {stretch} is missing: {numbers}",
            "doubled day": f"{whose} of {stretch} seem to be counted twice: {numbers}, from no more users than usual",
            "stopped event": f"{whose} stopped on {day}: {numbers} since",
            "gap of an event": f"{whose} is missing on {stretch}: {numbers}",
            "unusual day": f"{whose} on {stretch} is far from usual: {numbers}",
        }[self.kind]
        return told + ("; left out" if self.is_left_out else "; kept, read with care")


def find_anomalies(days: Days, *, alpha: float = 0.01, system: frozenset[str] = frozenset()) -> tuple[Anomaly, ...]:
    """The days that stand out, in the order of time, whole days before single events."""
    if days.count < 4:
        return ()
    found: list[Anomaly] = []
    total = np.asarray(days.counts[[i for i, e in enumerate(days.events) if e not in system]].sum(axis=0))
    usual = expected_level(total, days)
    judged = [i for i in range(len(days.events)) if np.median(days.counts[i]) >= FEWEST]
    limit = _z(alpha / (days.count * (len(judged) + 1)))
    z = _deviations(total, usual)
    bad: set[int] = set()
    for t in range(days.count):
        day = days.first + t
        if usual[t] >= FEWEST / 2 and total[t] <= 0.02 * usual[t]:
            found.append(Anomaly("missing day", "", day, day + 1, float(total[t]), float(usual[t])))
            bad.add(t)
        elif total[t] < THIN * usual[t] and -z[t] > limit:
            found.append(Anomaly("thin day", "", day, day + 1, float(total[t]), float(usual[t])))
            bad.add(t)
    doubled = _doubled(days, system, bad)
    for t in sorted(doubled):
        day = days.first + t
        found.append(Anomaly("doubled day", doubled[t], day, day + 1, float(total[t]), float(usual[t])))
    bad |= set(doubled)
    for i in judged:
        found += _of_event(days, i, bad, limit)
    return tuple(sorted(found, key=lambda each: (bool(each.event) and not each.is_left_out, each.first, each.event)))


def expected_level(series: NDArray[np.float64], days: Days) -> NDArray[np.float64]:
    """What is usual on each day: the local median of the other days, times its weekday's factor."""
    weekday = days.weekday()
    n = len(series)
    local = np.empty(n)
    for t in range(n):
        near = [u for u in range(max(0, t - 7), min(n, t + 8)) if u != t]
        local[t] = np.median(series[near]) if near else series[t]
    factor = np.ones(7)
    if n >= 14:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(local > 0, series / local, 1.0)
        for d in range(7):
            factor[d] = np.median(ratio[weekday == d])
        factor = np.where(factor > 0, factor, 1.0)
    usual = local * factor[weekday]
    # once more without the season, so that the local median is not a weekday's
    flat = series / factor[weekday]
    for t in range(n):
        near = [u for u in range(max(0, t - 7), min(n, t + 8)) if u != t]
        local[t] = np.median(flat[near]) if near else flat[t]
    usual = local * factor[weekday]
    return np.asarray(usual)


def _deviations(series: NDArray[np.float64], usual: NDArray[np.float64]) -> NDArray[np.float64]:
    """Robust z: distances from usual in square roots of it, over their median absolute size (at least chance)."""
    scaled = (series - usual) / np.sqrt(np.maximum(usual, 1.0))
    spread = max(1.4826 * float(np.median(np.abs(scaled))), 1.0)
    return np.asarray(scaled / spread)


def _doubled(days: Days, system: frozenset[str], bad: set[int]) -> dict[int, str]:
    """Days on which events per unit are about twice as many as usual, and what doubled: by day, empty for all."""
    found: dict[int, str] = {}
    repeated = days.repeated
    total = days.counts.sum(axis=0)
    share = np.where(total > 0, repeated / np.maximum(total, 1), 0.0)
    good = [t for t in range(days.count) if t not in bad]
    if not good:
        return found
    usual_share = float(np.median(share[good]))
    for t in good:
        if share[t] > max(0.2, 5 * usual_share + 0.1):
            found[t] = ""
    rows = [i for i, name in enumerate(days.events) if name not in system and np.median(days.counts[i]) >= FEWEST]
    if not rows:
        return found
    with np.errstate(divide="ignore", invalid="ignore"):
        per_unit = np.where(days.units > 0, days.counts / np.maximum(days.units, 1), np.nan)
    for t in good:
        if t in found:
            continue
        jumped = []
        for i in rows:
            others = per_unit[i, [u for u in good if u != t]]
            others = others[~np.isnan(others)]
            if len(others) < 4 or math.isnan(per_unit[i, t]):
                continue
            middle = float(np.median(others))
            spread = max(1.4826 * float(np.median(np.abs(others - middle))), 0.03 * middle)
            ratio = per_unit[i, t] / middle
            if 1.75 < ratio < 2.6 and (per_unit[i, t] - middle) / spread > 8:
                jumped.append(days.events[i])
        if jumped:
            found[t] = "" if len(jumped) == len(rows) else ", ".join(jumped)
    return found


def _of_event(days: Days, i: int, bad: set[int], limit: float) -> list[Anomaly]:
    """Where one event is missing, while others go on, or far from usual."""
    name, series = days.events[i], days.counts[i]
    usual = expected_level(series, days)
    middle = float(np.median(series[series > 0]))
    empty = [t for t in range(days.count) if series[t] <= 0.02 * middle and t not in bad]
    found: list[Anomaly] = []
    for first, until in _runs(empty):
        if first == 0:
            continue  # it began later, which is no hole
        expected = middle * (until - first)
        if expected < 2 * FEWEST:
            continue
        kind: Kind = "stopped event" if until == days.count else "gap of an event"
        at = days.first
        found.append(Anomaly(kind, name, at + first, at + until, float(series[first:until].sum()), expected))
    z = _deviations(series, usual)
    for t in range(days.count):
        is_far = abs(series[t] - usual[t]) > UNUSUAL * max(usual[t], FEWEST)
        if abs(z[t]) > limit and is_far and t not in bad and t not in empty:
            day = days.first + t
            found.append(Anomaly("unusual day", name, day, day + 1, float(series[t]), float(usual[t])))
    return found


def _runs(places: Sequence[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for t in places:
        if runs and runs[-1][1] == t:
            runs[-1] = (runs[-1][0], t + 1)
        else:
            runs.append((t, t + 1))
    return runs


def _z(p: float) -> float:
    from scipy.special import ndtri

    return float(-ndtri(p / 2))
