"""The business impact in words: the manager's paragraph, what has to be true, what was checked."""

from __future__ import annotations

from datetime import datetime

from paribus.experiments.prior import EffectPrior
from paribus.impact.value import Case
from paribus.stats.estimate import Undetermined
from paribus.workflow.artifact import Outcome
from paribus.workflow.config import Approvals
from paribus.workflow.facts.conclude import AnalyzeFacts, ImpactFacts
from paribus.workflow.facts.design import DesignFacts
from paribus.workflow.facts.hypothesize import Hypothesis, HypothesizeFacts
from paribus.workflow.hypotheses.numbers import span, text
from paribus.workflow.hypotheses.words import NO_COSTS, costs_known
from paribus.workflow.valuing.case import Found

_ADVICE = {
    "full rollout": "We recommend a full rollout",
    "roll back": "We recommend to roll it back",
    "iterate": "We recommend to iterate",
    "neutral": "The result is neutral: it makes no difference that matters, so keep whatever is cheaper to keep",
    "withheld": "We recommend nothing yet",
}


def summary_of(facts: ImpactFacts, hypotheses: HypothesizeFacts, chosen: Hypothesis) -> str:
    """What a manager needs: what to do, what it is worth against what was expected, how sure that is."""
    said = [f"{_ADVICE[facts.recommendation]}. {facts.why.partition('; ')[0].rstrip('.')}."]
    lift = ""
    if facts.corrected_lift is not None and facts.is_corrected:
        moved = span(facts.corrected_lift, percent=True, signed=True)
        lift = f"Corrected for the winner's curse, {chosen.measured_by} moves by {moved}"
    if facts.value_per_year is not None:
        return " ".join([*said, f"{_worth(facts, hypotheses, lift)} (95% intervals in brackets).", *_first_year(facts)])
    if lift:
        said.append(f"{lift} (95% interval in brackets).")
    return " ".join([*said, f"No money is stated. {facts.withheld}"])


def _worth(facts: ImpactFacts, hypotheses: HypothesizeFacts, lift: str) -> str:
    """The value a year, after the effect where that is corrected, against what was expected."""
    ships = facts.recommendation == "full rollout"
    begin = f"{lift}; rolled out, that" if lift else "Rolled out, it" if ships else "Rolled out all the same, it"
    after = "after running costs" if costs_known(hypotheses.economics) else "before any cost"
    value = f"{span(facts.value_per_year)} {hypotheses.economics.get('currency', '')} a year {after}"
    expected = facts.expected_per_year.value if facts.expected_per_year else None
    before = "" if expected is None else f", where {text(expected)} were expected before the experiment"
    return f"{begin} {'is' if ships else 'would be'} worth {value}{before}"


def _first_year(facts: ImpactFacts) -> list[str]:
    """What the first year returns, and the chance that it ends with a loss."""
    if facts.chance_of_loss is None:
        return []
    loss = _chance(facts.chance_of_loss.value)
    returned = facts.returns.get("measured")
    if returned is None or facts.recommendation != "full rollout":
        return [f"The chance that its first year ends with a loss is {loss}."]
    return [f"The first year returns {text(returned)} times what is spent in it; the chance of a loss is {loss}."]


def assumptions_of(
    facts: ImpactFacts,
    hypotheses: HypothesizeFacts,
    design: DesignFacts,
    of: Found | None,
    case: Case | None,
    prior: EffectPrior,
) -> tuple[str, ...]:
    """What a data scientist would ask."""
    found = [f"Interference: {design.interference}."]
    if of is not None and not isinstance(of.effect, Undetermined):
        method = of.effect.method
        found.append(
            f"One correction for the winner's curse, never two: {method}."
            if of.effect.corrected
            else f"The effect is {method}."
        )
        if not prior.is_own and "posterior" not in method:
            found.append("The published prior of the forecast corrects nothing: it is not this product's own history.")
    if case is not None:
        found += [
            f"{text(case.units_per_year.value)} eligible units reach {design.entry_event} a year, as the forecast has "
            "it; a unit that comes back within the history's stretch is counted once.",
            f"Persistence: {case.persistence.why}.",
            "The level without the change is the control arm's, measured beside every other launch of the time, so "
            "nothing that others brought is counted here.",
            "What was measured on the units of the experiment holds for those who come later.",
        ]
    if facts.value_per_year is not None:
        found.append(f"Money per success: {hypotheses.economics.get('from')}.")
        if not costs_known(hypotheses.economics):
            found.append(f"{NO_COSTS}: money is before what the feature costs, and there is no return on it.")
        found.append("A dated holdback has to stay after the rollout, or the long-term value is not measured.")
    return tuple(found)


def checks_of(facts: ImpactFacts, analyze: AnalyzeFacts, approvals: Approvals) -> tuple[Outcome, ...]:
    """What was checked; the gate of this step is a person's agreement."""
    from paribus.experiments.result import VerdictValue
    from paribus.impact.recommendation import BY_VERDICT

    follows = BY_VERDICT[VerdictValue(analyze.verdict)] == facts.recommendation
    in_time = not analyze.planned_end or not analyze.decided_at or analyze.decided_at <= analyze.planned_end
    net = facts.first_year.value if facts.first_year else None
    pays = None if net is None else net > 0 or facts.recommendation != "full rollout"
    agree = "impact" in approvals.required
    return (
        Outcome(
            name="recommendation follows the rule",
            status="passed" if follows else "failed",
            message=f"verdict {analyze.verdict.replace('_', ' ')} by rule {analyze.rule}, so: {facts.recommendation}",
            evidence="analyze/result",
        ),
        Outcome(
            name="money may be stated",
            status="warned" if facts.withheld else "passed",
            message=facts.withheld or "nothing forbids it",
            blocking=False,
        ),
        Outcome(
            name="pays in its first year",
            status="not_applicable" if pays is None else "passed" if pays else "warned",
            message=(
                "no money is stated"
                if facts.first_year is None
                else f"first year, net of building: {span(facts.first_year)}; the rule decides on effects, not on money"
            ),
            blocking=False,
            evidence="value" if pays is not None else "",
        ),
        Outcome(
            name="decided within the planned runtime",
            status="passed" if in_time else "warned",
            message=f"decided {_moment(analyze.decided_at)}, planned end {_moment(analyze.planned_end)}",
            blocking=False,
            evidence="analyze/result",
        ),
        Outcome(
            name="learning is written down",
            status="passed",
            message=str(facts.learning["takeaway"]),
            blocking=False,
            evidence="card",
        ),
        Outcome(
            name="agreement",
            status="passed" if agree else "not_applicable",
            message="a person agrees before the next step" if agree else "the configuration asks for none",
            blocking=False,
        ),
    )


def _moment(iso: str | None) -> str:
    from paribus.charts import numbers

    return numbers.moment(datetime.fromisoformat(iso)) if iso else "not known"


def _chance(p: float | None) -> str:
    from paribus.charts import numbers

    return numbers.chance(p) if p is not None else numbers.NOTHING
