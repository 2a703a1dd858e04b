"""Events as columns, a group for each name, and what is known around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from paribus.shop.world import Booleans, Integers, Visits, World


@dataclass(frozen=True, slots=True)
class Group:
    """Events of one name.

    Attributes:
        name: of the event.
        user, visit: whose they are, and of which visit.
        known: whether the user was logged in then.
        context: code of device, country and returning; see `Contexts`.
        time, due: when they happened, and when they leave the device; microseconds since 1970.
        copy: 0, or 1 for the second of an event sent twice.
        columns: properties by name.
        absent, mistyped: rows whose property is missing, or of the wrong type.
    """

    name: str
    user: Integers
    visit: Integers
    known: Booleans
    context: Integers
    time: Integers
    due: Integers
    copy: Integers
    columns: Mapping[str, Any] = field(default_factory=dict)
    absent: Mapping[str, Booleans] = field(default_factory=dict)
    mistyped: Mapping[str, Booleans] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.user)

    def __getitem__(self, rows: Any) -> Group:
        plain: dict[str, Any] = {each.name: getattr(self, each.name)[rows] for each in fields(self)[1:8]}
        mapped: dict[str, Any] = {
            each.name: {name: column[rows] for name, column in getattr(self, each.name).items()}
            for each in fields(self)[8:]
        }
        return Group(self.name, **plain, **mapped)

    def properties(self) -> list[dict[str, Any]]:
        """The properties of each event, as plain values."""
        names = list(self.columns)
        if not names:
            return [{} for _ in range(len(self))]
        lists = [column.tolist() for column in self.columns.values()]
        found = [dict(zip(names, values, strict=True)) for values in zip(*lists, strict=True)]
        for name, rows in self.mistyped.items():
            for i in np.flatnonzero(rows).tolist():
                found[i][name] = mistyped(found[i][name])
        for name, rows in self.absent.items():
            for i in np.flatnonzero(rows).tolist():
                found[i].pop(name, None)
        return found


def mistyped(value: Any) -> Any:
    """A value of another type: a number as text, text as a number."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return 0 if isinstance(value, str) else f"{value} NOK" if isinstance(value, float) else f"n{value}"


def joined(groups: Sequence[Group]) -> Group:
    """Groups of one name and the same columns in one."""
    first = groups[0]
    if len(groups) == 1:
        return first
    plain: dict[str, Any] = {
        each.name: np.concatenate([getattr(group, each.name) for group in groups]) for each in fields(first)[1:8]
    }
    columns = {name: np.concatenate([np.asarray(group.columns[name]) for group in groups]) for name in first.columns}
    marked: dict[str, Any] = {
        kind: {
            name: np.concatenate([getattr(group, kind).get(name, np.zeros(len(group), np.bool_)) for group in groups])
            for name in {name for group in groups for name in getattr(group, kind)}
        }
        for kind in ("absent", "mistyped")
    }
    return Group(first.name, **plain, columns=columns, **marked)


class Contexts:
    """What is known around an event, by its code."""

    def __init__(self, world: World) -> None:
        self._countries = len(world.countries)
        self._known: list[dict[str, Any]] = [
            {"device": device, "country": country, "returning": returning, "simulated": True}
            for device in world.devices
            for country in world.countries
            for returning in (False, True)
        ]

    def code(self, visits: Visits) -> Integers:
        """The code of each visit's context."""
        code: Integers = (visits.device * self._countries + visits.country) * 2 + visits.returning
        return code

    def __len__(self) -> int:
        return len(self._known)

    def __getitem__(self, code: int) -> dict[str, Any]:
        return self._known[code]
