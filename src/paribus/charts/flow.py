"""Graphs drawn in layers, with lanes for groups."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from itertools import pairwise

from paribus.charts.graph import Edge, Graph, Node
from paribus.charts.layering import Item, Layout, layered
from paribus.charts.svg import CHARACTER_WIDTH, Figure, label, shorten, tag, text

GAP, PAD, LANE_GAP, TITLE, THIN = 16.0, 14.0, 10.0, 22.0, 10.0
LINE, NOTE_LINE = 16.0, 14.0
TIP = 7.0
MOST_IN_LINE, MOST_IN_NOTE = 20, 26


@dataclass(frozen=True, slots=True)
class Box:
    """A node with its lines and its place; (x, y) is its middle."""

    node: Node
    lines: tuple[str, ...]
    notes: tuple[str, ...]
    width: float
    height: float
    x: float = 0.0
    y: float = 0.0


def flow(graph: Graph) -> Figure:
    """The graph in layers: what feeds stands before what is fed, few lines cross, groups are lanes.

    Args:
        graph: at least one node; `direction` says which way the layers go.
    """
    if not graph.nodes:
        return Figure(graph.title, "There is nothing to show.", 720, 40, label("Nothing to show.", 0, 24))
    right = graph.direction == "right"
    boxes = {node.id: _box(node) for node in graph.nodes}
    used = [group for group in graph.groups if any(node.group == group.id for node in graph.nodes)]
    lane = {group.id: index for index, group in enumerate(used)}
    layout = layered(
        [
            Item(node.id, boxes[node.id].height if right else boxes[node.id].width, lane.get(node.group, len(used)))
            for node in graph.nodes
        ],
        [(edge.source, edge.target) for edge in graph.edges],
        gap=GAP if right else GAP + 6,
        pad=PAD if used else 2,
        lane_gap=LANE_GAP + (TITLE if right and used else 0),
        thin=THIN,
    )
    starts, ends = _stretches(graph, layout, boxes, right)
    across = TITLE if right and used else 0.0
    placed = _placed(layout, boxes, starts, ends, across, right)
    length = ends[-1] + (PAD if used else 2)
    breadth = layout.lanes[-1][1] + across
    drawn = [_lane(group.words, layout.lanes[lane[group.id]], length, right) for group in used]
    lines, names = _links(graph, layout, placed, starts, ends, across, right)
    drawn += [*lines, *(_draw(placed[node.id]) for node in graph.nodes), *names]
    width, height = (length, breadth) if right else (breadth, length)
    return Figure(graph.title, _said(graph), round(width, 1), round(height, 1), "".join(drawn))


def _box(node: Node) -> Box:
    lines = tuple(textwrap.wrap(node.words, MOST_IN_LINE, break_long_words=False)[:3]) or ("",)
    notes = tuple(textwrap.wrap(node.note, MOST_IN_NOTE, break_long_words=False)[:3]) if node.note else ()
    longest = max(len(each) for each in lines) * (CHARACTER_WIDTH + 0.5)
    longest = max(longest, *(len(each) * (CHARACTER_WIDTH - 0.5) for each in notes), 0.0) if notes else longest
    more = {"event": 10.0, "decision": 22.0, "check": 20.0}.get(node.kind, 0.0)
    height = 18 + LINE * len(lines) + NOTE_LINE * len(notes) + {"store": 10.0, "page": 8.0}.get(node.kind, 0.0)
    return Box(node, lines, notes, round(max(longest + 26 + more, 84.0), 1), height)


def _stretches(graph: Graph, layout: Layout, boxes: dict[str, Box], right: bool) -> tuple[list[float], list[float]]:
    """From and to of each layer, along."""
    row_of = {each: index for index, row in enumerate(layout.layers) for each in row}
    room = [0.0] * len(layout.layers)
    for edge in graph.edges:
        if edge.source == edge.target or not edge.words:
            continue
        gap = min(row_of[edge.source], row_of[edge.target])
        if right:
            room[gap] = max(room[gap], min(len(edge.words), 22) * (CHARACTER_WIDTH - 0.6) + 26)
        else:
            room[gap] = max(room[gap], 50.0)
    starts, ends = [], []
    at = PAD if right else PAD + (TITLE if any(node.group for node in graph.nodes) else 0)
    if not any(node.group for node in graph.nodes):
        at = 2.0
    for index, row in enumerate(layout.layers):
        deep = max((boxes[each].width if right else boxes[each].height) if each in boxes else 0.0 for each in row)
        starts.append(at)
        ends.append(at + deep)
        at += deep + max(room[index], 34.0)
    return starts, ends


def _placed(
    layout: Layout, boxes: dict[str, Box], starts: list[float], ends: list[float], across: float, right: bool
) -> dict[str, Box]:
    found = {}
    for index, row in enumerate(layout.layers):
        along = (starts[index] + ends[index]) / 2
        for each in row:
            if each in boxes:
                box, middle = boxes[each], layout.middle[each] + across
                x, y = (along, middle) if right else (middle, along)
                found[each] = Box(box.node, box.lines, box.notes, box.width, box.height, round(x, 1), round(y, 1))
    return found


def _lane(words: str, stretch: tuple[float, float], length: float, right: bool) -> str:
    low, high = stretch
    if right:
        shape = tag("rect", x=0, y=low, width=length, height=high - low + TITLE, rx=8, class_="pb-lane")
        return shape + label(words, PAD, low + 16, class_="pb-quiet pb-bare", width=length - 2 * PAD)
    shape = tag("rect", x=low, y=0, width=high - low, height=length, rx=8, class_="pb-lane")
    return shape + label(words, (low + high) / 2, 18, class_="pb-quiet pb-bare", anchor="middle", width=high - low - 8)


def _links(
    graph: Graph,
    layout: Layout,
    boxes: dict[str, Box],
    starts: list[float],
    ends: list[float],
    across: float,
    right: bool,
) -> tuple[list[str], list[str]]:
    """The lines, and the words on them where they touch nothing."""
    row_of = {each: index for index, row in enumerate(layout.layers) for each in row}
    ports = _ports(graph, layout, boxes, right)
    lines, names, taken = [], [], _taken(boxes)
    for number, edge in enumerate(graph.edges):
        if edge.source == edge.target:
            continue
        route = layout.routes[edge.source, edge.target]
        forward = (edge.source, edge.target) not in layout.turned
        points: list[tuple[float, float]] = []
        for each in route:
            near, far = starts[row_of[each]], ends[row_of[each]]
            place = layout.middle[each] + across
            if each == edge.source:
                points.append((_side(boxes[each], right, forward), place + ports[number, 0]))
            elif each == edge.target:
                points.append((_side(boxes[each], right, not forward), place + ports[number, 1]))
            else:
                points += [(near, place), (far, place)] if forward else [(far, place), (near, place)]
        lines.append(_curve(points, edge, right, forward))
        if edge.words:
            names.append(_name(points, edge, right, taken))
    return lines, names


def _side(box: Box, right: bool, far: bool) -> float:
    half = (box.width if right else box.height) / 2
    return (box.x if right else box.y) + (half if far else -half)


def _ports(graph: Graph, layout: Layout, boxes: dict[str, Box], right: bool) -> dict[tuple[int, int], float]:
    """How far from the middle of its node each end of an edge stands, so that ends do not share a point."""
    sides: dict[tuple[str, bool], list[tuple[float, int, int]]] = {}
    for number, edge in enumerate(graph.edges):
        if edge.source == edge.target:
            continue
        route = layout.routes[edge.source, edge.target]
        forward = (edge.source, edge.target) not in layout.turned
        sides.setdefault((edge.source, forward), []).append((layout.middle[route[1]], number, 0))
        sides.setdefault((edge.target, not forward), []).append((layout.middle[route[-2]], number, 1))
    found = {}
    for (each, _), listed in sides.items():
        size = boxes[each].height if right else boxes[each].width
        step = min(16.0, (size - 16) / max(len(listed), 1))
        for index, (_, number, end) in enumerate(sorted(listed)):
            found[number, end] = (index - (len(listed) - 1) / 2) * step
    return found


def _curve(points: list[tuple[float, float]], edge: Edge, right: bool, forward: bool) -> str:
    sign = 1.0 if forward else -1.0
    tip_along, tip_across = points[-1]
    end = (tip_along - sign * TIP, tip_across)
    path = [*points[:-1], end]
    pieces = [f"M{_pair(path[0], right)}"]
    for (a, p), (b, q) in pairwise(path):
        if abs(p - q) < 0.05:
            pieces.append(f"L{_pair((b, q), right)}")
        else:
            bend = (a + b) / 2
            pieces.append(f"C{_pair((bend, p), right)} {_pair((bend, q), right)} {_pair((b, q), right)}")
    class_ = "pb-link pb-dashed" if edge.dashed else "pb-link"
    wings = [(tip_along, tip_across), (end[0], tip_across - 4), (end[0], tip_across + 4)]
    tip = "M" + "L".join(_pair(each, right) for each in wings) + "Z"
    return tag("path", d="".join(pieces), class_=class_) + tag("path", d=tip, class_="pb-tip")


def _taken(boxes: dict[str, Box]) -> list[tuple[float, float, float, float]]:
    return [(b.x - b.width / 2, b.y - b.height / 2, b.x + b.width / 2, b.y + b.height / 2) for b in boxes.values()]


def _name(
    points: list[tuple[float, float]], edge: Edge, right: bool, taken: list[tuple[float, float, float, float]]
) -> str:
    """The edge's words on its way, at the first place that covers nothing; what does not fit is in a tooltip."""
    words = shorten(edge.words, 30 * CHARACTER_WIDTH)
    half = len(words) * (CHARACTER_WIDTH - 0.6) / 2
    tried = []
    for (a, p), (b, q) in pairwise(points):
        for share in (0.5, 0.38, 0.62, 0.26, 0.74):
            along, place = a + (b - a) * share, p + (q - p) * (3 * share**2 - 2 * share**3)
            x, y = (along, place - 5) if right else (place, along + 4)
            tried.append((x - half - 4, y - 11, x + half + 4, y + 3))
    free = next((box for box in tried if not any(_meet(box, other) for other in taken)), tried[0])
    taken.append(free)
    title = tag("title", text(edge.words)) if words != edge.words else ""
    return tag(
        "text", text(words) + title, x=(free[0] + free[2]) / 2, y=free[1] + 11, class_="pb-quiet pb-small",
        text_anchor="middle",
    )  # fmt: skip


def _meet(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _pair(point: tuple[float, float], right: bool) -> str:
    x, y = point if right else (point[1], point[0])
    return f"{round(x, 1):g} {round(y, 1):g}"


def _draw(box: Box) -> str:
    x, y, w, h = box.x - box.width / 2, box.y - box.height / 2, box.width, box.height
    kind = box.node.kind
    top = y + (h - LINE * len(box.lines) - NOTE_LINE * len(box.notes)) / 2 + 12
    class_ = {"dead": "pb-node pb-dead", "decision": "pb-node pb-fork", "event": "pb-node pb-happening"}.get(
        kind, "pb-node"
    )
    if kind == "store":
        d = (
            f"M{x:g} {y + 6:g}V{y + h - 6:g}A{w / 2:g} 6 0 0 0 {x + w:g} {y + h - 6:g}V{y + 6:g}"
            f"A{w / 2:g} 6 0 0 0 {x:g} {y + 6:g}A{w / 2:g} 6 0 0 0 {x + w:g} {y + 6:g}"
        )
        shape = tag("path", d=d, class_=class_)
        top += 5
    elif kind == "decision":
        rim = [(x, box.y), (x + 12, y), (x + w - 12, y), (x + w, box.y), (x + w - 12, y + h), (x + 12, y + h)]
        points = " ".join(f"{a:g},{b:g}" for a, b in rim)
        shape = tag("polygon", points=points, class_=class_)
    else:
        radius = h / 2 if kind == "event" else 3.0 if kind == "table" else 7.0
        shape = tag("rect", x=x, y=y, width=w, height=h, rx=radius, class_=class_)
        if kind == "page":
            shape += tag("line", x1=x, x2=x + w, y1=y + 9, y2=y + 9, class_="pb-node")
            shape += "".join(tag("circle", cx=x + 8 + 6 * i, cy=y + 4.7, r=1.4, class_="pb-tip") for i in range(3))
            top += 4
        elif kind == "table":
            shape += tag("rect", x=x, y=y, width=w, height=4, rx=2, class_="pb-end")
            top += 1
        elif kind == "check":
            shape += tag("path", d=f"M{x + 10:g} {box.y:g}l3 3.5l6 -7", class_="pb-estimate")
    middle = box.x + (8 if kind == "check" else 0)
    words = [
        label(each, middle, top + LINE * i, class_="pb-strong pb-bare", anchor="middle")
        for i, each in enumerate(box.lines)
    ]
    words += [
        label(each, box.x, top + LINE * len(box.lines) + NOTE_LINE * i - 1, class_="pb-quiet pb-small pb-bare",
              anchor="middle")
        for i, each in enumerate(box.notes)
    ]  # fmt: skip
    return shape + "".join(words)


def _said(graph: Graph) -> str:
    words = {node.id: node.words for node in graph.nodes}
    sentences = [
        f"{words[edge.source]} to {words[edge.target]}" + (f": {edge.words}" if edge.words else "")
        for edge in graph.edges
    ]
    lonely = [node.words for node in graph.nodes if not any(node.id in (e.source, e.target) for e in graph.edges)]
    sentences += [f"{each} stands alone" for each in lonely]
    return ". ".join(sentences) + "."
