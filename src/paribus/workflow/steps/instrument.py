"""Step 5: the next tracking plan, who sends its events, and how every metric is made of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from paribus.events.codegen import python_client, typescript_client
from paribus.events.json_schema import event_schema, plan_schema
from paribus.events.plan import KEY, KIND, PlanDoc, parse_plan, plan_body
from paribus.events.platforms import platform_file
from paribus.events.taxonomy import lint
from paribus.store import DEFAULT_PROJECT, Address
from paribus.workflow.artifact import Artifact, Evidence, File, Outcome
from paribus.workflow.block import Block, Heading, Listing, Paragraph, Table
from paribus.workflow.context import Context
from paribus.workflow.facts.architect import ArchitectFacts
from paribus.workflow.facts.design import DesignFacts
from paribus.workflow.facts.explore import ExploreFacts
from paribus.workflow.facts.instrument import CohortKey, Difference, InstrumentFacts, Lapse
from paribus.workflow.instrumentation.drafting import differences, drafted
from paribus.workflow.instrumentation.guide import guide
from paribus.workflow.instrumentation.mapping import SDK, interactions, mapped, needed, sender_of

SLUG = "instrument"
AUTHOR = "data-engineering::data-engineer"


def run(context: Context) -> Artifact:
    """The tracking plan, from what stands, what the history shows, and what the sealed metrics ask for."""
    explore = context.facts("explore", ExploreFacts)
    design = context.facts("design", DesignFacts)
    architect = context.facts("architect", ArchitectFacts)
    metrics = [dict(each) for each in design.document.get("metrics", ())]
    steps = _steps(explore, architect, metrics)
    funnel = next((f.name for f in explore.funnels if {s.event for s in f.steps} >= set(steps)), context.feature.key)
    success = [m for m in metrics if m.get("role", "success") == "success"]

    standing = parse_plan(context.operations.tracking_plan() or {})
    before = parse_plan(_before(context))
    draft = drafted(
        standing,
        explore.events,
        funnel=context.feature.key if funnel in ("", "main") else funnel,
        steps=steps,
        conversions=[event for metric in success for event in _events(metric)],
        needed=needed(metrics),
        owner=AUTHOR,
        seen_as={each.name: [str(value) for value in each.values] for each in explore.attributes},
    )
    plan = draft.plan
    found, missing = mapped(metrics, plan, explore.events)
    changes = differences(before, plan)
    added = tuple(name for name in plan.events if name not in before.events)
    changed = tuple(dict.fromkeys(change.event for change in changes if change.event in before.events))
    lapses = lint(plan.events)
    counted = {profile.name: profile.count for profile in explore.events}
    quiet = tuple(name for name in plan.events if not counted.get(name))
    body = plan_body(plan)
    context.operations.write(KIND, KEY, body, author=AUTHOR, reason=_reason(context))

    cohorts = _cohorts(design, explore)
    facts = InstrumentFacts(
        plan=body,
        added=added,
        changed=changed,
        funnel=steps,
        metrics=found,
        unmapped=missing,
        interactions=interactions(plan, steps),
        cohort_keys=tuple(each.name for each in cohorts),
        differences=tuple(
            Difference(event=each.event, property=each.property_name or "", what=each.what) for each in changes
        ),
        lapses=tuple(Lapse(event=each.event, what=each.what, instead=each.instead) for each in lapses),
        cohorts=cohorts,
        senders={name: sender_of(name, plan) for name in plan.events},
        conflicts=tuple(draft.conflicts),
        quiet=quiet,
    )
    return context.artifact(
        SLUG,
        _summary(facts, plan, explore),
        facts,
        evidence={
            "plan": Evidence(
                kind="result",
                title="The tracking plan",
                statement=f"document {KIND}/{KEY}, and the events of the history",
                data=context.input_hash("explore"),
            )
        },
        assumptions=(
            "A property has one type in every event that carries it, because it is one column.",
            f"Types of events that no plan declared are those of the history from {explore.window.start} to "
            f"{explore.window.end}; personal classes are told from the names, and a person may know better.",
            "Exposures, requests and errors are sent by the SDK and are part of every plan.",
        ),
        checks=_checks(facts),
        files=_files(context, facts, plan, architect),
    )


def _steps(explore: ExploreFacts, architect: ArchitectFacts, metrics: list[dict[str, Any]]) -> tuple[str, ...]:
    """The living events of the funnel that the decision stands in, in order."""
    point = architect.decision_points[0].event if architect.decision_points else ""
    goal = {event for metric in metrics if metric.get("role", "success") == "success" for event in _events(metric)}

    def holds(events: list[str]) -> tuple[int, int]:
        return (point in events) + any(event in goal for event in events), len(events)

    best = max(([step.event for step in f.steps] for f in explore.funnels), key=holds, default=[])
    dead = set(architect.dead_events)
    chosen = [event for event in best if event not in dead] if best and holds(best)[0] else []
    return tuple(chosen or dict.fromkeys([*([point] if point and not point.startswith("$") else []), *sorted(goal)]))


def _events(metric: dict[str, Any]) -> tuple[str, ...]:
    from paribus.workflow.architecture.journey import metric_events

    return metric_events(metric)


def _before(context: Context) -> dict[str, Any]:
    """The plan that stood before this feature's step wrote for the first time."""
    ours = _reason(context)
    history = context.store.history(Address(DEFAULT_PROJECT, KIND, KEY))
    for index, revision in enumerate(history):
        if revision.reason == ours:
            return (history[index - 1].body or {}) if index else {}
    return context.operations.tracking_plan() or {}


def _cohorts(design: DesignFacts, explore: ExploreFacts) -> tuple[CohortKey, ...]:
    unit = f"{design.document.get('unit_type', 'user')}_unit"
    keys = [
        CohortKey(name="first_seen", kind="first seen", sql=f"SELECT {unit}, min(time) FROM events GROUP BY {unit}"),
        CohortKey(
            name="first_exposure",
            kind="first exposure",
            sql=f"SELECT {unit}, min(time) FROM exposures WHERE flag = '{design.flag}' AND reason = 'SPLIT' "
            f"GROUP BY {unit}",
        ),
    ]
    attributes = list(dict.fromkeys([*design.document.get("segments", ()), *_attributes(explore)]))
    keys += [
        CohortKey(
            name=str(name), kind="attribute", sql=f"SELECT {unit}, arg_min({name}, time) FROM events GROUP BY {unit}"
        )
        for name in attributes
    ]
    return tuple(keys)


def _attributes(explore: ExploreFacts) -> list[str]:
    from paribus.workflow.audience import attributes

    named = [each.name for each in explore.attributes]
    return named + [name for segment in explore.segments for name in attributes(segment.rule)]


def _summary(facts: InstrumentFacts, plan: PlanDoc, explore: ExploreFacts) -> str:
    count = len(plan.events)
    decisive = [each for each in facts.metrics if each.role in ("success", "guardrail")]
    said = (
        f"The tracking plan declares {count} event{'s' * (count != 1)}, {len(facts.added) or 'none'} of them new"
        f"{f' and {len(facts.changed)} changed' if facts.changed else ''}, checked against {explore.window.days} days "
        "of history. "
    )
    if facts.unmapped:
        things = "thing" if len(facts.unmapped) == 1 else "things"
        said += f"{len(facts.unmapped)} {things} cannot be measured yet: {'; '.join(facts.unmapped)}."
    else:
        said += f"The {len(decisive)} success and guardrail metrics are made of events that are sent."
    if facts.funnel:
        said += f" The funnel runs from {facts.funnel[0]} to {facts.funnel[-1]} in {len(facts.funnel)} steps."
    return said


def _checks(facts: InstrumentFacts) -> tuple[Outcome, ...]:
    decisive = {each.metric for each in facts.metrics if each.role in ("success", "guardrail")}
    blocking = [each for each in facts.unmapped if each.split(":")[0] in decisive]
    checks = [
        Outcome(
            name="metrics map to events",
            status="failed" if blocking else "passed",
            message="; ".join(blocking) or "every success and guardrail metric maps to events",
            evidence="plan",
        ),
        Outcome(
            name="taxonomy",
            status="warned" if facts.lapses else "passed",
            message="; ".join(f"{each.event} {each.what}" for each in facts.lapses)
            or "every event is named by object and action",
            blocking=False,
            evidence="plan",
        ),
    ]
    other = [each for each in facts.unmapped if each not in blocking]
    if other:
        checks.append(Outcome(name="secondary metrics", status="warned", message="; ".join(other), blocking=False))
    if facts.conflicts:
        checks.append(
            Outcome(name="one type per property", status="warned", message="; ".join(facts.conflicts), blocking=False)
        )
    if facts.quiet:
        checks.append(
            Outcome(
                name="quiet events",
                status="warned",
                message=f"planned, and in nobody's history: {', '.join(facts.quiet)}",
                blocking=False,
            )
        )
    return tuple(checks)


def _files(context: Context, facts: InstrumentFacts, plan: PlanDoc, architect: ArchitectFacts) -> tuple[File, ...]:
    import yaml

    platforms = context.config.analytics_platforms
    first = list(dict.fromkeys([*facts.funnel, *(e for m in facts.metrics for e in m.events if e in plan.events)]))
    point = architect.decision_points[0].event if architect.decision_points else ""
    files = [
        File(path="tracking-plan.yaml", text=yaml.safe_dump(facts.plan, sort_keys=False, allow_unicode=True)),
        File(path="tracking-plan.schema.json", text=_json(plan_schema(plan))),
        File(path="events.py", text=python_client(plan)),
        File(path="events.ts", text=typescript_client(plan)),
        File(path="guide.md", text=guide(plan, facts.senders, context.flag_key(), point, first, platforms)),
        *(
            File(path=f"schemas/{name}.{event.version}.json", text=_json(event_schema(name, event)))
            for name, event in plan.events.items()
        ),
    ]
    for platform in platforms:
        name, text = platform_file(platform, plan, f"paribus-{context.feature.key}")
        files.append(File(path=f"platforms/{name}", text=text))
    return tuple(files)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _reason(context: Context) -> str:
    return f"step 5 of {context.feature.key}: tracking plan"


def present(artifact: Artifact) -> list[Block]:
    """The plan for its reader: funnel, metrics, events with their properties, what changed, cohort keys."""
    facts = InstrumentFacts.model_validate(artifact.facts)
    plan = parse_plan(facts.plan)
    owners = sorted({event.owner for event in plan.events.values() if event.owner})
    blocks: list[Block] = []
    if facts.funnel:
        blocks.append(_funnel(facts, plan))
    blocks += [
        Heading("Metrics"),
        Table(
            ("metric", "role", "events", "properties", "sent by"),
            [(m.metric, m.role, ", ".join(m.events), ", ".join(m.properties), m.sent_by) for m in facts.metrics],
        ),
    ]
    if facts.unmapped:
        blocks.append(Listing([f"**not measured** {each}" for each in facts.unmapped]))
    blocks += [
        Heading("Events"),
        Table(
            ("event", "version", "meaning", "sent by", "properties"),
            [
                (
                    name,
                    str(event.version),
                    event.semantics.replace("_", " "),
                    facts.senders.get(name, ""),
                    ", ".join(
                        f"{key}{'' if part.required else '?'} {part.type}" for key, part in event.properties.items()
                    ),
                )
                for name, event in plan.events.items()
            ],
            _legend(plan, owners),
        ),
    ]
    personal = [
        (name, key, part.personal)
        for name, event in plan.events.items()
        for key, part in event.properties.items()
        if part.personal != "none"
    ]
    if personal:
        blocks.append(Table(("event", "property", "personal class"), personal))
    blocks.append(Heading("What changed"))
    new = [each.event for each in facts.differences if each.what == "added" and not each.property]
    rest = [each for each in facts.differences if each.property or each.what != "added"]
    blocks.append(
        Paragraph(f"New events: {', '.join(f'`{name}`' for name in new)}." if new else "No event is new.")
        if facts.differences
        else Paragraph("Nothing: the plan that stood measures this feature already.")
    )
    if rest:
        blocks.append(Table(("event", "property", "what"), [(d.event, d.property, d.what) for d in rest]))
    if facts.lapses:
        blocks += [
            Heading("Names"),
            Table(("event", "what", "instead"), [(lapse.event, lapse.what, lapse.instead) for lapse in facts.lapses]),
        ]
    blocks += [
        Heading("Cohorts"),
        Table(("key", "kind", "SQL"), [(each.name, each.kind, each.sql) for each in facts.cohorts]),
        Heading("On the page"),
        Table(("element or route", "event"), list(facts.interactions.items())),
    ]
    return blocks


def _legend(plan: PlanDoc, owners: Sequence[str]) -> str:
    optional = any(not part.required for event in plan.events.values() for part in event.properties.values())
    said = ["A question mark: may be missing."] if optional else []
    if owners:
        said.append(f"Owner{'s' if len(owners) > 1 else ''}: {', '.join(owners)}.")
    return " ".join(said)


def _funnel(facts: InstrumentFacts, plan: PlanDoc) -> Block:
    from paribus.charts.flow import flow
    from paribus.charts.graph import Edge, Graph, Node, mermaid
    from paribus.workflow.block import Diagram

    nodes = [
        Node(name, name, "event", f"{plan.events[name].semantics.replace('_', ' ')}, {facts.senders.get(name, '')}")
        if name in plan.events
        else Node(name, name, "event")
        for name in facts.funnel
    ]
    measuring: dict[str, list[str]] = {}
    for metric in facts.metrics:
        for event in metric.events:
            measuring.setdefault(metric.metric, []).append(event)
    used = {event for events in measuring.values() for event in events}
    nodes += [
        Node(event, event, "event", facts.senders.get(event, SDK))
        for event in sorted(used)
        if event not in facts.funnel
    ]
    nodes += [Node(f"metric:{each.metric}", each.metric, "table", each.role) for each in facts.metrics]
    edges = [Edge(a, b) for a, b in zip(facts.funnel, facts.funnel[1:], strict=False)]
    edges += [Edge(event, f"metric:{name}") for name, events in measuring.items() for event in events]
    graph = Graph("The funnel, and the metrics made of it", tuple(nodes), tuple(edges), (), "down")
    return Diagram(mermaid(graph), flow(graph), "The funnel, and the metrics made of it", "funnel")
