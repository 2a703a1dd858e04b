"""The running state of one watched experiment: each unit's arm and whether it met an outcome; never an event twice.

What a unit did before its first exposure does not count; corrected times carry the way's length, so up to five seconds
before it is still after it, as in the analysis. An outcome that arrives before its exposure (another client,
another batch) waits for it. Counting a unit once makes every delivery after the first harmless, so the state can be fed
at least once and rebuilt from the lake at any time.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping

from paribus.monitoring.guardrail import Counts

TOLERANCE = 5_000_000  # microseconds: contracts, Events and time
_WAITING = 200_000
_MIXED = 1


class Tally:
    """Units and outcomes of one experiment, by epoch and arm.

    Args:
        arms: with control; exposures of other variants are counted as strays.
        weights: by arm, for exposures that state no probability.
        guards: how many outcomes there are; an outcome is named by its place.
    """

    def __init__(self, arms: tuple[str, ...], weights: Mapping[str, float], guards: int) -> None:
        self._arms = {arm: place for place, arm in enumerate(arms)}
        self._names = arms
        self._weights = dict(weights)
        self._guards = guards
        self._units: dict[str, list[int]] = {}  # first exposure, epoch, arm, bits: mixed, then one for each outcome
        self._waiting: OrderedDict[tuple[str, int], int] = OrderedDict()  # latest time of an outcome without exposure
        self._exposed: Counter[tuple[int, int]] = Counter()
        self._failed: Counter[tuple[int, int, int]] = Counter()
        self._stated: dict[int, dict[int, float]] = {}
        self.strays = 0
        self.mixed = 0
        self.crossed: Counter[str] = Counter()
        """Exposures served another variant than the one assigned, by arm."""

    def __len__(self) -> int:
        return len(self._units)

    def __contains__(self, unit: str) -> bool:
        return unit in self._units

    @property
    def first(self) -> int | None:
        """When the first unit entered, in microseconds; None before."""
        return min((found[0] for found in self._units.values()), default=None)

    def arm_of(self, unit: str) -> str | None:
        """The unit's arm; None when it was not exposed, or to several."""
        found = self._units.get(unit)
        return None if found is None or found[3] & _MIXED else self._names[found[2]]

    def expose(
        self, unit: str, arm: str | None, time: int, *, epoch: int = 1, probability: float | None = None
    ) -> None:
        """A randomized exposure: the earliest one decides when a unit entered; a second arm takes it out."""
        place = self._arms.get(arm or "")
        if place is None:
            self.strays += 1
            return
        if probability:
            self._stated.setdefault(epoch, {})[place] = probability
        found = self._units.get(unit)
        if found is None:
            found = self._units[unit] = [time, epoch, place, 0]
            self._exposed[epoch, place] += 1
        elif found[2] != place and found[1] == epoch:
            self._mix(found)
            return
        elif time < found[0]:
            found[0] = time
        if self._waiting:
            for guard in range(self._guards):
                late = self._waiting.pop((unit, guard), None)
                if late is not None:
                    self.fail(unit, guard, late)

    def fail(self, unit: str, guard: int, time: int) -> None:
        """An outcome of a unit; it counts from the unit's first exposure on."""
        found = self._units.get(unit)
        if found is None or time < found[0] - TOLERANCE:
            key = (unit, guard)
            if time > self._waiting.get(key, -1):
                self._waiting[key] = time
                self._waiting.move_to_end(key)
                if len(self._waiting) > _WAITING:
                    self._waiting.popitem(last=False)
            return
        bit = 2 << guard
        if found[3] & (bit | _MIXED):
            return
        found[3] |= bit
        self._failed[guard, found[1], found[2]] += 1

    def forget(self, units: Iterable[str]) -> None:
        """Removes ids; what they did stays counted."""
        for unit in units:
            self._units.pop(unit, None)
            for guard in range(self._guards):
                self._waiting.pop((unit, guard), None)

    def counts(self, guard: int) -> dict[int, Counts]:
        """By epoch: units, units with the outcome, weights."""
        epochs = sorted({epoch for epoch, _ in self._exposed})
        return {
            epoch: Counts(
                {arm: self._exposed[epoch, place] for arm, place in self._arms.items()},
                {arm: self._failed[guard, epoch, place] for arm, place in self._arms.items()},
                self._weights_of(epoch),
            )
            for epoch in epochs
        }

    def units(self) -> dict[str, int]:
        """Units by arm, over all epochs."""
        return {
            arm: sum(count for (_, found), count in self._exposed.items() if found == place)
            for arm, place in self._arms.items()
        }

    def _weights_of(self, epoch: int) -> dict[str, float]:
        stated = self._stated.get(epoch, {})
        if len(stated) == len(self._arms):
            return {arm: stated[place] for arm, place in self._arms.items()}
        return dict(self._weights)

    def _mix(self, found: list[int]) -> None:
        if found[3] & _MIXED:
            return
        self.mixed += 1
        self._exposed[found[1], found[2]] -= 1
        for guard in range(self._guards):
            if found[3] & (2 << guard):
                self._failed[guard, found[1], found[2]] -= 1
        found[3] |= _MIXED
