"""Files and store, changed on either side and on both."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tests.store.conftest import HandClock

from paribus.errors import Conflict, DefinitionError, InputError, LimitError
from paribus.experiments import marked_yaml
from paribus.store import Address, Change, StaleWrite, Store, open_store
from paribus.store.folder import NOTE, Body, Folder
from paribus.store.sync import apply, diff, pull


def read(source: bytes, file: str) -> object:
    return marked_yaml.read(source, file).value


def flag(key: str, body: Body) -> Body:
    """A schema with a default, so that what is stored is more than what is written."""
    if "variants" not in body:
        raise DefinitionError("the flag has no variants", where=key)
    return {"enabled": True, **body}


KINDS = {"flag": flag, "audience": lambda _, body: body}


@pytest.fixture
def store(tmp_path: Path, clock: HandClock) -> Store:
    return open_store(tmp_path / "definitions.sqlite", clock=clock)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "definitions", "default", KINDS, read)


def at(key: str, kind: str = "flag") -> Address:
    return Address("default", kind, key)


def write(folder: Folder, name: str, text: str) -> Path:
    path = folder.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def put(store: Store, key: str, body: Body | None, expected: int = 0, kind: str = "flag") -> None:
    body = None if body is None else {"enabled": True, **body}
    store.put(at(key, kind), body, author="console", reason="click", expected=expected)


def states(store: Store, folder: Folder) -> dict[str, str]:
    return {str(each.address): each.state for each in diff(store, folder)}


def both(store: Store, folder: Folder, *keys: str) -> None:
    """Documents that folder and store agree on."""
    for key in keys:
        put(store, key, {"variants": [key, "on"]})
    pull(store, folder)


def test_files_become_documents_and_agree_from_then_on(store: Store, folder: Folder) -> None:
    write(folder, "flag/a.yaml", "# why\nvariants: [on, off]\n")
    write(folder, "audience/staff.yml", "any: []\n")
    assert states(store, folder) == {"audience/staff": "added", "flag/a": "added"}
    applied = apply(store, folder, author="ann", reason="from git")
    assert [str(revision.address) for revision in applied.revisions] == ["audience/staff", "flag/a"]
    assert store.get(at("a")).body == {"variants": ["on", "off"], "enabled": True}  # words stay words
    assert (store.get(at("a")).author, store.get(at("a")).reason) == ("ann", "from git")
    assert diff(store, folder) == []
    assert apply(store, folder, author="ann", reason="again").revisions == ()
    assert pull(store, folder).written == ()
    assert "# why" in (folder.path / "flag/a.yaml").read_text()
    assert store.position("default") == 2


def test_pull_then_diff_is_empty_whatever_the_documents_hold(store: Store, folder: Folder) -> None:
    keys = ["a/b", ".hidden", "per%cent", 'all:*?"<>|\\', "Ünï cödé", "x.yaml", "%41", "CON", "a b"]
    for key in keys:
        put(store, key, {"variants": [key, 1e20, -0.5, 1e-9, None, "2026-01-02", "no", "1e3", "a\nb\n", "", {}]})
    assert len(pull(store, folder).written) == len(keys)
    assert diff(store, folder) == []
    assert {path.parent for path in folder.path.rglob("*.yaml")} == {folder.path / "flag"}
    again = open_store(folder.path.parent / "second.sqlite", clock=store.clock)
    (folder.path / NOTE).unlink()
    apply(again, folder, author="ann", reason="elsewhere")
    assert {key: again.get(at(key)).body_hash for key in keys} == {key: store.get(at(key)).body_hash for key in keys}


def test_many_documents_are_paged(store: Store, folder: Folder) -> None:
    store.put_all(
        [Change(at(f"f{n}"), {"variants": [n], "enabled": True}, 0) for n in range(250)], author="ann", reason="many"
    )
    assert len(pull(store, folder).written) == 250
    assert len(list(folder.path.glob("flag/*.yaml"))) == 250
    assert diff(store, folder) == []


@pytest.mark.parametrize(
    ("in_file", "in_store", "state"),
    [
        ("changed", "same", "changed"),
        ("removed", "same", "removed"),
        ("same", "changed", "behind"),
        ("same", "removed", "behind"),
        ("changed", "changed", "conflict"),
        ("changed", "removed", "conflict"),
        ("removed", "changed", "conflict"),
        ("removed", "removed", None),
        ("same", "same", None),
    ],
)
def test_each_side_is_compared_with_what_was_agreed(
    store: Store, folder: Folder, in_file: str, in_store: str, state: str | None
) -> None:
    both(store, folder, "a")
    if in_file == "changed":
        write(folder, "flag/a.yaml", "variants: [file]\n")
    elif in_file == "removed":
        (folder.path / "flag/a.yaml").unlink()
    if in_store != "same":
        put(store, "a", {"variants": ["store"]} if in_store == "changed" else None, expected=1)
    assert states(store, folder) == ({"flag/a": state} if state else {})


def test_equal_changes_on_both_sides_are_no_difference(store: Store, folder: Folder) -> None:
    both(store, folder, "a")
    put(store, "a", {"variants": ["same"]}, expected=1)
    write(folder, "flag/a.yaml", "variants: [same]\n")
    assert diff(store, folder) == []


def test_the_text_of_a_difference_is_a_unified_diff(store: Store, folder: Folder) -> None:
    both(store, folder, "a")
    write(folder, "flag/a.yaml", "variants: [a, off]\n")
    (difference,) = diff(store, folder)
    assert difference.text.splitlines() == [
        "--- store/flag/a (revision 1)",
        "+++ flag/a.yaml",
        "@@ -1,4 +1,4 @@",
        " enabled: true",
        " variants:",
        "   - a",
        "-  - 'on'",
        "+  - 'off'",
    ]


def test_apply_never_undoes_what_the_store_has_since(store: Store, folder: Folder) -> None:
    """The trap of two-way synchronization: an old checkout must not roll a change of the console back."""
    both(store, folder, "a", "b")
    put(store, "a", {"variants": ["kill"]}, expected=1)
    write(folder, "flag/b.yaml", "variants: [file]\n")
    applied = apply(store, folder, author="ann", reason="b only")
    assert [str(revision.address) for revision in applied.revisions] == ["flag/b"]
    assert [str(each.address) for each in applied.behind] == ["flag/a"]
    assert store.get(at("a")).body["variants"] == ["kill"]
    assert states(store, folder) == {"flag/a": "behind"}
    pull(store, folder)
    assert diff(store, folder) == []


def test_pull_keeps_what_only_the_files_changed(store: Store, folder: Folder) -> None:
    both(store, folder, "a", "b", "c")
    put(store, "a", None, expected=1)
    put(store, "d", {"variants": ["new"]})
    write(folder, "flag/b.yaml", "variants: [file]\n")
    (folder.path / "flag/c.yaml").unlink()
    pulled = pull(store, folder)
    assert (pulled.written, pulled.removed) == ((at("d"),), (at("a"),))
    assert {str(each.address): each.state for each in pulled.kept} == {"flag/b": "changed", "flag/c": "removed"}
    assert states(store, folder) == {"flag/b": "changed", "flag/c": "removed"}
    assert not (folder.path / "flag/a.yaml").exists()


def test_conflicts_are_all_named_and_nothing_is_written(store: Store, folder: Folder) -> None:
    both(store, folder, "a", "b", "c")
    for key in "ab":
        put(store, key, {"variants": ["store"]}, expected=1)
        write(folder, f"flag/{key}.yaml", "variants: [file]\n")
    write(folder, "flag/c.yaml", "variants: [file]\n")
    before = {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}
    named = r"flag/a \(revision 2\), flag/b \(revision 2\)"
    with pytest.raises(Conflict, match=named):
        apply(store, folder, author="ann", reason="r")
    with pytest.raises(Conflict, match=named):
        apply(store, folder, author="ann", reason="r", dry_run=True)
    with pytest.raises(Conflict, match=named):
        pull(store, folder)
    assert store.position("default") == 5
    assert before == {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}


def test_force_says_who_wins(store: Store, folder: Folder) -> None:
    both(store, folder, "a", "b")
    for key in "ab":
        put(store, key, {"variants": ["store"]}, expected=1)
    put(store, "only-in-store", {"variants": []})
    write(folder, "flag/a.yaml", "variants: [file]\n")
    applied = apply(store, folder, author="ann", reason="git is the truth", force=True)
    assert [(str(r.address), r.number) for r in applied.revisions] == [("flag/a", 3), ("flag/b", 3)]
    assert store.get(at("b")).body["variants"] == ["b", "on"]
    assert store.find(at("only-in-store")) is not None  # never removed by a folder that never had it
    put(store, "a", {"variants": ["store"]}, expected=3)
    write(folder, "flag/a.yaml", "variants: [file 2]\n")
    write(folder, "flag/b.yaml", "variants: [file 2]\n")
    write(folder, "flag/new.yaml", "variants: [file 2]\n")
    pulled = pull(store, folder, force=True)
    assert [str(address) for address in pulled.written] == ["flag/a", "flag/b", "flag/only-in-store"]
    assert states(store, folder) == {"flag/new": "added"}


def test_a_dry_run_only_tells(store: Store, folder: Folder) -> None:
    write(folder, "flag/a.yaml", "variants: []\n")
    applied = apply(store, folder, author="ann", reason="r", dry_run=True)
    assert [each.state for each in applied.differences] == ["added"]
    assert applied.revisions == ()
    assert store.position("default") == 0
    assert not (folder.path / NOTE).exists()


def test_a_first_meeting_of_two_histories_is_a_conflict(store: Store, folder: Folder) -> None:
    put(store, "a", {"variants": ["store"]})
    write(folder, "flag/a.yaml", "variants: [file]\n")
    assert states(store, folder) == {"flag/a": "conflict"}


def test_a_write_between_reading_and_applying_is_a_stale_write(
    store: Store, folder: Folder, tmp_path: Path, clock: HandClock
) -> None:
    """The schema check is where someone else gets in between."""
    both(store, folder, "a")
    write(folder, "flag/a.yaml", "variants: [file]\n")
    other = open_store(tmp_path / "definitions.sqlite", clock=clock)

    def slow(key: str, body: Body) -> Body:
        put(other, "a", {"variants": ["meanwhile"]}, expected=1)
        return flag(key, body)

    with pytest.raises(StaleWrite, match="flag/a is at revision 2, not 1: written by console"):
        apply(store, Folder(folder.path, "default", {**KINDS, "flag": slow}, read), author="ann", reason="r")
    assert states(store, folder) == {"flag/a": "conflict"}


def test_broken_files_are_all_named_with_their_places(store: Store, folder: Folder) -> None:
    write(folder, "flag/a.yaml", "variants: []\n")
    write(folder, "flag/b.yaml", "on: off\n")
    with pytest.raises(DefinitionError, match="no variants"):
        apply(store, folder, author="ann", reason="r")
    write(folder, "flag/c.yaml", "variants: [\n")
    write(folder, "flag/d.yaml", "- a list\n")
    write(folder, "flag/e.yaml", "a: 1\na: 2\n")
    with pytest.raises(DefinitionError, match=r"(?s)4 files .*b: the flag.*c\.yaml:2:1.*d\.yaml.*e\.yaml:2:1"):
        apply(store, folder, author="ann", reason="r")
    assert store.position("default") == 0


def _unknown_kind(folder: Folder) -> None:
    write(folder, "flags/a.yaml", "variants: []\n")


def _two_files(folder: Folder) -> None:
    write(folder, "flag/a.yaml", "variants: []\n")
    write(folder, "flag/a.yml", "variants: []\n")


def _bad_percent(folder: Folder) -> None:
    write(folder, "flag/%61.yaml", "variants: []\n")


def _damaged_note(folder: Folder) -> None:
    write(folder, NOTE, "{")


def _foreign_note(folder: Folder) -> None:
    write(folder, NOTE, json.dumps({"format": 1, "project": "other", "documents": {}}))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_unknown_kind, "flags is no kind of document"),
        (_two_files, "are the same document"),
        (_bad_percent, "cannot be the file"),
        (_damaged_note, "is damaged"),
        (_foreign_note, "belongs to the project 'other'"),
    ],
)
def test_a_folder_that_would_be_misread_is_refused(
    store: Store, folder: Folder, spoil: Callable[[Folder], None], words: str
) -> None:
    spoil(folder)
    with pytest.raises(InputError, match=words):
        diff(store, folder)


def test_what_is_no_document_is_left_alone(store: Store, folder: Folder) -> None:
    write(folder, "README.md", "hello")
    write(folder, "flag/README.md", "hello")
    write(folder, "flag/.a.yaml.partial", "hello")
    write(folder, ".github/workflow.yaml", "on: push")
    write(folder, "notes/x.txt", "hello")
    assert diff(store, folder) == []


def test_a_folder_of_some_kinds_keeps_the_note_about_others(store: Store, folder: Folder) -> None:
    both(store, folder, "a")
    put(store, "staff", {"any": []}, kind="audience")
    pull(store, folder)
    flags_only = Folder(folder.path, "default", {"flag": flag}, read)
    (folder.path / "audience/staff.yaml").rename(folder.path / "staff.yaml")
    pull(store, flags_only)
    (folder.path / "staff.yaml").rename(folder.path / "audience/staff.yaml")
    write(folder, "audience/staff.yaml", "all: []\n")
    assert states(store, folder) == {"audience/staff": "changed"}


def test_what_no_file_can_hold_is_refused_before_any_is_written(store: Store, folder: Folder) -> None:
    def read_small_files(source: bytes, file: str) -> object:
        if len(source) > 1000:
            raise DefinitionError("the file has too many bytes", where=file)
        return read(source, file)

    put(store, "a", {"variants": []})
    put(store, "b", {"variants": ["x" * 1000]})
    with pytest.raises(DefinitionError, match="too many bytes"):
        pull(store, Folder(folder.path, "default", KINDS, read_small_files))
    assert not folder.path.exists()


def test_the_deepest_document_fits_into_a_file(store: Store, folder: Folder) -> None:
    deep: Body = {}
    for _ in range(37):
        deep = {"a": deep}
    put(store, "a", {"variants": [deep]})
    pull(store, folder)
    assert diff(store, folder) == []
    with pytest.raises(LimitError, match="nested more than 40"):
        put(store, "b", {"variants": [{"a": deep}]})


@pytest.mark.parametrize("dry_run", [False, True])
def test_changes_that_do_not_fit_together_are_refused_together(store: Store, folder: Folder, dry_run: bool) -> None:
    both(store, folder, "a")
    (folder.path / "flag/a.yaml").unlink()
    write(folder, "flag/b.yaml", "variants: []\n")
    seen = {}

    def accept(changes: Mapping[Address, Body | None]) -> None:
        seen.update(changes)
        raise DefinitionError("b needs a")

    with pytest.raises(DefinitionError, match="b needs a"):
        apply(store, folder, author="ann", reason="r", accept=accept, dry_run=dry_run)
    assert seen == {at("a"): None, at("b"): {"variants": [], "enabled": True}}
    assert store.position("default") == 1
