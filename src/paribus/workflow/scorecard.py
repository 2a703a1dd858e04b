"""The seven success criteria of a feature, computed from its artifacts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from paribus.charts import numbers
from paribus.workflow.artifact import Artifact
from paribus.workflow.facts.conclude import AnalyzeFacts, ImpactFacts, OptimizeFacts
from paribus.workflow.facts.launch import MonitorFacts

Json = dict[str, Any]
Status = Literal["met", "missed", "unknown"]
ERROR_RATE_LIMIT = 0.001
SAMPLE_RATIO = "sample ratio"
OPEN = frozenset({"not_yet", "iterate"})
"""Verdicts that leave the question open: they need what was planned, a decision may come before it."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One success criterion: met, missed, or unknown because its step was not made; `evidence` names artifacts."""

    name: str
    title: str
    status: Status
    sentence: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scorecard:
    """The seven criteria, in the order of the design."""

    criteria: tuple[Criterion, ...]

    def to_dict(self) -> Json:
        """Plain values."""
        return {
            each.name: {key: value for key, value in asdict(each).items() if key != "name"} for each in self.criteria
        }


def scorecard(artifacts: Mapping[str, Artifact]) -> Scorecard:
    """The criteria as far as the artifacts reach."""
    return Scorecard(tuple(judge(artifacts) for judge in _JUDGES))


def _coverage(artifacts: Mapping[str, Artifact]) -> Criterion:
    """All interactions tracked by a schema: tracked over performed, from the crawl and the access log."""
    name, title = "data_coverage", "Data coverage"
    found = artifacts.get("validate")
    if found is None:
        return Criterion(name, title, "unknown", "Validation has not been run.")
    counted = {
        place: each
        for place, each in (("without scripts", found.facts.get("coverage")), ("in a browser", found.facts.get("page")))
        if each and each.get("performed")
    }
    if not counted:
        return Criterion(name, title, "unknown", "No interaction was performed.", ("validate",))
    performed, tracked = (sum(each[what] for each in counted.values()) for what in ("performed", "tracked"))
    missing = [each for one in counted.values() for each in one.get("missing") or ()]
    share = numbers.share(tracked / performed)
    said = f"{tracked} of {performed} interactions tracked ({share})"
    if len(counted) > 1:
        said += ", " + " and ".join(f"{each['performed']} {place}" for place, each in counted.items())
    if missing:
        said += f"; missing: {', '.join(missing)}"
    product = found.facts.get("product") or ()
    held = sum(each["held_back"] for each in product)
    events = held + sum(each["events"] for each in product)
    if events:
        said += f"; {events - held:,} of {events:,} events of the product valid against their schema"
    met = tracked == performed and not missing and not held
    return Criterion(name, title, "met" if met else "missed", f"{said}.", ("validate",))


def _validity(artifacts: Mapping[str, Artifact]) -> Criterion:
    """Randomization tested, no sample-ratio mismatch, decided by the rule or with the planned units."""
    name, title = "validity", "Validity"
    setup, design, analyze = artifacts.get("setup"), artifacts.get("design"), artifacts.get("analyze")
    if setup is None or design is None or analyze is None:
        return Criterion(name, title, "unknown", "The experiment has not been analyzed.")
    facts = AnalyzeFacts.model_validate(analyze.facts)
    problems = []
    ratio = next((check["status"] for check in facts.checks if check["name"] == SAMPLE_RATIO), "not_applicable")
    if ratio == "not_applicable":
        problems.append("the sample ratio was not tested")
    if any(check.status == "failed" for check in setup.checks):
        problems.append("a test of the randomization failed")
    failed = [
        check["name"] for check in facts.checks if check["status"] == "failed" and check["severity"] == "blocking"
    ]
    problems += [f"{each} failed" for each in failed]
    planned = design.facts["document"].get("plan", {}).get("planned_units")
    counted = sum(facts.counted.values()) or sum(facts.units.values())
    word = "counted" if any(facts.counted.values()) else "took part"
    reached = f"{counted:,} units {word}" + (f" of {planned:,} planned" if planned else "")
    if facts.verdict in OPEN and not failed and (facts.verdict == "not_yet" or (planned and counted < planned)):
        problems.append(f"the planned information was not reached: {reached}")
    shown = next((each for each in facts.power if each["detectable"] is not None and each["relative"]), None)
    if shown is not None:
        size = numbers.number(shown["detectable"], unit="percent")
        reached += f", enough to show {size} on {shown['metric']} with {shown['power']:.0%} power"
    said = "; ".join(problems) if problems else f"randomization tested, sample ratio as planned, {reached}"
    return Criterion(
        name, title, "missed" if problems else "met", f"{said[0].upper()}{said[1:]}.", ("setup", "design", "analyze")
    )


def _rigor(artifacts: Mapping[str, Artifact]) -> Criterion:
    """A registered test, intervals, corrections."""
    name, title = "rigor", "Rigor"
    design, analyze = artifacts.get("design"), artifacts.get("analyze")
    if design is None or analyze is None:
        return Criterion(name, title, "unknown", "The experiment has not been analyzed.")
    facts = AnalyzeFacts.model_validate(analyze.facts)
    plan = design.facts["document"].get("plan", {})
    registered = facts.verdict != "unregistered"
    intervals = all(
        any(end is not None for scale in (effect.relative, effect.absolute) for end in (scale.low, scale.high))
        for effect in facts.effects
        if effect.conclusion != "undetermined"
    )
    deviations = facts.result.get("deviations") or ()
    lacking = [] if registered else ["no plan was sealed before the data"]
    lacking += [] if intervals else ["an effect has no interval"]
    lacking += [f"the plan was not followed: {', '.join(map(str, deviations))}"] if deviations else []
    good = not lacking
    said = (
        f"Sealed {str(plan.get('method', 'fixed')).replace('_', ' ')} plan, every effect with its interval at "
        f"{numbers.level(plan.get('confidence_level', 0.95))}, {str(plan.get('correction', 'holm')).capitalize()}'s "
        "correction over the success metrics"
        if good
        else "; ".join(lacking)
    )
    said = f"{said[0].upper()}{said[1:]}."
    return Criterion(name, title, "met" if good else "missed", said, ("design", "analyze"))


def _impact(artifacts: Mapping[str, Artifact]) -> Criterion:
    """A success metric moved as planned and every guardrail held."""
    name, title = "business_impact", "Business impact"
    analyze = artifacts.get("analyze")
    if analyze is None:
        return Criterion(name, title, "unknown", "The experiment has not been analyzed.")
    facts = AnalyzeFacts.model_validate(analyze.facts)
    better = [e.metric for e in facts.effects if e.role == "success" and e.conclusion == "better"]
    unsafe = [e.metric for e in facts.effects if e.role == "guardrail" and e.conclusion != "safe"]
    met = bool(better) and not unsafe and not facts.hidden
    if facts.hidden:
        said = "Effects are hidden by a failed health check"
    elif better and not unsafe:
        said = f"{', '.join(better)} improved, every guardrail held"
    elif better:
        said = f"{', '.join(better)} improved, but not shown safe: {', '.join(unsafe)}"
    else:
        said = "No success metric improved" + (f"; not shown safe: {', '.join(unsafe)}" if unsafe else "")
    worth = artifacts.get("impact")
    if met and worth is not None:
        value = ImpactFacts.model_validate(worth.facts).value_per_year
        if value is not None and value.value is not None:
            said += f"; worth {value.value:,.0f} {value.unit.replace('/', ' a ')}"
    return Criterion(name, title, "met" if met else "missed", f"{said}.", ("analyze", "impact"))


def _technical(artifacts: Mapping[str, Artifact]) -> Criterion:
    """p95 latency not degraded against control; error rate below 0.1%, or no worse than control within the margin."""
    name, title = "technical_performance", "Technical performance"
    monitor = artifacts.get("monitor")
    if monitor is None:
        return Criterion(name, title, "unknown", "Nothing was monitored.")
    facts = MonitorFacts.model_validate(monitor.facts)
    rates = {arm: each for arm, each in facts.error_rate.items() if each.value is not None}
    if not rates or facts.latency_is_degraded is None:
        return Criterion(name, title, "unknown", "Neither requests nor errors were seen.", ("monitor",))
    errors_hold = facts.errors_hold
    low = all((each.high if each.high is not None else each.value or 0.0) < ERROR_RATE_LIMIT for each in rates.values())
    met = (low or bool(errors_hold)) and not facts.latency_is_degraded
    shown = ", ".join(f"{arm} {numbers.share(each.value or 0.0)}" for arm, each in rates.items())
    latency = "degraded" if facts.latency_is_degraded else "not degraded"
    said = (
        f"Share of requests that failed: {shown} (limit {numbers.share(ERROR_RATE_LIMIT)}, or no worse than control); "
        f"p95 latency {latency}"
    )
    return Criterion(name, title, "met" if met else "missed", f"{said}.", ("monitor",))


def _speed(artifacts: Mapping[str, Artifact]) -> Criterion:
    """A go or no-go within the planned runtime."""
    name, title = "decision_speed", "Decision speed"
    analyze = artifacts.get("analyze")
    if analyze is None:
        return Criterion(name, title, "unknown", "No decision yet.")
    facts = AnalyzeFacts.model_validate(analyze.facts)
    if facts.verdict in {"not_yet", "unregistered"}:
        return Criterion(name, title, "missed", f"No decision: {facts.sentence}", ("analyze",))
    if facts.planned_end is None:
        return Criterion(name, title, "unknown", "The plan has no end.", ("analyze",))
    at, end = datetime.fromisoformat(facts.decided_at), datetime.fromisoformat(facts.planned_end)
    said = f"Decided {at:%Y-%m-%d}, planned end {end:%Y-%m-%d}"
    return Criterion(name, title, "met" if at <= end else "missed", f"{said}.", ("analyze",))


def _learning(artifacts: Mapping[str, Artifact]) -> Criterion:
    """Documented, and linked to the next hypothesis."""
    name, title = "learning", "Learning"
    impact, optimize = artifacts.get("impact"), artifacts.get("optimize")
    if impact is None or optimize is None:
        return Criterion(name, title, "unknown", "The feature has not been closed.")
    card = ImpactFacts.model_validate(impact.facts).learning
    follow_ups = OptimizeFacts.model_validate(optimize.facts).follow_ups
    met = bool(card) and bool(follow_ups)
    said = f"{card.get('takeaway', 'No learning written down')}".rstrip(".")
    said += f"; next: {follow_ups[0].change}" if follow_ups else "; no follow-up"
    return Criterion(name, title, "met" if met else "missed", f"{said}.", ("impact", "optimize"))


_JUDGES: tuple[Callable[[Mapping[str, Artifact]], Criterion], ...] = (
    _coverage,
    _validity,
    _rigor,
    _impact,
    _technical,
    _speed,
    _learning,
)
