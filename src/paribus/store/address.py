"""What the store holds: documents at addresses, each a row of revisions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from paribus.errors import Conflict, InputError

DEFAULT_PROJECT = "default"
LONGEST_KEY = 200  # characters
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}\Z")


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """Where a document stands.

    Project and kind are lower-case names; a key is any printable text of 1 to 200 characters except `.` and `..`.
    """

    project: str
    kind: str
    key: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.key}"

    def checked(self) -> Address:
        """The address itself.

        Raises:
            InputError: project, kind or key is not a usable name.
        """
        for what, name in (("project", self.project), ("kind", self.kind)):
            check_name(what, name)
        usable = self.key.isprintable() and self.key == self.key.strip() and self.key not in {".", ".."}
        if not usable or not 1 <= len(self.key) <= LONGEST_KEY:
            raise InputError(
                f"{self.key[:LONGEST_KEY]!r} cannot be the key of a document",
                where=self.kind,
                rule=f"a key is printable text of 1 to {LONGEST_KEY} characters without spaces at its ends",
                fix="choose a key such as new-checkout",
            )
        return self


def check_name(what: str, name: str) -> str:
    """The name itself, if a project or kind may be called so.

    Raises:
        InputError: it may not.
    """
    if not _NAME.match(name):
        raise InputError(
            f"{name[:80]!r} cannot be the name of a {what}",
            rule="1 to 63 of the characters a-z, 0-9, - and _, beginning with a letter or digit",
            fix=f"use a name such as {'default' if what == 'project' else 'flag'}",
        )
    return name


@dataclass(frozen=True, slots=True)
class Revision:
    """One written state of a document.

    Attributes:
        number: 1, 2, 3 … within the document.
        sequence: 1, 2, 3 … within the project; the order of its hash chain.
        body: plain JSON values; None for a tombstone (the document was removed) and for a redacted body.
        body_hash: SHA-256 of the body's RFC 8785 text, in hexadecimal; kept when the body is redacted.
        chain: SHA-256 that also covers everything written before in the project.
        time: what the writer's clock said, in UTC; a clock may go backward, the order is that of `sequence`.
        redacted: whether the body was taken out afterwards.
    """

    address: Address
    number: int
    sequence: int
    body: dict[str, Any] | None
    body_hash: str
    chain: str
    author: str
    time: datetime
    reason: str
    redacted: bool = False

    @property
    def is_tombstone(self) -> bool:
        """Whether this revision removed the document."""
        return self.body is None and not self.redacted


@dataclass(frozen=True, slots=True)
class Change:
    """A document to write: `body` None removes it, `expected` is the revision it was made from (0: a new document)."""

    address: Address
    body: dict[str, Any] | None
    expected: int


class StaleWrite(Conflict):
    """Someone else wrote first; `current` holds the newest revision of every document concerned."""

    def __init__(self, changes: list[Change], current: list[Revision | None], *, fix: str | None = None) -> None:
        sentences = [_stale(change, newest) for change, newest in zip(changes, current, strict=True)]
        super().__init__(
            "; ".join(sentences),
            where=f"project {changes[0].address.project}",
            rule="a document is written from the revision it was read at; nothing was written",
            fix=fix or "read it again, redo the change, write again",
        )
        self.current = tuple(revision for revision in current if revision is not None)


def _stale(change: Change, newest: Revision | None) -> str:
    if newest is None:
        return f"{change.address} does not exist, and revision {change.expected} was expected"
    who = f"{newest.author} at {newest.time:%Y-%m-%d %H:%M:%S} UTC"
    state = "was removed in" if newest.is_tombstone else "is at"
    if change.expected == 0:
        return f"{change.address} exists already: it {state} revision {newest.number}, written by {who}"
    return f"{change.address} {state} revision {newest.number}, not {change.expected}: written by {who}"
