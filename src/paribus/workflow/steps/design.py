"""Step 3, by the data scientist: the sealed plan, sized and tried out on the feature's own history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from paribus.charts import numbers
from paribus.workflow.artifact import Artifact, Evidence, Measured, Outcome
from paribus.workflow.audience import segment_of
from paribus.workflow.block import Block, Code, Heading, Listing, Paragraph, Picture, Table
from paribus.workflow.designing.arms import arm_blocks, arms_of, screenshots
from paribus.workflow.designing.tables import baseline_text, certificate_notes, certificate_table, margin_text
from paribus.workflow.designing.units import STATEMENT as UNITS
from paribus.workflow.designing.units import unit_blocks
from paribus.workflow.facts.design import DesignFacts, MethodSize
from paribus.workflow.facts.explore import ExploreFacts
from paribus.workflow.facts.hypothesize import Hypothesis, HypothesizeFacts
from paribus.workflow.launching.configuration import shares
from paribus.workflow.planning import (
    ANYTIME,
    GROUP_SEQUENTIAL,
    PRE_PERIOD_DAYS,
    SIMULATED,
    Json,
    Past,
    document_of,
    entry_text,
    past_of,
    sealed,
    size_of,
    tried,
    unit_choices,
)
from paribus.workflow.step import DATA_SCIENTIST

if TYPE_CHECKING:
    from paribus.charts import Figure
    from paribus.experiments.certificate import Certificate
    from paribus.experiments.sizing import Sizing
    from paribus.workflow.context import Context


def run(context: Context) -> Artifact:
    """The plan, sealed under the feature's key."""
    explore = context.facts("explore", ExploreFacts)
    hypotheses = context.facts("hypothesize", HypothesizeFacts)
    chosen = next(each for each in hypotheses.hypotheses if each.id == hypotheses.chosen)
    segment = segment_of(explore, chosen.segment)
    rule = segment.rule if segment else None
    mde = hypotheses.minimum_detectable_effect.value or 0.0
    with past_of(context, explore, chosen, rule, hypotheses.metrics) as past:
        body = document_of(context, explore, hypotheses, chosen, mde, past)
        sizing, certificate, body, notes = tried(context, body, past, mde, chosen)
        others = unit_choices(context, body, past, mde, sizing)
    context.operations.write("experiment", context.feature.key, body, author=DATA_SCIENTIST, reason="designed")
    seal = sealed(context)
    facts, checks = _facts(context, body, sizing, certificate, seal, rule, past, explore)
    facts = facts.model_copy(update={"unit_choices": tuple(each.plain() for each in others)})
    evidence = {
        "plan": Evidence(
            kind="result", title="the sealed plan", statement=seal, data=f"experiment {context.feature.key}"
        ),
        "history": Evidence(
            kind="sql",
            title=f"first {past.event} of each unit since {past.since:%Y-%m-%d}, with {PRE_PERIOD_DAYS} days before it",
            statement=entry_text(past),
            data=past.version,
        ),
        "sizing": Evidence(
            kind="simulation",
            title="sizes by method, and the whole rule simulated on the history's moments",
            statement=f"paribus design, seed {sizing.seed}, power {sizing.plan.power:g}",
            data=past.version,
        ),
        "certificate": Evidence(
            kind="simulation",
            title=f"{certificate.replications} re-randomizations of the history (A/A)",
            statement=f"paribus certify, seed {certificate.seed}, {certificate.buckets:,} buckets of units",
            data=f"{certificate.units:,} units, {past.version}",
        ),
        "config": Evidence(kind="config", title="paribus.yaml", statement=f"hash {context.config.hash}"),
    }
    if others:
        evidence["units"] = Evidence(
            kind="sql",
            title="Units that sent the event before the decision, by type, and sizes on their own history",
            statement=UNITS.format(events="events").strip(),
            data=past.version,
        )
    return context.artifact(
        "design",
        _summary(facts, sizing, chosen),
        facts,
        evidence=evidence,
        assumptions=_assumptions(facts, sizing, notes),
        checks=checks,
        files=screenshots(context.config),
    )


def present(artifact: Artifact) -> list[Block]:
    """The plan: what decides, how many, how long, how often it errs."""
    facts = DesignFacts.model_validate(artifact.facts)
    plan = facts.document["plan"]
    least = len(facts.document["variants"]) * plan["min_sample_size"]
    blocks: list[Block] = [
        Paragraph(
            f"**{facts.chosen_method}** decides, because {facts.why}. Units are {_unit(facts.document)}s, split "
            f"{_split(facts.document)} by a bucket of their own salt; a unit is exposed at its first "
            f"`{facts.entry_event}`."
        ),
        Table(
            ("method", "units, all arms", "days", "expected days", "ships without effect", ""),
            [
                (
                    each.method + (" (decides)" if each.method == facts.chosen_method else ""),
                    _whole(each.units),
                    _whole(each.days),
                    _whole(each.mean_days),
                    _share(each.false_ship),
                    each.note or ("what min_sample_size asks for" if each.units == least else ""),
                )
                for each in facts.methods
            ],
            caption=(
                "What each method would need for the same effect. Days are full weeks, the last window included; "
                "expected: if the effect is as planned. Tests are two-sided, and only the better side ships."
            ),
            right=("units, all arms", "days", "expected days", "ships without effect"),
        ),
    ]
    blocks += arm_blocks(facts, artifact.files)
    if curve := facts.operating.get("curve"):
        blocks.append(Picture(_power_curve(curve, "Smallest effect found with the planned power"), "By day"))
    blocks += unit_blocks(facts)
    blocks += [
        Heading("Metrics"),
        Table(
            ("metric", "role", "better", "margin", "baseline", "units it asks for"),
            [
                (
                    each["name"],
                    each["role"],
                    "less" if each.get("direction") == "decrease" else "more",
                    margin_text(each),
                    baseline_text(each),
                    _whole(each.get("units")),
                )
                for each in facts.metrics
            ],
            right=("baseline", "units it asks for"),
        ),
        *_early(facts.document),
        Heading("How often the whole rule errs"),
        Table(
            ("world", "ships", "rolls back", "units at the decision", "days of arrivals"),
            [
                (
                    each["words"],
                    _simulated(each, "ship"),
                    _simulated(each, "roll_back"),
                    _whole(each["units"]),
                    _days_text(each["days"]),
                )
                for each in facts.operating.get("worlds", ())
            ],
            caption=(
                f"{_runs(facts)} simulated experiments in each world, seed {facts.operating.get('seed')}; "
                "± is one standard error"
            ),
            right=("ships", "rolls back", "units at the decision", "days of arrivals"),
        ),
        *(Paragraph(sentence) for sentence in facts.operating.get("told", ())),
        Heading("On the feature's own history"),
        certificate_table(facts.certificate),
        Listing(list(certificate_notes(facts.certificate))),
        Paragraph(
            f"Correction over the success metrics: `{plan.get('correction', 'holm')}`; every guardrail is tested "
            f"one-sided against its margin and its power is part of the size. Interference: {facts.interference}."
        ),
        Code(_yaml(facts.document), "yaml", "The experiment document as sealed"),
    ]
    return blocks


def _early(document: Json) -> list[Block]:
    """Leading metrics with their rule; nothing where the plan names none."""
    named = document["plan"].get("early_indicators") or ()
    does = {"warn": "is said", "hold": "is said, and keeps traffic from widening"}
    told = [f"`{each['metric']}`: a bad sign {does[each['rule']]}." for each in named]
    if not told:
        return []
    return [
        Heading("Early indicators"),
        Paragraph("Read at any time by sequences of their own, which hold together; none takes part in the verdict."),
        Listing(told),
    ]


def _facts(
    context: Context,
    body: Json,
    sizing: Sizing,
    certificate: Certificate,
    seal: str,
    rule: Mapping[str, Any] | None,
    past: Past,
    explore: ExploreFacts,
) -> tuple[DesignFacts, tuple[Outcome, ...]]:
    plan = body["plan"]
    method = plan["method"]
    size = size_of(sizing, method)
    plain = sizing.to_dict()
    daily = sizing.daily_units
    reached = min(plan["runtime_days"] * daily, size.maximum) if daily else size.maximum
    simulated = [
        {
            "words": each.truth.words,
            "ship": each.ship.value,
            "ship_error": each.ship.se,
            "false_ship": each.false_ship.value,
            "roll_back": each.roll_back.value,
            "roll_back_error": each.roll_back.se,
            "units": round(each.units),
            "days": each.days,
            "evidence": "sizing",
        }
        for each in sizing.rule
    ]
    held = context.config.experiment_config.holdout
    facts = DesignFacts(
        experiment=context.feature.key,
        flag=context.feature.key,
        document=body,
        plan_hash=seal,
        units_per_arm=Measured(value=size.per_arm, unit="units", evidence="sizing"),
        runtime_days=Measured(value=plan["runtime_days"], unit="days", evidence="sizing"),
        minimum_detectable_effect=Measured(value=sizing.mde, unit="relative", evidence="sizing"),
        chosen_method=method,
        why=_why(context, sizing, method, body),
        methods=tuple(_method(each, plan["runtime_days"]) for each in sizing.sizes),
        variance_removed=Measured(value=sizing.variance_reduction, unit="share", evidence="sizing"),
        interference=body["interference"],
        entry_event=past.event,
        audience=dict(rule) if rule else None,
        arrivals_per_day=Measured(value=daily, unit="units/day", evidence="history"),
        metrics=_metrics(body, sizing, certificate),
        certificate={**certificate.to_dict(), "evidence": "certificate"},
        operating={
            "worlds": simulated,
            "seed": sizing.seed,
            "runs": SIMULATED,
            "curve": plain["curves"],
            "by_metric": dict(sizing.by_metric),
            "peeking": plain["peeking"],
            "assurance": plain["assurance"],
            "told": [
                *([sizing.peeking.sentence] if sizing.peeking else []),
                *([sizing.assurance.sentence(sizing.metric)] if sizing.assurance else []),
            ],
            "evidence": "sizing",
        },
        arms=arms_of(context.config, body),
        holdout=Measured(value=held, unit="share", evidence="config") if held else None,
    )
    return facts, _checks(context, body, sizing, certificate, reached, size)


def _checks(
    context: Context, body: Json, sizing: Sizing, certificate: Certificate, reached: float, size: Any
) -> tuple[Outcome, ...]:
    plan = body["plan"]
    least = plan["min_sample_size"]
    per_arm = plan["runtime_days"] * sizing.daily_units * min(shares(body).values()) if sizing.daily_units else None
    enough = per_arm is None or per_arm >= size.per_arm
    conclusive = per_arm is None or per_arm >= least
    failing = [each.metric for each in certificate.metrics if each.holds is False]
    return (
        Outcome(
            name="The plan can conclude",
            status="passed" if conclusive else "failed",
            message=f"about {per_arm or size.per_arm:,.0f} units per arm arrive in {plan['runtime_days']} days; "
            f"a verdict needs {least:,} (experiment_config.min_sample_size of paribus.yaml)",
            evidence="sizing",
        ),
        Outcome(
            name="Power",
            status="passed" if enough else "warned",
            message=f"{size.per_arm:,} per arm find {numbers.share(sizing.mde)} at {sizing.plan.power:.0%} power"
            + ("" if enough else f"; only about {per_arm or 0:,.0f} arrive, so smaller power is to be expected"),
            blocking=False,
            evidence="sizing",
        ),
        Outcome(
            name="Full weeks",
            status="warned" if plan["runtime_days"] % 7 else "passed",
            message=_weeks(plan["runtime_days"]),
            blocking=False,
            evidence="config",
        ),
        Outcome(
            name="False positives on own history",
            status="failed" if failing else "passed",
            message=f"the test of {', '.join(failing)} rejects too often without an effect"
            if failing
            else f"every test keeps its level over {certificate.replications} re-randomizations",
            evidence="certificate",
        ),
        Outcome(
            name="Interference",
            status="warned" if body["interference"] == "shared_resource" else "passed",
            message="arms share a limited stock: a user-level test overstates the effect, and its money is withheld"
            if body["interference"] == "shared_resource"
            else body["interference"],
            blocking=False,
            evidence="config",
        ),
    )


def _metrics(body: Json, sizing: Sizing, certificate: Certificate) -> tuple[Json, ...]:
    baselines = {each.metric: each.baseline for each in certificate.metrics}
    found = []
    for each in body["metrics"]:
        margin = each.get("margin")
        shown = (
            "" if margin is None else f"{margin['absolute']:g} absolute" if isinstance(margin, dict) else str(margin)
        )
        found.append(
            {
                "name": each["name"],
                "role": each.get("role", "secondary"),
                "direction": each.get("direction", "increase"),
                "margin": shown,
                "type": each["type"],
                "baseline": baselines.get(each["name"]),
                "units": sizing.by_metric.get(each["name"]),
                "evidence": "certificate",
            }
        )
    return tuple(found)


def _method(each: Any, runtime: int) -> MethodSize:
    days = each.days if isinstance(each.days, int) else None
    return MethodSize(
        method=each.method.value,
        units=each.maximum,
        days=days,
        mean_days=each.days_h1 if isinstance(each.days_h1, int) else None,
        false_ship=each.false_positive,
        note="" if days is None or days <= runtime else f"does not fit in {runtime} days",
        evidence="sizing",
    )


def _why(context: Context, sizing: Sizing, method: str, body: Json) -> str:
    if context.config.method:
        return "paribus.yaml asks for it"
    if method == ANYTIME:
        return "it is valid whenever it is read, and the experiment is watched from its first hour"
    if method == GROUP_SEQUENTIAL:
        days = size_of(sizing, ANYTIME).days
        return (
            f"an anytime-valid plan would take {days if isinstance(days, int) else 'too many'} days and this one, read "
            f"once a week, fits in {body['plan']['runtime_days']}"
        )
    return "statistical_methods names nothing else"


def _summary(facts: DesignFacts, sizing: Sizing, chosen: Hypothesis) -> str:
    arrivals = facts.arrivals_per_day.value
    null = next((each for each in facts.operating["worlds"] if each["ship"] == each["false_ship"]), None)
    best = max((each["ship"] for each in facts.operating["worlds"]), default=None)
    text = (
        f"We test whether {chosen.expected[0].lower() + chosen.expected[1:].rstrip('.')}, on {chosen.for_whom}. "
        f"{facts.units_per_arm.value:,.0f} units per arm find a relative change of "
        f"{numbers.share(facts.minimum_detectable_effect.value or 0.0)} in {chosen.measured_by}"
    )
    text += f"; about {arrivals:,.0f} eligible units arrive a day" if arrivals else ""
    text += (
        f", so the plan runs {facts.runtime_days.value:.0f} days and is decided by the {facts.chosen_method} method. "
    )
    if null and best is not None:
        text += (
            f"In {facts.operating['runs']} simulated experiments each, the sealed rule ships a feature with this "
            f"effect in {best:.0%} and one without any in {null['ship']:.0%}."
        )
    return text.strip()


def _assumptions(facts: DesignFacts, sizing: Sizing, notes: Sequence[str]) -> tuple[str, ...]:
    return (
        f"The future is like the history: baseline {_number(sizing.baseline)}, "
        f"standard deviation {_number(sizing.sd)}.",
        f"Units keep arriving as in the history; a unit is exposed at its first {facts.entry_event}.",
        f"Interference: {facts.interference}.",
        _weeks(int(facts.runtime_days.value or 0)),
        f"Earlier behavior of the same unit removes {numbers.share(facts.variance_removed.value or 0.0)} of the "
        "variance (CUPED), measured on the history."
        if facts.variance_removed
        else "No earlier behavior is used.",
        *notes,
        *sizing.notes,
    )


def _weeks(days: int) -> str:
    if days % 7 == 0:
        return "Days are full weeks, so that every weekday counts equally."
    return f"{days} days are no full weeks: some weekdays count more than others; {days + 7 - days % 7} are advised."


def _power_curve(curves: Json, title: str) -> Figure:
    from paribus.charts.power import Line, power_curve

    lines = [Line(each["name"], tuple(each["x"]), tuple(each["detectable"])) for each in curves["lines"]]
    return power_curve(lines, title=title, x_title=curves["x"], y_title="smallest relative effect found")


def _unit(document: Json) -> str:
    return str(document.get("unit_type", "user"))


def _split(document: Json) -> str:
    return "/".join(f"{100 * share:.4g}" for share in shares(document).values())


def _yaml(document: Json) -> str:
    import yaml

    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)


def _simulated(world: Json, name: str) -> str:
    """A share of simulated experiments with its Monte Carlo error."""
    error = world.get(f"{name}_error")
    return _share(world[name]) + (f" ± {error:.1%}" if error else "")


def _days_text(days: float | None) -> str:
    return "—" if days is None else f"{days:.1f}".removesuffix(".0")


def _runs(facts: DesignFacts) -> str:
    return f"{facts.operating.get('runs', SIMULATED):,}"


def _whole(value: float | None) -> str:
    return "—" if value is None else f"{value:,.0f}"


def _number(value: float | None) -> str:
    return "—" if value is None else numbers.significant(value, 3)


def _share(value: float | None) -> str:
    return "—" if value is None else numbers.share(value)
