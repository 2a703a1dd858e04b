"""Where the decision is made, and how traffic widens."""

from __future__ import annotations

from typing import Any, Literal

from paribus.workflow.artifact import Part


class Stage(Part):
    """One stage of the rollout: `traffic_bp` of the audience, held for `hold_hours`, left on the criteria."""

    name: Literal["dogfood", "beta", "experiment", "target"]
    traffic_bp: int
    hold_hours: int
    audience: str = ""
    criteria: tuple[str, ...]
    approver: str = ""
    in_analysis: bool
    evidence: str
    rule: dict[str, Any] | None = None
    """A rule of the flag that this stage puts first and the next one takes away again."""
    units_per_day: float | None = None
    """Units that the stage is expected to expose in a day."""
    cap_units: int | None = None
    """The most volunteers of an opt-in stage; None: the stage's units are drawn, not asked."""


class DecisionPoint(Part):
    """A place in the code where the variant is decided: one evaluation, one exposure."""

    id: str
    where: str
    """service or page, and the function"""
    event: str
    """The event that stands directly before the decision."""


class ArchitectFacts(Part):
    """Flag, stages, breaker, decision points."""

    flag: dict[str, Any]
    """The flag's document as drafted."""
    value_schema: dict[str, Any]
    """JSON Schema of the flag's value."""
    stages: tuple[Stage, ...]
    breaker: dict[str, Any]
    decision_points: tuple[DecisionPoint, ...]
    control_function: str
    treatment_function: str
    providers: dict[str, Any] = {}
    """The same flag as each provider writes it."""
    evidence: str = "design"
    audiences: dict[str, Any] = {}
    """Documents of the audiences that the flag's rules and the stages name, by key."""
    allocation: str = "gradual"
    """How traffic widens: gradual by stages, or fixed from the start."""
    waits: tuple[str, ...] = ()
    """What the configuration asks for that a later version does, and what happens meanwhile."""
    components: dict[str, Any] = {}
    """The component diagram, as `charts.graph.plain` writes it."""
    sequence: dict[str, Any] = {}
    """The sequence diagram of one request."""
    dead_events: tuple[str, ...] = ()
    """Steps of the funnel that no unit reaches."""
    following: tuple[str, ...] = ()
    """The funnel's events after the decision, in order."""
    holdout: dict[str, Any] = {}
    """The holdout that the flag leaves out: key, salt, share in basis points; empty for none."""
