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
