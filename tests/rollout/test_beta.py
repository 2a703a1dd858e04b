"""Volunteers: the cap holds whatever happens, and nobody but them is served."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paribus.errors import NotFound
from paribus.flags.document import check
from paribus.flags.record import PLACEMENTS, Placement
from paribus.rollout.beta import Standing, join, leave, open_beta, prepare, standing
from paribus.store import Address, Store, open_store

NOW = datetime(2026, 6, 1, tzinfo=UTC)
FLAG, WHERE = "checkout", "production"


def clock() -> datetime:
    return NOW


def made(path: Path) -> Store:
    store = open_store(path, clock=clock)
    body = {
        "variants": [{"name": "control", "value": False}, {"name": "treatment", "value": True}],
        "default_variant": "control",
    }
    store.put(Address("default", "flag", FLAG), check("flag", FLAG, body), author="t", reason="made", expected=0)
    return store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = made(tmp_path / "definitions.sqlite")
    yield opened
    opened.close()


def served(store: Store) -> dict[str, str]:
    return {each.unit: each.variant for each in store.records(PLACEMENTS).scan("default", WHERE, FLAG)}


def asked(store: Store, *units: str) -> Standing:
    return join(store, WHERE, FLAG, units, clock=clock, author="t")


def test_before_it_opens_nobody_is_served_and_then_those_within_the_cap(store: Store) -> None:
    prepare(store, WHERE, FLAG, "treatment", 2)
    found = asked(store, "a", "b", "c", "a")
    assert (found.admitted, found.waiting) == (("a", "b"), ("c",))
    assert served(store) == {}
    open_beta(store, WHERE, FLAG, clock=clock, author="t")
    assert served(store) == {"a": "treatment", "b": "treatment"}
    revision = store.find(Address("default", "flag", FLAG))
    assert revision is not None
    assert revision.number == 2  # servers hear of it, and no unit stands in it
    assert "a" not in revision.reason.split()
    open_beta(store, WHERE, FLAG, clock=clock, author="t")
    again = store.find(Address("default", "flag", FLAG))
    assert again is not None
    assert again.number == 2


def test_who_leaves_makes_room_for_the_next_in_line(store: Store) -> None:
    prepare(store, WHERE, FLAG, "treatment", 2)
    asked(store, "a", "b", "c", "d")
    open_beta(store, WHERE, FLAG, clock=clock, author="t")
    found = leave(store, WHERE, FLAG, ["a"], author="t")
    assert (found.admitted, found.waiting) == (("b", "c"), ("d",))
    assert served(store) == {"b": "treatment", "c": "treatment"}
    assert asked(store, "a").waiting == ("d", "a")


def test_an_erased_person_is_out(store: Store) -> None:
    prepare(store, WHERE, FLAG, "treatment", 2)
    asked(store, "a", "b")
    open_beta(store, WHERE, FLAG, clock=clock, author="t")
    store.erase(["a"])
    assert standing(store, WHERE, FLAG).admitted == ("b",)
    assert served(store) == {"b": "treatment"}


def test_a_testers_own_variant_stays(store: Store) -> None:
    store.records(PLACEMENTS).upsert(Placement("default", WHERE, FLAG, "a", "control", "override"))
    prepare(store, WHERE, FLAG, "treatment", 2)
    asked(store, "a")
    open_beta(store, WHERE, FLAG, clock=clock, author="t")
    assert served(store) == {"a": "control"}


def test_without_a_beta_it_says_how_to_get_one(store: Store) -> None:
    with pytest.raises(NotFound, match="has no beta in production"):
        asked(store, "a")


STEPS = st.lists(
    st.tuples(st.sampled_from(["join", "join", "leave", "open"]), st.lists(st.sampled_from("abcdefgh"), max_size=4)),
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(cap=st.integers(1, 4), steps=STEPS)
def test_the_cap_holds_and_the_line_is_kept(
    tmp_path_factory: pytest.TempPathFactory, cap: int, steps: list[tuple[str, list[str]]]
) -> None:
    store = made(tmp_path_factory.mktemp("beta") / "definitions.sqlite")
    prepare(store, WHERE, FLAG, "treatment", cap)
    line: list[str] = []
    opened = False
    for what, units in steps:
        if what == "join":
            asked(store, *units)
            line += [unit for unit in dict.fromkeys(units) if unit not in line]
        elif what == "leave":
            leave(store, WHERE, FLAG, units, author="t")
            line = [unit for unit in line if unit not in units]
        else:
            open_beta(store, WHERE, FLAG, clock=clock, author="t")
            opened = True
        found = standing(store, WHERE, FLAG)
        assert [*found.admitted, *found.waiting] == line
        assert served(store) == (dict.fromkeys(line[:cap], "treatment") if opened else {})
    store.close()
