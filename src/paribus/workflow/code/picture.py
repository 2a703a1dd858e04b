"""The generated service as a picture: its pages, what leads from one to the next, where it decides."""

from __future__ import annotations

from paribus.charts.graph import Edge, Graph, Node
from paribus.workflow.facts.code import BackendFacts


def walk(facts: BackendFacts) -> Graph:
    """Pages with what their showing sends; an arrow for each way from one to the next, with its elements."""
    pages = [route for route in facts.routes if not route.element]
    number = {route.path: f"page{i}" for i, route in enumerate(pages)}
    nodes, edges = [], []
    for route in pages:
        note = f"sends {', '.join(route.events)}" if route.events else ""
        nodes.append(Node(number[route.path], route.path, "page", note))
        for name in filter(None, route.decision.split(", ")):
            nodes.append(Node(f"decide_{name}", name, "decision", "control or treatment"))
            edges.append(Edge(number[route.path], f"decide_{name}", "is decided here", dashed=True))
    for source, start in number.items():
        for target, end in number.items():
            acts = [
                route.element
                for route in facts.routes
                if route.element and (route.screen, route.leads_to) == (source, target) and source != target
            ]
            if acts:
                edges.append(Edge(start, end, ", ".join(acts)))
    for route in facts.routes:
        if route.element and route.screen == route.leads_to:
            aside = f"aside_{len(nodes)}"
            nodes.append(Node(aside, ", ".join(route.events), "event"))
            edges.append(Edge(number[route.screen], aside, route.element))
    return Graph("The pages of the service", tuple(nodes), tuple(edges), direction="down")
