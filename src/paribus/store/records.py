"""Erasable records: operational state and facts about single units, beside the documents and outside their chain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Any, Generic

import sqlalchemy as sa

from paribus.clock import Clock
from paribus.errors import Conflict, NotFound
from paribus.store.database import Database
from paribus.store.documents import dialect_of
from paribus.store.record_type import SEPARATOR, Claim, R, RecordType
from paribus.store.tables import RECORDS, UNITS

_AFTER_SEPARATOR = "\x20"
_RANGES = 200  # ranges of keys in one statement


class Records(Generic[R]):
    """The records of one type."""

    def __init__(self, database: Database, clock: Clock, kind: RecordType[R]) -> None:
        self._database = database
        self._clock = clock
        self._kind = kind

    def append(self, *records: R) -> None:
        """Writes new records, all or none.

        Raises:
            Conflict: a record with the same key exists.
        """
        with self._database.write() as connection:
            ids = [self._kind.id_of(record) for record in records]
            taken = [row.id for part in _parts(ids) for row in self._rows(connection, part)]
            if taken or len(set(ids)) < len(ids):
                shown = ", ".join(name.replace(SEPARATOR, "/") for name in taken[:5])
                raise Conflict(
                    f"{self._kind.name} records exist already: {shown}" if taken else "a key stands twice",
                    rule="append writes new keys only; nothing was written",
                    fix="upsert replaces what is there",
                )
            self._write(connection, records)

    def upsert(self, *records: R) -> None:
        """Writes records, all or none; one with the same key is replaced, and a lease on it stays."""
        with self._database.write() as connection:
            self._write(connection, records)

    def find(self, *key: str | int) -> R | None:
        """The record with this key, or None."""
        with self._database.read() as connection:
            row = self._rows(connection, [self._kind.whole_id(key)])
        return self._record(row[0]) if row else None

    def get(self, *key: str | int) -> R:
        """The record with this key.

        Raises:
            NotFound: there is none.
        """
        if (record := self.find(*key)) is None:
            raise NotFound(f"there is no {self._kind.name} {'/'.join(str(part) for part in key)!r}")
        return record

    def by(self, lookup: str) -> list[R]:
        """The records whose lookup field has this value, in the order of their keys."""
        query = self._select().where(RECORDS.c.lookup == lookup).order_by(RECORDS.c.id)
        with self._database.read() as connection:
            return [self._record(row) for row in connection.execute(query)]

    def scan(self, *prefix: str | int, after: R | None = None, limit: int = 1000) -> list[R]:
        """The records whose key begins with these values, in the order of their keys, after the given one."""
        query = self._select().where(*self._beginning(prefix)).order_by(RECORDS.c.id).limit(limit)
        if after is not None:
            query = query.where(RECORDS.c.id > self._kind.id_of(after))
        with self._database.read() as connection:
            return [self._record(row) for row in connection.execute(query)]

    def scan_each(self, prefixes: Iterable[Sequence[str | int]]) -> list[R]:
        """The records whose key begins with any of these values, whole keys excepted, in few statements."""
        found: list[R] = []
        with self._database.read() as connection:
            for part in _parts([self._kind.id_from(prefix) for prefix in prefixes], _RANGES):
                ends = {f"low{i}": each + SEPARATOR for i, each in enumerate(part)}
                ends |= {f"high{i}": each + _AFTER_SEPARATOR for i, each in enumerate(part)}
                rows = connection.execute(_in_ranges(len(part)), {"kind": self._kind.name, **ends})
                found += [self._record(row) for row in rows]
        return found

    def delete(self, *key: str | int) -> bool:
        """Removes the record; False when there was none."""
        with self._database.write() as connection:
            return self._remove(connection, RECORDS.c.id == self._kind.whole_id(key))

    def claim(
        self, lease: timedelta, *, owner: str, prefix: Sequence[str | int] = (), limit: int = 1
    ) -> list[Claim[R]]:
        """Leases records that nobody holds, first keys first: each goes to one claimant until its lease ends.

        Args:
            lease: how long; afterwards another claimant may take it.
            owner: the claimant's own name, such as host and process id.
            prefix: only records whose key begins with these values.
            limit: how many at most.
        """
        now = self._clock().timestamp()
        until = now + lease.total_seconds()
        free = sa.or_(RECORDS.c.lease_until.is_(None), RECORDS.c.lease_until <= now)
        query = self._select().where(*self._beginning(prefix), free).order_by(RECORDS.c.id).limit(limit)
        with self._database.write() as connection:
            rows = connection.execute(query.with_for_update(skip_locked=True)).all()
            for part in _parts([row.id for row in rows]):
                held = {"lease_owner": owner, "lease_until": until}
                connection.execute(sa.update(RECORDS).where(self._mine, RECORDS.c.id.in_(part)).values(held))
        return [Claim(self._record(row), row.id, owner, until) for row in rows]

    def renew(self, claim: Claim[R], lease: timedelta) -> Claim[R]:
        """The claim, held longer.

        Raises:
            Conflict: the lease ended and someone else claimed the record, or the record is gone.
        """
        until = self._clock().timestamp() + lease.total_seconds()
        if not self._let(claim, {"lease_until": until}):
            raise Conflict(
                f"the lease on {self._kind.name} {claim.id.replace(SEPARATOR, '/')!r} was lost",
                rule="a lease that ended may be claimed by anyone",
                fix="drop the work and claim again",
            )
        return Claim(claim.record, claim.id, claim.owner, until)

    def release(self, claim: Claim[R]) -> bool:
        """Gives the record back unfinished; False when the claim was lost."""
        return self._let(claim, {"lease_owner": None, "lease_until": None})

    def finish(self, claim: Claim[R]) -> bool:
        """Removes the claimed record; False, with nothing removed, when the claim was lost."""
        with self._database.write() as connection:
            return self._remove(connection, self._held(claim))

    @property
    def _mine(self) -> sa.ColumnElement[bool]:
        return RECORDS.c.type == self._kind.name

    def _select(self) -> sa.Select[Any]:
        return sa.select(RECORDS.c.id, RECORDS.c.body).where(self._mine)

    def _rows(self, connection: sa.Connection, ids: Sequence[str]) -> Sequence[sa.Row[Any]]:
        return connection.execute(self._select().where(RECORDS.c.id.in_(ids))).all()

    def _record(self, row: sa.Row[Any]) -> R:
        import msgspec

        return msgspec.json.decode(row.body, type=self._kind.body)

    def _write(self, connection: sa.Connection, records: Sequence[R]) -> None:
        import msgspec

        if not records:
            return
        kind, insert = self._kind, dialect_of(connection).insert
        rows: list[dict[str, Any]] = [
            {
                "type": kind.name,
                "id": kind.id_of(record),
                "lookup": getattr(record, kind.lookup) if kind.lookup else None,
                "body": msgspec.json.encode(record).decode(),
            }
            for record in records
        ]
        statement = insert(RECORDS)
        fresh = {"lookup": statement.excluded.lookup, "body": statement.excluded.body}
        connection.execute(statement.on_conflict_do_update(index_elements=["type", "id"], set_=fresh), rows)
        if kind.units:
            units = [
                {"unit": unit, "type": kind.name, "id": row["id"]}
                for record, row in zip(records, rows, strict=True)
                for unit in kind.units_of(record)
            ]
            for part in _parts([row["id"] for row in rows]):
                connection.execute(sa.delete(UNITS).where(UNITS.c.type == kind.name, UNITS.c.id.in_(part)))
            if units:
                connection.execute(insert(UNITS).on_conflict_do_nothing(), units)

    def _remove(self, connection: sa.Connection, *which: sa.ColumnElement[bool]) -> bool:
        gone = connection.execute(sa.delete(RECORDS).where(self._mine, *which).returning(RECORDS.c.id)).scalars().all()
        if gone and self._kind.units:
            connection.execute(sa.delete(UNITS).where(UNITS.c.type == self._kind.name, UNITS.c.id.in_(gone)))
        return bool(gone)

    def _held(self, claim: Claim[R]) -> sa.ColumnElement[bool]:
        mine = (RECORDS.c.lease_owner == claim.owner, RECORDS.c.lease_until == claim.until)
        return sa.and_(RECORDS.c.id == claim.id, *mine)

    def _let(self, claim: Claim[R], values: dict[str, Any]) -> bool:
        with self._database.write() as connection:
            statement = sa.update(RECORDS).where(self._mine, self._held(claim)).values(values)
            return bool(connection.execute(statement.returning(RECORDS.c.id)).all())

    def _beginning(self, prefix: Sequence[str | int]) -> list[sa.ColumnElement[bool]]:
        if not prefix:
            return []
        begins = self._kind.id_from(prefix)
        if len(prefix) == len(self._kind.key):
            return [RECORDS.c.id == begins]
        return [RECORDS.c.id >= begins + SEPARATOR, RECORDS.c.id < begins + _AFTER_SEPARATOR]


def erase(connection: sa.Connection, units: Sequence[str]) -> dict[str, int]:
    """Removes the records that mention any of these units; how many of each type."""
    counts: dict[str, int] = {}
    for part in _parts(units):
        found = connection.execute(sa.select(UNITS.c.type, UNITS.c.id).where(UNITS.c.unit.in_(part)).distinct()).all()
        for name in sorted({row.type for row in found}):
            for ids in _parts([row.id for row in found if row.type == name]):
                connection.execute(sa.delete(UNITS).where(UNITS.c.type == name, UNITS.c.id.in_(ids)))
                gone = sa.delete(RECORDS).where(RECORDS.c.type == name, RECORDS.c.id.in_(ids)).returning(RECORDS.c.id)
                counts[name] = counts.get(name, 0) + len(connection.execute(gone).all())
    return {name: count for name, count in counts.items() if count}


@lru_cache(maxsize=_RANGES)
def _in_ranges(count: int) -> sa.TextClause:
    """The records in any of so many ranges of ids, each sought in the index: SQLite tests alternatives row by row."""
    ranges = ", ".join(f"(:low{i}, :high{i})" for i in range(count))
    return sa.text(
        f"WITH wanted (low, high) AS (VALUES {ranges}) SELECT id, body FROM wanted CROSS JOIN {RECORDS.name} "
        "WHERE type = :kind AND id >= low AND id < high ORDER BY id"
    )


def _parts(items: Sequence[str], size: int = 500) -> Iterator[Sequence[str]]:
    """The items in pieces small enough for one statement."""
    yield from (items[start : start + size] for start in range(0, len(items), size))
