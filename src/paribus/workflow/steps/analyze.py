"""Step 14, by the data scientist: what the feature did, how sure we are, and what the sealed rule says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from paribus.charts import numbers
from paribus.workflow.artifact import Artifact, Evidence, File, Measured, Outcome
from paribus.workflow.block import Block, Code, Heading, Listing, Paragraph, Picture, Table
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
    design = context.facts("design", DesignFacts)
    rollout = context.facts("rollout", RolloutFacts)
    result = context.operations.analyze(design.experiment, since_exposure=True)
    facts = facts_of(result, design, rollout)
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
            f"Interference: {design.interference}.",
            "Analysis by assigned variant; only randomized exposures enter.",
            *facts.result["data_notes"],
        ),
        checks=tuple(
            Outcome(
                name=check["name"],
                status="passed" if check["status"] == "passed" else _status(check),
                message=check["sentence"],
                blocking=False,  # a failed check hides effects and is reported; there is nothing to mend before step 15
                evidence="result",
            )
            for check in facts.checks
        ),
        files=(File(path="result.json", text=json.dumps(_lasting(result), indent=1, ensure_ascii=False) + "\n"),),
    )


def present(artifact: Artifact) -> list[Block]:
    """Verdict, health, effects as intervals, the curve over time, segments, novelty."""
    from paribus.experiments.report.plot import curves, plot
    from paribus.experiments.result import Result

    facts = AnalyzeFacts.model_validate(artifact.facts)
    result = Result.from_dict(facts.result)
    blocks: list[Block] = [
        Paragraph(f"**{facts.verdict.replace('_', ' ')}** by rule {facts.rule}: {facts.sentence}"),
        Listing(list(result.verdict.reasons) or ["No further reason is needed."]),
    ]
    if facts.named:
        blocks += [Heading("What a reader must know"), Listing(list(facts.named))]
    if facts.hidden:
        blocks.append(Paragraph("Effects are hidden: a blocking health check failed, so no number of them is valid."))
        return blocks
    blocks += [
        Picture(plot(result), "Relative effects with their intervals, by role"),
        Table(
            ("metric", "role", "effect", "interval", "p", "conclusion"),
            [
                (
                    effect.metric,
                    effect.role,
                    *_shown(effect),
                    "—" if effect.p_value is None else numbers.p_value(effect.p_value),
                    effect.conclusion,
                )
                for effect in facts.effects
            ],
            right=("effect", "interval", "p"),
        ),
    ]
    blocks += [Picture(figure, "Cumulative effect with its confidence sequence") for figure in curves(result)[:1]]
    if facts.posterior:
        blocks += [
            Heading("Bayesian reading, from the same moments"),
            Table(
                ("metric", "chance of being better", "expected loss of shipping", "expected loss of not shipping"),
                [
                    (
                        name,
                        numbers.chance(each["chance_better"]),
                        _percent(each["loss_treatment"]),
                        _percent(each["loss_control"]),
                    )
                    for name, each in facts.posterior.items()
                    if isinstance(each, dict)
                ],
                right=("chance of being better", "expected loss of shipping", "expected loss of not shipping"),
            ),
        ]
    if result.segments:
        blocks += [Heading("Segments"), _segments(result)]
    if result.novelty:
        blocks += [Heading("By days since exposure"), Listing([each.sentence for each in result.novelty])]
    blocks.append(Code("\n\n".join(each.sql for each in result.statements), "sql", "The statements that were run"))
    return blocks


def facts_of(result: Result, design: DesignFacts, rollout: RolloutFacts) -> AnalyzeFacts:
    """The facts that a result holds."""
    plain = _lasting(result)
    hidden = any(check.severity == "blocking" and check.status == "failed" for check in result.checks)
    verdict = result.verdict
    value, rule, sentence = verdict.value.value, verdict.rule, verdict.sentence
    if rollout.rolled_back and value != "roll_back":
        value, rule = "roll_back", ROLL_BACK_RULE
        sentence = f"Rolled back unattended: {rollout.stopped} The sealed plan by itself says: {verdict.sentence}"
    return AnalyzeFacts(
        verdict=value,
        rule=rule,
        sentence=sentence,
        would_be=verdict.would_be.value if verdict.would_be else None,
        effects=() if hidden else tuple(_effect(each) for each in result.comparisons),
        hidden=hidden,
        units=dict(result.units),
        checks=tuple(
            {"name": check.name, "severity": check.severity, "status": check.status, "sentence": check.sentence}
            for check in result.checks
        ),
        named=tuple(named(result, design)) if not hidden else (),
        posterior={} if hidden else _posterior(result),
        decided_at=_decided_at(result, rollout),
        planned_end=_planned_end(design, rollout),
        result=plain,
    )


def _lasting(result: Result) -> Json:
    """The result without what differs between two readings of the same data."""
    return {key: value for key, value in result.to_dict().items() if key not in VOLATILE}


def named(result: Result, design: DesignFacts) -> Iterator[str]:
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
    if design.interference == "shared_resource":
        yield (
            "interference: the arms share a limited stock, so that what treatment sells control cannot; "
            "a user-level test overstates the effect"
        )


def _effect(each: Comparison) -> Effect:
    return Effect(
        metric=each.metric,
        role=each.role.value,
        arm=each.treatment.variant,
        relative=_measured(each.relative, "relative"),
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


def _measured(quantity: Quantity, unit: str) -> Measured:
    from paribus.stats.estimate import Estimate

    if not isinstance(quantity, Estimate):
        return Measured(value=None, unit=unit, evidence="result")
    return Measured(
        value=quantity.value,
        low=_finite(quantity.lower),
        high=_finite(quantity.upper),
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
    """When the plan is read at the latest: its runtime from the first randomized traffic on, and the last window."""
    begun = [move.time for move in rollout.moves if move.to_bp > 0]
    runtime = design.runtime_days.value
    if not begun or runtime is None:
        return None
    window = max((each.get("window_days") or 0 for each in design.document["metrics"]), default=0)
    return (datetime.fromisoformat(min(begun)) + timedelta(days=runtime + window)).isoformat()


def _data(result: Result) -> str:
    lake = result.lake
    return "" if lake is None else f"lake {lake.table[:8]}, version {lake.version}, watermark {lake.watermark}"


def _status(check: Json) -> Any:
    if check["status"] == "not_applicable":
        return "not_applicable"
    return "failed" if check["severity"] == "blocking" else "warned"


def _summary(facts: AnalyzeFacts) -> str:
    units = " and ".join(f"{count:,} in {arm}" for arm, count in facts.units.items())
    text = f"The verdict is **{facts.verdict.replace('_', ' ')}**: {facts.sentence} {units} took part."
    success = next((each for each in facts.effects if each.role == "success"), None)
    if success is not None and success.relative.value is not None:
        text += (
            f" {success.metric} changed by {_percent(success.relative.value)} "
            f"({numbers.level(success.relative.level or 0.95)} interval {_interval(success.relative)})."
        )
    if facts.named:
        text += f" To know: {'; '.join(each.partition(':')[0] for each in facts.named)}."
    return text


def _segments(result: Result) -> Table:
    rows = [
        (
            each.metric,
            f"{each.segment[0]} = {each.segment[1]}" if each.segment else "",
            _percent(_value(each.relative)),
            _percent(_value(each.shrunk)) if each.shrunk is not None else "—",
            each.conclusion,
        )
        for each in result.segments
        if each.role.value == "success"
    ]
    return Table(
        ("metric", "segment", "effect", "shrunk", "conclusion"),
        rows,
        caption="Exploratory; Benjamini–Hochberg over all segments shown",
        right=("effect", "shrunk"),
    )


def _shown(effect: Effect) -> tuple[str, str]:
    """The relative effect and its interval; the absolute one where a relative effect is not determined."""
    if effect.relative.value is not None or effect.absolute.value is None:
        return _percent(effect.relative.value), _interval(effect.relative)
    ends = (effect.absolute.low, effect.absolute.high)
    low, high = ("∞" if end is None else numbers.significant(end, 3) for end in ends)
    return f"{numbers.significant(effect.absolute.value, 3)} absolute", f"{low} to {high}"


def _percent(value: float | None) -> str:
    return "—" if value is None else numbers.number(value, unit="percent", signed=True)


def _interval(measured: Measured) -> str:
    if measured.low is None and measured.high is None:
        return "—"
    low = "−∞" if measured.low is None else numbers.number(measured.low, unit="percent", signed=True)
    high = "∞" if measured.high is None else numbers.number(measured.high, unit="percent", signed=True)
    return f"{low} to {high}"
