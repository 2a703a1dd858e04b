"""The sealed plan and how it behaves."""

from __future__ import annotations

from typing import Any

from paribus.workflow.artifact import Measured, Part


class MethodSize(Part):
    """What one method would need and how often it errs, by simulation on the feature's own history."""

    method: str
    units: int | None
    days: int | None
    mean_days: float | None = None
    false_ship: float | None = None
    power: float | None = None
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
    operating: dict[str, Any] = {}
    """Operating characteristics of the sealed rule: ship, false-ship and false-rollback rates."""
