"""The contract of documents, on every database."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from datetime import UTC, datetime

import pytest
from tests.store.conftest import HandClock

from paribus.errors import Conflict, InputError, LimitError, NotFound
from paribus.store import Address, Change, Revision, StaleWrite, Store, open_store

FLAG = Address("default", "flag", "new-checkout")


def put(store: Store, key: str, body: dict | None, expected: int = 0, **words: str) -> Revision:
    words = {"author": "ann", "reason": "because", **words}
    return store.put(Address("default", "flag", key), body, expected=expected, **words)


def test_a_document_is_its_current_revision_and_its_history(store: Store, clock: HandClock) -> None:
    first = store.put(FLAG, {"on": True}, author="ann", reason="new", expected=0)
    clock.move(seconds=1)
    second = store.put(FLAG, {"on": False}, author="bob", reason="incident 7", expected=1)
    assert store.get(FLAG) == second == store.find(FLAG)
    assert store.get(FLAG, 1) == first
    assert store.history(FLAG) == [first, second] == store.changes("default", 0)
    assert store.changes("default", 1) == [second]
    assert (second.number, second.sequence, second.author, second.reason) == (2, 2, "bob", "incident 7")
    assert second.time == datetime(2026, 3, 1, 12, 0, 1, 250_000, tzinfo=UTC)
    assert store.position("default") == 2
    assert store.position("other") == 0
    assert list(store.projects()) == ["default"]


def test_hash_and_chain_are_what_the_contract_says(store: Store) -> None:
    """The same bytes, put together by hand: sorted names, no spaces, UTF-8; the chain covers a list of nine."""
    revision = store.put(FLAG, {"b": "ü", "a": [1, True, None]}, author="ann", reason="new", expected=0)
    body_hash = hashlib.sha256('{"a":[1,true,null],"b":"ü"}'.encode()).hexdigest()
    fields = ["0" * 64, "default", "flag", "new-checkout", 1, body_hash, "ann", "2026-03-01T12:00:00.250000Z", "new"]
    chain = hashlib.sha256(json.dumps(fields, separators=(",", ":")).encode()).hexdigest()
    assert (revision.body_hash, revision.chain) == (body_hash, chain)
    assert store.verify_chain("default").head.chain == chain


def test_a_stale_write_changes_nothing_and_names_the_other(store: Store, clock: HandClock) -> None:
    put(store, "x", {"a": 1})
    winner = put(store, "x", {"a": 2}, expected=1, author="bob")
    with pytest.raises(StaleWrite, match=r"revision 2, not 1: written by bob at 2026-03-01 12:00:00 UTC") as caught:
        put(store, "x", {"a": 3}, expected=1)
    assert isinstance(caught.value, Conflict)
    assert caught.value.current == (winner,)
    with pytest.raises(StaleWrite, match="exists already"):
        put(store, "x", {"a": 3}, expected=0)
    with pytest.raises(StaleWrite, match="does not exist"):
        put(store, "y", {"a": 3}, expected=1)
    assert store.get(winner.address) == winner
    assert store.position("default") == 2


def test_several_changes_are_written_all_or_none(store: Store) -> None:
    put(store, "b", {"v": 1})
    addresses = [Address("default", "flag", key) for key in "abc"]
    with pytest.raises(StaleWrite, match="flag/b exists already"):
        store.put_all([Change(each, {"v": 2}, 0) for each in addresses], author="ann", reason="all")
    assert store.position("default") == 1
    written = store.put_all(
        [Change(addresses[0], {"v": 2}, 0), Change(addresses[1], None, 1)], author="ann", reason="all"
    )
    assert [(each.address.key, each.number, each.sequence) for each in written] == [("a", 1, 2), ("b", 2, 3)]
    assert store.put_all([], author="ann", reason="nothing") == []
    with pytest.raises(InputError, match="one document twice"):
        store.put_all([Change(addresses[2], {}, 0)] * 2, author="ann", reason="twice")


def test_a_removed_document_is_gone_but_remembered(store: Store) -> None:
    put(store, "x", {"a": 1})
    tombstone = put(store, "x", None, expected=1, author="bob")
    assert tombstone.is_tombstone
    assert store.find(tombstone.address) is None
    assert store.list("default", "flag") == []
    with pytest.raises(NotFound, match="bob removed it"):
        store.get(tombstone.address)
    assert store.get(tombstone.address, 1).body == {"a": 1}
    with pytest.raises(NotFound, match="cannot be removed"):
        put(store, "x", None, expected=2)
    assert put(store, "x", {"a": 2}, expected=0).number == 3  # made anew, the numbers go on
    put(store, "x", None, expected=3)
    assert put(store, "x", {"a": 3}, expected=4).number == 5
    assert len(store.history(tombstone.address)) == 5


def test_pages_follow_one_another_without_gaps(store: Store) -> None:
    keys = sorted(["zeta", "Alpha", "alpha", "a b", "ümlaut", "x/y", "10", "9", "emoji 😀"], key=lambda k: k.encode())
    for key in reversed(keys):
        put(store, key, {"k": key})
    store.put(Address("default", "metric", "alpha"), {}, author="ann", reason="other kind", expected=0)
    seen: list[str] = []
    while page := store.list("default", "flag", after=seen[-1] if seen else "", limit=2):
        seen += [revision.address.key for revision in page]
    assert seen == keys


def test_a_missing_document_is_named_with_its_neighbor(store: Store) -> None:
    put(store, "new-checkout", {})
    with pytest.raises(NotFound) as caught:
        store.get(Address("default", "flag", "new-chekout"))
    assert caught.value.fix == "did you mean 'new-checkout'?"
    with pytest.raises(NotFound, match="no revision 9"):
        store.get(FLAG, 9)


@pytest.mark.parametrize(
    "body",
    [
        {"x": float("nan")},
        {"x": 2**53},
        {"x": datetime(2026, 1, 1)},
        {1: "x"},
        {"x": "\ud800"},
        {"\ud800": 1},
        ["not", "a", "mapping"],
    ],
    ids=str,
)
def test_what_json_cannot_carry_is_refused(store: Store, body: dict) -> None:
    with pytest.raises(InputError):
        put(store, "x", body)
    assert store.position("default") == 0


def test_bodies_have_limits(store: Store) -> None:
    deep: dict = {}
    for _ in range(5000):
        deep = {"a": deep}
    with pytest.raises(LimitError, match="nested more than 40"):
        put(store, "x", deep)
    with pytest.raises(LimitError, match="bytes"):
        put(store, "x", {"a": "x" * 5_000_000})


@pytest.mark.parametrize("key", ["", ".", "..", "a\nb", " a", "a\0", "x" * 201])
def test_keys_are_names(store: Store, key: str) -> None:
    with pytest.raises(InputError, match="cannot be the key"):
        put(store, key, {})


@pytest.mark.parametrize(("project", "kind"), [("../x", "flag"), ("default", "Flag"), ("", "flag"), ("a" * 64, "flag")])
def test_projects_and_kinds_are_names(store: Store, project: str, kind: str) -> None:
    with pytest.raises(InputError, match="cannot be the name"):
        store.put(Address(project, kind, "x"), {}, author="ann", reason="r", expected=0)


@pytest.mark.parametrize("words", [{"author": ""}, {"reason": " "}, {"author": "a\0b"}, {"reason": "x" * 2001}])
def test_who_and_why_are_asked_for(store: Store, words: dict) -> None:
    with pytest.raises(InputError, match="a revision needs its"):
        put(store, "x", {}, **words)


@pytest.mark.parametrize("number", [1e20, 1e-7, 0.1, -0.0, 2**53 - 1, 1.5e300])
def test_numbers_come_back_equal(store: Store, number: float) -> None:
    written = put(store, "x", {"n": number})
    assert store.get(written.address).body == {"n": number}
    assert put(store, "x", store.get(written.address).body, expected=1).body_hash == written.body_hash


def test_awkward_text_comes_back(store: Store) -> None:
    body = {"quote'": 'a "b" \\ \n\t\0 \u2028 😀 ; DROP TABLE paribus_heads; --', "": []}
    assert store.get(put(store, "it's; --", body).address).body == body


def test_projects_are_apart(store: Store) -> None:
    put(store, "x", {"v": 1})
    other = store.put(Address("other", "flag", "x"), {"v": 2}, author="ann", reason="r", expected=0)
    assert (other.number, other.sequence) == (1, 1)
    with pytest.raises(InputError, match="several projects"):
        store.put_all([Change(FLAG, {}, 0), Change(other.address, {}, 1)], author="ann", reason="both")


def test_waiting_ends_with_a_write_in_another_thread(store: Store) -> None:
    assert store.wait("default", 0, 0.01) == 0
    written: list[float] = []

    def write() -> None:
        time.sleep(0.2)
        put(store, "x", {})
        written.append(time.monotonic())

    thread = threading.Thread(target=write)
    thread.start()
    assert store.wait("default", 0, 20) == 1
    seen = time.monotonic()
    thread.join()
    assert seen - written[0] < 1
    assert store.wait("default", 0, 20) == 1  # already beyond


def test_threads_share_a_store(store: Store) -> None:
    def write(name: str) -> None:
        for i in range(10):
            put(store, f"{name}{i}", {"i": i})

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.position("default") == 40
    assert store.verify_chain("default").is_intact


def test_closing_sends_waiters_home(place: str, clock: HandClock) -> None:
    store = open_store(place, clock=clock)
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(store.wait("default", 5, 60)))
    thread.start()
    time.sleep(0.3)
    store._bell.close()
    thread.join(timeout=5)
    assert seen == [0]
    store.close()


def test_the_position_is_cheap(tmp_path, clock: HandClock) -> None:
    store = open_store(tmp_path / "definitions.sqlite", clock=clock)
    put(store, "x", {})
    best = min(_per_call(lambda: store.position("default")) for _ in range(5))
    assert best < 50e-6
    store.close()


def _per_call(call) -> float:
    begin = time.process_time()
    for _ in range(200):
        call()
    return (time.process_time() - begin) / 200
