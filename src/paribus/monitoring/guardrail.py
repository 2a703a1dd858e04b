"""The error guardrail: units with an error, treatment against control, read as often as one likes.

Each unit counts once, with its first error, so a user who meets the same fault a hundred times is one piece of
evidence. With units entering at random, that unit is in treatment with a known probability if the arms err alike; the
e-process over those arms (`stats.evalues.error_share_log_e`) exceeds 1 / budget with probability at most `budget`,
ever, however often it is read. Epochs with other weights multiply: their units are different ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from paribus.monitoring.finding import Finding, Severity
from paribus.monitoring.watch import Guard
from paribus.stats.evalues import error_share_log_e


@dataclass(frozen=True, slots=True)
class Counts:
    """Units of one epoch by arm, those with the outcome among them, and the arms' weights."""

    units: Mapping[str, int]
    failed: Mapping[str, int]
    weights: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Reading:
    """One guard of one treatment at one look.

    Attributes:
        rate: share of units with the outcome in treatment, `control_rate` in control; None without units.
        log_e: logarithm of the evidence against "within tolerance".
        limit: logarithm of 1 / budget: beyond it, and beyond the smallest difference, it convicts.
    """

    guard: str
    arm: str
    units: int
    failed: int
    control_units: int
    control_failed: int
    rate: float | None
    control_rate: float | None
    log_e: float
    limit: float
    minimum_difference: float

    @property
    def convicts(self) -> bool:
        """Whether harm is shown."""
        if self.rate is None or self.control_rate is None:
            return False
        return self.log_e >= self.limit and self.rate - self.control_rate >= self.minimum_difference

    @property
    def finding(self) -> Finding:
        """The reading as a finding."""
        numbers = {
            "units": self.units,
            "failed": self.failed,
            "control_units": self.control_units,
            "control_failed": self.control_failed,
            "rate": self.rate,
            "control_rate": self.control_rate,
            "evidence": _shown(self.log_e),
            "needed": _shown(self.limit),
        }
        severity = Severity.CONVICTS if self.convicts else Severity.WELL
        return Finding(self.guard, severity, self.sentence(), self.arm, numbers)

    def sentence(self) -> str:
        """What was read, in one sentence."""
        if self.rate is None or self.control_rate is None:
            return f"{self.guard}: no units yet in {'control' if self.control_rate is None else self.arm}"
        return (
            f"{self.guard}: {self.rate:.2%} of {self.units:,} units in {self.arm} against {self.control_rate:.2%} of "
            f"{self.control_units:,} in control; evidence {_shown(self.log_e):,.3g}, {_shown(self.limit):,.3g} convicts"
        )


def read(guard: Guard, arm: str, control: str, epochs: Mapping[int, Counts]) -> Reading:
    """The guard's reading for one treatment, over all epochs."""
    log_e = 0.0
    units = failed = control_units = control_failed = 0
    for counts in epochs.values():
        weight, control_weight = counts.weights.get(arm, 0.0), counts.weights.get(control, 0.0)
        treated, untreated = counts.failed.get(arm, 0), counts.failed.get(control, 0)
        units += counts.units.get(arm, 0)
        control_units += counts.units.get(control, 0)
        failed += treated
        control_failed += untreated
        if weight <= 0 or control_weight <= 0 or treated + untreated == 0:
            continue
        log_e += float(
            error_share_log_e(
                untreated,
                treated,
                treatment_share=weight / (weight + control_weight),
                tolerated_ratio=guard.tolerated_ratio,
            )
        )
    return Reading(
        guard.name,
        arm,
        units,
        failed,
        control_units,
        control_failed,
        failed / units if units else None,
        control_failed / control_units if control_units else None,
        log_e,
        math.log(1 / guard.budget),
        guard.minimum_difference,
    )


def _shown(log_e: float) -> float:
    return math.exp(min(log_e, 60.0))
