"""Step 6: how events become tables, under which contracts, how late, at what cost, and who is told when it breaks."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from paribus.charts.flow import flow
from paribus.charts.graph import graph_of, mermaid, plain
from paribus.events.plan import PlanDoc, parse_plan
from paribus.governance.contracts import ColumnTerms, TableTerms, contract, contract_yaml
from paribus.governance.lineage import Job, lines, run_events
from paribus.governance.privacy import SETTING, masked_select
from paribus.lake.star_sql import StarDefinition
from paribus.workflow import quality
from paribus.workflow.architecture.separation import identifier
from paribus.workflow.artifact import Artifact, Evidence, File, Measured, Outcome
from paribus.workflow.block import Block, Diagram, Heading, Listing, Paragraph, Table
from paribus.workflow.context import Context
from paribus.workflow.facts.design import DesignFacts
from paribus.workflow.facts.explore import ExploreFacts
from paribus.workflow.facts.instrument import InstrumentFacts
from paribus.workflow.facts.pipeline import PipelineFacts, TablePlan
from paribus.workflow.pipeline.origin import data_flow, jobs
from paribus.workflow.pipeline.requirements import Load, load, options
from paribus.workflow.pipeline.running import (
    HOURLY,
    alert_rules,
    alerts,
    checks,
    components,
    runbooks,
    tasks,
)
from paribus.workflow.pipeline.tables import RETENTION, star_definition, tables, ungoverned, uses_of
from paribus.workflow.pipeline.writers import Plan, writers

SLUG = "pipeline"
DAY, HOUR = 86_400, 3_600  # seconds
AUTHOR = "data-engineering::data-engineer"
NAMESPACE = "paribus://lake"
MASKING = {
    "none": "shown as it is",
    "pseudonymous": "a keyed hash: the same person stays the same, nobody is found without the key",
    "personal": "only whether it is there",
    "sensitive": "left out",
}


def run(context: Context) -> Artifact:
    """The pipeline plan, with the files of its writers."""
    explore = context.facts("explore", ExploreFacts)
    design = context.facts("design", DesignFacts)
    instrument = context.facts("instrument", InstrumentFacts)
    plan = parse_plan(instrument.plan)
    unit_type = str(design.document.get("unit_type", "user"))
    definition = star_definition(plan, instrument, unit_type)
    uses = uses_of(plan, instrument)
    made = tables(plan, definition, uses, owner=AUTHOR, evidence="plan")
    missing = ungoverned(plan, uses)
    real_time = context.config.monitoring.real_time_metrics

    found = load(explore, context.operations.lake() if context.feature.source == "lake" else None)
    ways, reasons = options(found, RETENTION["pseudonymous"], real_time=real_time)
    taken = next(each for each in ways if each.chosen)
    freshness = taken.p95_freshness_seconds.value or 0.0
    lineage = jobs(made)
    senders: dict[str, int] = {}
    for sender in instrument.senders.values():
        senders[sender] = senders.get(sender, 0) + 1
    senders["sdk"] = senders.get("sdk", 0) + 1
    graph = data_flow(lineage, made, sorted(senders.items()), design.flag)
    told = alerts(design.flag, freshness)
    name = identifier(context.feature.key)
    steps = tasks(context.feature.key, "plan")
    tested = checks(plan, made, freshness)

    facts = PipelineFacts(
        tables=made,
        checks=tested,
        tasks=steps,
        schedule=HOURLY,
        events_per_second=found.per_second,
        peak_events_per_second=found.peak,
        freshness_seconds=Measured(value=freshness, unit="seconds", evidence="latency"),
        delivery="at least once to the door, exactly once in the lake: durable before it is acknowledged, "
        "one event per source and id",
        consistency="analyses read one version of the lake, complete up to its watermark",
        options=ways,
        components=components(real_time),
        alerts=told,
        streaming={
            "live": "events and exposures every 2 seconds, moments of running experiments"
            if real_time
            else "events and exposures every 2 seconds; metrics are read when a step runs",
            "kafka": "the landing queue of several servers, by the setting PARIBUS_LANDING_URL",
            "kinesis": "waits for its adapter",
        },
        batch={
            "nightly": "the star model is built again and compared with the kept one, row by row",
            "warehouse": "the dbt project builds the same star from Parquet",
        },
        feature_store=_feature_store(context),
        masking=MASKING,
        lineage=tuple(_plain_job(job) for job in lineage),
        flow=plain(graph),
        star={"unit_type": unit_type, "evidence": "plan", **_plain_star(definition)},
        reused=_reused(context),
        missing=missing,
        quality=quality.history_of(
            context,
            [event for event, each in plan.events.items() if not each.deprecated],
            datetime.fromisoformat(explore.window.end),
        ),
    )
    return context.artifact(
        SLUG,
        _summary(facts, found),
        facts,
        evidence={
            "plan": Evidence(
                kind="result",
                title="The tracking plan and the star model made of it",
                statement=f"digest {definition.digest()}",
                data=context.input_hash("instrument"),
            ),
            **found.evidence,
            **reasons,
            **({quality.EVIDENCE: quality.evidence()} if facts.quality else {}),
        },
        assumptions=(
            "The feature adds less traffic than the room between the busiest hour and what one process carries.",
            "Prices are list prices, rounded; they decide between two ways, they are no quotation.",
            "A late event changes the history of its own user only, and is worked out anew for that user.",
            f"Retention is by personal class: {', '.join(f'{k} {v} days' for k, v in RETENTION.items())}.",
        ),
        checks=_checks(facts),
        files=_files(context, facts, plan, lineage, name),
    )


def _feature_store(context: Context) -> dict[str, Any]:
    if context.config.implementation.model:
        return {
            "applicable": True,
            "why": "a model takes part: its features are columns of dim_user at the time of the decision, read from "
            "the star model; a Feast repository waits for its writer",
        }
    return {"applicable": False, "why": "no model takes part in this feature, so nothing is served to one"}


def _reused(context: Context) -> tuple[str, ...]:
    found = ["the lake of the data folder"] if context.operations.lake() is not None else []
    if context.feature.source != "lake":
        found.append("the source that was explored" if "://" in context.feature.source else context.feature.source)
    return tuple(found)


def _plain_job(job: Job) -> dict[str, Any]:
    return {
        "job": job.name,
        "inputs": [each.name for each in job.inputs],
        "output": job.output.name,
        "columns": {name: [f"{table}.{column}" for table, column in pairs] for name, pairs in job.sources.items()},
    }


def _plain_star(definition: StarDefinition) -> dict[str, Any]:
    return {
        "attributes": list(definition.attributes),
        "properties": [list(each) for each in definition.properties],
        "measures": [asdict(each) for each in definition.measures],
    }


def _summary(facts: PipelineFacts, found: Load) -> str:
    taken = next(each for each in facts.options if each.chosen)
    other = next(each for each in facts.options if not each.chosen)
    rate = found.per_second.value or 0.0
    served = sum(table.kind != "source" for table in facts.tables)
    busiest = found.peak.value if found.peak else None
    peak = f", {busiest * HOUR:,.0f} in the busiest hour" if busiest is not None else ""
    fresh = f"{taken.p95_freshness_seconds.value:.0f} seconds"
    said = (
        f"About {rate * DAY:,.0f} events arrive a day{peak}, which the {taken.name} way carries for about "
        f"{taken.cost_per_month.value:,.0f} USD a month at list prices; the {other.name} way would cost "
        f"{other.cost_per_month.value:,.0f}. Nineteen rows in twenty can be queried within {fresh} of happening. "
        f"{len(facts.checks)} checks stand between the door and {served} tables."
    )
    if facts.missing:
        said += f" {len(facts.missing)} properties have no owner, class or purpose yet, which blocks this step."
    return said


def _checks(facts: PipelineFacts) -> tuple[Outcome, ...]:
    hops = {hop: sum(check.hop == hop for check in facts.checks) for hop in ("intake", "landing", "cleaned", "served")}
    empty = [hop for hop, count in hops.items() if not count]
    store = facts.feature_store
    return (
        Outcome(
            name="owner, class, purpose, retention",
            status="failed" if facts.missing else "passed",
            message="; ".join(facts.missing) or "every property has an owner, a class, a purpose and a retention",
            evidence="plan",
        ),
        Outcome(
            name="checks at every hop",
            status="failed" if empty else "passed",
            message=f"no check at {', '.join(empty)}" if empty
            else ", ".join(f"{count} at {hop}" for hop, count in hops.items()),
            evidence="plan",
        ),
        Outcome(
            name="feature store",
            status="warned" if store["applicable"] else "not_applicable",
            message=str(store["why"]),
            blocking=False,
        ),
    )  # fmt: skip


def _files(context: Context, facts: PipelineFacts, plan: PlanDoc, lineage: list[Job], name: str) -> tuple[File, ...]:
    end = datetime.fromisoformat(context.facts("explore", ExploreFacts).window.end)
    events = run_events(
        lineage, namespace=NAMESPACE, time=end if end.tzinfo else end.replace(tzinfo=UTC), run=context.feature.key
    )
    told = Plan(name, context.feature.key, facts.tables, facts.checks, facts.tasks, facts.schedule, AUTHOR)
    files = [
        *(File(path=f"contracts/{each.name}.odcs.yaml", text=_contract(each, facts, context)) for each in facts.tables),
        File(path="lineage.jsonl", text=lines(events)),
        File(path="data-flow.mmd", text=mermaid(graph_of(facts.flow)) + "\n"),
        File(path="privacy/masked.sql", text=_masked(facts)),
        File(path="alerts/rules.yml", text=alert_rules(facts.alerts)),
        File(path="dictionary.md", text=_dictionary(facts)),
        *runbooks(context.flag_key(), context.feature.environment),
    ]
    for _, write in sorted(writers().items()):
        files += write(told)
    return tuple(files)


def _contract(table: TablePlan, facts: PipelineFacts, context: Context) -> str:
    own = [check for check in facts.checks if check.table == table.name]
    unique = {check.column for check in own if check.kind == "unique" and check.column}
    terms = TableTerms(
        name=table.name,
        description=table.description,
        grain=table.grain,
        owner=table.owner,
        retention_days=table.retention_days,
        freshness_seconds=facts.freshness_seconds.value,
        columns=[
            ColumnTerms(
                name=column.name,
                type=column.type,
                description=column.description,
                required=column.required,
                unique=column.name in unique,
                key_position=table.key.index(column.name) + 1 if column.name in table.key else 0,
                personal=column.personal,
                purpose=column.purpose,
                refers_to=next((c.to for c in own if c.kind == "relationships" and c.column == column.name), ""),
                inputs=column.inputs,
            )
            for column in table.columns
        ],
    )
    return contract_yaml(contract(terms, product=context.feature.key))


def _masked(facts: PipelineFacts) -> str:
    """Views that show each table by class; the key of the hash is a variable of the reader's session."""
    texts = [f"-- SET VARIABLE {SETTING} = '…';  -- the key of the hashes, never kept in a file\n"]
    for table in facts.tables:
        if table.kind in ("dimension", "fact", "wide"):
            columns: dict[str, Any] = {column.name: column.personal for column in table.columns}
            texts.append(f"CREATE OR REPLACE VIEW masked_{table.name} AS {masked_select(table.name, columns)};\n")
    return "".join(texts)


def _dictionary(facts: PipelineFacts) -> str:
    parts = ["# Data dictionary\n"]
    for table in facts.tables:
        parts += [f"## {table.name}\n", f"{table.description} One row is {table.grain}. Owner: {table.owner}.\n"]
        parts += ["| column | type | what | class | why | kept for |", "|---|---|---|---|---|---|"]
        parts += [
            f"| `{c.name}` | {c.type} | {c.description} | {c.personal} | {c.purpose} | {c.retention_days} days |"
            for c in table.columns
        ]
        parts.append("")
    return "\n".join(parts)


def present(artifact: Artifact) -> list[Block]:
    """The pipeline for its reader, in eight parts: data flow first, then requirements to runbooks."""
    facts = PipelineFacts.model_validate(artifact.facts)
    graph = graph_of(facts.flow)
    peak = facts.peak_events_per_second
    blocks: list[Block] = [
        Diagram(mermaid(graph), flow(graph), "How data flow, drawn from the lineage", "data-flow"),
        Heading("1. Requirements"),
        Table(
            ("what", "how much", "from"),
            [
                ("events a second", f"{facts.events_per_second.value:.3g}", artifact.evidence["traffic"].data),
                *([("events a second, busiest hour", f"{peak.value:.3g}", artifact.evidence["traffic"].data)]
                  if peak is not None and peak.value is not None else []),
                ("freshness, 95th percentile", f"{facts.freshness_seconds.value:g} s",
                 artifact.evidence["latency"].statement),
                ("delivery", facts.delivery, ""),
                ("consistency", facts.consistency, ""),
            ],
        ),
        Heading("2. Storage and processing"),
        Table(
            ("component", "role", "why", "instead of", "status"),
            [(c.name, c.role, c.why, c.rejected, c.status) for c in facts.components],
        ),
        Listing([f"**{name}** {said}" for name, said in {**facts.streaming, **facts.batch}.items()]),
        Heading("3. Errors and retries"),
        Paragraph(
            "An event that breaks its contract waits in quarantine with its reason and is let in again after a fix. "
            "A request that is not durable is not acknowledged, and clients send it again. Tasks repeat by themselves:"
        ),
        Table(
            ("task", "command", "after", "repeats"),
            [(t.id, t.command, ", ".join(t.depends_on), _repeats(t.retries, t.retry_minutes))
             for t in facts.tasks],
            f"Scheduled at {facts.schedule} (cron, UTC).",
        ),
        Heading("4. Quality checks"),
        Table(
            ("hop", "checks", "of these blocking"),
            [
                (hop, str(sum(c.hop == hop for c in facts.checks)),
                 str(sum(c.hop == hop and c.blocking for c in facts.checks)))
                for hop in ("intake", "landing", "cleaned", "served")
            ],
            right=("checks", "of these blocking"),
        ),
        *quality.blocks(facts.quality),
        Heading("5. Cost and performance"),
        Table(
            ("way", "USD a month", "95% fresh within", "moving parts", "chosen", "why"),
            [
                (o.name, f"{o.cost_per_month.value:,.0f}", f"{o.p95_freshness_seconds.value:g} s",
                 str(o.moving_parts), "yes" if o.chosen else "no", o.why)
                for o in facts.options
            ],
            artifact.evidence["prices"].statement,
            ("USD a month", "95% fresh within", "moving parts"),
        ),
        Heading("6. Governance"),
        Table(
            ("table", "one row is", "class", "kept for", "owner", "columns"),
            [(t.name, t.grain, t.personal, f"{t.retention_days} days", t.owner, str(len(t.columns)))
             for t in facts.tables],
            right=("columns",),
        ),
        Table(("class", "shown as"), list(facts.masking.items())),
        *([Listing([f"**missing** {each}" for each in facts.missing])] if facts.missing else []),
        Paragraph(f"Feature store: {facts.feature_store['why']}."),
        Heading("7. Health and alerts"),
        Table(
            ("alert", "when", "severity", "runbook"),
            [(a.name, a.when, a.severity, a.runbook) for a in facts.alerts],
        ),
        Heading("8. Flows and runbooks"),
        Table(
            ("table", "made of"),
            [(str(job["output"]), ", ".join(job["inputs"])) for job in facts.lineage],
        ),
    ]  # fmt: skip
    return blocks


def _repeats(times: int, minutes: int) -> str:
    return f"once, after {minutes} min" if times == 1 else f"{times} times, {minutes} min apart"


def star_of(facts: PipelineFacts) -> StarDefinition:
    """The definition of the star model that the artifact plans."""
    from paribus.lake.star_sql import Measure

    body = json.loads(json.dumps(facts.star))
    return StarDefinition(
        tuple(body["attributes"]),
        tuple((name, kind) for name, kind in body["properties"]),
        tuple(Measure(**each) for each in body["measures"]),
        str(body["unit_type"]),
    )
