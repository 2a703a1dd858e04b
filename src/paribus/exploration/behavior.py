"""Groups of units by what they do: recency, frequency, money, and clusters of these with a rule that a person can read.

Units are counted in cells (days since last seen, active days, actions per active day, conversions); only cells leave
the engine, and everything below is computed from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from paribus.exploration.clustering import adjusted_rand, k_means
from paribus.exploration.days import Days
from paribus.exploration.event_log import EventLog
from paribus.exploration.shape import MONEY
from paribus.warehouse.event_views import literal

FEATURES = ("recency", "active_days", "actions", "conversions")
WORDS = {
    "recency": ("last seen at most {} before the end", "last seen more than {} before the end", "day"),
    "active_days": ("active on at most {}", "active on more than {}", "day"),
    "actions": ("at most {} per active day", "more than {} per active day", "action"),
    "conversions": ("at most {}", "more than {}", "conversion"),
}
ATTRIBUTES = {
    "recency": "behavior_last_seen_days",
    "active_days": "behavior_active_days",
    "actions": "behavior_actions_per_day",
    "conversions": "behavior_conversions",
}
"""What a flag's rule calls each feature, where the client sends it with the user's context."""
STEPS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96)
MOST_CONVERSIONS = 10
STABLE = 0.8  # mean adjusted Rand index, from which a clustering is called stable (Hennig 2007 takes .75 to .85)
REPLICATES = 12


@dataclass(frozen=True, slots=True)
class Threshold:
    """One comparison of a feature, as a flag evaluates it."""

    feature: str
    op: str
    value: float

    def condition(self) -> dict[str, object]:
        """The comparison as a flag's condition."""
        number = int(self.value) if self.value == int(self.value) else self.value
        return {"attribute": ATTRIBUTES[self.feature], "op": self.op, "value": number}


@dataclass(frozen=True, slots=True)
class BehaviorSegment:
    """A group of units.

    Attributes:
        rule: in words.
        units: in the group.
        center: mean of each feature, in the order of FEATURES.
        fidelity: share of the units that the words name which are in the group, and the share of the group they name.
        when: the words as comparisons, all of which hold.
        named: units that the words name.
    """

    rule: str
    units: int
    center: tuple[float, ...]
    fidelity: tuple[float, float]
    when: tuple[Threshold, ...] = ()
    named: int = 0


@dataclass(frozen=True, slots=True)
class RfmClass:
    """A class of recency, frequency and money: units, their conversions, their money (None without amounts)."""

    recency: str
    frequency: str
    monetary: str
    units: int
    conversions: int
    money: float | None
    when: tuple[Threshold, ...] = ()


@dataclass(frozen=True, slots=True)
class Behavior:
    """Clusters with their stability (mean adjusted Rand index between the clustering and those of resampled units)."""

    segments: tuple[BehaviorSegment, ...]
    stability: float | None
    rfm: tuple[RfmClass, ...]
    units: int
    statement: str


def measure_behavior(log: EventLog, days: Days, *, conversion: str | None = None, seed: int = 1) -> Behavior:
    """Groups of the units that acted in the days read."""
    statement = _statement(log, days, conversion)
    rows = log.query(statement).rows
    cells = np.array([[float(x or 0) for x in row] for row in rows], dtype=float).reshape(len(rows), 6)
    cells = cells[np.lexsort(cells[:, 3::-1].T)]
    values, weights, money = cells[:, :4], cells[:, 4], cells[:, 5]
    has_money = conversion is not None and _money(log, conversion) is not None
    rfm = _rfm(values, weights, money if has_money else None)
    if len(cells) < 10 or weights.sum() < 100:
        return Behavior((), None, rfm, int(weights.sum()), statement)
    scaled = _scaled(values, weights)
    chosen: tuple[NDArray[np.int64], float] | None = None
    for k in (5, 4, 3):
        labels, _ = k_means(scaled, weights, k, seed=seed)
        stability = _stability(scaled, weights, labels, k, seed)
        if chosen is None or stability > chosen[1]:
            chosen = (labels, stability)
        if stability >= STABLE:
            break
    assert chosen is not None  # noqa: S101 - the loop ran
    labels, stability = chosen
    segments = [_described(values, weights, labels == c) for c in np.unique(labels)]
    segments.sort(key=lambda each: (-each.units, each.rule))
    return Behavior(tuple(segments), stability, rfm, int(weights.sum()), statement)


def _statement(log: EventLog, days: Days, conversion: str | None) -> str:
    did = log.names(log.actions)
    goal = f"event = {literal(conversion)}" if conversion else "1 = 0"
    money = _money(log, conversion) if conversion else None
    paid = f"SUM(CASE WHEN {goal} THEN {money} ELSE 0 END)" if money else "SUM(0)"
    step = "CASE " + " ".join(f"WHEN actions < {s * 1.0} * active_days THEN {p}" for p, s in pairwise(STEPS))
    step += f" ELSE {STEPS[-1]} END"
    return (
        "WITH of_units AS (SELECT unit, MAX(day) AS last_day, COUNT(DISTINCT day) AS active_days, COUNT(*) AS "
        "actions, "
        f"SUM(CASE WHEN {goal} THEN 1 ELSE 0 END) AS goals, {paid} AS paid FROM events WHERE event IN ({did}) AND day "
        ">= "
        f"{days.first} AND day < {days.until} GROUP BY unit), cells AS (SELECT {days.until - 1} - last_day AS recency, "
        f"active_days, {step} AS action_step, CASE WHEN goals > {MOST_CONVERSIONS} THEN {MOST_CONVERSIONS} ELSE goals "
        "END "
        "AS goals, paid FROM of_units) SELECT recency, active_days, action_step, goals, COUNT(*) AS n, SUM(paid) AS "
        "paid "
        "FROM cells GROUP BY recency, active_days, action_step, goals"
    )


def _money(log: EventLog, conversion: str | None) -> str | None:
    fitting = [each.column for each in log.numbers if conversion in each.events and MONEY.search(each.name)]
    return fitting[0] if fitting else None


def _scaled(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    logs = np.log1p(values)
    mean = np.average(logs, axis=0, weights=weights)
    sd = np.sqrt(np.average((logs - mean) ** 2, axis=0, weights=weights))
    return np.asarray((logs - mean) / np.where(sd > 0, sd, 1.0))


def _stability(
    scaled: NDArray[np.float64], weights: NDArray[np.float64], labels: NDArray[np.int64], k: int, seed: int
) -> float:
    """Mean agreement with clusterings of units drawn again (bootstrap), each applied to all cells."""
    generator = np.random.default_rng(seed)
    whole = int(weights.sum())
    share = weights / weights.sum()
    agreed = []
    for _ in range(REPLICATES):
        drawn = generator.multinomial(whole, share).astype(float)
        _, centers = k_means(scaled, drawn, k, seed=int(generator.integers(1 << 31)), starts=1)
        again = np.argmin(((scaled[:, None, :] - centers[None]) ** 2).sum(axis=2), axis=1)
        agreed.append(adjusted_rand(labels, again, weights))
    return float(np.mean(agreed))


def _described(values: NDArray[np.float64], weights: NDArray[np.float64], member: NDArray[np.bool_]) -> BehaviorSegment:
    """The group with the one or two thresholds that name it best (F1)."""
    options: list[tuple[NDArray[np.bool_], str, Threshold]] = []
    for f, feature in enumerate(FEATURES):
        for cut in np.unique(values[:, f])[:-1][:40]:
            below, above, noun = WORDS[feature]
            number = f"{cut:g} {noun}" + ("" if cut == 1 else "s")
            most, more = _cut(feature, float(cut))
            options.append((values[:, f] <= cut, below.format(number) if cut else f"no {noun}", most))
            options.append((values[:, f] > cut, above.format(number) if cut else f"at least one {noun}", more))
    inside = weights * member
    size = float(inside.sum())

    def score(named: NDArray[np.bool_]) -> float:
        hit, total = float(inside[named].sum()), float(weights[named].sum())
        return 2 * hit / (total + size) if total + size else 0.0

    ranked = [(score(named), words, named, (when,)) for named, words, when in options]
    best = sorted(ranked, key=lambda e: (-e[0], e[1]))[:25]
    top: tuple[float, str, NDArray[np.bool_], tuple[Threshold, ...]] = best[0]
    for _, words, named, (when,) in best:
        for other, others, also in options:
            both = named & other
            value = score(both)
            if value > top[0] + 0.02:
                top = (value, f"{words}, {others}", both, (when, also))
    named = top[2]
    hit = float(inside[named].sum())
    center = tuple(float(x) for x in np.average(values[member], axis=0, weights=weights[member]))
    fidelity = (hit / max(float(weights[named].sum()), 1), hit / max(size, 1))
    return BehaviorSegment(top[1], int(size), center, fidelity, top[3], int(weights[named].sum()))


def _cut(feature: str, cut: float) -> tuple[Threshold, Threshold]:
    """At most the cut, and above it; actions per day are kept rounded down to a step, so they meet the next one."""
    if feature != "actions":
        return Threshold(feature, "at_most", cut), Threshold(feature, "greater_than", cut)
    following = next((float(s) for s in STEPS if s > cut), float(cut) + 1)
    return Threshold(feature, "less_than", following), Threshold(feature, "at_least", following)


def units_statement(log: EventLog, days: Days, conversion: str | None) -> str:
    """Each unit's own features, a row for each: what a client sends so that flags can decide by behavior."""
    goal = f"event = {literal(conversion)}" if conversion else "1 = 0"
    of_units = (
        f"SELECT unit, {days.until - 1} - MAX(day) AS {ATTRIBUTES['recency']}, COUNT(DISTINCT day) AS "
        f"{ATTRIBUTES['active_days']}, COUNT(*) * 1.0 / COUNT(DISTINCT day) AS {ATTRIBUTES['actions']}, "
        f"SUM(CASE WHEN {goal} THEN 1 ELSE 0 END) AS {ATTRIBUTES['conversions']} FROM events "
        f"WHERE event IN ({log.names(log.actions)}) AND day >= {days.first} AND day < {days.until} "
        "GROUP BY unit"
    )
    if not log.unit_names:
        return f"{of_units} ORDER BY unit"
    told = ", ".join(ATTRIBUTES.values())
    own = f"JOIN {log.unit_names} AS own ON own.unit = did.unit"
    return f"SELECT name, {told} FROM ({of_units}) AS did {own} ORDER BY name"


def _rfm(
    values: NDArray[np.float64], weights: NDArray[np.float64], money: NDArray[np.float64] | None
) -> tuple[RfmClass, ...]:
    """Classes at the quantiles of recency and frequency (median), and none, one or several conversions."""
    if not len(values):
        return ()
    recent, often = (_quantile(values[:, f], weights, 0.5) for f in (0, 1))
    often = max(often, 1.0)
    found = []
    for r, is_recent in ((f"last {recent:g} days", True), ("earlier", False)):
        for f, is_often in ((f"more than {often:g} days", True), (f"at most {often:g} days", False)):
            for m, low, high in (("several", 2, 1e9), ("one", 1, 1), ("none", 0, 0)):
                chosen = ((values[:, 0] <= recent) == is_recent) & ((values[:, 1] > often) == is_often)
                chosen &= (values[:, 3] >= low) & (values[:, 3] <= high)
                n = int(weights[chosen].sum())
                if n:
                    conversions = int((weights * values[:, 3])[chosen].sum())
                    when = (
                        Threshold("recency", "at_most" if is_recent else "greater_than", recent),
                        Threshold("active_days", "greater_than" if is_often else "at_most", often),
                        Threshold("conversions", "at_least" if low == 2 else "equals", low),
                    )
                    found.append(
                        RfmClass(r, f, m, n, conversions, None if money is None else float(money[chosen].sum()), when)
                    )
    return tuple(found)


def _quantile(x: NDArray[np.float64], weights: NDArray[np.float64], q: float) -> float:
    order = np.argsort(x, kind="stable")
    return float(x[order][np.searchsorted(np.cumsum(weights[order]), q * weights.sum())])


def named_units(segments: Sequence[BehaviorSegment]) -> int:
    """All units that are in some segment."""
    return sum(each.units for each in segments)
