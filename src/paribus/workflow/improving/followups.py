"""Follow-up experiments, drafted: each from something observed, with what it may gain and what it takes to know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil, isfinite

from paribus.charts import numbers
from paribus.experiments.result import Result
from paribus.experiments.sample_size import Comparison
from paribus.impact.causal_forest import Forest
from paribus.impact.friction import Transition
from paribus.impact.heterogeneity import Attribute, Level
from paribus.metrics.definition import Role
from paribus.stats.estimate import Estimate
from paribus.stats.metric_power import power_per_metric
from paribus.workflow.config import Config
from paribus.workflow.facts.conclude import AnalyzeFacts, FollowUp
from paribus.workflow.facts.explore import ExploreFacts
from paribus.workflow.facts.hypothesize import Hypothesis, HypothesizeFacts
from paribus.workflow.hypotheses.chosen import about
from paribus.workflow.hypotheses.numbers import measured, text
from paribus.workflow.hypotheses.opportunity import POWER, reader_of
from paribus.workflow.improving.observed import Observed, guardrails_not_safe

MOST = 8
LONGEST_NAME = 120  # characters of a change inside the name of the next one
LONGEST_DAYS = 365
QUARTER = 91


@dataclass(frozen=True, slots=True)
class Draft:
    """A follow-up before it is sized.

    gain      successes a year that it may add
    base      success rate where it acts
    daily     units per day that it reaches
    effect    relative effect to size for
    least_days  what it has to last whatever its size
    is_urgent   comes first whatever it may gain
    """

    change: str
    because: str
    findings: tuple[str, ...]
    evidence: str
    segment: str = ""
    gain: float | None = None
    base: float = 0.0
    daily: float = 0.0
    effect: float = 0.0
    least_days: int = 0
    is_urgent: bool = False


def follow_ups(
    result: Result,
    observed: Observed,
    explore: ExploreFacts,
    hypotheses: HypothesizeFacts,
    analyze: AnalyzeFacts,
    chosen: Hypothesis,
    config: Config,
    *,
    yearly_units: float,
) -> tuple[FollowUp, ...]:
    """Ranked by what they may gain, each sized: harm to mend comes first, what has no known gain last."""
    if len(chosen.change) > LONGEST_NAME:
        chosen = chosen.model_copy(update={"change": f"{chosen.change[:LONGEST_NAME].rsplit(' ', 1)[0]} …"})
    drafts = [*_drafts(result, observed, explore, hypotheses, analyze, chosen, yearly_units)]
    money = hypotheses.economics.get("value_per_success", {}).get("value")
    currency = str(hypotheses.economics.get("currency", ""))
    guardrails = sum(m.get("role") == "guardrail" for m in hypotheses.metrics)
    seen: set[str] = set()
    kept = []
    for draft in sorted(drafts, key=lambda d: (not d.is_urgent, d.gain is None, -(d.gain or 0.0), d.change)):
        if draft.change not in seen:
            seen.add(draft.change)
            kept.append(draft)
    made = []
    for i, draft in enumerate(kept[:MOST]):
        units, days = _size(draft, config, guardrails)
        days = max(days, draft.least_days) if days is not None else None
        gain = None
        if draft.gain is not None:
            gain = (
                measured(draft.gain * money, "follow_ups", unit=f"{currency}/year")
                if money is not None
                else measured(draft.gain, "follow_ups", unit="successes/year")
            )
        made.append(
            FollowUp(
                id=f"f{i + 1}",
                change=draft.change,
                because=draft.because,
                segment=draft.segment,
                gain=gain,
                effect=measured(draft.effect, "follow_ups", unit="relative") if draft.effect else None,
                findings=draft.findings,
                units_per_arm=units,
                days=days,
                evidence=draft.evidence,
            )
        )
    return tuple(made)


def _drafts(
    result: Result,
    observed: Observed,
    explore: ExploreFacts,
    hypotheses: HypothesizeFacts,
    analyze: AnalyzeFacts,
    chosen: Hypothesis,
    yearly_units: float,
) -> Iterator[Draft]:
    planned = hypotheses.minimum_detectable_effect.value or 0.05
    base = observed.success.control.value if observed.success else (chosen.base.value if chosen.base else 0.0) or 0.0
    here = Draft("", "", (), "follow_ups", chosen.segment, None, base, yearly_units / 365, planned)
    if analyze.hidden or analyze.verdict == "invalid":
        failed = ", ".join(c.name for c in result.checks if c.severity == "blocking" and c.status == "failed")
        yield replace(
            here,
            change=f"mend {failed or 'the failed check'} and run {chosen.change} again",
            because=f"{failed or 'A blocking check'} failed, so its effect is not known",
            findings=("analyze/checks",),
        )
        return
    if analyze.verdict == "roll_back":
        harmed = list(_after_harm(result, observed, chosen, here, yearly_units))
        yield from harmed or [_after_the_watch(observed, chosen, here, analyze)]
    if analyze.verdict == "iterate":
        yield from _undecided(result, observed, chosen, here)
    for attribute in observed.attributes:
        yield from _by_segment(attribute, explore, chosen, here, yearly_units)
    if observed.forest is not None:
        yield from _by_forest(observed.forest, explore, chosen, here)
    for transition in observed.transitions:
        yield from _friction(transition, observed, chosen, here, yearly_units)
    for slow in observed.pace.times:
        if slow.is_slower:
            yield replace(
                here,
                change=f"make the step from {slow.start} to {slow.end} as quick in {chosen.change} as without it",
                because=f"treated units that go on take {slow.ratio:.2f} times as long (p "
                f"{numbers.p_value(slow.p_value)})",
                findings=(f"time {slow.start} to {slow.end}",),
            )
    for rage in observed.pace.rage:
        if rage.is_shown and rage.difference > 0:
            yield replace(
                here,
                change=f"make {rage.name} answer at once in {chosen.change}",
                because=f"{rage.treatment.done:,.0f} treated units clicked it three times within two seconds, "
                f"{rage.control.done:,.0f} of control (p {numbers.p_value(rage.p_value)})",
                findings=(f"rage clicks: {rage.name}",),
            )
    for each in observed.feedback:
        if each.is_shown and each.difference > 0:
            event, _, theme = each.name.partition(": ")
            yield replace(
                here,
                change=f"answer what people say about {theme} after {chosen.change}",
                because=f"{text(each.treatment.value, percent=True)} of treated units say it ({about(event)}), "
                f"{text(each.control.value, percent=True)} of control",
                findings=(f"feedback: {each.name}",),
            )
    if any(each.startswith("novelty") for each in analyze.named):
        yield replace(
            here,
            change=f"keep a holdback of {chosen.change} and measure it again when it is no longer new",
            because=observed.novelty or next(each for each in analyze.named if each.startswith("novelty")),
            findings=("novelty",),
        )
    if analyze.verdict == "ship":
        yield replace(
            here,
            change=f"keep a dated holdback without {chosen.change} and measure it again after a quarter",
            because="what a rollout brings in the long run is measured only against units that stay without it",
            findings=(f"success {chosen.measured_by}",),
            least_days=QUARTER,
            effect=abs(observed.success.relative.value)
            if observed.success and isinstance(observed.success.relative, Estimate)
            else here.effect,
        )
    if analyze.verdict == "neutral":
        yield replace(
            here,
            change=f"a bolder version of {chosen.change}",
            because=f"{chosen.change} moves {chosen.measured_by} by less than matters",
            findings=(f"success {chosen.measured_by}",),
        )
    for other in hypotheses.hypotheses:
        if other.id != chosen.id and other.base is not None:
            yield _alternative(other, planned)


def _after_harm(
    result: Result, observed: Observed, chosen: Hypothesis, here: Draft, yearly_units: float
) -> Iterator[Draft]:
    """What to mend first: the guardrail or metric that was shown worse, and what it would leave."""
    for c in result.comparisons:
        if c.conclusion not in ("worse", "harmful") or c.role is Role.SECONDARY:
            continue
        culprit = next((e for e in observed.errors if e.is_shown and e.difference > 0), None)
        what = f"{c.metric} ({culprit.name})" if culprit else c.metric
        effect = observed.success.relative if observed.success else None
        lift = effect.value if isinstance(effect, Estimate) else 0.0
        gained = lift if c.role is Role.GUARDRAIL and lift > 0 else None
        yield replace(
            here,
            change=f"mend {what} in {chosen.change} and test it again",
            because=f"{c.metric} was shown worse in {c.treatment.variant}: {_shown(c.treatment.value)} against "
            f"{_shown(c.control.value)}",
            findings=(f"guardrail {c.metric}" if c.role is Role.GUARDRAIL else f"success {c.metric}",),
            gain=yearly_units * here.base * gained if gained else None,
        )


def _after_the_watch(observed: Observed, chosen: Hypothesis, here: Draft, analyze: AnalyzeFacts) -> Draft:
    """What to mend where a watch ended it before any metric could be judged."""
    culprit = next((e for e in observed.errors if e.is_shown and e.difference > 0), None)
    guard = analyze.reason.partition(":")[0]
    return replace(
        here,
        change=f"mend {culprit.name if culprit else guard} in {chosen.change} and test it again",
        because=analyze.reason.rstrip("."),
        findings=("rollout/guardrails",),
        is_urgent=True,
    )


def _undecided(result: Result, observed: Observed, chosen: Hypothesis, here: Draft) -> Iterator[Draft]:
    for c in guardrails_not_safe(result, observed.treatment):
        units = f", {c.required_units:,} units in each arm would do" if c.required_units else ""
        yield replace(
            here,
            change=f"run {chosen.change} longer, until {c.metric} is shown safe",
            because=f"{c.metric} was shown neither safe nor harmful{units}",
            findings=(f"guardrail {c.metric}",),
        )
    success = observed.success
    if success is not None and success.conclusion == "inconclusive" and success.detectable:
        yield replace(
            here,
            change=f"a bolder version of {chosen.change}",
            because=f"effects below {text(success.detectable, percent=True)} could not be seen, and none above it was",
            findings=(f"success {success.metric}",),
            effect=max(here.effect, success.detectable),
        )


def _by_segment(
    attribute: Attribute, explore: ExploreFacts, chosen: Hypothesis, here: Draft, yearly_units: float
) -> Iterator[Draft]:
    """Where effects differ: only where it works, or another design for those whom it hurts."""
    if not (attribute.differs or attribute.is_opposite):
        return
    total = sum(level.units for level in attribute.levels) or 1

    def effect(level: Level) -> float:
        best = level.shrunk if isinstance(level.shrunk, Estimate) else level.effect
        return best.value if isinstance(best, Estimate) else 0.0

    hurt = [level for level in attribute.levels if effect(level) < 0]
    helped = [level for level in attribute.levels if effect(level) > 0]
    test = "opposite signs" if attribute.is_opposite else "different effects"
    p = attribute.opposite_p if attribute.is_opposite else attribute.differ_p
    because = (
        f"{attribute.attribute} has {test} (p {numbers.p_value(p if p is not None else 1.0)}): "
        + ", ".join(f"{level.level} {text(effect(level), percent=True, signed=True)}" for level in attribute.levels)
        + ", each shrunk toward the others"
    )
    named = f"segment {attribute.attribute}"
    if hurt and helped:
        share = sum(level.units for level in hurt) / total
        saved = sum(-effect(level) * level.units / total for level in hurt)
        names = ", ".join(level.level for level in helped)
        yield replace(
            here,
            change=f"offer {chosen.change} only where {attribute.attribute} is {names}",
            because=because,
            findings=(named,),
            segment=_segment_key(explore, attribute.attribute, helped),
            gain=yearly_units * here.base * saved,
            daily=here.daily * (1 - share),
            effect=max(effect(level) for level in helped),
        )
        yield replace(
            here,
            change=f"redesign {chosen.change} where {attribute.attribute} is {', '.join(each.level for each in hurt)}",
            because=because,
            findings=(named,),
            segment=_segment_key(explore, attribute.attribute, hurt),
            gain=yearly_units * here.base * saved,
            daily=here.daily * share,
        )


def _by_forest(forest: Forest, explore: ExploreFacts, chosen: Hypothesis, here: Draft) -> Iterator[Draft]:
    """An experiment of its own for those whom it predicts most for; only where unseen units bear it out."""
    if not forest.is_borne_out or not forest.profiles or forest.calibration is None:
        return
    told, most = forest.profiles[0], forest.groups[-1]
    yield replace(
        here,
        change=f"test {chosen.change} where {told.attribute} is {told.level}, for whom the forest predicts most",
        because=f"effects of unseen units follow the forest's predictions (p "
        f"{numbers.p_value(forest.calibration.differential.p_value)}); {text(told.share_most, percent=True)} of the "
        f"quarter with the largest are {told.attribute} {told.level}",
        findings=("forest",),
        segment=_segment_named(explore, told.attribute, told.level),
        effect=most.value / forest.control_mean if forest.control_mean > 0 and most.value > 0 else here.effect,
    )


def _friction(
    transition: Transition, observed: Observed, chosen: Hypothesis, here: Draft, yearly_units: float
) -> Iterator[Draft]:
    """What the change made worse on the way: mended, its loss would come back at the usual rates onward."""
    if not transition.is_worse:
        return
    c = transition.contrast
    reached = c.treatment.of / max(observed.units.get(observed.treatment, 1), 1)
    onward = here.base / reached / c.control.value if reached and c.control.value else 0.0
    gain = yearly_units * reached * -c.difference * min(onward, 1.0)
    yield replace(
        here,
        change=f"mend the step from {transition.start} to {transition.end} in {chosen.change}",
        because=f"{text(c.treatment.value, percent=True)} of treated units go on from {transition.start} to "
        f"{transition.end}, {text(c.control.value, percent=True)} of control (p {numbers.p_value(c.p_value)})",
        findings=(f"step {transition.start} to {transition.end}",),
        gain=gain,
        effect=gain / (yearly_units * here.base) if yearly_units and here.base else here.effect,
    )


def _alternative(other: Hypothesis, planned: float) -> Draft:
    """A hypothesis that was not tested; its gain is what it adds on average if it is kept only where it helps."""
    base, reach = (other.base.value or 0.0) if other.base else 0.0, other.reach.value or 0.0
    low, high = other.forecast.lift.low or 0.0, other.forecast.lift.high or 0.0
    # The mean of max(effect, 0) for a normal effect around zero, whose 95% interval this is: .399 standard deviations.
    helps = 0.3989 * (high - low) / (2 * 1.96)
    return Draft(
        change=other.change
        if other.for_whom.lower() in other.change.lower()
        else f"{other.change} for {other.for_whom}",
        because=other.because,
        findings=tuple(f"explore/{each}" for each in other.findings) or (f"hypothesize/{other.id}",),
        evidence="follow_ups",
        segment=other.segment,
        gain=reach * base * helps,
        base=base,
        daily=reach / 365,
        effect=planned,
    )


def _size(draft: Draft, config: Config, guardrails: int) -> tuple[int | None, int | None]:
    """Units in each arm and days in full weeks at the plan's power; None where they would not come in a year."""
    base = draft.base
    if not 0 < base < 1 or draft.daily <= 0 or draft.effect <= 0:
        return None, None
    effect = min(draft.effect, 0.95 * (1 / base - 1))
    total = reader_of(config).total(
        Comparison(
            metric="success",
            distance=effect * base,
            variance=base * (1 - base),
            baseline=base,
            alpha=1 - config.experiment_config.confidence_level,
            power=power_per_metric(POWER, guardrails),
            share=True,
        )
    )
    if not isfinite(total):
        return None, None
    days = 7 * ceil(total / draft.daily / 7)
    return ceil(total / 2), days if days <= LONGEST_DAYS else None


def _segment_key(explore: ExploreFacts, attribute: str, levels: Sequence[Level]) -> str:
    """The key of a segment of the exploration that is exactly these levels; empty without one."""
    return _segment_named(explore, attribute, levels[0].level) if len(levels) == 1 else ""


def _segment_named(explore: ExploreFacts, attribute: str, level: str) -> str:
    for each in explore.segments:
        rule = each.rule or {}
        if rule.get("attribute") == attribute and _text(rule.get("value")) == level:
            return each.key
    return ""


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shown(x: float) -> str:
    return text(x, percent=True) if 0 <= x <= 1 else text(x)
