"""The learning card that closes a feature, and how its forecast fared: what the next feature is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from paribus.experiments.prior import family_of
from paribus.experiments.result import Result, VerdictValue
from paribus.impact.forecast import Calibration, Scored, calibration
from paribus.impact.recommendation import Recommendation
from paribus.stats.estimate import Estimate, Undetermined
from paribus.workflow.artifact import Measured
from paribus.workflow.facts.hypothesize import Hypothesis
from paribus.workflow.hypotheses.numbers import rounded, span
from paribus.workflow.valuing.case import Found

DECIDED = (VerdictValue.SHIP, VerdictValue.ROLL_BACK, VerdictValue.ITERATE, VerdictValue.NEUTRAL)


@dataclass(frozen=True, slots=True)
class Fared:
    """A forecast beside what came; None where the experiment ended without an answer."""

    chance: float
    shipped: bool
    brier: float
    lift_hit: bool | None
    value_hit: bool | None


def fared(hypothesis: Hypothesis, verdict: VerdictValue, of: Found | None, yearly: float | None) -> Fared | None:
    """How the forecast of step 2 did: the chance of success, and both intervals.

    Args:
        hypothesis: the one that was tested.
        verdict: of the experiment.
        of: its effect on the success metric.
        yearly: measured money a year under the rule: zero where it does not ship; None where none is stated.
    """
    chance = hypothesis.forecast.chance_of_success.value
    if chance is None or verdict not in DECIDED:
        return None
    shipped = verdict is VerdictValue.SHIP
    lift = of.effect.value if of is not None and not isinstance(of.effect, Undetermined) else None
    return Fared(
        chance,
        shipped,
        (chance - shipped) ** 2,
        _within(lift, hypothesis.forecast.lift),
        _within(yearly, hypothesis.forecast.value_per_year),
    )


def calibrated(others: Sequence[Scored], feature: str, own: Fared | None) -> Calibration | None:
    """The forecasts of all closed features, this one's included."""
    mine = [Scored(feature, own.chance, own.shipped, own.lift_hit)] if own else []
    return calibration([*others, *mine])


def card(
    feature: str,
    requirement: str,
    hypothesis: Hypothesis,
    definition: dict[str, Any],
    result: Result,
    recommended: Recommendation,
    of: Found | None,
    own: Fared | None,
    *,
    hidden: bool,
    decided_at: str,
    harm: str = "",
) -> dict[str, Any]:
    """The card: decision, effect, takeaway. A hidden effect is not on it, so that no prior learns from it."""
    effect = None if hidden or of is None else of.comparison.relative
    good = 1.0 if of is None or of.comparison.direction == "increase" else -1.0
    measured = isinstance(effect, Estimate)
    return {
        "feature": feature,
        "requirement": requirement,
        "segment": hypothesis.segment,
        "findings": list(hypothesis.findings),
        "metric": hypothesis.measured_by,
        "family": family_of(definition),
        "decision": recommended.action,
        "verdict": result.verdict.value.value,
        "rule": recommended.rule,
        "shipped": result.verdict.value is VerdictValue.SHIP,
        "decided_at": decided_at,
        "effect": rounded(good * effect.value) if isinstance(effect, Estimate) else None,
        "se": rounded(effect.se) if isinstance(effect, Estimate) else None,
        "chance": rounded(own.chance) if own else None,
        "hit": own.lift_hit if own else None,
        "takeaway": takeaway(hypothesis, result, of if measured else None, hidden=hidden, harm=harm),
        "evidence": "card",
    }


def takeaway(hypothesis: Hypothesis, result: Result, of: Found | None, *, hidden: bool, harm: str = "") -> str:
    """What is learned, in one sentence; `harm` is why a watch ended it before the plan could say anything."""
    change = hypothesis.change
    if harm:
        return f"{change[0].upper()}{change[1:]} does harm: {harm}"
    if hidden:
        failed = [c.name for c in result.checks if c.severity == "blocking" and c.status == "failed"]
        cause = f"{', '.join(failed)} failed" if failed else "the plan allows no reading yet"
        return f"Nothing is learned of {change}: {cause}."
    if of is None or isinstance(of.effect, Undetermined):
        return f"Nothing is learned of {change}: its effect could not be determined."
    low, high = of.effect.interval()
    effect = Measured(value=of.effect.value, low=low, high=high, level=0.95, evidence="effect")
    size = f"{span(effect, percent=True, signed=True)}, 95% interval"
    if of.effect.corrected:
        size += " after correction"
    metric = of.comparison.metric
    whom = "" if hypothesis.for_whom.lower() in change.lower() else f"For {hypothesis.for_whom}, "
    match result.verdict.value:
        case VerdictValue.SHIP:
            verb = "raises" if of.comparison.direction == "increase" else "lowers"
            said = f"{change} {verb} {metric} by {size.removeprefix('+')}"
        case VerdictValue.ROLL_BACK:
            worse = [c.metric for c in result.comparisons if c.conclusion in ("worse", "harmful")]
            said = f"{change} makes {', '.join(dict.fromkeys(worse)) or 'something'} worse; {metric} moves by {size}"
        case VerdictValue.NEUTRAL:
            said = f"{change} makes no difference to {metric} that matters ({size})"
        case _:
            said = f"whether {change} moves {metric} stays open ({size})"
    said = f"{whom}{said}."
    return said[0].upper() + said[1:]


def _within(value: float | None, of: Measured | None) -> bool | None:
    if value is None or of is None or of.low is None or of.high is None:
        return None
    return of.low <= value <= of.high
