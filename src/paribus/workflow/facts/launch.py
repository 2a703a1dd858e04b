"""What steps 11 to 13 hand on: configuration, moves, health."""

from __future__ import annotations

from typing import Any

from paribus.workflow.artifact import Measured, Part


class SetupFacts(Part):
    """The experiment as configured and read back."""

    experiment: str
    flag: str
    flag_revision: int
    environment: str
    start_traffic_bp: int
    kill_rehearsal: dict[str, Any]
    randomization: dict[str, Any]
    alerts: tuple[dict[str, Any], ...]
    evidence: str = "configuration"
    control: str = ""
    arms: tuple[str, ...] = ()
    weights: dict[str, float] = {}
    """Share of the split by arm, as sealed."""
    guards: tuple[dict[str, Any], ...] = ()
    """What `paribus serve` watches, with the budget of each."""
    targeting: tuple[dict[str, Any], ...] = ()
    """Who takes part, rule by rule."""
    explained: tuple[dict[str, Any], ...] = ()
    """For some units, each step of their decision."""
    stages: tuple[dict[str, Any], ...] = ()
    """The rollout plan that step 12 executes."""
    service_levels: tuple[dict[str, Any], ...] = ()
    plan_hash: str = ""


class Move(Part):
    """One move of traffic: who or what, when, why, on which evidence."""

    time: str
    stage: str
    from_bp: int
    to_bp: int
    actor: str
    reason: str
    revision: int
    evidence: str


class RolloutFacts(Part):
    """The record of each move; `stopped` says why it ended early."""

    moves: tuple[Move, ...]
    ended_at: str
    stopped: str = ""
    rolled_back: bool = False
    evidence: str = "moves"
    first_exposure: str = ""
    planned_end: str = ""
    health: tuple[dict[str, Any], ...] = ()
    """What the guardrails said at each move."""
    early_indicators: tuple[dict[str, Any], ...] = ()
    """What the leading metrics of the plan said when it was last read, by their own rule."""
    unattended: bool = False
    """Whether the server killed the flag with nobody at the keyboard."""
    beta: dict[str, Any] = {}
    """Volunteers: cap, admitted, waiting, time of opening, and exposures by reason that the analysis leaves out."""


class MonitorFacts(Part):
    """Health while it ran."""

    alerts: tuple[dict[str, Any], ...]
    health: tuple[dict[str, Any], ...]
    service_levels: tuple[dict[str, Any], ...]
    error_rate: dict[str, Measured] = {}
    """By arm."""
    p95_latency_ms: dict[str, Measured] = {}
    latency_is_degraded: bool | None = None
    errors_hold: bool | None = None
    """Whether treatment's error rate is shown no worse than control's within the guardrail's margin."""
    evidence: str = "monitoring"
    error_difference: dict[str, Measured] = {}
    """Treatment less control, share of requests, by treatment."""
    latency_ratio: dict[str, Measured] = {}
    """p95 of treatment over that of control, by treatment."""
    anomalies: tuple[dict[str, Any], ...] = ()
    """What the detectors found; they never act."""
    units: dict[str, Measured] = {}
    """By arm."""
    early_indicators: tuple[dict[str, Any], ...] = ()
    """What the leading metrics of the plan say, by their own rule; they never decide."""
    vitals: tuple[dict[str, Any], ...] = ()
    """Web Vitals by metric and arm, as browsers measured them."""
    signals: tuple[dict[str, Any], ...] = ()
    """By arm: requests a second, failures, median and p95 of duration, requests in progress."""
