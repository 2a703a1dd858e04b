"""What the treatment truly did: every enrolled user lived through twice, with it and without it.

The estimate comes from one arm for each user; the truth from both, under the same random numbers. It is computed after
the analysis, by whoever simulated, and no process that analyzes ever sees it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from paribus.shop.course import NEVER, Course, Decided, Place
from paribus.shop.group import Group
from paribus.shop.outcome import Outcome
from paribus.shop.scenario import Scenario
from paribus.shop.world import DAY, Booleans, Floats, Integers, World

DAYS_SHOWN = 14
ARMS = ("control", "treatment")


@dataclass(frozen=True, slots=True)
class TrueEffect:
    """A metric without and with the treatment, for the same users; relative is None where control is 0."""

    control: float
    treatment: float
    units: int

    @property
    def absolute(self) -> float:
        """Treatment minus control."""
        return self.treatment - self.control

    @property
    def relative(self) -> float | None:
        """The difference as a share of control."""
        return self.absolute / self.control if self.control else None

    def to_dict(self) -> dict[str, float | int | None]:
        """Plain values."""
        return {
            "control": self.control,
            "treatment": self.treatment,
            "absolute": self.absolute,
            "relative": self.relative,
            "units": self.units,
        }


@dataclass(slots=True)
class Lived:
    """What the enrolled users did in one arm after their enrollment: users, microseconds since then, and values."""

    events: dict[str, list[tuple[Integers, Integers, Mapping[str, Any]]]] = field(default_factory=dict)

    def of(self, event: str, value: str | None) -> tuple[Integers, Integers, Floats]:
        """User, microseconds since enrollment and value of each event of a name (with or without its dollar sign)."""
        parts = self.events.get(event) or self.events.get(f"${event}") or []
        if not parts:
            return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
        users, since, columns = zip(*parts, strict=True)
        values = [
            np.ones(len(each)) if value is None else np.asarray(held[value], np.float64)
            for each, held in zip(users, columns, strict=True)
        ]
        return np.concatenate(users), np.concatenate(since), np.concatenate(values)


class Truth:
    """Both potential outcomes of the enrolled users.

    Args:
        scenario, seed: the world.
        enrolled: microseconds at which each user was enrolled, `NEVER` for the others; by index.
        until: how long they are followed, microseconds since 1970.
    """

    def __init__(self, scenario: Scenario, seed: int, enrolled: Integers, until: int) -> None:
        self.scenario = scenario
        self.users = np.flatnonzero(enrolled < until)
        self._enrolled = enrolled
        self.arms = [Lived(), Lived()]
        for arm, lived in enumerate(self.arms):
            world = World(scenario, seed)
            begin = int(enrolled.min()) if len(enrolled) else NEVER
            course = Course(world, Forced(enrolled, treated=bool(arm)), _Witness(lived, enrolled, begin))
            course.leap(world.midnight(max((min(begin, until) - world.midnight(0)) // DAY, 0)))
            course.advance(until)
        self.device = np.array(world.devices, object)[world.device[self.users]]
        self.country = np.array(world.countries, object)[world.country[self.users]]

    def effect(self, metric: Mapping[str, Any], who: Booleans | None = None) -> TrueEffect | None:
        """The true effect on a metric as an experiment document defines it; None where it is not understood.

        Args:
            metric: type (proportion, mean, count, ratio, quantile), event, value, window_days, quantile.
            who: of `users`, only these.
        """
        chosen = self.users if who is None else self.users[who]
        if not len(chosen):
            return None
        found = [self._measured(lived, metric, chosen) for lived in self.arms]
        if found[0] is None or found[1] is None:
            return None
        return TrueEffect(found[0], found[1], len(chosen))

    def by_segment(self, metric: Mapping[str, Any]) -> dict[str, dict[str, TrueEffect]]:
        """The true effect for each device and country."""
        found: dict[str, dict[str, TrueEffect]] = {}
        for name, values in (("device", self.device), ("country", self.country)):
            effects = {str(value): self.effect(metric, values == value) for value in sorted(set(values))}
            found[name] = {value: effect for value, effect in effects.items() if effect is not None}
        return found

    def by_day(self, event: str = "order_completed") -> list[TrueEffect]:
        """Events for each enrolled user on each day since enrollment: whether the effect stays."""
        counts = [
            np.bincount(lived.of(event, None)[1] // DAY, minlength=DAYS_SHOWN)[:DAYS_SHOWN] for lived in self.arms
        ]
        n = max(len(self.users), 1)
        return [TrueEffect(float(c) / n, float(t) / n, n) for c, t in zip(*counts, strict=True)]

    def _measured(self, lived: Lived, metric: Mapping[str, Any], chosen: Integers) -> float | None:
        event, value, kind = metric.get("event"), metric.get("value"), metric.get("type", "proportion")
        if not isinstance(event, str):
            return None
        try:
            user, since, amount = lived.of(event, value if isinstance(value, str) else None)
        except (KeyError, TypeError, ValueError):
            return None
        inside = np.isin(user, chosen)
        if metric.get("window_days") is not None:
            inside &= since < int(float(metric["window_days"]) * DAY)
        user, amount = user[inside], amount[inside]
        if kind == "proportion":
            return len(np.unique(user)) / len(chosen)
        if kind in ("mean", "count"):
            return float(amount.sum()) / len(chosen)
        if kind == "quantile" and len(amount):
            return float(np.quantile(amount, float(metric.get("quantile", 0.95))))
        if kind == "ratio" and len(amount):
            return float(amount.sum()) / len(amount)
        return None


class Forced:
    """Serves one arm to every enrolled user from enrollment on, and control to the others."""

    def __init__(self, enrolled: Integers, *, treated: bool) -> None:
        self._enrolled = enrolled
        self._treated = treated

    def decide(self, place: Place) -> Decided:
        """The arm, once enrolled."""
        user = place.visits.user[place.rows]
        known = user < len(self._enrolled)
        since = np.full(len(user), NEVER)
        since[known] = self._enrolled[user[known]]
        on = since <= place.time
        return Decided(on & self._treated, on)

    def told(self, place: Place, decided: Decided, out: Outcome) -> None:
        """Nothing is learned."""


class _Witness:
    """Keeps what enrolled users do after their enrollment."""

    def __init__(self, lived: Lived, enrolled: Integers, begin: int) -> None:
        self._lived = lived
        self._enrolled = enrolled
        self._begin = begin

    def __call__(self, groups: list[Group]) -> None:
        for group in groups:
            if not len(group) or int(group.time.max()) < self._begin:
                continue
            known = group.user < len(self._enrolled)
            since = np.full(len(group), NEVER)
            since[known] = self._enrolled[group.user[known]]
            rows = np.flatnonzero(group.time >= since)
            if len(rows):
                columns = {name: column[rows] for name, column in group.columns.items() if column.dtype.kind != "O"}
                self._lived.events.setdefault(group.name, []).append(
                    (group.user[rows], group.time[rows] - since[rows], columns)
                )


def enrolled_of(parts: Iterable[Integers]) -> Integers:
    """The enrollment of several senders in one."""
    listed: Sequence[Integers] = list(parts)
    whole = np.full(max(len(part) for part in listed), NEVER)
    for part in listed:
        whole[: len(part)] = np.minimum(whole[: len(part)], part)
    return whole
