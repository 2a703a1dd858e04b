"""What steps 14 to 16 conclude."""

from __future__ import annotations

from typing import Any

from paribus.workflow.artifact import Measured, Part


class Effect(Part):
    """A metric's effect, as the result has it."""

    metric: str
    role: str
    arm: str
    relative: Measured
    absolute: Measured
    conclusion: str
    p_value: float | None = None
    evidence: str


class AnalyzeFacts(Part):
    """Verdict and effects; `result` is the whole result document."""

    verdict: str
    rule: int
    sentence: str
    would_be: str | None = None
    effects: tuple[Effect, ...]
    hidden: bool
    """Whether a failed blocking check hides the effects."""
    units: dict[str, int]
    interference: str = ""
    """As the plan answers it, or what its own events told: `shared_resource: what ran out`."""
    counted: dict[str, int] = {}
    """Of these, the units by arm whose window of the success metric has closed: the effect is theirs."""
    checks: tuple[dict[str, Any], ...]
    named: tuple[str, ...] = ()
    """Patterns that a reader must know: novelty, simpson, interference, latency …"""
    posterior: dict[str, Any] = {}
    power: tuple[dict[str, Any], ...] = ()
    """For each success metric and arm: units and information reached of those planned, the true effect that would be
    shown now with the plan's power, and the effect that the plan was made for."""
    decided_at: str
    planned_end: str | None = None
    result: dict[str, Any]
    evidence: str = "result"

    @property
    def reason(self) -> str:
        """The rule's sentence without the verdict that it begins with."""
        name, colon, reason = self.sentence.partition(": ")
        return reason if colon and name.lower().startswith(self.verdict.replace("_", " ")) else self.sentence


class ImpactFacts(Part):
    """What it is worth."""

    recommendation: str
    """full rollout, iterate, roll back, or neutral; withheld where value must not be stated"""
    why: str
    withheld: str = ""
    """Why no money is stated: interference, hidden results, no economics."""
    corrected_lift: Measured | None = None
    is_corrected: bool = False
    """Whether something was taken off the measured lift for its having been noticed."""
    value_per_year: Measured | None = None
    expected_per_year: Measured | None = None
    chance_of_loss: Measured | None = None
    break_even_days: Measured | None = None
    cost_of_delay_per_week: Measured | None = None
    forecast_score: Measured | None = None
    """Brier score of the chance that was forecast."""
    tornado: tuple[dict[str, Any], ...] = ()
    learning: dict[str, Any] = {}
    first_year: Measured | None = None
    """Net of building."""
    diluted_lift: Measured | None = None
    """The corrected lift on all successes, those of units included that never meet the change (intention to treat)."""
    persistence: dict[str, Any] = {}
    """What share of the effect is taken to last a year, and why."""
    costs: tuple[dict[str, Any], ...] = ()
    returns: dict[str, Any] = {}
    """Return on investment, forecast and measured: first-year net over everything it costs in the year."""
    forecast: dict[str, Any] = {}
    """Chance, outcome, Brier score, whether lift and value fell into their forecast intervals."""
    calibration: dict[str, Any] = {}
    """How the forecasts of all closed features fared together."""
    decision: dict[str, Any] = {}
    """The recommendation as a record: action, rule, evidence, dissent, date."""
    caveats: tuple[str, ...] = ()
    """What a reader must know beside the verdict: novelty, opposite segments, interference."""
    dots: dict[str, Any] = {}
    """Quantiles of forecast and measured money a year, each an equal share of the chance."""


class FollowUp(Part):
    """A next experiment, drafted."""

    id: str
    change: str
    because: str
    segment: str = ""
    gain: Measured | None = None
    """Successes a year, or money where it is known."""
    effect: Measured | None = None
    """Relative effect that its experiment is sized for."""
    findings: tuple[str, ...] = ()
    """What it rests on: friction points, segments, bottlenecks."""
    units_per_arm: int | None = None
    days: int | None = None
    evidence: str


class OptimizeFacts(Part):
    """Where it worked, where it hurts, what comes next."""

    heterogeneity: tuple[dict[str, Any], ...] = ()
    friction: tuple[dict[str, Any], ...] = ()
    decay: dict[str, Any] = {}
    follow_ups: tuple[FollowUp, ...] = ()
    evidence: str = "result"
    behavior: tuple[dict[str, Any], ...] = ()
    """How treated units act differently, event by event, with error control over all events."""
    feedback: tuple[dict[str, Any], ...] = ()
    """What people said, by theme and arm."""
    cohorts: tuple[dict[str, Any], ...] = ()
    """The effect by the week of first exposure."""
    learned: str = ""
    """The takeaway of the learning card."""
    step_times: tuple[dict[str, Any], ...] = ()
    """How long units that went on took from step to step, by arm."""
    rage_clicks: tuple[dict[str, Any], ...] = ()
    """Units that clicked an element three times within two seconds, by element and arm."""
    forest: dict[str, Any] = {}
    """A causal forest, where the configuration asks for one: groups by predicted effect, its calibration, importance;
    or `none`, why there is none."""
