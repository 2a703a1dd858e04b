"""The contract of records, on every database."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
import sqlalchemy as sa
from tests.store.conftest import HandClock

from paribus.errors import Conflict, InputError, NotFound
from paribus.store import Records, RecordType, Store, database, open_store


@dataclass(frozen=True, slots=True)
class Seat:
    """A unit's place at a table."""

    table: str
    number: int
    unit: str
    guest: str | None = None
    kind: Literal["booked", "walk-in"] = "booked"
    since: datetime | None = None
    notes: tuple[str, ...] = ()


SEATS = RecordType(Seat, name="seat", key=("table", "number"), units=("unit", "guest"), lookup="kind")
OTHERS = RecordType(Seat, name="other-seat", key=("table", "number"), units=("unit",))
MINUTE = timedelta(minutes=1)


@pytest.fixture
def seats(store: Store) -> Records[Seat]:
    return store.records(SEATS)


def test_records_keep_their_types(seats: Records[Seat]) -> None:
    seat = Seat("a", 1, "u1", None, "walk-in", datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC), ("x", "ü\0"))
    seats.append(seat)
    assert seats.get("a", 1) == seat == seats.find("a", 1)
    assert seats.find("a", 2) is None
    with pytest.raises(NotFound, match="no seat 'a/2'"):
        seats.get("a", 2)


def test_append_takes_new_keys_only(seats: Records[Seat]) -> None:
    seats.append(Seat("a", 1, "u1"))
    with pytest.raises(Conflict, match=r"exist already: a/0*1"):
        seats.append(Seat("a", 2, "u2"), Seat("a", 1, "u3"))
    with pytest.raises(Conflict, match="twice"):
        seats.append(Seat("a", 3, "u2"), Seat("a", 3, "u3"))
    assert seats.scan() == [Seat("a", 1, "u1")]
    seats.append()


def test_upsert_replaces(seats: Records[Seat]) -> None:
    seats.upsert(Seat("a", 1, "u1"), Seat("a", 2, "u2"))
    seats.upsert(Seat("a", 2, "u3", kind="walk-in"), Seat("a", 3, "u4"))
    assert [seat.unit for seat in seats.scan()] == ["u1", "u3", "u4"]
    assert [seat.unit for seat in seats.by("walk-in")] == ["u3"]


def test_scan_goes_by_key_and_beginning(seats: Records[Seat], store: Store) -> None:
    numbers = [0, 1, 2, 9, 10, 100]
    seats.append(*(Seat(table, n, f"u{n}") for table in ("b", "a", "ab", "a b") for n in reversed(numbers)))
    store.records(OTHERS).append(Seat("a", 1, "u"))
    assert [seat.number for seat in seats.scan("a")] == numbers
    assert [seat.number for seat in seats.scan("a", 9)] == [9]
    assert seats.scan("c") == []
    everything, after = [], None
    while page := seats.scan(after=after, limit=5):
        everything += page
        after = page[-1]
    assert len(everything) == 24
    assert [seat.table for seat in everything[::6]] == ["a", "a b", "ab", "b"]


def test_delete_says_whether_there_was_one(seats: Records[Seat]) -> None:
    seats.append(Seat("a", 1, "u1"))
    assert seats.delete("a", 1)
    assert not seats.delete("a", 1)
    with pytest.raises(InputError, match="named by table, number"):
        seats.delete("a")


@pytest.mark.parametrize("part", ["a\x1fb", "a\0", -1, True, None])
def test_key_parts_are_text_or_whole_numbers(seats: Records[Seat], part) -> None:
    with pytest.raises(InputError, match="key"):
        seats.find(part, 1)


def test_a_type_names_its_own_fields() -> None:
    with pytest.raises(InputError, match="fields that Seat lacks"):
        RecordType(Seat, name="seat", key=("tabel",))
    with pytest.raises(InputError, match="cannot be the name"):
        RecordType(Seat, name="Seat!", key=("table",))


def test_a_claim_is_held_until_its_lease_ends(seats: Records[Seat], clock: HandClock) -> None:
    seats.append(*(Seat("a", n, f"u{n}") for n in range(3)))
    first, second = seats.claim(MINUTE, owner="w1", limit=2)
    (third,) = seats.claim(MINUTE, owner="w2", limit=2)
    assert [claim.record.number for claim in (first, second, third)] == [0, 1, 2]
    assert seats.claim(MINUTE, owner="w2") == []
    clock.move(seconds=59)
    first = seats.renew(first, MINUTE)
    assert seats.release(third)
    assert [claim.id for claim in seats.claim(MINUTE, owner="w2")] == [third.id]
    clock.move(seconds=2)  # the second lease has ended
    (again,) = seats.claim(MINUTE, owner="w2", limit=5)
    assert again.id == second.id
    with pytest.raises(Conflict, match="was lost"):
        seats.renew(second, MINUTE)
    assert not seats.release(second)
    assert not seats.finish(second)
    assert seats.finish(again)
    assert seats.finish(first)
    assert [seat.number for seat in seats.scan()] == [2]


def test_the_same_owner_does_not_inherit_its_own_old_claim(seats: Records[Seat], clock: HandClock) -> None:
    """A worker that came back from a long pause must not finish what its restarted self holds now."""
    seats.append(Seat("a", 1, "u1"))
    (old,) = seats.claim(MINUTE, owner="w")
    clock.move(seconds=61)
    (new,) = seats.claim(MINUTE, owner="w")
    assert not seats.finish(old)
    assert seats.finish(new)


def test_claims_can_be_narrowed(seats: Records[Seat]) -> None:
    seats.append(Seat("a", 1, "u1"), Seat("b", 1, "u2"))
    assert [claim.record.table for claim in seats.claim(MINUTE, owner="w", prefix=("b",), limit=9)] == ["b"]


def test_a_lease_outlives_an_update(seats: Records[Seat]) -> None:
    seats.append(Seat("a", 1, "u1"))
    (claim,) = seats.claim(MINUTE, owner="w1")
    seats.upsert(replace(claim.record, notes=("half done",)))
    assert seats.claim(MINUTE, owner="w2") == []
    assert seats.finish(claim)


def test_erasing_units_finds_every_record_about_them(seats: Records[Seat], store: Store) -> None:
    seats.append(Seat("a", 1, "u1"), Seat("a", 2, "u2", "u1"), Seat("a", 3, "u3"), Seat("a", 4, "u4", "u5"))
    store.records(OTHERS).append(Seat("a", 1, "u1"), Seat("a", 2, "u2"))
    seats.upsert(Seat("a", 4, "u4", "u6"))  # no longer about u5
    erased = store.erase(["u1", "u5", "nobody"])
    assert erased.records == {"seat": 2, "other-seat": 1}
    assert erased.overwritten
    assert [seat.number for seat in seats.scan()] == [3, 4]
    assert [seat.number for seat in store.records(OTHERS).scan()] == [2]
    assert store.erase(["u1"]).records == {}
    assert store.erase(["u6"]).records == {"seat": 1}


def test_erasing_many_units(seats: Records[Seat], store: Store) -> None:
    seats.append(*(Seat("a", n, f"u{n}") for n in range(1200)))
    assert store.erase(f"u{n}" for n in range(1100)).records == {"seat": 1100}
    assert len(seats.scan()) == 100


def test_erased_bytes_leave_the_files(tmp_path: Path, clock: HandClock) -> None:
    store = open_store(tmp_path / "definitions.sqlite", clock=clock)
    store.records(SEATS).append(*(Seat("a", n, f"unit-jane-{n}") for n in range(50)), Seat("b", 1, "unit-bob"))
    assert b"unit-jane" in _bytes(tmp_path)
    assert store.erase(f"unit-jane-{n}" for n in range(50)).overwritten
    assert b"unit-jane" not in _bytes(tmp_path)
    assert b"unit-bob" in _bytes(tmp_path)
    store.close()


def _bytes(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


def test_a_reader_in_the_way_is_told_and_passes(
    place: str, store: Store, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "REWRITE_SECONDS", 1)
    seats = store.records(SEATS)
    seats.append(Seat("a", 1, "unit-jane"), Seat("a", 2, "unit-bob"))
    reader = open_store(place, clock=clock)
    with reader._database.read(snapshot=True) as connection:
        connection.execute(sa.text("SELECT count(*) FROM paribus_records")).all()
        erased = store.erase(["unit-jane"])
        assert (erased.records, erased.overwritten) == ({"seat": 1}, False)
    assert store.erase([]).overwritten
    assert [seat.unit for seat in seats.scan()] == ["unit-bob"]
    reader.close()
