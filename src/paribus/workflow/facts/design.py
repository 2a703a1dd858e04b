"""The sealed plan and how it behaves."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from paribus.workflow.artifact import Measured, Part


class MethodSize(Part):
    """What one method would need and how often it errs, by simulation on the feature's own history."""

    method: str
    units: int | None
    days: int | None
    mean_days: float | None = None
    false_ship: float | None = None
    """Chance that the first success metric is shown better without any effect."""
    note: str = ""
    evidence: str


class DesignFacts(Part):
    """The plan; `document` is the experiment document that was stored and sealed."""

    experiment: str
    flag: str
    document: dict[str, Any]
    plan_hash: str
    evidence: str = "plan"
    units_per_arm: Measured
    runtime_days: Measured
    minimum_detectable_effect: Measured
    chosen_method: str
    why: str
    methods: tuple[MethodSize, ...]
    variance_removed: Measured | None = None
    """Share of variance that CUPED removes."""
    interference: str
    entry_event: str
    """The event that stands directly before the decision: a unit's first one is where it would be exposed."""
    audience: dict[str, Any] | None = None
    """The flag condition of the units the feature is for; None: everyone."""
    arrivals_per_day: Measured
    """Eligible units that reach the decision for the first time, per day."""
    metrics: tuple[dict[str, Any], ...] = ()
    """Per metric: role, baseline, margin, units it asks for."""
    certificate: dict[str, Any] = {}
    """A/A re-randomization of the feature's own history."""
    operating: dict[str, Any] = {}
    """Operating characteristics of the sealed rule: ship, false-ship and false-rollback rates."""
    arms: tuple[dict[str, Any], ...] = ()
    """Per arm: name, share of the split, what it is, and the artifact's file with its screenshot."""
    holdout: Measured | None = None
    """Share of all units that no feature serves; they do not arrive."""
    unit_choices: tuple[dict[str, Any], ...] = ()
    """What could be randomized: unit, units in the history, per arm, days, and why not."""

    def ends(self, first: datetime | None) -> datetime | None:
        """When the plan is read at the latest: its runtime from the first exposure on, and the last window."""
        if first is None or self.runtime_days.value is None:
            return None
        window = max((each.get("window_days") or 0 for each in self.document["metrics"]), default=0)
        return first + timedelta(days=self.runtime_days.value + window)
