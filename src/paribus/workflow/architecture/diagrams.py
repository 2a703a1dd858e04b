"""The component and the sequence diagram, drawn from what the step decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paribus.charts.graph import Actor, Edge, Graph, Group, Message, Node
from paribus.charts.graph import Sequence as Messages
from paribus.workflow.architecture.journey import Journey


def components(
    flag: str, journey: Journey, shares: Mapping[str, int], control: str, functions: Mapping[str, str], guard: str
) -> Graph:
    """Where users, service and Paribus meet: the decision on the way, both functions, the breaker, the lake.

    Args:
        flag: its key.
        journey: the users' way around the decision.
        shares: sealed split in basis points, by variant.
        control: the control's variant.
        functions: name of the function that serves a variant.
        guard: what the breaker watches, in words.
    """
    nodes = [Node(f"event:{name}", name, "event", group="users") for name in journey.events]
    nodes += [Node(f"event:{name}", name, "dead", "no unit reached it", "users") for name in journey.dead]
    outcomes = [name for name in journey.measured if name not in journey.events and name not in journey.dead]
    nodes += [Node(f"event:{name}", name, "event", group="users") for name in outcomes]
    if journey.before and journey.before not in journey.events:
        nodes.insert(0, Node(f"event:{journey.before}", journey.before, "event", group="users"))
    nodes += [
        Node("decision", flag, "decision", "one evaluation, one exposure", "service"),
        *(Node(f"arm:{name}", f"{functions[name]}()", "service", name, "service") for name in shares),
        Node("breaker", "circuit breaker", "check", guard, "service"),
        Node("definitions", "definitions", "store", "flag, audience, revisions", "paribus"),
        Node("door", "intake", "service", "durable before it answers", "paribus"),
        Node("lake", "lake", "store", "each event once", "paribus"),
        Node("analysis", "analysis", "service", "the sealed rule", "paribus"),
    ]
    edges = [Edge(f"event:{a}", f"event:{b}") for a, b in zip(journey.events, journey.events[1:], strict=False)
             if a != journey.before]  # fmt: skip
    if journey.before:
        edges.append(Edge(f"event:{journey.before}", "decision", "asks"))
    edges.append(Edge("definitions", "decision", "flag, within a second", dashed=True))
    after = next(iter(journey.after or outcomes), None)
    for name, weight in shares.items():
        edges.append(Edge("decision", f"arm:{name}", f"{weight / 100:g}%"))
        if after is not None:
            edges.append(Edge(f"arm:{name}", f"event:{after}"))
        if name != control:
            edges.append(Edge(f"arm:{name}", "breaker", "errors, latency"))
    edges.append(Edge("breaker", f"arm:{control}", "falls back", dashed=True))
    edges.append(Edge("decision", "door", "$exposure"))
    last = (journey.after or outcomes or journey.events)[-1:]
    edges += [Edge(f"event:{name}", "door", "events") for name in last]
    edges += [Edge("door", "lake"), Edge("lake", "analysis")]
    groups = (Group("users", "What users do"), Group("service", "Service"), Group("paribus", "Paribus"))
    return Graph(f"Components of {flag}", tuple(nodes), tuple(edges), groups, "down")


def request(flag: str, journey: Journey, control: str, functions: Mapping[str, str], environment: str) -> Messages:
    """One request from the event before the decision to the success metric's event."""
    treatment = next(name for name in functions if name != control)
    measured: Sequence[str] = journey.measured or journey.after
    messages = [
        Message("paribus", "sdk", f"definitions of {environment}, and each change"),
        Message("user", "service", journey.before or "request"),
        Message("service", "sdk", f'variant("{flag}", unit)'),
        Message("sdk", "sdk", "audience, traffic, split: no network"),
        Message("sdk", "service", f"{control} or {treatment}", "reply"),
        Message("sdk", "paribus", "$exposure, in every arm"),
        Message("service", "service", f"{functions[control]}() or {functions[treatment]}()"),
        Message("service", "user", "answer", "reply"),
        Message("service", "sdk", "errors and latency of the variant"),
        Message("sdk", "service", f"the variant fails: {control} from here on", "note"),
    ]
    messages += [Message("user", "service", name) for name in journey.after]
    messages += [Message("service", "paribus", f"{name}: success metric") for name in measured]
    actors = (
        Actor("user", "User"),
        Actor("service", "Service"),
        Actor("sdk", "SDK", "in the process"),
        Actor("paribus", "Paribus"),
    )
    return Messages(f"One request of {flag}", actors, tuple(messages))


def plain_guard(breaker: Mapping[str, Any]) -> str:
    """What the breaker watches, for the node's second line."""
    return (
        f"errors over {float(breaker['error_floor']):.2%}, slower than {float(breaker['slow_seconds']) * 1000:.0f} ms"
    )
