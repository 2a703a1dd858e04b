"""Layered layout (Sugiyama, Tagawa, Toda 1981): layers by longest path, order by barycenters, places by least squares.

Lanes stay apart: nodes of a lane never leave its stretch across the layers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf

SWEEPS = 12
STRAIGHT = 4.0  # how much more a long edge's straightness counts than a node's place between its neighbors
BEND = "\0"  # the first character of ids that long edges pass


@dataclass(frozen=True, slots=True)
class Item:
    """What has a place: its size across the layers and its lane (numbered from 0)."""

    id: str
    size: float
    lane: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is.

    layers  ids in order across, layer by layer; long edges pass through ids that are no nodes
    middle  position across the layers of each id's middle
    routes  by edge (source, target): the ids it passes, from source to target
    lanes   from and to of each lane, across
    turned  edges that run against the layers
    """

    layers: tuple[tuple[str, ...], ...]
    middle: Mapping[str, float]
    routes: Mapping[tuple[str, str], tuple[str, ...]]
    lanes: tuple[tuple[float, float], ...]
    turned: frozenset[tuple[str, str]]


def layered(
    items: Sequence[Item], edges: Sequence[tuple[str, str]], *, gap: float, pad: float, lane_gap: float, thin: float
) -> Layout:
    """Places for items so that edges run from layer to layer with few crossings; the same input gives the same places.

    Args:
        items: nodes.
        edges: between ids of items; a cycle is cut at the edge that closes it, loops are left out.
        gap: between neighbors in a layer.
        pad: within a lane, at both sides.
        lane_gap: between lanes.
        thin: the size of a passing edge.
    """
    known = {item.id: item for item in items}
    wanted = [edge for edge in dict.fromkeys(edges) if edge[0] != edge[1]]
    turned = _closing([item.id for item in items], wanted)
    forward = [(b, a) if (a, b) in turned else (a, b) for a, b in wanted]
    layer = _longest_path([item.id for item in items], forward)
    rows: list[list[str]] = [[] for _ in range(max(layer.values(), default=0) + 1)]
    for item in items:
        rows[layer[item.id]].append(item.id)
    size = {item.id: item.size for item in items}
    lane = {item.id: item.lane for item in items}
    routes: dict[tuple[str, str], tuple[str, ...]] = {}
    links: list[tuple[str, str]] = []
    for edge, (a, b) in zip(wanted, forward, strict=True):
        path = [a]
        for row in range(layer[a] + 1, layer[b]):
            bend = f"{BEND}{a}{BEND}{b}{BEND}{row}"
            rows[row].append(bend)
            size[bend], lane[bend] = thin, known[b].lane
            path.append(bend)
        path.append(b)
        links += pairwise(path)
        routes[edge] = tuple(reversed(path)) if edge in turned else tuple(path)
    _order(rows, links, lane)
    middle, lanes = _places(rows, links, size, lane, gap, pad, lane_gap)
    return Layout(tuple(tuple(row) for row in rows), middle, routes, lanes, frozenset(turned))


def _closing(ids: Sequence[str], edges: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """The edges that close a cycle on a walk in depth, in the order given."""
    after: dict[str, list[str]] = {each: [] for each in ids}
    for a, b in edges:
        after[a].append(b)
    closing: set[tuple[str, str]] = set()
    done: set[str] = set()
    for start in ids:
        if start in done:
            continue
        stack = [(start, iter(after[start]))]
        open_ids = {start}
        while stack:
            here, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                stack.pop()
                open_ids.discard(here)
                done.add(here)
            elif following in open_ids:
                closing.add((here, following))
            elif following not in done:
                open_ids.add(following)
                stack.append((following, iter(after[following])))
    return closing


def _longest_path(ids: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    layer = dict.fromkeys(ids, 0)
    for _ in ids:
        moved = False
        for a, b in edges:
            if layer[b] <= layer[a]:
                layer[b] = layer[a] + 1
                moved = True
        if not moved:
            break
    for a in reversed(ids):  # a source stands right before what it feeds
        feeds = [layer[b] for each, b in edges if each == a]
        fed = any(b == a for _, b in edges)
        if feeds and not fed:
            layer[a] = min(feeds) - 1
    return layer


def _order(rows: list[list[str]], links: Sequence[tuple[str, str]], lane: Mapping[str, int]) -> None:
    """Sorts each row by lane and by the mean place of neighbors, keeping the order with the fewest crossings."""
    before: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    for a, b in links:
        after.setdefault(a, []).append(b)
        before.setdefault(b, []).append(a)
    for row in rows:
        row.sort(key=lambda each: lane[each])
    best, fewest = [list(row) for row in rows], _crossings(rows, links)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        beside = before if down else after
        sequence = range(1, len(rows)) if down else range(len(rows) - 2, -1, -1)
        for index in sequence:
            place = {each: i for row in rows for i, each in enumerate(row)}
            row = rows[index]
            mean = {
                each: sum(place[n] for n in beside[each]) / len(beside[each]) if each in beside else float(place[each])
                for each in row
            }
            row.sort(key=lambda each: (lane[each], mean[each]))
        crossings = _crossings(rows, links)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    rows[:] = best


def _crossings(rows: Sequence[Sequence[str]], links: Sequence[tuple[str, str]]) -> int:
    place = {each: (index, i) for index, row in enumerate(rows) for i, each in enumerate(row)}
    pairs: dict[int, list[tuple[int, int]]] = {}
    for a, b in links:
        pairs.setdefault(place[a][0], []).append((place[a][1], place[b][1]))
    return sum(
        (a[0] - b[0]) * (a[1] - b[1]) < 0 for each in pairs.values() for i, a in enumerate(each) for b in each[:i]
    )


def _places(
    rows: Sequence[Sequence[str]],
    links: Sequence[tuple[str, str]],
    size: Mapping[str, float],
    lane: Mapping[str, int],
    gap: float,
    pad: float,
    lane_gap: float,
) -> tuple[dict[str, float], tuple[tuple[float, float], ...]]:
    count = max(lane.values(), default=0) + 1
    width = [0.0] * count
    for row in rows:
        for index in range(count):
            sizes = [size[each] for each in row if lane[each] == index]
            width[index] = max(width[index], sum(sizes) + gap * max(len(sizes) - 1, 0))
    lanes = []
    start = 0.0
    for breadth in width:
        lanes.append((start, start + breadth + 2 * pad))
        start += breadth + 2 * pad + lane_gap
    middle: dict[str, float] = {}
    for row in rows:
        for index in range(count):
            own = [each for each in row if lane[each] == index]
            total = sum(size[each] for each in own) + gap * max(len(own) - 1, 0)
            at = (lanes[index][0] + lanes[index][1] - total) / 2
            for each in own:
                middle[each] = at + size[each] / 2
                at += size[each] + gap
    beside: dict[str, list[tuple[str, float]]] = {}
    for a, b in links:
        weight = STRAIGHT ** ((a[0] == BEND) + (b[0] == BEND))
        beside.setdefault(a, []).append((b, weight))
        beside.setdefault(b, []).append((a, weight))

    def wish(each: str) -> float:
        pulls = beside.get(each)
        if not pulls:
            return middle[each]
        return sum(middle[n] * weight for n, weight in pulls) / sum(weight for _, weight in pulls)

    for sweep in range(2 * SWEEPS):
        for row in rows if sweep % 2 == 0 else list(reversed(rows)):
            for index in range(count):
                own = [each for each in row if lane[each] == index]
                if own:
                    low, high = lanes[index][0] + pad, lanes[index][1] - pad
                    weights = [STRAIGHT if each[0] == BEND else 1.0 for each in own]
                    apart = _apart([wish(e) for e in own], weights, [size[e] for e in own], gap, low, high)
                    middle.update(zip(own, apart, strict=True))
    _straighten(rows, links, middle, size, lane, lanes, gap, pad)
    return middle, tuple(lanes)


def _straighten(
    rows: Sequence[Sequence[str]],
    links: Sequence[tuple[str, str]],
    middle: dict[str, float],
    size: Mapping[str, float],
    lane: Mapping[str, int],
    lanes: Sequence[tuple[float, float]],
    gap: float,
    pad: float,
) -> None:
    """Long edges, and chains of nodes that nothing else joins, become straight lines where there is room for one."""
    after = Counter(a for a, _ in links)
    before = Counter(b for _, b in links)
    following = {a: b for a, b in links if lane[a] == lane[b] and (a[0] == BEND == b[0] or after[a] == before[b] == 1)}
    row_of = {each: row for row in rows for each in row}
    for first in [a for a in following if a not in set(following.values())]:
        chain = [first]
        while chain[-1] in following:
            chain.append(following[chain[-1]])
        low, high = -inf, inf
        for each in chain:
            row, half = row_of[each], size[each] / 2
            at = row.index(each)
            apart = half + (gap / 2 if each[0] == BEND else gap)
            low = max(low, lanes[lane[each]][0] + pad + half)
            high = min(high, lanes[lane[each]][1] - pad - half)
            if at and lane[row[at - 1]] == lane[each]:
                low = max(low, middle[row[at - 1]] + size[row[at - 1]] / 2 + apart)
            if at + 1 < len(row) and lane[row[at + 1]] == lane[each]:
                high = min(high, middle[row[at + 1]] - size[row[at + 1]] / 2 - apart)
        if low <= high:
            straight = min(max(sum(middle[each] for each in chain) / len(chain), low), high)
            middle.update(dict.fromkeys(chain, straight))


def _apart(
    wish: Sequence[float], weights: Sequence[float], sizes: Sequence[float], gap: float, low: float, high: float
) -> list[float]:
    """The places nearest to the wishes (least squares) at which nothing overlaps, within [low, high].

    Pool adjacent violators (Ayer et al. 1955) on the wishes less what stands before.
    """
    offset = [0.0]
    for left, right in pairwise(sizes):
        offset.append(offset[-1] + left / 2 + gap + right / 2)
    blocks: list[tuple[float, float, int]] = []
    for each, weight, before in zip(wish, weights, offset, strict=True):
        blocks.append((each - before, weight, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, v, n), (b, w, m) = blocks[-2:]
            blocks[-2:] = [((a * v + b * w) / (v + w), v + w, n + m)]
    least, most = low + sizes[0] / 2, high - sizes[-1] / 2 - offset[-1]
    level = [min(max(mean, least), max(most, least)) for mean, _, n in blocks for _ in range(n)]
    return [each + before for each, before in zip(level, offset, strict=True)]
