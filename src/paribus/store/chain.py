"""Is the history whole? Every revision of a project, linked to the one before and checked against its body."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from paribus.errors import InputError
from paribus.store.canonical import FIRST_LINK, link, text_hash
from paribus.store.glance import REDACTION

_WRITTEN = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})\Z")


@dataclass(frozen=True, slots=True)
class Anchor:
    """A chain value noted outside the store (in a commit, a ticket, a timestamp): the project's head at `sequence`."""

    sequence: int
    chain: str

    def __str__(self) -> str:
        return f"{self.sequence}:{self.chain}"

    @classmethod
    def parse(cls, text: str) -> Anchor:
        """The anchor that `str` wrote.

        Raises:
            InputError: it is not a number, a colon and 64 hexadecimal digits.
        """
        if not (found := _WRITTEN.match(text.strip())):
            raise InputError(
                f"{text[:100]!r} is not an anchor",
                rule="a number, a colon, 64 hexadecimal digits",
                fix="copy the last line of an earlier paribus audit verify",
            )
        return cls(int(found[1]), found[2])


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What a project's chain says.

    Attributes:
        revisions: how many were read.
        redacted: sequences whose body was taken out on the record.
        broken: the first sequence that does not fit, or None.
        head: the chain's end: note it outside as an anchor.
        sentences: the report in words, the verdict first.
    """

    project: str
    revisions: int
    redacted: tuple[int, ...]
    broken: int | None
    head: Anchor
    sentences: tuple[str, ...]

    @property
    def is_intact(self) -> bool:
        """Whether every revision fits."""
        return self.broken is None


@dataclass(frozen=True, slots=True)
class Pointer:
    """What the table of current documents says about one of them."""

    number: int
    sequence: int


def verify(
    project: str,
    rows: Iterable[Mapping[str, Any]],
    *,
    head: Anchor,
    pointers: Mapping[tuple[str, str], Pointer],
    anchor: Anchor | None = None,
) -> ChainReport:
    """Reads a chain from its beginning, and stops judging at the first revision that does not fit.

    Args:
        project: whose chain it is.
        rows: revisions as stored, in the order of their sequence.
        head: where the store says that the chain ends.
        pointers: the current revision of each (kind, key), as the store says.
        anchor: where someone outside noted that it ended.
    """
    reading = _Reading()
    for row in rows:
        reading.take(row, anchor)
    reading.finish(head, pointers, anchor)
    return reading.report(project, anchor)


class _Reading:
    def __init__(self) -> None:
        self.count = 0
        self.end = Anchor(0, FIRST_LINK)
        self.newest: dict[tuple[str, str], Pointer] = {}
        self.without_body: dict[int, tuple[str, str]] = {}  # sequence → body hash, name
        self.redacted: list[int] = []
        self.broken: int | None = None
        self.why = ""

    def take(self, row: Mapping[str, Any], anchor: Anchor | None) -> None:
        self.count += 1
        if self.broken is not None:
            return
        sequence, name = row["sequence"], f"{row['kind']}/{row['key']} revision {row['number']}"
        document = (row["kind"], row["key"])
        before = self.newest.get(document, Pointer(0, 0))
        if sequence != self.end.sequence + 1:
            self.fail(self.end.sequence + 1, "is missing: it was deleted")
        elif row["body"] is not None and text_hash(row["body"]) != row["body_hash"]:
            self.fail(sequence, f"({name}): its body is not the one that was written")
        elif link(self.end.chain, row) != row["chain"]:
            self.fail(sequence, f"({name}): its place, author, time, reason, body or order is not what was written")
        elif row["number"] != before.number + 1:
            self.fail(sequence, f"({name}) follows revision {before.number} of the same document")
        elif anchor is not None and anchor.sequence == sequence and anchor.chain != row["chain"]:
            self.fail(sequence, f"({name}) is not the one that was anchored: the history was written anew")
        else:
            self.end = Anchor(sequence, row["chain"])
            self.newest[document] = Pointer(row["number"], sequence)
            self.note_body(row, name)

    def note_body(self, row: Mapping[str, Any], name: str) -> None:
        if row["body"] is None:
            self.without_body[row["sequence"]] = (row["body_hash"], name)
        elif row["kind"] == REDACTION and row["body"] != "null":
            told = json.loads(row["body"])
            sequence = int(row["key"])
            if self.without_body.get(sequence, ("", ""))[0] == told.get("body_hash"):
                del self.without_body[sequence]
                self.redacted.append(sequence)

    def finish(self, head: Anchor, pointers: Mapping[tuple[str, str], Pointer], anchor: Anchor | None) -> None:
        if self.broken is not None:
            return
        told_end = max(head.sequence, anchor.sequence if anchor else 0)
        if self.without_body:
            sequence, (_, name) = min(self.without_body.items())
            self.fail(sequence, f"({name}): its body was taken out, and no redaction is on record")
        elif told_end > self.end.sequence:
            who = "the store" if head.sequence == told_end else "the anchor"
            self.fail(self.end.sequence + 1, f"is missing: {who} knows {told_end} revisions, so the end was cut off")
        elif head != self.end:
            self.fail(self.end.sequence, "is not the end that the store noted")
        elif dict(pointers) != self.newest:
            documents = {*pointers, *self.newest}
            kind, key = min(d for d in documents if pointers.get(d) != self.newest.get(d))
            newest = self.newest.get((kind, key), Pointer(0, self.end.sequence))
            self.fail(newest.sequence, f"is the newest of {kind}/{key}, and the store serves another revision")

    def fail(self, sequence: int, why: str) -> None:
        self.broken = sequence
        self.why = why

    def report(self, project: str, anchor: Anchor | None) -> ChainReport:
        if self.broken is None:
            sentences = [f"The history of {project} is whole: {self.count:,} revisions, each linked to the one before."]
        else:
            sentences = [f"The history of {project} is broken: revision {self.broken} of the chain {self.why}."]
            sentences.append(f"What stands before it, {self.broken - 1:,} revisions, fits.")
        if self.redacted:
            listed = ", ".join(str(sequence) for sequence in sorted(self.redacted)[:10])
            more = ", …" if len(self.redacted) > 10 else ""
            sentences.append(
                f"Bodies taken out, each on record: {len(self.redacted)} (chain revisions {listed}{more})."
            )
        if anchor is None:
            sentences.append(
                f"No anchor was given, so a history cut off or written anew as a whole would not show. "
                f"Note this outside: {self.end}"
            )
        elif self.broken is None:
            sentences.append(f"It agrees with the anchor at revision {anchor.sequence} of the chain.")
        return ChainReport(project, self.count, tuple(sorted(self.redacted)), self.broken, self.end, tuple(sentences))
