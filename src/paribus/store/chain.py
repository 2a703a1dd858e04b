"""Is the history whole? Every revision of a project, linked to the one before and checked against its body."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Anchor:
    """A chain value noted outside the store (in a commit, a ticket, a timestamp): the project's head at `sequence`."""

    sequence: int
    chain: str


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


_ = (Iterable, Mapping, Any)
