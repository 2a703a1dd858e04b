"""The checker of plans: what an experienced reader would send back. An empty list accepts."""

from __future__ import annotations

from collections.abc import Container

from paribus.charts.graph import Graph
from paribus.workflow.engineering.answer import HOPS, SERVERS, Answer, servers_of
from paribus.workflow.pipeline.requirements import EMBEDDED_EVENTS_PER_SECOND


def review(plan: Answer, parts: Container[str] | None = None) -> list[str]:
    """What is wrong with a plan, each a sentence.

    Args:
        plan: the answer.
        parts: integrations and commands that exist; None leaves that unasked.
    """
    return [
        *_requirements(plan),
        *_components(plan, parts),
        *_flow(plan.flow, {each.name for each in plan.components}),
        *_quality(plan),
        *_cost(plan),
        *_governance(plan),
        *_health(plan),
    ]


def _requirements(plan: Answer) -> list[str]:
    wanted = ("events_per_second", "freshness_p95_seconds", "delivery", "consistency")
    missing = [name for name in wanted if not plan.requirements.get(name)]
    found = [f"the requirements do not say {name.replace('_', ' ')}" for name in missing]
    if not plan.request.stated and not any("names none" in each for each in plan.requirements["assumed"]):
        found.append("a rate is assumed, and the plan does not say so")
    return found


def _components(plan: Answer, parts: Container[str] | None) -> list[str]:
    found = []
    for each in plan.components:
        if not (each.role and each.why and each.instead):
            found.append(f"{each.name} has no role, no reason, or nothing that it was chosen over")
        if parts is not None and each.part and each.part not in parts:
            found.append(f"{each.name} is said to be {each.part}, which does not exist")
    if not plan.errors:
        found.append("nothing is said about failures")
    return found


def _flow(flow: Graph, names: set[str]) -> list[str]:
    """Every component is on the way from a source to a sink, and nothing goes in circles."""
    following: dict[str, list[str]] = {node.id: [] for node in flow.nodes}
    for edge in flow.edges:
        following[edge.source].append(edge.target)
    found = [f"{name} is in no flow" for name in sorted(names) if name not in {node.words for node in flow.nodes}]
    touched = {end for edge in flow.edges for end in (edge.source, edge.target)}
    found += [f"nothing goes to or from {node.words}" for node in flow.nodes if node.id not in touched]
    waiting = {node: sum(node in targets for targets in following.values()) for node in following}
    ready = [node for node, count in waiting.items() if not count]
    seen = 0
    while ready:
        node = ready.pop()
        seen += 1
        for target in following[node]:
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    return found if seen == len(following) else [*found, "the flow goes in circles"]


def _quality(plan: Answer) -> list[str]:
    return [f"no check at the hop {hop}" for hop in HOPS if not any(each["hop"] == hop for each in plan.checks)]


def _cost(plan: Answer) -> list[str]:
    chosen = [each for each in plan.options if each.chosen]
    found = [] if len(plan.options) > 1 else ["there is one way only: a reader cannot weigh it"]
    if len(chosen) != 1:
        found.append(f"{len(chosen)} ways are chosen")
    for each in plan.options:
        if each.cost_per_month.value is None or each.p95_freshness_seconds.value is None or not each.why:
            found.append(f"the way {each.name} has no cost, no latency or no reason")
    busiest = float(plan.requirements["busiest_hour_per_second"])
    if any(each.name == "embedded" for each in chosen) and busiest > EMBEDDED_EVENTS_PER_SECOND:
        found.append(f"one process cannot carry {busiest:,.0f} events a second")
    servers = f"{servers_of(busiest):,} servers"
    if servers_of(busiest) > SERVERS and not any(servers in each.components for each in chosen):
        found.append(f"{busiest:,.0f} events a second ask for {servers}")
    return found


def _governance(plan: Answer) -> list[str]:
    found = [] if plan.tables else ["nothing that is kept has an owner"]
    names = {each.name for each in plan.components}
    for each in plan.tables:
        missing = [word for word in ("owner", "class", "purpose", "retention_days") if not each.get(word)]
        found += [f"the table {each['table']} has no {word.replace('_', ' ')}" for word in missing]
        if each["table"] not in names:
            found.append(f"the table {each['table']} is no component")
    return found


def _health(plan: Answer) -> list[str]:
    found = [] if plan.alerts else ["nobody is told when it breaks"]
    for alert in plan.alerts:
        book = plan.runbooks.get(alert.runbook, "")
        if "$ paribus " not in book:
            found.append(f"the alert {alert.name} has no runbook with a command")
    return found
