"""The stages of the rollout: how far traffic widens, how long each is held, on which evidence it is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from paribus.flags.document import WHOLE
from paribus.workflow.facts.architect import Stage

BETA_UNITS = 400  # a day: enough that an error seen by one unit in a hundred is seen on the first day
BETA_BP, EXPERIMENT_BP = (100, 500), (500, 1000)
PERSON, POLICY = "a person", "policy"


def stages(
    allocation: Literal["gradual", "fixed", "adaptive"],
    *,
    reach_per_day: float,
    runtime_days: int,
    units_per_arm: int,
    guardrails: Sequence[Mapping[str, Any]],
    staff: str,
    treatment: str,
    audience: str,
    approvals: Sequence[str],
    evidence: str,
    opt_in: bool = False,
) -> tuple[Stage, ...]:
    """Dogfood, beta, experiment, target; with a fixed allocation, dogfood and one share to the end.

    Args:
        allocation: adaptive widens like gradual.
        reach_per_day: units that reach the decision in a day.
        runtime_days: of the sealed plan; the stages in the analysis last as long together.
        units_per_arm: of the sealed plan.
        guardrails: their definitions, with margins.
        staff, audience: keys of audiences.
        treatment: the variant that staff get.
        approvals: steps at which a person has to agree.
        evidence: id of the reasons.
        opt_in: the beta is of volunteers, up to 1 to 5% of those who reach the decision while it lasts.
    """
    safe = tuple(_guard(each) for each in guardrails)
    sound = ("the sample ratio fits the sealed split (p at least 0.001)", "exposures and events reconcile, arm by arm")
    done = (f"{units_per_arm:,} matured units in each arm", "the sealed rule gives a verdict")
    person = PERSON if "setup" in approvals else POLICY
    dogfood = Stage(
        name="dogfood",
        traffic_bp=0,
        hold_hours=24,
        audience=staff,
        criteria=("staff used both functions", "no new error in the service's log", "every planned event arrived"),
        approver=person,
        in_analysis=False,
        evidence=evidence,
        rule={"id": "dogfood", "when": {"audience": staff}, "variant": treatment},
    )
    total = 24 * runtime_days

    def stage(
        name: Literal["beta", "experiment", "target"], bp: int, hours: int, criteria: tuple[str, ...], approver: str
    ) -> Stage:
        return Stage(
            name=name,
            traffic_bp=bp,
            hold_hours=hours,
            audience=audience,
            criteria=criteria,
            approver=approver,
            in_analysis=True,
            evidence=evidence,
            units_per_day=round(reach_per_day * bp / WHOLE, 1),
        )

    if allocation == "fixed":
        return (dogfood, stage("target", WHOLE, total, (*safe, *sound, *done), POLICY))
    beta_bp = _within(BETA_BP, BETA_UNITS / max(reach_per_day, 1) * WHOLE)
    first_bp = _within(EXPERIMENT_BP, 5 * beta_bp)
    beta_hours = 24
    first_hours = max(24, min(48, total // 4 // 24 * 24))
    if opt_in:
        beta = Stage(
            name="beta",
            traffic_bp=0,
            hold_hours=beta_hours,
            audience=audience,
            criteria=("no volunteer reported a blocker", "no new error in the service's log"),
            approver=person,
            in_analysis=False,
            evidence=evidence,
            cap_units=max(1, round(reach_per_day * beta_hours / 24 * beta_bp / WHOLE)),
        )
        rest = max(total - first_hours, 24)
        return (
            dogfood,
            beta,
            stage("experiment", first_bp, first_hours, (*safe, *sound), POLICY),
            stage("target", WHOLE, rest, (*safe, *sound, *done), POLICY),
        )
    rest = max(total - beta_hours - first_hours, 24)
    return (
        dogfood,
        stage("beta", beta_bp, beta_hours, (*safe, sound[0]), POLICY),
        stage("experiment", first_bp, first_hours, (*safe, *sound), POLICY),
        stage("target", WHOLE, rest, (*safe, *sound, *done), POLICY),
    )


def _guard(metric: Mapping[str, Any]) -> str:
    margin = metric.get("margin")
    if isinstance(margin, Mapping):
        size = f"{float(margin['absolute']) * 100:g} points" if "absolute" in margin else str(margin)
    elif isinstance(margin, int | float):
        size = f"{margin * 100:g}%"
    else:
        size = str(margin or "any amount")
    return f"{metric['name']} is not shown to be worse than control by more than {size}"


def _within(bounds: tuple[int, int], wanted: float) -> int:
    """Basis points between the bounds, in full percents upward."""
    return min(max(-int(-wanted // 100) * 100, bounds[0]), bounds[1])
