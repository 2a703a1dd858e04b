"""Tampering that the chain tells, and what it cannot tell without an anchor."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.store.conftest import HandClock

from paribus.errors import InputError
from paribus.store import Address, Anchor, ChainReport, Store, open_store

Tamper = Callable[[sqlite3.Connection], object]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "definitions.sqlite"


@pytest.fixture
def written(path: Path, clock: HandClock) -> Iterator[Store]:
    """Ten revisions of three flags: x y z x y z x y z x."""
    store = open_store(path, clock=clock)
    for i in range(10):
        address = Address("default", "flag", "xyz"[i % 3])
        store.put(address, {"n": i}, author=f"author{i}", reason=f"reason {i}", expected=i // 3)
        clock.move(seconds=1)
    yield store
    store.close()


def tampered(store: Store, path: Path, *statements: str, anchor: Anchor | None = None) -> ChainReport:
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()
    return store.verify_chain("default", anchor=anchor)


EDIT = "UPDATE paribus_revisions SET {} WHERE sequence = {}"


def test_an_honest_history_is_whole(written: Store) -> None:
    report = written.verify_chain("default")
    assert report.is_intact
    assert (report.revisions, report.redacted, report.head.sequence) == (10, (), 10)
    assert report.sentences[0] == "The history of default is whole: 10 revisions, each linked to the one before."
    assert str(report.head) in report.sentences[-1]
    assert written.verify_chain("nothing").revisions == 0


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("body", """'{"n":99}'""", "its body is not the one that was written"),
        ("body", """'{"n": 4}'""", "its body"),  # not even a space
        ("body", "NULL", "no redaction is on record"),
        ("body_hash", f"'{'0' * 64}'", "its body"),
        ("author", "'mallory'", "author"),
        ("time", "'2020-01-01T00:00:00.000000Z'", "time"),
        ("reason", "'none'", "reason"),
        ("kind", "'metric'", "its place"),
        ("key", "'q'", "its place"),
        ("number", "7", "its place"),
        ("chain", f"'{'0' * 64}'", "order"),
    ],
)
def test_an_edit_is_found_where_it_is(written: Store, path: Path, column: str, value: str, why: str) -> None:
    report = tampered(written, path, EDIT.format(f"{column} = {value}", 5))
    assert report.broken == 5
    assert why in report.sentences[0]
    assert "4 revisions, fits" in report.sentences[1]


def test_a_swapped_body_with_its_own_hash_is_found(written: Store, path: Path) -> None:
    import hashlib

    digest = hashlib.sha256(b'{"n":99}').hexdigest()
    assert tampered(written, path, EDIT.format(f"body = '{{\"n\":99}}', body_hash = '{digest}'", 5)).broken == 5


def test_a_deleted_row_is_found(written: Store, path: Path) -> None:
    report = tampered(written, path, "DELETE FROM paribus_revisions WHERE sequence = 5")
    assert (report.broken, report.revisions) == (5, 9)
    assert "is missing: it was deleted" in report.sentences[0]


def test_a_deleted_row_with_the_others_moved_up_is_found(written: Store, path: Path) -> None:
    report = tampered(
        written,
        path,
        "DELETE FROM paribus_revisions WHERE sequence = 5",
        "UPDATE paribus_revisions SET sequence = -sequence WHERE sequence > 5",
        "UPDATE paribus_revisions SET sequence = -sequence - 1 WHERE sequence < 0",
    )
    assert report.broken == 5


def test_a_deleted_beginning_is_found(written: Store, path: Path) -> None:
    assert tampered(written, path, "DELETE FROM paribus_revisions WHERE sequence <= 2").broken == 1


def test_swapped_rows_are_found(written: Store, path: Path) -> None:
    report = tampered(
        written,
        path,
        EDIT.format("sequence = -1", 4),
        EDIT.format("sequence = 4", 5),
        EDIT.format("sequence = 5", -1),
    )
    assert report.broken == 4


def test_a_cut_off_end_is_found(written: Store, path: Path) -> None:
    report = tampered(written, path, "DELETE FROM paribus_revisions WHERE sequence > 8")
    assert report.broken == 9
    assert "the end was cut off" in report.sentences[0]


CUT_OFF_CLEANLY = (
    "DELETE FROM paribus_revisions WHERE sequence > 8",
    "UPDATE paribus_heads SET sequence = 8, chain = (SELECT chain FROM paribus_revisions WHERE sequence = 8)",
    "UPDATE paribus_documents SET sequence = 6, number = 2 WHERE key = 'z'",
    "UPDATE paribus_documents SET sequence = 7, number = 3 WHERE key = 'x'",
)


def test_an_end_cut_off_everywhere_is_found_by_an_anchor_only(written: Store, path: Path) -> None:
    anchor = written.verify_chain("default").head
    report = tampered(written, path, *CUT_OFF_CLEANLY)
    assert report.is_intact
    assert "No anchor was given" in report.sentences[-1]
    report = written.verify_chain("default", anchor=Anchor.parse(str(anchor)))
    assert report.broken == 9
    assert "the anchor knows 10 revisions" in report.sentences[0]


def test_a_history_written_anew_is_found_by_an_anchor(written: Store, path: Path, clock: HandClock) -> None:
    anchor = written.verify_chain("default").head
    tampered(written, path, *(f"DELETE FROM paribus_{table}" for table in ("revisions", "heads", "documents")))
    for i in range(12):
        written.put(Address("default", "flag", f"f{i}"), {"n": i}, author="mallory", reason="new past", expected=0)
    assert written.verify_chain("default").is_intact
    report = written.verify_chain("default", anchor=anchor)
    assert report.broken == 10
    assert "is not the one that was anchored" in report.sentences[0]


def test_an_old_anchor_agrees_with_a_longer_history(written: Store) -> None:
    anchor = written.verify_chain("default").head
    written.put(Address("default", "flag", "new"), {}, author="ann", reason="more", expected=0)
    report = written.verify_chain("default", anchor=anchor)
    assert report.is_intact
    assert report.sentences[-1] == "It agrees with the anchor at revision 10 of the chain."


def test_an_old_revision_served_as_current_is_found(written: Store, path: Path) -> None:
    report = tampered(written, path, "UPDATE paribus_documents SET sequence = 7, number = 3 WHERE key = 'x'")
    assert report.broken == 10
    assert "the store serves another revision" in report.sentences[0]


@pytest.mark.parametrize("text", ["", "5", "x:abc", "5:" + "g" * 64, "5:" + "0" * 63])
def test_an_anchor_has_one_form(text: str) -> None:
    with pytest.raises(InputError, match="is not an anchor"):
        Anchor.parse(text)


class TestRedaction:
    """On every database."""

    ADDRESS = Address("default", "flag", "x")

    def test_it_takes_the_body_and_leaves_the_rest(self, store: Store) -> None:
        secret = "jane.doe@example.org"
        first = store.put(self.ADDRESS, {"note": secret}, author="ann", reason="new", expected=0)
        store.put(self.ADDRESS, {"note": ""}, author="ann", reason="no names in notes", expected=1)
        redacted = store.redact(self.ADDRESS, 1, author="dpo", reason="request 12")
        assert redacted.body is None
        assert redacted.redacted
        assert not redacted.is_tombstone
        assert (redacted.body_hash, redacted.chain, redacted.time) == (first.body_hash, first.chain, first.time)
        report = store.verify_chain("default")
        assert report.is_intact
        assert report.redacted == (1,)
        assert "Bodies taken out, each on record: 1 (chain revisions 1)." in report.sentences
        note = store.get(Address("default", "redaction", "1"))
        assert (note.author, note.reason) == ("dpo", "request 12")
        assert note.body == {"kind": "flag", "key": "x", "revision": 1, "body_hash": first.body_hash}
        assert store.redact(self.ADDRESS, 1, author="dpo", reason="again").redacted  # nothing more to do
        assert store.position("default") == 3

    def test_its_bytes_leave_the_files(self, written: Store, path: Path) -> None:
        address = Address("default", "flag", "w")
        written.put(address, {"note": "jane.doe@example.org"}, author="ann", reason="new", expected=0)
        written.put(address, {}, author="ann", reason="no names", expected=1)
        assert any(b"jane.doe" in file.read_bytes() for file in path.parent.iterdir())
        written.redact(address, 1, author="dpo", reason="request 12")
        assert not any(b"jane.doe" in file.read_bytes() for file in path.parent.iterdir())

    def test_what_is_in_force_stays(self, store: Store) -> None:
        store.put(self.ADDRESS, {"note": "x"}, author="ann", reason="new", expected=0)
        with pytest.raises(InputError, match="is the current one"):
            store.redact(self.ADDRESS, 1, author="dpo", reason="request 12")
        store.put(self.ADDRESS, None, author="ann", reason="gone", expected=1)
        assert store.redact(self.ADDRESS, 1, author="dpo", reason="request 12").redacted
        with pytest.raises(InputError, match="removed the document"):
            store.redact(self.ADDRESS, 2, author="dpo", reason="request 12")

    def test_a_body_cannot_be_put_in_its_place(self, written: Store, path: Path) -> None:
        written.redact(Address("default", "flag", "y"), 1, author="dpo", reason="request 12")
        assert tampered(written, path, EDIT.format("body = '{}'", 2)).broken == 2

    def test_nobody_can_write_redactions_by_hand(self, store: Store) -> None:
        with pytest.raises(InputError, match="by redact only"):
            store.put(Address("default", "redaction", "1"), {}, author="mallory", reason="r", expected=0)
