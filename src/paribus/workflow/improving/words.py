"""What was observed in words: the first paragraph, what has to be true, what was checked."""

from __future__ import annotations

from paribus.experiments.hypothesis import checked_requirement
from paribus.experiments.phrases import counted
from paribus.stats.estimate import Estimate
from paribus.workflow.artifact import Outcome
from paribus.workflow.facts.conclude import AnalyzeFacts, OptimizeFacts
from paribus.workflow.hypotheses.numbers import text
from paribus.workflow.improving.forest import forest_assumptions
from paribus.workflow.improving.observed import Observed


def summary_of(facts: OptimizeFacts, of: Observed, analyze: AnalyzeFacts) -> str:
    """For whom it worked, where it hurts, what comes next."""
    said = []
    if analyze.hidden:
        said.append("Effects are hidden by a failed check, so nothing is said of segments or friction.")
    opposite = [each for each in facts.heterogeneity if each["opposite"]]
    differing = [each for each in facts.heterogeneity if each["differs"] and not each["opposite"]]
    if opposite:
        said.append(
            f"The whole hides opposite effects by {', '.join(each['attribute'] for each in opposite)}: "
            + "; ".join(_levels(each) for each in opposite)
            + "."
        )
    elif differing:
        said.append(
            f"The effect differs by {', '.join(each['attribute'] for each in differing)}: "
            + "; ".join(_levels(each) for each in differing)
            + "."
        )
    elif of.success is None or not isinstance(of.success.relative, Estimate):
        said.append("The effect on the success metric could not be determined.")
    elif facts.heterogeneity:
        names = ", ".join(each["attribute"] for each in facts.heterogeneity)
        said.append(f"The effect is not shown to differ by {names}.")
    worse = [each for each in facts.friction if each["worse"]]
    if worse:
        first = worse[0]
        where = f"between {first['from']} and {first['to']}" if first["kind"] == "step" else f"with {first['to']}"
        said.append(
            f"The change brings friction {where}: {text(first['treatment'], percent=True)} in treatment against "
            f"{text(first['control'], percent=True)} in control."
        )
    slower = next((each for each in facts.step_times if each["slower"]), None)
    if slower is not None:
        said.append(f"Treated units take {slower['ratio']:.2f} times as long from {slower['from']} to {slower['to']}.")
    rage = next((each for each in facts.rage_clicks if each["worse"]), None)
    if rage is not None:
        said.append(
            f"More treated units click {rage['element']} again and again: {rage['units_treatment']:,} against "
            f"{rage['units_control']:,}."
        )
    if not worse and facts.friction:
        most = max(
            (each for each in facts.friction if each["kind"] == "step"), key=lambda each: each["lost"], default=None
        )
        if most is not None:
            lost = text(1 - most["treatment"], percent=True)
            said.append(
                f"No step is shown worse in treatment; the most treated units, {lost} of those who get there, are "
                f"still lost between {most['from']} and {most['to']}."
            )
    if facts.follow_ups:
        first_up = facts.follow_ups[0]
        size = (
            f", which takes {first_up.units_per_arm:,} units in each arm and {first_up.days} days"
            if first_up.units_per_arm and first_up.days
            else ""
        )
        said.append(f"Next we would: {first_up.change}{size}.")
    else:
        said.append("Nothing that was observed asks for a follow-up.")
    return " ".join(said)


def assumptions_of(of: Observed, analyze: AnalyzeFacts) -> tuple[str, ...]:
    """What a data scientist would ask."""
    found = [
        "Segments are exploratory: p-values are corrected over all shown (Benjamini, Hochberg), tests of different and "
        "of opposite effects over attributes (Holm; Gail, Simon 1985), and effects are shrunk toward each other.",
        "Gains of follow-ups are estimates from this experiment or from history, not promises; each is to be tested.",
    ]
    if of.transitions:
        found.append(
            "Steps are counted over exposed units by arm, each step among those of the step before; their p-values are "
            "corrected over all steps (Holm)."
            + ("" if of.from_lake else " They come from the experiment's own metrics, with each metric's window.")
        )
    found += forest_assumptions(of.forest)
    if of.pace.times:
        found.append(
            "Times from step to step are those of units that went on, and who goes on may differ by arm: a longer time "
            "is a hint of friction, and no effect."
        )
    if of.counted is not None:
        found.append(
            "Behavior and feedback count units after exposure in the arm they were assigned; who answers a survey may "
            "differ by arm, so themes are hints."
        )
    if of.cohorts.weeks:
        found.append("Weeks of first exposure hold only units whose window has closed, so none is half observed.")
    return tuple(found)


def checks_of(facts: OptimizeFacts, of: Observed, analyze: AnalyzeFacts) -> tuple[Outcome, ...]:
    """What was checked."""
    for each in facts.follow_ups:
        checked_requirement(each.change)
    powered = [each for each in facts.follow_ups if each.units_per_arm]
    feedback = len({each["theme"] for each in facts.feedback})
    return (
        Outcome(
            name="opposite segments",
            status="not_applicable" if not of.attributes else "warned" if _opposite(facts) else "passed",
            message="no segments were compared" if not of.attributes else f"attributes compared: {len(of.attributes)}",
            blocking=False,
            evidence="result",
        ),
        _rage_check(facts, of),
        *_forest_check(of),
        Outcome(
            name="user feedback",
            status="passed" if feedback else "not_applicable",
            message=f"{counted(feedback, 'theme', 'are')} counted by arm"
            if feedback
            else "no event carries what people say",
            blocking=False,
        ),
        Outcome(
            name="follow-ups have their power computed",
            status="passed" if len(powered) == len(facts.follow_ups) else "warned",
            message=f"{len(powered)} of {len(facts.follow_ups)} can be answered at the traffic there",
            blocking=False,
            evidence="follow_ups",
        ),
        Outcome(
            name="learning leads on",
            status="passed" if facts.follow_ups else "warned",
            message=f"{counted(len(facts.follow_ups), 'follow-up', 'enter')} step 2 of the next feature",
            blocking=False,
        ),
    )


def _rage_check(facts: OptimizeFacts, of: Observed) -> Outcome:
    """Friction by clicks: which elements, or why nothing is said of them."""
    asked = [name for name in of.pace.statements if name.startswith("rage clicks")]
    if not asked:
        why = (
            "no event is a click: none names an element, and none says so" if of.from_lake else "the lake was not read"
        )
        return Outcome(name="rage clicks", status="not_applicable", message=why, blocking=False)
    worse = [each["element"] for each in facts.rage_clicks if each["worse"]]
    return Outcome(
        name="rage clicks",
        status="warned" if worse else "passed",
        message=f"more in treatment: {', '.join(worse)}"
        if worse
        else f"{counted(len(asked), 'click event', 'are')} read",
        blocking=False,
        evidence="pace",
    )


def _forest_check(of: Observed) -> tuple[Outcome, ...]:
    """Only where the configuration asks for a forest."""
    if of.forest is None:
        told = Outcome(name="causal forest", status="not_applicable", message=of.no_forest, blocking=False)
        return (told,) if of.no_forest else ()
    borne = "bear out" if of.forest.is_borne_out else "do not bear out"
    return (
        Outcome(
            name="causal forest",
            status="passed",
            message=f"{of.forest.tested:,} units that it had not seen {borne} that effects differ as it predicts",
            blocking=False,
            evidence="forest",
        ),
    )


def _opposite(facts: OptimizeFacts) -> bool:
    return any(each["opposite"] for each in facts.heterogeneity)


def _levels(attribute: dict[str, object]) -> str:
    levels = attribute["levels"]
    found = []
    for level in levels if isinstance(levels, list) else ():
        of = level["shrunk"] or level["effect"]
        found.append(f"{level['level']} {text(of['value'] if of else None, percent=True, signed=True)}")
    return ", ".join(found)
