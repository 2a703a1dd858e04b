"""What a look at a running experiment found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """What a finding asks for; only `CONVICTS` may end an experiment."""

    WELL = "well"
    ALERTS = "alerts"
    """A person should look; nothing is done."""
    PAUSES = "pauses"
    """Traffic must not widen: an absolute level is broken, cause not established."""
    CONVICTS = "convicts"
    """Treatment is shown to harm against control, on randomized units."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: which watch found it: `errors`, `sample_ratio`, `latency`, `service_level`, `exposure_loss` …
        severity: what it asks for.
        message: one sentence with the numbers.
        arm: the arm concerned, "" for all.
        numbers: what the sentence was made from.
    """

    what: str
    severity: Severity
    message: str
    arm: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_well(self) -> bool:
        """Whether there is nothing to do."""
        return self.severity is Severity.WELL

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "what": self.what,
            "severity": self.severity.value,
            "message": self.message,
            "arm": self.arm,
            "numbers": dict(self.numbers),
        }
