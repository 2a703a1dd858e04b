"""Step 14, by the data scientist: what the feature did, how sure we are, and what the sealed rule says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from paribus.charts import numbers
from paribus.workflow.artifact import Artifact, Evidence, File, Measured, Outcome
from paribus.workflow.block import Block, Code, Heading, Listing, Paragraph, Picture
from paribus.workflow.facts.conclude import AnalyzeFacts, Effect
from paribus.workflow.facts.design import DesignFacts
from paribus.workflow.facts.launch import RolloutFacts

if TYPE_CHECKING:
    from paribus.experiments.result import Comparison, Quantity, Result
    from paribus.workflow.context import Context

Json = dict[str, Any]
ROLL_BACK_RULE = 2  # proven harm: of the sealed plan, or of the guard that watched it
VOLATILE = ("seconds",)
"""Fields of a result that differ between two readings of the same data."""


def run(context: Context) -> Artifact:
    """The registered analysis on the lake as it is; the plan's own rule gives the verdict."""
    from paribus.experiments.report import ipynb
    from paribus.workflow.analyzing.power import power_check

    design = context.facts("design", DesignFacts)
    rollout = context.facts("rollout", RolloutFacts)
    result = context.operations.analyze(design.experiment, since_exposure=True)
    methods = context.config.statistical_methods
    facts = facts_of(
        result,
        design,
        rollout,
        posterior="bayesian" in methods or context.config.method == "bayesian",
        ran_out=_ran_out(context, rollout),
    )
    evidence = {
        "result": Evidence(
            kind="result",
            title="the registered analysis; paribus verify recomputes it from its own proof",
            statement="\n\n".join(each.sql for each in result.statements),
            data=_data(result),
        )
    }
    return context.artifact(
        "analyze",
        _summary(facts),
        facts,
        evidence=evidence,
        assumptions=(
            f"Interference: {facts.interference}.",
            "Analysis by assigned variant; only randomized exposures enter.",
            *facts.result["data_notes"],
        ),
        checks=(
            *(
                Outcome(
                    name=check["name"],
                    status="passed" if check["status"] == "passed" else _status(check),
                    message=check["sentence"],
                    blocking=False,  # a failed check hides effects and is reported; nothing to mend before step 15
                    evidence="result",
                )
                for check in facts.checks
            ),
            power_check(facts),
        ),
        files=(
            File(path="result.json", text=json.dumps(_lasting(result), indent=1, ensure_ascii=False) + "\n"),
            File(path="report.ipynb", text=ipynb(replace(result, seconds=None))),
        ),
    )


def present(artifact: Artifact) -> list[Block]:
    """Verdict, health, effects as intervals, the curve over time, segments, novelty."""
    from paribus.experiments.report import method
    from paribus.experiments.report.plot import curves, plot
    from paribus.experiments.result import Result
    from paribus.workflow.analyzing.power import power_table
    from paribus.workflow.analyzing.tables import (
        disagreements,
        effect_table,
        level_notes,
        posterior_table,
        segment_table,
    )
    from paribus.workflow.launching.indicators import indicator_blocks, indicator_facts

    facts = AnalyzeFacts.model_validate(artifact.facts)
    result = Result.from_dict(facts.result)
    blocks: list[Block] = [Paragraph(f"{method.rule(result)} {method.may_be_read(result)}")]
    if facts.verdict != result.verdict.value.value:
        blocks = [Paragraph(facts.sentence)]
    if facts.named:
        blocks += [Heading("What a reader must know"), Listing(list(facts.named))]
    if facts.hidden:
        blocks.append(Paragraph("Effects are hidden: a blocking health check failed, so no number of them is valid."))
        return blocks
    blocks += [
        Picture(plot(result), "Relative effects with their intervals, by role"),
        effect_table(result),
        Listing(list(method.basis(result, result.comparisons))),
    ]
    if facts.power:
        blocks += [Heading("What could have been seen"), power_table(facts.power)]
    blocks += indicator_blocks(indicator_facts(result.early_indicators, "result"))
    blocks += [Picture(figure, "What had been seen by each day") for figure in curves(result)[:1]]
    if facts.posterior:
        blocks += [
            Heading("Bayesian reading, from the same moments"),
            posterior_table(facts.posterior),
            Listing(list(disagreements(result)) or ["Both readings agree on what is shown."]),
        ]
    explored = segment_table(result)
    if explored.rows:
        blocks += [Heading("Segments"), explored, Listing(list(level_notes(result)))]
    if result.novelty:
        blocks += [Heading("By days since exposure"), Listing([each.sentence for each in result.novelty])]
    blocks.append(Code("\n\n".join(each.sql for each in result.statements), "sql", "The statements that were run"))
    return blocks


def facts_of(
    result: Result, design: DesignFacts, rollout: RolloutFacts, *, posterior: bool = True, ran_out: str = ""
) -> AnalyzeFacts:
    """The facts that a result holds.

    Args:
        result: of the registered analysis.
        design: the plan.
        rollout: what was served when.
        posterior: whether the configuration names Bayesian statistics; without, none is shown.
        ran_out: what the experiment's own events tell of a limited stock.
    """
    from paribus.workflow.analyzing.power import power_facts

    shared = f"shared_resource: {ran_out}" if ran_out and design.interference != "shared_resource" else ""
    interference = shared or design.interference
    plain = _lasting(result)
    hidden = any(check.severity == "blocking" and check.status == "failed" for check in result.checks)
    verdict = result.verdict
    value, rule, sentence = verdict.value.value, verdict.rule, verdict.sentence
    if rollout.rolled_back and value != "roll_back":
        alone = value.replace("_", " ")
        how = "unattended" if rollout.unattended else "by a person"
        harm = rollout.stopped.partition("; evidence")[0].rstrip(".")
        sentence = f"Roll back: {harm}. It was done {how}, before the plan's end; the sealed plan alone says {alone}."
        value, rule = "roll_back", ROLL_BACK_RULE
    return AnalyzeFacts(
        verdict=value,
        rule=rule,
        sentence=sentence,
        would_be=verdict.would_be.value if verdict.would_be else None,
        effects=() if hidden else tuple(_effect(each) for each in result.comparisons),
        hidden=hidden,
        units=dict(result.units),
        counted=_counted(result),
        checks=tuple(
            {"name": check.name, "severity": check.severity, "status": check.status, "sentence": check.sentence}
            for check in result.checks
        ),
        named=tuple(named(result, design, ran_out)) if not hidden else (),
        interference=interference,
        posterior=_posterior(result) if posterior and not hidden else {},
        power=power_facts(result, design),
        decided_at=_decided_at(result, rollout),
        planned_end=_planned_end(design, rollout),
        result=plain,
    )


def _counted(result: Result) -> dict[str, int]:
    """Units by arm that the first success metric is computed from."""
    of = [c for c in result.comparisons if c.role.value == "success"]
    first = [c for c in of if c.metric == of[0].metric]
    return {arm.variant: arm.units for c in first for arm in (c.control, c.treatment)}


def _lasting(result: Result) -> Json:
    """The result without what differs between two readings of the same data."""
    return {key: value for key, value in result.to_dict().items() if key not in VOLATILE}


def named(result: Result, design: DesignFacts, ran_out: str = "") -> Iterator[str]:
    """Patterns that change what the verdict means, each a sentence that begins with the pattern's name."""
    from paribus.impact.heterogeneity import simpson
    from paribus.metrics.definition import Role

    for followed in result.novelty:
        first = followed.points[0].effect
        if _excludes_zero(followed.change) and _value(first) * _value(followed.change) < 0:
            yield f"novelty: {followed.sentence}"
    for metric in dict.fromkeys(each.metric for each in result.segments if each.role is Role.SUCCESS):
        for each in simpson(result.segments, metric):
            levels = ", ".join(f"{level.level} {_percent(_value(level.effect))}" for level in each.levels)
            yield f"simpson: the whole hides opposite effects on {metric} by {each.attribute}: {levels}"
    for comparison in result.comparisons:
        if comparison.role is Role.GUARDRAIL and comparison.conclusion in {"harmful", "worse"}:
            yield f"harm: {comparison.metric} is worse than its margin allows"
    if ran_out or design.interference == "shared_resource":
        stock = ran_out or "the arms share a limited stock"
        yield (
            f"interference: {stock}, so that what treatment sells control cannot; "
            "a user-level test overstates the effect"
        )


def _ran_out(context: Context, rollout: RolloutFacts) -> str:
    """What the experiment's own events tell of a limited stock, where nobody has said whether there is one."""
    from paribus.workflow.analyzing.shortage import shortage

    if context.config.interference or not rollout.first_exposure:
        return ""
    since = datetime.fromisoformat(rollout.first_exposure)
    found = shortage(context.operations.lake(), context.feature.environment, since)
    return found.sentence if found else ""


def _effect(each: Comparison) -> Effect:
    return Effect(
        metric=each.metric,
        role=each.role.value,
        arm=each.treatment.variant,
        relative=_measured(each.relative, "relative", each.simultaneous),
        absolute=_measured(each.absolute, "absolute"),
        conclusion=each.conclusion,
        p_value=_p_value(each),
        evidence="result",
    )


def _p_value(each: Comparison) -> float | None:
    from paribus.stats.estimate import Estimate

    p = each.adjusted_p if each.adjusted_p is not None else each.margin_p
    if p is None and isinstance(each.absolute, Estimate) and each.absolute.p_value == each.absolute.p_value:
        return each.absolute.p_value
    return p


def _measured(quantity: Quantity, unit: str, simultaneous: tuple[float, float] | None = None) -> Measured:
    """The estimate with the interval that is shown: the plan's correction replaces the interval by itself."""
    from paribus.stats.estimate import Estimate

    if not isinstance(quantity, Estimate):
        return Measured(value=None, unit=unit, evidence="result")
    lower, upper = simultaneous or (quantity.lower, quantity.upper)
    return Measured(
        value=quantity.value,
        low=_finite(lower),
        high=_finite(upper),
        level=quantity.level,
        unit=unit,
        evidence="result",
    )


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None


def _value(quantity: Quantity) -> float:
    from paribus.stats.estimate import Estimate

    return quantity.value if isinstance(quantity, Estimate) else 0.0


def _excludes_zero(quantity: Quantity) -> bool:
    from paribus.stats.estimate import Estimate

    return isinstance(quantity, Estimate) and (quantity.lower > 0 or quantity.upper < 0)


def _posterior(result: Result) -> Json:
    found = {
        f"{each.metric}, {each.treatment.variant}": {**each.posterior, "evidence": "result"}
        for each in result.comparisons
        if each.posterior
    }
    return {**found, "evidence": "result"} if found else {}


def _decided_at(result: Result, rollout: RolloutFacts) -> str:
    """When the verdict could be read: the end of the rollout where something stopped it, else the data's own end."""
    if rollout.stopped:
        return rollout.ended_at
    at = result.as_of or (result.lake.watermark if result.lake else None)
    return at.isoformat() if at else rollout.ended_at


def _planned_end(design: DesignFacts, rollout: RolloutFacts) -> str | None:
    begun = [rollout.first_exposure] if rollout.first_exposure else [m.time for m in rollout.moves if m.to_bp > 0]
    end = design.ends(datetime.fromisoformat(min(begun))) if begun else None
    return None if end is None else end.isoformat()


def _data(result: Result) -> str:
    lake = result.lake
    return "" if lake is None else f"lake {lake.table[:8]}, version {lake.version}, watermark {lake.watermark}"


def _status(check: Json) -> Any:
    if check["status"] == "not_applicable":
        return "not_applicable"
    return "failed" if check["severity"] == "blocking" else "warned"


def _summary(facts: AnalyzeFacts) -> str:
    """Verdict and reason, who took part, the effect where the reason does not hold it."""
    total = sum(facts.units.values())
    by_arm = ", ".join(f"{count:,} in {arm}" for arm, count in facts.units.items())
    text = f"The verdict is **{facts.verdict.replace('_', ' ')}**: {facts.reason} {total:,} units took part ({by_arm})"
    counted = sum(facts.counted.values())
    if counted and counted < total:
        text += f"; the effect is that of the {counted:,} whose time to succeed has run out"
    text += "."
    success = next((each for each in facts.effects if each.role == "success"), None)
    if success is not None and success.relative.value is not None and success.metric not in facts.reason:
        text += f" {success.metric} changed by {_effect_words(success.relative)}."
    if facts.named:
        text += f" To know: {'; '.join(each.partition(':')[0] for each in facts.named)}."
    return text


def _effect_words(of: Measured) -> str:
    low, high = (float("-inf") if of.low is None else of.low, float("inf") if of.high is None else of.high)
    spread = None if of.low is None or of.high is None else (high - low) / 4
    value = numbers.number(of.value or 0.0, se=spread, unit="percent", signed=True)
    ends = numbers.interval(low, high, se=spread, unit="percent")
    return f"{value} ({numbers.level(of.level or 0.95)} interval {ends})"


def _percent(value: float | None) -> str:
    return "—" if value is None else numbers.number(value, unit="percent", signed=True)
