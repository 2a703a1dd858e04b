"""The hypotheses in words: the manager's paragraph, what has to be true, what was checked."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

from paribus.experiments.hypothesis import refuse_unsound
from paribus.workflow.artifact import Outcome
from paribus.workflow.facts.hypothesize import HypothesizeFacts
from paribus.workflow.hypotheses.believing import Belief
from paribus.workflow.hypotheses.chosen import Chosen, checked
from paribus.workflow.hypotheses.economics import Price
from paribus.workflow.hypotheses.matching import Support
from paribus.workflow.hypotheses.numbers import span, text
from paribus.workflow.hypotheses.phrasing import as_subject

NO_COSTS = "No cost is configured (economics.build_cost, running_cost_per_year, support_cost_per_year)"


def checks_of(
    facts: HypothesizeFacts,
    found: Support,
    own: Belief,
    beliefs: Mapping[str, Belief],
    goal: Chosen,
) -> tuple[Outcome, ...]:
    for belief in beliefs.values():
        refuse_unsound(belief.idea.statement, [goal.name])
    for definition in facts.metrics:
        checked(definition)
    rests = found.cited
    planned = facts.minimum_detectable_effect.value or 0.0
    small = own.detectable
    findable = isfinite(small) and planned >= small * (1 - 1e-6)
    headroom = own.at.headroom
    return (
        Outcome(
            name="hypotheses are testable",
            status="passed",
            message=f"{len(beliefs)} name a metric and a direction; {len(facts.metrics)} metrics are well defined",
        ),
        Outcome(
            name="rests on data",
            status="passed" if rests or own.idea.source == "follow_up" else "warned",
            message=f"cites {', '.join(rests)}" if rests else "nothing that was found speaks of it: it is an opinion",
            blocking=False,
        ),
        Outcome(
            name="can be found in the runtime",
            status="passed" if findable else "warned",
            message=(
                f"{text(planned, percent=True)} planned, {text(small if isfinite(small) else None, percent=True)} "
                f"detectable in {own.planned_days:g} days"
            ),
            blocking=False,
            evidence="sizing",
        ),
        Outcome(
            name="plausible",
            status="passed" if headroom is None or planned <= headroom else "warned",
            message=(
                "no bottleneck bounds the effect"
                if headroom is None
                else f"the best would add {text(headroom, percent=True)}; {text(planned, percent=True)} planned"
            ),
            blocking=False,
            evidence="opportunity",
        ),
        Outcome(
            name="money is known",
            status="passed" if own.priced else "warned",
            message=str(facts.economics["from"]),
            blocking=False,
            evidence="price",
        ),
    )


def assumptions_of(facts: HypothesizeFacts, belief: Belief, priced: Price) -> tuple[str, ...]:
    own, prior, days = facts.hypotheses[0], belief.prior, belief.planned_days
    found = [
        "Sizes of bottlenecks and headroom are observational: they bound an opportunity and prove no cause.",
        f"Before the experiment the relative effect is normal with mean {text(prior.mean, percent=True)} and standard "
        f"deviation {text(prior.sd, percent=True)}: {prior.origin}.",
        "Units a year are those of the history's stretch, each counted once in it, times the stretches of a year; each "
        "counts with what it does within the metric's window, and between half and all of an effect is taken to last.",
        f"The plan is taken to run {days:g} days, with the arrivals of the exploration's window.",
        "Every candidate is taken to cost what the configuration says of this one; confidence is by class of evidence.",
    ]
    if priced.value is not None:
        currency = facts.economics["currency"]
        found.append(f"A success is worth {text(priced.value.value)} {currency}: {priced.words}.")
        found.append(f"Amounts in the events are in {currency}, which is what economics.currency says.")
        if not costs_known(facts.economics):
            found.append(f"{NO_COSTS}: money is before what the feature costs, and there is no return on it.")
    if own.source == "opinion":
        found.append(
            "Nothing in the data supports the requirement's own hypothesis; it is tested because it was asked."
        )
    return tuple(found)


def costs_known(economics: Mapping[str, object]) -> bool:
    """Whether any cost of the feature is configured."""
    lines = economics.get("costs")
    return isinstance(lines, list | tuple) and any(float(each["amount"]) > 0 for each in lines)


def net_of(economics: Mapping[str, object]) -> str:
    """What the money is net of, to follow it in a sentence."""
    return ", net of its costs" if costs_known(economics) else ", before any cost, since none is configured"


def summary_of(facts: HypothesizeFacts, found: Support, own: Belief, goal: Chosen, currency: str) -> str:
    first = facts.hypotheses[0]
    effect = text(facts.minimum_detectable_effect.value, percent=True)
    whom = "" if first.for_whom.lower() in first.change.lower() else f" for {first.for_whom}"
    sentences = [
        f"We believe that {as_subject(first.change)} makes {first.expected.removesuffix(' rises')} rise{whom}."
        if found.cited
        else f"Nothing in the data speaks of {first.change!r}: it is an opinion, and is tested as one."
    ]
    if found.bottleneck:
        sentences.append(f"{first.because}.")
    chance = text(first.forecast.chance_of_success.value, percent=True)
    if own.priced:
        value = span(first.expected_value)
        sentences.append(
            f"Before any data of its own it has a chance of {chance} to ship, and is expected to bring {value} "
            f"{currency} in its first year{net_of(facts.economics)}, 95% interval in brackets."
        )
    else:
        sentences.append(f"Before any data of its own it has a chance of {chance} to ship; its money is not known.")
    sentences.append(
        f"The plan is sized for a relative effect of {effect} on {goal.name}, because {facts.economics['planned_for']}."
    )
    if not found.cited and len(facts.hypotheses) > 1:
        sentences.append(f"The data would rather support: {facts.hypotheses[1].change}.")
    return " ".join(sentences)
