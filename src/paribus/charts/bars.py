"""Bars of counts: by day, or in bins as a histogram."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from paribus.charts.numbers import count
from paribus.charts.scale import Scale, ticks
from paribus.charts.svg import CHARACTER_WIDTH, Figure, label, tag, text

TOP, BOTTOM = 8.0, 24.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: what it counts and how many."""

    name: str
    height: float


def bars(
    of: Sequence[Bar],
    *,
    title: str,
    gap: float = 0.2,
    marked: frozenset[int] = frozenset(),
    width: float = 720,
    height: float = 140,
) -> Figure:
    """Bars from zero, each with its number in a tooltip; `gap` 0 makes a histogram.

    Args:
        of: the bars, left to right.
        title: what they count.
        gap: share of a bar's place that stays empty.
        marked: positions of bars drawn by their outline only, for instance a day not yet over.
        width: in pixels.
        height: in pixels.
    """
    if not of:
        return Figure(
            title, "There is nothing to count.", width, 40, label("Nothing to count.", 0, 24, class_="pb-quiet")
        )
    top = max(*(bar.height for bar in of), 1.0)
    marks = ticks(0, top, 3)
    left = max(len(f"{t:,.10g}") for t in marks) * 7.0 + 10
    y = Scale(0, top, height - BOTTOM, TOP)
    place = (width - left) / len(of)
    parts = [tag("line", x1=left, x2=width, y1=y(t), y2=y(t), class_="pb-zero" if t == 0 else "pb-grid") for t in marks]
    parts += [label(f"{t:,.10g}", left - 7, y(t) + 4, class_="pb-quiet", anchor="end") for t in marks]
    for i, bar in enumerate(of):
        said = tag("title", text(f"{bar.name}: {count(bar.height)}"))
        class_ = "pb-bar pb-open" if i in marked else "pb-bar"
        x = left + (i + gap / 2) * place
        parts.append(
            tag("rect", said, x=x, width=place * (1 - gap), y=y(bar.height), height=y(0) - y(bar.height), class_=class_)
        )
    every = max(1, -(-int(max(len(bar.name) for bar in of) * CHARACTER_WIDTH + 14) // max(int(place), 1)))
    parts += [
        label(bar.name, left + (i + 0.5) * place, height - 7, class_="pb-quiet", anchor="middle")
        for i, bar in enumerate(of)
        if i % every == 0
    ]
    said = ", ".join(f"{bar.name} {count(bar.height)}" for bar in of)
    return Figure(title, f"{said}.", width, height, "".join(parts))
