"""Journeys as ribbons between columns (Sankey): what users do first, second, third, and where they leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from paribus.charts.numbers import count, share
from paribus.charts.svg import Figure, label, tag, text

NODE, GAP, TOP = 12.0, 14.0, 24.0


@dataclass(frozen=True, slots=True)
class Stream:
    """How much goes from a node of one column to a node of the next; `is_exit`: it ends there."""

    column: int
    origin: str
    target: str
    size: float
    is_exit: bool = False


def journey(
    of: Sequence[Stream],
    *,
    title: str,
    columns: Sequence[str] = (),
    most: int = 6,
    width: float = 720,
    height: float = 300,
) -> Figure:
    """Columns of nodes, ribbons as wide as what flows; the smallest nodes of a column are one, "others".

    Args:
        of: the streams; column 0 is the first.
        title: what flows.
        columns: names above the columns.
        most: nodes of a column that are told apart.
        width: in pixels.
        height: in pixels.
    """
    streams = _grouped(of, most)
    if not streams:
        return Figure(title, "There is no journey.", width, 40, label("No journeys.", 0, 24, class_="pb-quiet"))
    last = max(each.column for each in streams) + 1
    nodes = _nodes(streams, last)
    total = max(sum(size for _, size in column) for column in nodes)
    tallest = max(len(column) for column in nodes)
    scale = (height - TOP - GAP * tallest) / max(total, 1)
    step = (width - NODE - 120) / max(last, 1)
    places: dict[tuple[int, str], tuple[float, float]] = {}
    parts: list[str] = []
    for c, column in enumerate(nodes):
        y = TOP
        for name, size in column:
            places[c, name] = (c * step, y)
            y += size * scale + GAP
    used_out: dict[tuple[int, str], float] = {}
    used_in: dict[tuple[int, str], float] = {}
    order = {(c, name): i for c, column in enumerate(nodes) for i, (name, _) in enumerate(column)}
    of_node = {(c, name): size for c, column in enumerate(nodes) for name, size in column}
    ordered = sorted(streams, key=lambda s: (s.column, order[s.column, s.origin], order[s.column + 1, s.target]))
    for s in ordered:
        x0, y0 = places[s.column, s.origin]
        x1, y1 = places[s.column + 1, s.target]
        a = y0 + used_out.get((s.column, s.origin), 0.0)
        b = y1 + used_in.get((s.column + 1, s.target), 0.0)
        thick = s.size * scale
        used_out[s.column, s.origin] = used_out.get((s.column, s.origin), 0.0) + thick
        used_in[s.column + 1, s.target] = used_in.get((s.column + 1, s.target), 0.0) + thick
        x0 += NODE
        middle = (x0 + x1) / 2
        d = (
            f"M{x0:.1f} {a:.1f}C{middle:.1f} {a:.1f} {middle:.1f} {b:.1f} {x1:.1f} {b:.1f}V{b + thick:.1f}"
            f"C{middle:.1f} {b + thick:.1f} {middle:.1f} {a + thick:.1f} {x0:.1f} {a + thick:.1f}Z"
        )
        part = share(s.size / of_node[s.column, s.origin]) if of_node[s.column, s.origin] else ""
        told = tag("title", text(f"{s.origin} → {s.target}: {count(s.size)} ({part})"))
        parts.append(tag("path", told, d=d, class_="pb-leave" if s.is_exit else "pb-ribbon"))
    for c, column in enumerate(nodes):
        if c < len(columns):
            parts.append(label(columns[c], c * step, 12, class_="pb-quiet", width=step - 6))
        for name, size in column:
            x, y = places[c, name]
            told = tag("title", text(f"{name}: {count(size)}"))
            high = max(size * scale, 1)
            parts.append(tag("rect", told, x=x, y=y, width=NODE, height=high, class_="pb-end", rx=1))
            parts.append(
                label(name, x + NODE + 4, y + min(high / 2, 8) + 5, width=(step if c < last else 120) - NODE - 8)
            )
    said = [f"{s.origin} → {s.target} {count(s.size)}" for s in sorted(streams, key=lambda s: (s.column, -s.size))]
    bottom = max(y + of_node[node] * scale for node, (_, y) in places.items())
    return Figure(title, "; ".join(said) + ".", width, min(bottom + 8, height), "".join(parts))


def _grouped(of: Sequence[Stream], most: int) -> list[Stream]:
    """Streams between the largest nodes of each column, the rest joined to others."""
    sizes: dict[tuple[int, str], float] = {}
    for s in of:
        sizes[s.column, s.origin] = sizes.get((s.column, s.origin), 0) + s.size
        sizes[s.column + 1, s.target] = sizes.get((s.column + 1, s.target), 0) + s.size
    kept: set[tuple[int, str]] = set()
    for c in {c for c, _ in sizes}:
        exits = {s.target for s in of if s.is_exit}
        names = sorted((n for cc, n in sizes if cc == c and n not in exits), key=lambda n: (-sizes[c, n], n))
        kept |= {(c, n) for n in names[:most]} | {(c, n) for n in exits}
    joined: dict[tuple[int, str, str, bool], float] = {}
    for s in of:
        origin = s.origin if (s.column, s.origin) in kept else "others"
        target = s.target if (s.column + 1, s.target) in kept else "others"
        key = (s.column, origin, target, s.is_exit)
        joined[key] = joined.get(key, 0) + s.size
    return [Stream(c, a, b, size, is_exit) for (c, a, b, is_exit), size in sorted(joined.items()) if size > 0]


def _nodes(streams: Sequence[Stream], last: int) -> list[list[tuple[str, float]]]:
    """Names and sizes by column, the largest on top, exits at the bottom."""
    exits = {s.target for s in streams if s.is_exit}
    found = []
    for c in range(last + 1):
        out: dict[str, float] = {}
        into: dict[str, float] = {}
        for s in streams:
            if s.column == c:
                out[s.origin] = out.get(s.origin, 0) + s.size
            if s.column + 1 == c:
                into[s.target] = into.get(s.target, 0) + s.size
        names = {name: max(out.get(name, 0), into.get(name, 0)) for name in {*out, *into}}
        found.append(sorted(names.items(), key=lambda item: (item[0] in exits, item[0] == "others", -item[1], item[0])))
    return found
