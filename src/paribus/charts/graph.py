"""Graphs and message sequences as values: one value gives the drawing and the Mermaid text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from paribus.errors import InputError

Shape = Literal["service", "page", "store", "event", "decision", "table", "check", "dead"]
_OPENING = {"service": "[", "page": "[", "store": "[(", "event": "([", "decision": "{{", "table": "[[", "check": ">"}
_CLOSING = {"service": "]", "page": "]", "store": ")]", "event": "])", "decision": "}}", "table": "]]", "check": "]"}


@dataclass(frozen=True, slots=True)
class Node:
    """A thing: `words` in one or two lines, a quieter `note` below; `dead` is a thing that nothing reaches any more."""

    id: str
    words: str
    kind: Shape = "service"
    note: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """What goes from one thing to another; `dashed` for what happens rarely or later."""

    source: str
    target: str
    words: str = ""
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Things that belong together: a lane of the drawing."""

    id: str
    words: str


@dataclass(frozen=True, slots=True)
class Graph:
    """Things and what goes between them. Layers run to the right or downward.

    Raises:
        InputError: two nodes share an id, or an edge or a node names what is not there.
    """

    title: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...] = ()
    groups: tuple[Group, ...] = ()
    direction: Literal["right", "down"] = "right"

    def __post_init__(self) -> None:
        ids = [node.id for node in self.nodes]
        if len(set(ids)) != len(ids):
            twice = next(each for each in ids if ids.count(each) > 1)
            raise InputError(f"the node {twice!r} stands twice", where=self.title, rule="ids of nodes are unique")
        groups = {group.id for group in self.groups}
        for node in self.nodes:
            if node.group and node.group not in groups:
                raise InputError(
                    f"the node {node.id!r} is in a group {node.group!r} that is not there", where=self.title
                )
        for edge in self.edges:
            for end in (edge.source, edge.target):
                if end not in ids:
                    raise InputError(f"an edge ends at {end!r}, which is not there", where=self.title)


@dataclass(frozen=True, slots=True)
class Actor:
    """One who sends or receives."""

    id: str
    words: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One message, in the order of time. From an actor to itself: what it does alone. `reply` is drawn dashed."""

    source: str
    target: str
    words: str
    kind: Literal["call", "reply", "note"] = "call"


@dataclass(frozen=True, slots=True)
class Sequence:
    """Who says what to whom, in order.

    Raises:
        InputError: a message names an actor that is not there.
    """

    title: str
    actors: tuple[Actor, ...]
    messages: tuple[Message, ...]

    def __post_init__(self) -> None:
        known = {actor.id for actor in self.actors}
        for message in self.messages:
            for end in (message.source, message.target):
                if end not in known:
                    raise InputError(f"a message names {end!r}, who is not there", where=self.title)


def plain(value: Graph | Sequence) -> dict[str, Any]:
    """Plain JSON values; fields with their defaults are left out."""
    return {name: _bare(part) for name, part in asdict(value).items() if part not in ("", (), [])}


def graph_of(body: Mapping[str, Any]) -> Graph:
    """The graph that `plain` wrote."""
    return Graph(
        body["title"],
        tuple(Node(**each) for each in body.get("nodes", ())),
        tuple(Edge(**each) for each in body.get("edges", ())),
        tuple(Group(**each) for each in body.get("groups", ())),
        body.get("direction", "right"),
    )


def sequence_of(body: Mapping[str, Any]) -> Sequence:
    """The sequence that `plain` wrote."""
    return Sequence(
        body["title"],
        tuple(Actor(**each) for each in body.get("actors", ())),
        tuple(Message(**each) for each in body.get("messages", ())),
    )


def mermaid(value: Graph | Sequence) -> str:
    """The graph or sequence as a Mermaid text.

    >>> print(mermaid(Graph("t", (Node("a b", "A"), Node("c", "C", "store")), (Edge("a b", "c", "puts"),))))
    flowchart LR
      a_b["A"]
      c[("C")]
      a_b -->|"puts"| c
    """
    return _sequence_text(value) if isinstance(value, Sequence) else _graph_text(value)


def _graph_text(graph: Graph) -> str:
    names = _identifiers([node.id for node in graph.nodes])
    lines = ["flowchart " + ("LR" if graph.direction == "right" else "TD")]
    lines += [f"  {_node_text(names, node)}" for node in graph.nodes if not node.group]
    for number, group in enumerate(graph.groups, 1):
        inside = [node for node in graph.nodes if node.group == group.id]
        if inside:
            lines.append(f"  subgraph g{number}[{_quoted(group.words)}]")
            lines += [f"    {_node_text(names, node)}" for node in inside]
            lines.append("  end")
    for edge in graph.edges:
        arrow = "-.->" if edge.dashed else "-->"
        said = f"|{_quoted(edge.words)}|" if edge.words else ""
        lines.append(f"  {names[edge.source]} {arrow}{said} {names[edge.target]}")
    dead = [names[node.id] for node in graph.nodes if node.kind == "dead"]
    if dead:
        lines += ["  classDef dead stroke-dasharray: 4 3", f"  class {','.join(dead)} dead"]
    return "\n".join(lines)


def _node_text(names: Mapping[str, str], node: Node) -> str:
    words = f"{_escaped(node.words)}<br/><small>{_escaped(node.note)}</small>" if node.note else _escaped(node.words)
    return f'{names[node.id]}{_OPENING.get(node.kind, "[")}"{words}"{_CLOSING.get(node.kind, "]")}'


def _sequence_text(sequence: Sequence) -> str:
    names = _identifiers([actor.id for actor in sequence.actors])
    lines = ["sequenceDiagram"]
    lines += [f"  participant {names[actor.id]} as {_escaped(actor.words)}" for actor in sequence.actors]
    for message in sequence.messages:
        source, target = names[message.source], names[message.target]
        if message.kind == "note":
            over = source if source == target else f"{source},{target}"
            lines.append(f"  Note over {over}: {_escaped(message.words)}")
        else:
            lines.append(f"  {source}{'-->>' if message.kind == 'reply' else '->>'}{target}: {_escaped(message.words)}")
    return "\n".join(lines)


_WORDS = {"end", "graph", "subgraph", "flowchart", "class", "click", "style", "default", "note", "loop", "alt", "opt"}


def _identifiers(ids: list[str]) -> dict[str, str]:
    """Names that Mermaid accepts, one for each id."""
    found: dict[str, str] = {}
    for each in ids:
        name = re.sub(r"\W+", "_", each, flags=re.ASCII) or "n"
        if not name[0].isalpha() or name.lower() in _WORDS:
            name = f"n_{name}"
        while name in found.values():
            name += "_"
        found[each] = name
    return found


def _quoted(words: str) -> str:
    return f'"{_escaped(words)}"'


def _escaped(words: str) -> str:
    """Characters that Mermaid reads as syntax, as its own entities."""
    flat = " ".join(words.split())
    return "".join(f"#{ord(each)};" if each in '"<>#;&%' else each for each in flat)


def _bare(part: Any) -> Any:
    if isinstance(part, list | tuple):
        return [_bare(each) for each in part]
    if isinstance(part, dict):
        return {name: each for name, each in part.items() if each not in ("", False)}
    return part
