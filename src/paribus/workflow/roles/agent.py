"""The language model's seat: it may propose candidates or rewrite prose, never compute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from pydantic import BaseModel

T = TypeVar("T", bound=BaseModel)


class Agent(Protocol):
    """What a step may ask of a language model. Every answer is validated; numbers in it are never used."""

    @property
    def is_deterministic(self) -> bool:
        """Whether no model is configured."""

    def propose(self, role: str, task: str, evidence: str, schema: type[T], *, default: Sequence[T]) -> Sequence[T]:
        """Candidates beside the computed `default` (which always stands first); the default alone on any failure."""

    def rewrite(self, role: str, text: str, evidence: str) -> str:
        """The same statement in clearer prose; `text` itself when a number in it would change, or on any failure."""


class Deterministic:
    """No model: what was computed is the answer."""

    is_deterministic = True

    def propose(self, role: str, task: str, evidence: str, schema: type[T], *, default: Sequence[T]) -> Sequence[T]:
        """The default."""
        return default

    def rewrite(self, role: str, text: str, evidence: str) -> str:
        """The text."""
        return text
