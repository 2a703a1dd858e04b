"""Which stages of a rollout were entered, when, by which revision: kept apart, so that a killed run goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from paribus.store import RecordType


@dataclass(frozen=True, slots=True)
class Entered:
    """A stage that a rollout entered.

    Attributes:
        round: of the watch; a new one begins the rollout again.
        place: of the stage in the plan, from 0.
        time: RFC 3339.
        revision: the flag's revision that is in force since then.
        health: what the guardrails said at that time.
    """

    project: str
    experiment: str
    round: int
    place: int
    name: str
    time: str
    traffic_bp: int
    revision: int
    reason: str
    health: dict[str, Any] = field(default_factory=dict)


ENTERED = RecordType(Entered, "rollout_stage", key=("project", "experiment", "round", "place"))
