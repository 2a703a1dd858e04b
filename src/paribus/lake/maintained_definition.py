"""What the two maintained tables are to hold: which exposures enrol whom, and which sums of events each unit has."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime

MICROSECONDS_PER_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Whom an experiment enrols: units with a randomized exposure of the flag, from `start` on.

    attributes  names of what is kept of the first exposure, in the order of the table's columns a1, a2 …
    """

    flag: str
    environment: str | None
    variants: tuple[str, ...]
    start: datetime | None = None
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class UnitSum:
    """One sum per unit: value number `slot` of the event, over [t0 + first, t0 + last) days; None is open."""

    slot: int
    first_days: int | None = 0
    last_days: int | None = None


@dataclass(frozen=True, slots=True)
class Definition:
    """All experiments that are maintained together: those whose units are of one type.

    values  by event name, the expressions whose sums are kept; their texts name them, slot 0 first
    sums    by experiment and event name, the sums asked of it
    """

    unit_type: str
    enrolments: Mapping[str, Enrolment]
    values: Mapping[str, tuple[str, ...]]
    sums: Mapping[str, Mapping[str, tuple[UnitSum, ...]]]
    tolerance_seconds: Mapping[str, int] = field(default_factory=dict)

    @property
    def experiments(self) -> list[str]:
        """The experiments in the order of their numbers in the tables."""
        return sorted(self.enrolments)

    def columns(self, name: str) -> list[UnitSum]:
        """Every sum of an event name that any experiment asks, in the order of the columns c1, c2 …"""
        return sorted({each for of in self.sums.values() for each in of.get(name, ())}, key=repr)

    def groups(self, name: str) -> dict[tuple[UnitSum, ...], list[int]]:
        """Experiments that ask the same sums of an event name, by these sums."""
        found: dict[tuple[UnitSum, ...], list[int]] = {}
        for number, key in enumerate(self.experiments):
            asked = self.sums.get(key, {}).get(name, ())
            if asked:
                found.setdefault(tuple(sorted(set(asked), key=repr)), []).append(number)
        return found

    @property
    def most_slots(self) -> int:
        """The largest number of values of any event name."""
        return max((len(each) for each in self.values.values()), default=0)

    @property
    def most_attributes(self) -> int:
        """The largest number of attributes of any experiment."""
        return max((len(each.attributes) for each in self.enrolments.values()), default=0)

    def digest(self) -> str:
        """SHA-256 of the definition: tables of another one are built anew."""
        return hashlib.sha256(json.dumps(self, sort_keys=True, default=_plain).encode()).hexdigest()


def _plain(value: object) -> object:
    return {each.name: getattr(value, each.name) for each in fields(value)} if is_dataclass(value) else str(value)


@dataclass(frozen=True, slots=True)
class NewRows:
    """SELECTs over the files that are new.

    exposures  columns flag, environment, unit, variant, reason, epoch, probability, time, and the attributes by name
    events     by event name: columns unit, time, event_key (a BIGINT), and v1, v2 … in the order of its values
    """

    exposures: str | None
    events: Mapping[str, str]
