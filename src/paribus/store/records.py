"""Erasable records: operational state and facts about single units, beside the documents and outside their chain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from paribus.errors import Conflict, InputError, NotFound
from paribus.store.address import check_name

if TYPE_CHECKING:
    from paribus.store.store import Store

R = TypeVar("R")
_SEPARATOR = "\x1f"
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
        return _SEPARATOR.join(_part(self.name, value) for value in parts)

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


class Records(Generic[R]):
    """The records of one type."""

    def __init__(self, store: Store, kind: RecordType[R]) -> None:
        self._store = store
        self._kind = kind

    def append(self, *records: R) -> None:
        """Writes new records, all or none.

        Raises:
            Conflict: a record with the same key exists.
        """
        raise NotImplementedError

    def upsert(self, *records: R) -> None:
        """Writes records, all or none; one with the same key is replaced, and a lease on it stays."""
        raise NotImplementedError

    def find(self, *key: str | int) -> R | None:
        """The record with this key, or None."""
        raise NotImplementedError

    def get(self, *key: str | int) -> R:
        """The record with this key.

        Raises:
            NotFound: there is none.
        """
        raise NotImplementedError

    def by(self, lookup: str) -> list[R]:
        """The records whose lookup field has this value, in the order of their keys."""
        raise NotImplementedError

    def scan(self, *prefix: str | int, after: R | None = None, limit: int = 1000) -> list[R]:
        """The records whose key begins with these values, in the order of their keys, after the given one."""
        raise NotImplementedError

    def delete(self, *key: str | int) -> bool:
        """Removes the record; False when there was none."""
        raise NotImplementedError

    def claim(self, lease: timedelta, *, owner: str, limit: int = 1) -> list[Claim[R]]:
        """Leases records that nobody holds, first keys first: each goes to exactly one claimant until the lease ends."""
        raise NotImplementedError

    def renew(self, claim: Claim[R], lease: timedelta) -> Claim[R]:
        """The claim, held longer.

        Raises:
            Conflict: the lease ended and someone else claimed the record, or the record is gone.
        """
        raise NotImplementedError

    def release(self, claim: Claim[R]) -> bool:
        """Gives the record back unfinished; False when the claim was lost."""
        raise NotImplementedError

    def finish(self, claim: Claim[R]) -> bool:
        """Removes the claimed record; False, with nothing removed, when the claim was lost."""
        raise NotImplementedError


def _part(name: str, value: str | int) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or (isinstance(value, int) and value < 0):
        raise InputError(
            f"{value!r} cannot be part of a {name} record's key", rule="key fields hold text or whole numbers from 0"
        )
    if isinstance(value, int):
        return str(value).zfill(_DIGITS)
    if _SEPARATOR in value or "\0" in value:
        raise InputError(
            f"{value!r} cannot be part of a {name} record's key", rule="keys hold no control characters 0 and 31"
        )
    return value


_ = (Iterable, Any, Conflict, NotFound)
