"""How a room declares a kind of record: its dataclass, its key, the units it is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Generic, TypeVar

from paribus.errors import InputError
from paribus.store.address import check_name

R = TypeVar("R")
SEPARATOR = "\x1f"  # between the parts of a key
_DIGITS = 19


@dataclass(frozen=True, slots=True)
class RecordType(Generic[R]):
    """How a room's frozen dataclass is kept.

    Attributes:
        body: the dataclass; msgspec writes it as JSON and reads it back with its types.
        name: under which it is kept; part of the data, so never renamed.
        key: the fields that identify a record, text or whole numbers from 0; scans run in their order.
        units: fields that hold a unit's id: `Store.erase` finds records by them.
        lookup: one more text field that `by` finds records by.
    """

    body: type[R]
    name: str
    key: tuple[str, ...]
    units: tuple[str, ...] = ()
    lookup: str | None = None

    def __post_init__(self) -> None:
        check_name("record type", self.name)
        known = {field.name for field in fields(self.body)}  # type: ignore[arg-type]
        named = {*self.key, *self.units, *((self.lookup,) if self.lookup else ())}
        if not self.key or not named <= known:
            raise InputError(
                f"the record type {self.name!r} names fields that {self.body.__name__} lacks",
                rule="a record type has at least one key field, and its fields are the dataclass's own",
            )

    def id_of(self, record: R) -> str:
        """The record's identity as one text."""
        return self.id_from([getattr(record, name) for name in self.key])

    def id_from(self, parts: Sequence[str | int]) -> str:
        """The identity that these key values make; fewer values than key fields make the beginning of one."""
        return SEPARATOR.join(_part(self.name, value) for value in parts)

    def whole_id(self, parts: Sequence[str | int]) -> str:
        """The identity of exactly one record.

        Raises:
            InputError: too few or too many values.
        """
        if len(parts) != len(self.key):
            raise InputError(f"a {self.name} record is named by {', '.join(self.key)}", rule="one value for each")
        return self.id_from(parts)

    def units_of(self, record: R) -> set[str]:
        """The unit ids that the record mentions."""
        return {str(unit) for name in self.units if (unit := getattr(record, name)) not in (None, "")}


@dataclass(frozen=True, slots=True)
class Claim(Generic[R]):
    """A record that one claimant holds until `until` (seconds since 1970); `owner` is the claimant's own name."""

    record: R
    id: str
    owner: str
    until: float


def _part(name: str, value: str | int) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or (isinstance(value, int) and value < 0):
        raise InputError(
            f"{value!r} cannot be part of a {name} record's key", rule="key fields hold text or whole numbers from 0"
        )
    if isinstance(value, int):
        return str(value).zfill(_DIGITS)
    if SEPARATOR in value or "\0" in value:
        raise InputError(
            f"{value!r} cannot be part of a {name} record's key", rule="keys hold no control characters 0 and 31"
        )
    return value
