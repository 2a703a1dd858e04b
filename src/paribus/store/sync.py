"""Two ways between a folder of YAML files and the store: what differs, files into the store, the store into files.

Both sides are compared with what they agreed on last, so a change on one side is never undone from the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from typing import Literal

from paribus.errors import Conflict
from paribus.store.address import Address, Change, Revision
from paribus.store.folder import Body, FileDocument, Folder
from paribus.store.store import Store
from paribus.store.yaml_text import yaml_text

State = Literal["added", "changed", "removed", "behind", "conflict"]
Accept = Callable[[Mapping[Address, Body | None]], None]
"""What is about to be written by address (None: removed); raises DefinitionError to refuse all of it."""
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Difference:
    """A document that folder and store hold differently.

    Attributes:
        state: what the file did (added, changed, removed: `apply` takes it over), `behind` when the store moved on
            (`pull` takes it over), `conflict` when both did.
        text: a unified diff from the store's body to the file's, both as YAML.
        number: the store's current revision, 0 when it has none.
        file: the file's body, None when there is no file.
        stored: the store's body, None when it has none.
    """

    address: Address
    state: State
    text: str
    number: int
    file: Body | None
    stored: Body | None


@dataclass(frozen=True, slots=True)
class Applied:
    """What `apply` wrote, one revision per changed document, and what it left alone because the store is ahead."""

    revisions: tuple[Revision, ...]
    differences: tuple[Difference, ...]
    behind: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Pulled:
    """The files that `pull` wrote and removed, and the documents whose files it left because they were changed."""

    written: tuple[Address, ...]
    removed: tuple[Address, ...]
    kept: tuple[Difference, ...]


def diff(store: Store, folder: Folder) -> list[Difference]:
    """What differs, by address; an empty list when folder and store agree.

    Raises:
        DefinitionError: a file that cannot be read or breaks its schema.
    """
    return _Comparison(store, folder).differences


def apply(
    store: Store,
    folder: Folder,
    *,
    author: str,
    reason: str,
    accept: Accept | None = None,
    dry_run: bool = False,
    force: bool = False,
) -> Applied:
    """Takes the files' changes into the store: one revision per changed document, all of them or none.

    Args:
        store: where to.
        folder: the files.
        author: who changes the documents.
        reason: why.
        accept: looks at all changes together, raises when they do not fit one another or what the store holds.
        dry_run: only says what would be written.
        force: a file also wins where both sides changed, and where only the store did; without a file nothing is
            removed that the folder never had.

    Raises:
        Conflict: documents changed on both sides, all of them named; nothing was written.
        DefinitionError: a file that cannot be read or breaks its schema; nothing was written.
    """
    comparison = _Comparison(store, folder)
    taken = [each for each in comparison.differences if each.state != "behind" or (force and each.file is not None)]
    behind = [each for each in comparison.differences if each not in taken]
    if not force:
        _refuse(taken, "apply", "the files' version")
    if accept is not None:
        accept({each.address: each.file for each in taken})
    if dry_run:
        return Applied((), tuple(taken), tuple(behind))
    changes = [Change(each.address, each.file, each.number) for each in taken]
    revisions = store.put_all(changes, author=author, reason=reason)
    comparison.note({each.address: comparison.ours.get(each.address) for each in taken})
    return Applied(tuple(revisions), tuple(taken), tuple(behind))


def pull(store: Store, folder: Folder, *, force: bool = False) -> Pulled:
    """Takes the store's changes into the files; a file that says the same already keeps its comments.

    Args:
        store: where from.
        folder: the files.
        force: the store also wins where both sides changed, and where only the file did; a new file stays.

    Raises:
        Conflict: documents changed on both sides, all of them named; no file was written.
        InputError: a document is larger or stranger than the reader of files allows; no file was written.
    """
    comparison = _Comparison(store, folder)
    states = {"behind", "conflict", "changed", "removed"} if force else {"behind", "conflict"}
    taken = [each for each in comparison.differences if each.state in states]
    kept = [each for each in comparison.differences if each not in taken]
    if not force:
        _refuse(taken, "pull", "the store's version")
    for each in taken:
        if each.stored is not None:
            folder.text_of(each.address, each.stored)  # all can be written, or none is
    written, removed = [], []
    for each in taken:
        if each.stored is None:
            folder.remove(each.address)
            removed.append(each.address)
        else:
            folder.write(each.address, each.stored)
            written.append(each.address)
    comparison.note({each.address: comparison.theirs.get(each.address) for each in taken})
    return Pulled(tuple(written), tuple(removed), tuple(kept))


class _Comparison:
    """Folder and store at one moment, each beside what they agreed on last."""

    def __init__(self, store: Store, folder: Folder) -> None:
        self._folder = folder
        self._base = folder.base()
        stored, files = _stored(store, folder), folder.documents()
        self.ours = {address: file.body_hash for address, file in files.items()}
        self.theirs = {address: revision.body_hash for address, revision in stored.items()}
        self.differences = [
            self._difference(address, stored.get(address), files.get(address))
            for address in sorted({*stored, *files})
            if self.ours.get(address) != self.theirs.get(address)
        ]

    def note(self, settled: Mapping[Address, str | None]) -> None:
        """Notes what both sides agree on now: what was equal, and what was settled; the rest as it was noted before."""
        differing = {each.address for each in self.differences}
        agreed: dict[Address, str | None] = {
            address: told
            for address, told in self._base.items()
            if address in differing or address.kind not in self._folder.kinds
        }
        agreed |= {address: told for address, told in self.ours.items() if address not in differing}
        agreed |= settled
        self._folder.note({address: told for address, told in agreed.items() if told is not None})

    def _difference(self, address: Address, revision: Revision | None, file: FileDocument | None) -> Difference:
        ours, theirs, agreed = self.ours.get(address), self.theirs.get(address), self._base.get(address)
        state: State
        if ours == agreed:
            state = "behind"
        elif theirs != agreed:
            state = "conflict"
        else:
            state = "added" if theirs is None else "removed" if ours is None else "changed"
        number = revision.number if revision else 0
        bodies = (file.body if file else None, revision.body if revision else None)
        return Difference(address, state, _text(address, number, *bodies), number, *bodies)


def _stored(store: Store, folder: Folder) -> dict[Address, Revision]:
    found: dict[Address, Revision] = {}
    for kind in folder.kinds:
        page = store.list(folder.project, kind, limit=_PAGE)
        while page:
            found.update({revision.address: revision for revision in page})
            page = store.list(folder.project, kind, after=page[-1].address.key, limit=_PAGE)
    return found


def _text(address: Address, number: int, file: Body | None, stored: Body | None) -> str:
    before = yaml_text(stored).splitlines(keepends=True) if stored is not None else []
    after = yaml_text(file).splitlines(keepends=True) if file is not None else []
    from_store = f"store/{address} (revision {number})" if stored is not None else "/dev/null"
    return "".join(unified_diff(before, after, from_store, f"{address}.yaml" if file is not None else "/dev/null"))


def _refuse(differences: list[Difference], verb: str, winner: str) -> None:
    conflicts = [each for each in differences if each.state == "conflict"]
    if conflicts:
        named = ", ".join(f"{each.address} (revision {each.number})" for each in conflicts)
        raise Conflict(
            f"changed both in the folder and in the store: {named}",
            rule="neither side is overwritten unasked; nothing was written",
            fix=f"read paribus diff and make the files say what you want; {verb} --force then takes {winner}",
        )
