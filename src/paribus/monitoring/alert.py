"""Alerts that fired, as records: what, when, on which evidence, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from paribus.store import RecordType

Outcome = Literal["killed", "paused", "asked", "told"]


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of one experiment; the same watch fires once for each arm and round.

    Attributes:
        what: which watch fired; see `Finding.what`.
        round: grows when the watch is set up anew.
        time: RFC 3339, of the evidence.
        outcome: killed (the flag, by this alert) · paused (traffic does not widen) · asked (a person must decide,
            because automatic rollback is off) · told (nothing to do).
        revision: the flag's revision that the alert wrote; 0 for none.
    """

    project: str
    experiment: str
    what: str
    arm: str
    round: int
    time: str
    message: str
    outcome: Outcome
    flag: str = ""
    environment: str = ""
    revision: int = 0
    numbers: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as artifacts and webhooks carry them."""
        return {name: getattr(self, name) for name in self.__slots__}


ALERTS = RecordType(Alert, "alert", key=("project", "experiment", "what", "arm", "round"))
