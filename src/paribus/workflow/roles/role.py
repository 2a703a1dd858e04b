"""A specialist: what it is asked, what it reads and leaves behind, what it may use, and where it has to stop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from paribus.workflow.step import STEPS, Step


@dataclass(frozen=True, slots=True)
class Role:
    """One of the nine specialists.

    Attributes:
        id: the full id; artifacts carry it.
        version: grows when the brief, the limits or the method of a step changes; artifacts carry it too.
        title: what people call it.
        brief: the task in the role's own words; a model in this seat is told exactly this.
        steps: slugs of the steps it plays.
        inputs: what it reads, beyond the artifacts that its steps name.
        outputs: what it leaves behind, per step.
        tools: rooms and doors that it works with.
        limits: what it must not do; those of `writes` and `moves_traffic` are enforced, see `limits`.
        writes: kinds of protected documents that it may write.
        moves_traffic: whether it may change who gets what in an environment with real users.
        seals: whether it may register a plan.
    """

    id: str
    version: int
    title: str
    brief: str
    steps: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tools: tuple[str, ...]
    limits: tuple[str, ...]
    writes: frozenset[str] = frozenset()
    moves_traffic: bool = False
    seals: bool = False

    @property
    def name(self) -> str:
        """The last part of the id: data-scientist."""
        return self.id.rpartition("::")[2]

    @property
    def played(self) -> tuple[Step, ...]:
        """The steps it plays, in order."""
        return tuple(step for step in STEPS if step.slug in self.steps)

    @property
    def reads(self) -> tuple[str, ...]:
        """Slugs of the artifacts that its steps read, in the order of the steps."""
        needed = {need for step in self.played for need in step.needs}
        return tuple(step.slug for step in STEPS if step.slug in needed)

    def plain(self) -> dict[str, Any]:
        """The role as JSON."""
        return {
            "id": self.id,
            "version": self.version,
            "title": self.title,
            "brief": self.brief,
            "steps": list(self.steps),
            "reads": list(self.reads),
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
            "tools": list(self.tools),
            "limits": list(self.limits),
            "writes": sorted(self.writes),
            "moves_traffic": self.moves_traffic,
            "seals": self.seals,
        }
