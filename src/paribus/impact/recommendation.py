"""What to do, by the registered rule: the verdict decides, money only says what the decision is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from paribus.experiments.result import VerdictValue

Recommended = Literal["full rollout", "iterate", "roll back", "neutral", "withheld"]
BY_VERDICT: Mapping[VerdictValue, Recommended] = {
    VerdictValue.SHIP: "full rollout",
    VerdictValue.ROLL_BACK: "roll back",
    VerdictValue.ITERATE: "iterate",
    VerdictValue.NEUTRAL: "neutral",
    VerdictValue.INVALID: "withheld",
    VerdictValue.NOT_YET: "withheld",
    VerdictValue.UNREGISTERED: "withheld",
}
_WHY: Mapping[VerdictValue, str] = {
    VerdictValue.SHIP: "A success metric is better and every guardrail is safe",
    VerdictValue.ROLL_BACK: "Something is shown worse",
    VerdictValue.ITERATE: "The experiment has not answered the question as it was asked",
    VerdictValue.NEUTRAL: "Whatever difference there is, is smaller than the smallest one that matters",
    VerdictValue.INVALID: "The experiment failed a check, so its effects mean nothing: mend the cause and run it again",
    VerdictValue.NOT_YET: "The plan does not allow a decision yet",
    VerdictValue.UNREGISTERED: "Nothing was registered before the data, so no rule decides",
}


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to do and why; `rule` is the row of the decision table."""

    action: Recommended
    why: str
    rule: int


def recommendation(verdict: VerdictValue, rule: int, sentence: str) -> Recommendation:
    """The recommendation that follows from a verdict: a function of it alone, so that none can contradict it.

    >>> recommendation(VerdictValue.SHIP, 4, "order rate is better.").action
    'full rollout'
    """
    return Recommendation(BY_VERDICT[verdict], f"{_WHY[verdict]} (rule {rule}): {sentence}", rule)


def withheld(verdict: VerdictValue, *, hidden: bool, interference: str, money: bool) -> str:
    """Why no money is stated; empty where it may be.

    Args:
        verdict: of the experiment.
        hidden: whether a failed blocking check hides the effects.
        interference: as the plan answers it; after a colon what else tells of it.
        money: whether it is known what a success is worth.
    """
    if hidden or verdict is VerdictValue.INVALID:
        return "A blocking health check failed and hides the effects; money from them would be made up."
    kind, _, told = interference.strip().partition(":")
    if kind == "shared_resource":
        said = told.strip() or "The plan says that units share a resource (interference: shared_resource)"
        return (
            f"{said}. What treated units gain may be taken from others, so the difference between users overstates "
            "what a rollout brings. Money needs a design that randomizes the resource, for instance a switchback or "
            "clusters."
        )
    if verdict is VerdictValue.NOT_YET:
        return "The plan does not allow its effects to be read yet."
    if verdict is VerdictValue.UNREGISTERED:
        return "Nothing was registered before the data, so what was noticed cannot be told from what was looked for."
    if not money:
        return (
            "It is not known what a success is worth: set economics.value_per_conversion, or track an amount with the "
            "success event."
        )
    return ""
