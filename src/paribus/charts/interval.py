"""Interval plots (forest plots): estimates and intervals on one shared axis, as a figure or as strips in a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from paribus.charts.numbers import Unit, estimate
from paribus.charts.scale import Scale, domain, ticks
from paribus.charts.svg import CHARACTER_WIDTH, Figure, label, tag, text

Tone = Literal["better", "worse", "neutral"]
LINE, TOP, AXIS = 30.0, 10.0, 26.0  # pixels: a row, above the first, below the last
STRIP_TICKS = 3  # a strip may be narrow, and its width is not known here


@dataclass(frozen=True, slots=True)
class Interval:
    """One row: an estimate with its interval, or `note` where there is none.

    value, lower, upper  shares when the unit is percent; an infinite end is drawn to the rim with an arrow
    se                   gives the decimals of the numbers beside the row
    margin               where the harmful side of a guardrail begins, and on which side of it harm lies
    tone                 better: filled disk; worse: filled square; neutral: open disk
    heading              a line above the row that begins a group
    """

    label: str
    value: float | None = None
    lower: float = math.nan
    upper: float = math.nan
    se: float | None = None
    margin: float | None = None
    harm: Literal["below", "above"] = "below"
    tone: Tone = "neutral"
    note: str = ""
    heading: str = ""
    unit: Unit = "percent"

    @property
    def words(self) -> str:
        """The row as text: estimate and interval, or the note."""
        if self.value is None:
            return self.note
        return estimate(self.value, self.lower, self.upper, se=self.se, unit=self.unit).replace("-", "−")


def axis_of(rows: Sequence[Interval]) -> tuple[float, float]:
    """The shared axis of the rows: it holds zero, every margin and every interval that is not out of proportion."""
    spans = [(row.lower, row.value, row.upper) for row in rows if row.value is not None]
    return domain(spans, [row.margin for row in rows if row.margin is not None])


def interval_plot(
    rows: Sequence[Interval], *, title: str, description: str = "", scale_title: str = "", width: float = 720
) -> Figure:
    """An interval plot: labels left, intervals on one axis, numbers right.

    Args:
        rows: from top to bottom.
        title: what the plot is.
        description: for readers who do not see it; by default every row in words.
        scale_title: words under the axis: what is measured, the level and method of the intervals.
        width: in pixels; below 520 the numbers stand under the labels instead of right of the plot.
    """
    narrow = width < 520
    line = 52.0 if narrow else LINE
    lower, upper = axis_of(rows)
    longest = max((len(row.label) for row in rows), default=0) * CHARACTER_WIDTH
    written = max((len(row.words) for row in rows if row.value is not None), default=0) * CHARACTER_WIDTH
    left = 12.0 if narrow else min(max(longest, 60), 0.32 * width) + 16
    right = 12.0 if narrow else written + 20
    scale = Scale(lower, upper, left, width - right)
    parts: list[str] = []
    y = TOP
    edge = left if narrow else 0.0
    for row in rows:
        if row.heading:
            parts.append(label(row.heading, edge, y + 16, class_="pb-strong", width=width))
            y += 24
        middle = y + (38 if narrow else line / 2)
        baseline = y + 16 if narrow else middle + 4
        room = width - written - 30 if narrow else left - 12
        parts.append(label(row.label, edge, baseline, width=room))
        if row.value is None:
            parts.append(label(row.note, left, middle + 4, class_="pb-quiet", width=width - left))
        else:
            tone = {"better": "pb-better-text", "worse": "pb-worse-text"}.get(row.tone, "")
            parts.append(label(row.words, width - 1, baseline, class_=tone, anchor="end"))
            parts.append(_marks(row, scale, middle))
        y += line
    marks = ticks(lower, upper, _tick_count(scale)) if any(row.value is not None for row in rows) else ()
    grid = [
        tag("line", x1=scale(t), x2=scale(t), y1=TOP - 4, y2=y, class_="pb-zero" if t == 0 else "pb-grid")
        for t in marks
    ]
    unit: Unit = rows[0].unit if rows else "percent"
    names = [label(tick_text(t, unit), scale(t), y + 16, class_="pb-quiet", anchor="middle") for t in marks]
    caption = [label(scale_title, edge, y + 40, class_="pb-quiet", width=width)] if scale_title else []
    said = description or "; ".join(f"{row.label}: {row.words}" for row in rows) + "."
    height = y + AXIS + (20 if scale_title else 0)
    return Figure(title, said, width, height, "".join([*grid, *parts, *names, *caption]))


def interval_strip(row: Interval, axis: tuple[float, float], *, height: float = 30) -> str:
    """One row as an SVG element as wide as its place in a table; rows with the same `axis` line up."""
    scale = Scale(*axis, 0, 100)
    grid = [
        tag(
            "line",
            x1=f"{scale(t):.2f}%",
            x2=f"{scale(t):.2f}%",
            y1=0,
            y2="100%",
            class_="pb-zero" if t == 0 else "pb-grid",
        )
        for t in ticks(*axis, STRIP_TICKS)
    ]
    marks = [] if row.value is None else [_marks(row, scale, height / 2, percent=True, height=height)]
    said = f"{row.label}: {row.words}"
    return tag(
        "svg",
        tag("title", text(said)),
        *grid,
        *marks,
        width="100%",
        height=height,
        role="img",
        class_="pb-figure pb-strip",
        aria_label=said,
    )


def axis_strip(axis: tuple[float, float], unit: Unit = "percent", *, height: float = 20) -> str:
    """The shared axis with its numbers, as wide as its place in the table's header."""
    scale = Scale(*axis, 0, 100)
    names = [
        label(tick_text(t, unit), f"{scale(t):.2f}%", height - 5, class_="pb-quiet", anchor="middle")
        for t in ticks(*axis, STRIP_TICKS)
        if 4 <= scale(t) <= 96
    ]
    return tag("svg", *names, width="100%", height=height, class_="pb-figure pb-strip", aria_hidden="true")


def tick_text(t: float, unit: Unit) -> str:
    """A tick in its unit, signed, without needless zeros."""
    factor, suffix = (1, "") if unit == "number" else (100, "%" if unit == "percent" else " pp")
    return f"{'+' if t > 0 else ''}{float(f'{t * factor:.6g}'):,.10g}{suffix}".replace("-", "−")


def _tick_count(scale: Scale) -> int:
    return max(2, round((scale.end - scale.start) / 75))


def _marks(row: Interval, scale: Scale, y: float, *, percent: bool = False, height: float = LINE) -> str:
    """Margin, interval and point of a row at height y; positions in percent for strips."""

    def at(x: float) -> str | float:
        place = scale.clamped(x)
        return f"{place:.2f}%" if percent else place

    value = row.value if row.value is not None else math.nan
    top, bottom = y - height / 2, y + height / 2
    parts = []
    if row.margin is not None and scale.holds(row.margin):
        start, end = (scale.start, scale(row.margin)) if row.harm == "below" else (scale(row.margin), scale.end)
        unit = "%" if percent else ""
        parts.append(
            tag(
                "rect",
                x=f"{start:.2f}{unit}",
                width=f"{end - start:.2f}{unit}",
                y=top,
                height="100%" if percent else height,
                class_="pb-harm",
            )
        )
        parts.append(
            tag(
                "line",
                x1=at(row.margin),
                x2=at(row.margin),
                y1=top,
                y2="100%" if percent else bottom,
                class_="pb-margin",
            )
        )
    parts.append(tag("line", x1=at(row.lower), x2=at(row.upper), y1=y, y2=y, class_="pb-range"))
    for end, direction in ((row.lower, -1), (row.upper, 1)):
        if scale.holds(end):
            parts.append(tag("line", x1=at(end), x2=at(end), y1=y - 4.5, y2=y + 4.5, class_="pb-range"))
        else:  # goes on beyond the rim: an arrow
            arrow = f"M{8 * direction} 0L0 -5L0 5Z"
            parts.append(tag("svg", tag("path", d=arrow, class_="pb-end"), x=at(end), y=y, overflow="visible"))
    if scale.holds(value):
        square = tag("rect", x=-5, y=-5, width=10, height=10, class_="pb-point")
        shape = square if row.tone == "worse" else tag("circle", r=5, class_="pb-point")
        parts.append(tag("svg", shape, x=at(value), y=y, overflow="visible"))
    return tag("g", *parts, class_=f"pb-{row.tone}")
