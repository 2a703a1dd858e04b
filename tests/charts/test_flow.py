"""Layered drawings: what feeds stands before, nothing overlaps, lanes hold their nodes, and Mermaid says the same."""

from __future__ import annotations

import json
import re
from itertools import combinations, pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paribus.charts import Actor, Edge, Graph, Group, Message, Node, Sequence, flow, mermaid, sequence_diagram
from paribus.charts.graph import graph_of, plain, sequence_of
from paribus.charts.layering import Item, layered
from paribus.errors import InputError

NAMES = [f"n{i}" for i in range(9)]
edges = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=18)
sizes = st.lists(st.floats(10, 120), min_size=9, max_size=9)
lanes = st.lists(st.integers(0, 2), min_size=9, max_size=9)


@given(edges, sizes, lanes)
@settings(max_examples=60, deadline=None)
def test_nothing_overlaps_edges_run_forward_and_lanes_hold(
    pairs: list[tuple[str, str]], wide: list[float], lane: list[int]
) -> None:
    items = [Item(name, size, where) for name, size, where in zip(NAMES, wide, lane, strict=True)]
    made = layered(items, pairs, gap=8, pad=5, lane_gap=4, thin=6)
    assert sorted(each for row in made.layers for each in row if each in NAMES) == NAMES
    row_of = {each: index for index, row in enumerate(made.layers) for each in row}
    for edge in {(a, b) for a, b in pairs if a != b}:
        assert (row_of[edge[0]] < row_of[edge[1]]) != (edge in made.turned)
        rows = [row_of[each] for each in made.routes[edge]]
        assert [abs(a - b) for a, b in pairwise(rows)] == [1] * (len(rows) - 1)
    by_name = {item.id: item for item in items}
    for row in made.layers:
        for a, b in combinations([each for each in row if each in by_name], 2):
            apart = abs(made.middle[a] - made.middle[b])
            assert apart >= (by_name[a].size + by_name[b].size) / 2 - 1e-6
    for item in items:
        low, high = made.lanes[item.lane]
        assert low - 1e-6 <= made.middle[item.id] - item.size / 2
        assert made.middle[item.id] + item.size / 2 <= high + 1e-6
    assert layered(items, pairs, gap=8, pad=5, lane_gap=4, thin=6) == made


def a_graph(direction: str = "right") -> Graph:
    return Graph(
        "Data <flow>",
        (
            Node("a", 'events "all"', "event", "9 kinds", "in"),
            Node("b", "lake", "store", group="in"),
            Node("end", "decide", "decision", group="out"),
            Node("d", "gone", "dead", "no unit reached it", "out"),
            Node("e", "alone", "check"),
        ),
        (Edge("a", "b", "50% & more"), Edge("b", "end", dashed=True), Edge("a", "end"), Edge("end", "a", "again")),
        (Group("in", "Incoming"), Group("out", "Outgoing"), Group("unused", "Never shown")),
        direction,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("direction", ["right", "down"])
def test_a_drawing_is_well_formed_and_says_in_words_what_it_shows(direction: str) -> None:
    figure = flow(a_graph(direction))
    root = ElementTree.fromstring(figure.svg)
    texts = {each.text for each in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"lake", "decide", "gone", "alone", "Incoming", "Outgoing"} <= texts
    assert "Never shown" not in texts
    assert "lake to decide" in figure.description
    assert "alone stands alone" in figure.description
    assert "pb-dead" in figure.body
    numbers = [float(each) for each in re.findall(r"[MLC]([\d.]+) ", figure.body)]
    assert 0 <= min(numbers) <= max(numbers) <= figure.width
    assert flow(a_graph(direction)).svg == figure.svg


def test_mermaid_names_every_node_and_edge_and_escapes_what_is_syntax() -> None:
    text = mermaid(a_graph())
    assert text.startswith("flowchart LR")
    assert 'a(["events #34;all#34;<br/><small>9 kinds</small>"])' in text
    assert 'a -->|"50#37; #38; more"| b' in text
    assert "b -.-> n_end" in text
    assert 'subgraph g1["Incoming"]' in text
    assert "class d dead" in text


def test_a_sequence_is_drawn_downward_and_written_as_mermaid() -> None:
    sequence = Sequence(
        "One request",
        (Actor("u", "User"), Actor("s", "Service", "in process")),
        (
            Message("u", "s", "POST /checkout"),
            Message("s", "s", "thinks; hard"),
            Message("s", "u", "page", "reply"),
            Message("u", "s", "a remark over both", "note"),
        ),
    )
    figure = sequence_diagram(sequence)
    ElementTree.fromstring(figure.svg)
    assert figure.description.startswith("User to Service: POST /checkout")
    text = mermaid(sequence)
    assert text.splitlines()[0] == "sequenceDiagram"
    assert "  s-->>u: page" in text
    assert "  s->>s: thinks#59; hard" in text
    assert "  Note over u,s: a remark over both" in text
    assert sequence_of(json.loads(json.dumps(plain(sequence)))) == sequence


def test_a_graph_comes_back_from_json() -> None:
    assert graph_of(json.loads(json.dumps(plain(a_graph())))) == a_graph()


@pytest.mark.parametrize(
    ("nodes", "links", "message"),
    [
        ((Node("a", "A"), Node("a", "B")), (), "stands twice"),
        ((Node("a", "A"),), (Edge("a", "z"),), "'z'"),
        ((Node("a", "A", group="g"),), (), "group"),
    ],
)
def test_what_does_not_fit_together_is_refused(nodes: tuple[Node, ...], links: tuple[Edge, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Graph("t", nodes, links)
