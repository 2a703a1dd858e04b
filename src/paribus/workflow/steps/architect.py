"""Step 4: the flag as a draft, the stages of its rollout, the breaker, and where the decision stands."""

from __future__ import annotations

from typing import Any

from paribus.charts.flow import flow
from paribus.charts.graph import Graph, Sequence, graph_of, mermaid, plain, sequence_of
from paribus.charts.sequence import sequence_diagram
from paribus.errors import DefinitionError
from paribus.flags.client_types import python_types, typescript_types
from paribus.flags.document import WHOLE, check, fits
from paribus.flags.providers import LOST, WRITERS
from paribus.flags.providers import write as write_for
from paribus.workflow.architecture.diagrams import components, plain_guard, request
from paribus.workflow.architecture.draft import drafted, is_live, salt, shares_bp, value_schema
from paribus.workflow.architecture.journey import Journey, chosen, journey_of
from paribus.workflow.architecture.safety import MEANINGS, breaker
from paribus.workflow.architecture.separation import identifier, separation
from paribus.workflow.architecture.stages import stages
from paribus.workflow.artifact import Artifact, Evidence, File, Outcome
from paribus.workflow.block import Block, Code, Diagram, Heading, Listing, Paragraph, Table
from paribus.workflow.config_effect import ADAPTIVE, FLAG_READERS
from paribus.workflow.context import Context
from paribus.workflow.facts.architect import ArchitectFacts, DecisionPoint, Stage
from paribus.workflow.facts.design import DesignFacts
from paribus.workflow.facts.explore import ExploreFacts
from paribus.workflow.facts.hypothesize import HypothesizeFacts

SLUG = "architect"
AUTHOR = "data-engineering::backend-architect"
HOLDOUT = "global"
"""Key of the holdout that all features of the installation leave out."""
STAFF = {"attribute": "staff", "op": "equals", "value": True}


def run(context: Context) -> Artifact:
    """The flag schema and rollout plan, from the sealed plan and the hypothesis it tests."""
    hypotheses = context.facts("hypothesize", HypothesizeFacts)
    design = context.facts("design", DesignFacts)
    explore = context.facts("explore", ExploreFacts) if "explore" in context.artifacts else None
    hypothesis = chosen(hypotheses)
    journey = journey_of(explore, design.entry_event, design.document.get("metrics") or hypotheses.metrics)

    key = design.flag
    audiences: dict[str, Any] = {f"{key}-staff": {"description": f"Staff, before {key} opens", "when": STAFF}}
    target = ""
    if design.audience:
        target = f"{key}-audience"
        audiences[target] = {"description": hypothesis.for_whom, "when": design.audience}
    audiences = {name: check("audience", name, body) for name, body in audiences.items()}
    found = context.operations.find("flag", key)
    standing = found.body if found is not None else None
    holdout = _held_out(context)
    flag = drafted(
        key,
        context.feature,
        design.document,
        audience=target,
        owner=AUTHOR,
        seed=context.seed,
        existing=standing,
        holdout=HOLDOUT if holdout else "",
    )
    live = is_live(standing, context.feature.environment)
    refused = _refusal(key, flag)

    shares = shares_bp(design.document)
    control = str(flag["default_variant"])
    arms = list(shares)
    treatment = next(name for name in arms if name != control)
    name = identifier(context.feature.key)
    functions = {arm: f"{name}_{identifier(arm)}" for arm in arms}
    policy, reason = breaker(explore.baselines if explore is not None else ())
    graph = components(key, journey, shares, control, functions, plain_guard(policy))
    messages = request(key, journey, control, functions, context.feature.environment)

    allocation = context.config.experiment_config.traffic_allocation
    reach = design.arrivals_per_day.value or 0.0
    units = design.units_per_arm.value
    plan = stages(
        allocation,
        reach_per_day=reach,
        runtime_days=round(design.runtime_days.value or context.config.experiment_config.days),
        units_per_arm=round(units) if units is not None else context.config.experiment_config.min_sample_size,
        guardrails=[each for each in design.document.get("metrics", ()) if each.get("role") == "guardrail"],
        staff=f"{key}-staff",
        treatment=treatment,
        audience=target,
        approvals=context.config.approvals.required,
        evidence="stages",
        opt_in=context.config.experiment_config.beta == "opt_in",
    )
    provider = context.config.feature_flags.provider
    written = {each: write_for(each, key, flag, context.feature.environment, audiences) for each in sorted(WRITERS)}
    waits = []
    if allocation == "adaptive":
        waits.append(f"traffic_allocation adaptive waits for {ADAPTIVE}; until then traffic widens by these stages")
    if provider != "paribus":
        waits.append(
            f"provider {provider} waits for {FLAG_READERS}; until then Paribus decides, and the file is a copy"
        )

    for each, body in audiences.items():
        context.operations.write("audience", each, body, author=AUTHOR, reason=_reason(context))
    if not live:
        context.operations.write("flag", key, flag, author=AUTHOR, reason=_reason(context))

    facts = ArchitectFacts(
        flag=flag,
        value_schema=value_schema(flag),
        stages=plan,
        breaker={**policy, "evidence": "breaker"},
        decision_points=(
            DecisionPoint(
                id=f"{name}_decision",
                where=f"service: {name}.serve(), {journey.why}",
                event=journey.before or "$page_view",
            ),
        ),
        control_function=functions[control],
        treatment_function=functions[treatment],
        providers={
            each: {"flag": one.document, "differences": list(one.differences), "names": dict(one.names)}
            for each, one in written.items()
        },
        audiences=audiences,
        allocation="fixed" if allocation == "fixed" else "gradual",
        waits=tuple(waits),
        components=plain(graph),
        sequence=plain(messages),
        dead_events=journey.dead,
        following=journey.after,
        holdout={"key": HOLDOUT, **holdout, "evidence": "design"} if holdout else {},
    )
    files = [
        *separation(key, name, functions[control], functions[treatment], (control, treatment)),
        *_texts(graph, messages),
        *(File(path=f"providers/{each}.json", text=_json(one.document)) for each, one in written.items()),
        File(path="client/flag.ts", text=typescript_types(key, flag)),
        File(path="client/flag.py", text=python_types(key, flag)),
        File(path="flag.json", text=_json(flag)),
        File(path="value.schema.json", text=_json(facts.value_schema)),
    ]
    return context.artifact(
        SLUG,
        _summary(key, facts, journey, hypothesis.for_whom if target else ""),
        facts,
        evidence=_evidence(context, design, allocation, reach, reason),
        assumptions=(*_assumptions(journey, target, hypothesis.segment, plan), *_of_holdout(context, holdout)),
        checks=(*_checks(journey, live, refused, hypothesis.segment, target, tuple(waits)), _carried(facts)),
        files=tuple(files),
    )


def _held_out(context: Context) -> dict[str, Any]:
    """The installation's holdout, written where it is configured and not there yet; one that is there stays."""
    found = context.operations.find("holdout", HOLDOUT)
    share = context.config.experiment_config.holdout
    if not share:
        return {}
    if found is not None and found.body is not None:
        return dict(found.body)
    body = {
        "description": "Units that no feature serves, for measuring the sum of all launches",
        "salt": salt(context.seed, HOLDOUT),
        "share_bp": round(share * WHOLE),
    }
    written = context.operations.write("holdout", HOLDOUT, body, author=AUTHOR, reason=_reason(context))
    return dict(written.body or {})


def _summary(key: str, facts: ArchitectFacts, journey: Journey, segment: str) -> str:
    whom = f"for {segment}" if segment else "for everyone"
    split = " and ".join(f"{part['weight_bp'] / 100:g}% {part['variant']}" for part in _rollout(facts)["split"])
    place = f"right after {journey.before}" if journey.before else "where the service calls it"
    days = sum(stage.hold_hours for stage in facts.stages if stage.in_analysis) / 24
    first = next((stage for stage in facts.stages if stage.in_analysis), None)
    before_full = sum(stage.hold_hours for stage in facts.stages if stage.in_analysis and stage.traffic_bp < WHOLE) / 24
    opened = (
        f"Traffic opens at {first.traffic_bp / 100:g}%, reaches 100% after {before_full:g} days on evidence, "
        f"and is read after {days:g}"
        if first is not None and first.traffic_bp < WHOLE
        else f"After staff have used it, all traffic takes part for {days:g} days"
    )
    said = (
        f"The flag {key} is drafted {whom}, {split}, and serves nobody yet. The decision is made once, {place}. "
        f"{opened}. One revision switches it off, and the SDK serves the control by itself when the new way fails."
    )
    if facts.dead_events:
        said += f" {', '.join(facts.dead_events)} is no longer reached by anyone and stays out of the path."
    return said


def _rollout(facts: ArchitectFacts) -> dict[str, Any]:
    states = facts.flag["environments"].values()
    found: dict[str, Any] = next(rule["rollout"] for state in states for rule in state["rules"] if "rollout" in rule)
    return found


def _evidence(context: Context, design: DesignFacts, allocation: str, reach: float, reason: str) -> dict[str, Evidence]:
    return {
        "design": Evidence(
            kind="result",
            title="The sealed plan",
            statement=f"plan {design.plan_hash}",
            data=context.input_hash("design"),
        ),
        "stages": Evidence(
            kind="config",
            title="Stages of the rollout",
            statement=f"traffic_allocation {allocation}; {reach:,.0f} units a day reach the decision; the plan runs "
            f"{design.runtime_days.value:g} days" if design.runtime_days.value is not None
            else f"traffic_allocation {allocation}",
            data=context.config.hash,
        ),
        "breaker": Evidence(kind="config", title="Circuit breaker of the SDK", statement=reason),
    }  # fmt: skip


def _assumptions(journey: Journey, target: str, segment: str, plan: tuple[Stage, ...]) -> tuple[str, ...]:
    said = [
        "Whoever reaches the decision is exposed, in every arm, by the same condition.",
        "Widening traffic moves nobody: a unit that was in stays in, with its variant.",
        "Stages in the analysis share one split, so their exposures are pooled; staff in dogfood are counted apart.",
    ]
    if any(stage.cap_units for stage in plan):
        said.append("Volunteers of the beta keep the treatment while the experiment runs, and are never analyzed.")
    if target:
        said.append("The attributes of the audience are known when the flag is evaluated; missing ones mean: not in.")
    if segment and not target:
        said.append("The segment is no condition on known attributes, so everyone takes part.")
    if not journey.before:
        said.append("No event before the decision is known, so the service itself says where it stands.")
    return tuple(said)


def _of_holdout(context: Context, holdout: dict[str, Any]) -> tuple[str, ...]:
    if not holdout:
        return ()
    share, asked = holdout["share_bp"] / WHOLE, context.config.experiment_config.holdout
    stands = (
        f"; paribus.yaml asks for {asked:.3g}, and a holdout that stands stays" if abs(share - asked) > 1e-4 else ""
    )
    return (f"{share:.3g} of all units are in the holdout {HOLDOUT}: no feature serves them{stands}.",)


def _checks(
    journey: Journey,
    live: bool,
    refused: str,
    segment: str,
    target: str,
    waits: tuple[str, ...],
) -> tuple[Outcome, ...]:
    checks = [
        Outcome(
            name="wrong type refused",
            status="passed" if refused else "failed",
            message=refused or "a value of a wrong type was accepted",
        ),
        Outcome(
            name="draft",
            status="warned" if live else "passed",
            message="the flag has had traffic already: it stands as it is, nothing was written"
            if live
            else "the flag is stored at no traffic; nobody gets the treatment",
            blocking=False,
        ),
    ]
    if journey.dead:
        checks.append(
            Outcome(
                name="dead steps",
                status="warned",
                message=f"no unit reached {', '.join(journey.dead)} in the history; the path goes around it",
                blocking=False,
            )
        )
    if segment and not target:
        checks.append(
            Outcome(
                name="audience",
                status="warned",
                message=f"the segment {segment} is no condition that a flag can evaluate; everyone takes part",
                blocking=False,
            )
        )
    checks += [Outcome(name="waits", status="warned", message=each, blocking=False) for each in waits]
    return tuple(checks)


def _carried(facts: ArchitectFacts) -> Outcome:
    """Whether every rule of the flag stands in every other provider's file."""
    lost = [f"{name}: {each}" for name, one in facts.providers.items() for each in one["differences"] if LOST in each]
    return Outcome(
        name="other providers",
        status="warned" if lost else "passed",
        message="; ".join(lost)
        or f"every rule stands in the files of {', '.join(facts.providers)}; "
        "targeting, shares and values are kept, and units are assigned anew",
        blocking=False,
    )


def _refusal(key: str, flag: dict[str, Any]) -> str:
    """What the store says to a variant whose value is of another type; empty when it says nothing."""
    wrong = next(value for value in ("text", 1) if not fits(flag.get("type", "boolean"), value))
    variants = [{**flag["variants"][0], "value": wrong}, *flag["variants"][1:]]
    try:
        check("flag", key, {**flag, "variants": variants})
    except DefinitionError as error:
        return error.what
    return ""


def _texts(graph: Graph, messages: Sequence) -> list[File]:
    return [
        File(path="components.mmd", text=mermaid(graph) + "\n"),
        File(path="sequence.mmd", text=mermaid(messages) + "\n"),
    ]


def _json(value: Any) -> str:
    import json

    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _reason(context: Context) -> str:
    return f"step 4 of {context.feature.key}: draft"


def _days(hours: int) -> str:
    return f"{hours / 24:g} day{'s' * (hours != 24)}"


def _share(stage: Stage) -> str:
    if stage.name == "dogfood":
        return "staff"
    return f"up to {stage.cap_units:,} volunteers" if stage.cap_units else f"{stage.traffic_bp / 100:g}%"


def _criteria(stage: Stage, stages: tuple[Stage, ...]) -> str:
    """What the stage asks for; what the one before asked for already is not said again."""
    before = next((each for each in reversed(stages[: stages.index(stage)]) if each.in_analysis), None)
    if before is None or not stage.in_analysis or not set(before.criteria) <= set(stage.criteria):
        return "; ".join(stage.criteria)
    return "; ".join([f"as {before.name}", *(each for each in stage.criteria if each not in before.criteria)])


def present(artifact: Artifact) -> list[Block]:
    """The architecture for its reader: diagrams, stages, breaker, audience, providers."""
    facts = ArchitectFacts.model_validate(artifact.facts)
    graph, messages = graph_of(facts.components), sequence_of(facts.sequence)
    rows = [
        (
            stage.name,
            _share(stage),
            f"{stage.units_per_day:,.0f}" if stage.units_per_day is not None else "",
            _days(stage.hold_hours),
            _criteria(stage, facts.stages),
            stage.approver,
            "yes" if stage.in_analysis else "no",
        )
        for stage in facts.stages
    ]
    point = facts.decision_points[0]
    blocks: list[Block] = [
        Diagram(mermaid(graph), flow(graph), "Where the decision stands, and what is recorded", "components"),
        Diagram(mermaid(messages), sequence_diagram(messages), "One request", "sequence"),
        Heading("Rollout"),
        Table(
            ("stage", "traffic", "units a day", "held for", "left when", "opened by", "in the analysis"),
            rows,
            "Traffic widens; the split never moves.",
            ("units a day",),
        ),
        Heading("Decision"),
        Paragraph(
            f"`{point.id}` stands after `{point.event}` ({point.where}). `{facts.control_function}()` is the control, "
            f"`{facts.treatment_function}()` the treatment; removing the loser is one diff, in `separation/`. "
            "Conditions that an attribute exists or does not always hold: they are asked so that exposures carry the "
            "attributes by which the analysis tells segments apart."
        ),
        Code(_json(facts.flag), "json", "The flag as drafted"),
        Code(_json(facts.value_schema), "json", "Its value"),
        Paragraph(
            "`client/` has the same as types for TypeScript and Python: what the flag does not have, does not compile."
        ),
        Heading("Circuit breaker"),
        Paragraph(f"{artifact.evidence['breaker'].statement}."),
        Table(
            ("setting", "value", "meaning"),
            [(name, f"{facts.breaker[name]:,.10g}", said) for name, said in MEANINGS.items() if name in facts.breaker],
            right=("value",),
        ),
        Heading("Other providers"),
        Table(
            ("provider", "differs"),
            [(name, "; ".join(each["differences"])) for name, each in facts.providers.items()],
            "The same flag in each provider's own JSON is among the files.",
        ),
    ]
    if facts.waits:
        blocks.append(Listing(facts.waits))
    return blocks
