"""The cumulative effect over time: estimate, its interval as a ribbon, planned boundaries and looks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from paribus.charts.interval import tick_text
from paribus.charts.numbers import Unit, day, interval, number
from paribus.charts.scale import Scale, ticks
from paribus.charts.svg import Figure, label, tag

TOP, BOTTOM = 26.0, 26.0


@dataclass(frozen=True, slots=True)
class Cumulative:
    """The effect as known at the end of one day; `value` None where it is undetermined (the line is interrupted).

    boundary  effects at which the plan's boundaries lie at this day
    is_look   the plan looks at this day
    """

    day: date
    value: float | None = None
    lower: float = math.nan
    upper: float = math.nan
    se: float | None = None
    boundary: tuple[float, float] | None = None
    is_look: bool = False


def cumulative_effect(
    points: Sequence[Cumulative],
    *,
    title: str,
    unit: Unit = "percent",
    ribbon_name: str = "interval",
    margin: float | None = None,
    width: float = 720,
    height: float = 260,
) -> Figure:
    """The estimate as a line in its ribbon; boundaries dashed with a mark at each look; looks dotted and named.

    Args:
        points: in the order of time.
        title: what is drawn: metric and treatment.
        unit: of the effect.
        ribbon_name: level and method of the ribbon, for the key.
        margin: a guardrail's margin, drawn as a line.
        width: in pixels.
        height: in pixels.
    """
    known = [p for p in points if p.value is not None]
    if not known:
        words = "No effect can be read on any day yet."
        return Figure(title, words, width, 40, label(words, 0, 24, class_="pb-quiet", width=width))
    lower, upper = _domain(known, margin)
    marks = ticks(lower, upper, max(3, round((height - TOP - BOTTOM) / 40)))
    left = max(len(tick_text(t, unit)) for t in marks) * 7.0 + 10
    first, last = points[0].day, points[-1].day
    span = max((last - first).days, 1)
    x, y = Scale(0, span, left, width - 14), Scale(lower, upper, height - BOTTOM, TOP)

    def at(point: Cumulative, effect: float) -> str:
        return f"{x((point.day - first).days):.1f},{y.clamped(effect):.1f}"

    parts = [
        tag("line", x1=left, x2=width - 14, y1=y(t), y2=y(t), class_="pb-zero" if t == 0 else "pb-grid") for t in marks
    ]
    parts += [label(tick_text(t, unit), left - 7, y(t) + 4, class_="pb-quiet", anchor="end") for t in marks]
    parts += [
        label(f"{d.day} {d:%b}", x((d - first).days), height - 8, class_="pb-quiet", anchor=a)
        for d, a in _days(first, last, width)
    ]
    for number_, look in enumerate((p for p in points if p.is_look), start=1):
        place = x((look.day - first).days)
        anchor = "end" if place > width - 60 else "middle"
        parts.append(tag("line", x1=place, x2=place, y1=TOP, y2=height - BOTTOM, class_="pb-look"))
        parts.append(
            label(f"look {number_}" if width >= 520 else str(number_), place, TOP - 8, class_="pb-quiet", anchor=anchor)
        )
    for run in _runs(points):
        if len(run) == 1:
            parts.append(_whisker(run[0], x((run[0].day - first).days), y))
            continue
        edge = " ".join(at(p, p.upper) for p in run)
        back = " ".join(at(p, p.lower) for p in reversed(run))
        parts.append(tag("polygon", points=f"{edge} {back}", class_="pb-ribbon"))
        for side in ("lower", "upper"):  # no edge where the ribbon leaves the picture
            ends = [(p, getattr(p, side)) for p in run]
            pieces = groupby(ends, key=lambda pair: y.holds(pair[1]))
            for inside, piece in pieces:
                if inside:
                    parts.append(tag("polyline", points=" ".join(at(p, end) for p, end in piece), class_="pb-edge"))
        parts.append(tag("polyline", points=" ".join(at(p, p.value or 0.0) for p in run), class_="pb-estimate"))
    parts += _boundaries(points, first, x, y)
    if margin is not None and lower <= margin <= upper:
        parts.append(tag("line", x1=left, x2=width - 14, y1=y(margin), y2=y(margin), class_="pb-margin"))
        parts.append(label("margin", width - 14, y(margin) - 5, class_="pb-quiet", anchor="end"))
    end = known[-1]
    parts.append(tag("circle", cx=x((end.day - first).days), cy=y.clamped(end.value or 0.0), r=4, class_="pb-point"))
    return Figure(title, _words(points, end, unit, ribbon_name), width, height, "".join(parts))


def _domain(known: Sequence[Cumulative], margin: float | None) -> tuple[float, float]:
    """Holds all of the later three quarters; the wide intervals of the first days are cut."""
    later = known[len(known) // 4 :]
    values = [v for p in later for v in (p.lower, p.upper) if math.isfinite(v)] + [
        p.value for p in known if p.value is not None
    ]
    looks = [b for p in later if p.boundary for b in p.boundary if math.isfinite(b)]
    extent = max((abs(v) for v in values), default=1.0)
    values += [b for b in looks if abs(b) <= 2 * extent]
    values += [0.0] + ([margin] if margin is not None else [])
    low, high = min(values), max(values)
    room = 0.06 * (high - low) or 1.0
    return low - room, high + room


def _runs(points: Sequence[Cumulative]) -> Iterator[list[Cumulative]]:
    """Stretches without an undetermined day."""
    run: list[Cumulative] = []
    for point in points:
        if point.value is None:
            if run:
                yield run
            run = []
        else:
            run.append(point)
    if run:
        yield run


def _whisker(point: Cumulative, x: float, y: Scale) -> str:
    bar = tag("line", x1=x, x2=x, y1=y.clamped(point.lower), y2=y.clamped(point.upper), class_="pb-range")
    return bar + tag("circle", cx=x, cy=y.clamped(point.value or 0.0), r=4, class_="pb-point")


def _boundaries(points: Sequence[Cumulative], first: date, x: Scale, y: Scale) -> list[str]:
    """Both boundaries: a dashed line through them, and a bar at each planned look."""
    parts = []
    for side in (0, 1):
        places = [
            (x((p.day - first).days), p.boundary[side], p.is_look)
            for p in points
            if p.boundary is not None and math.isfinite(p.boundary[side])
        ]
        inside = [(px, y.clamped(b)) for px, b, _ in places if y.holds(b)]
        if len(inside) > 1:
            parts.append(
                tag("polyline", points=" ".join(f"{px:.1f},{py:.1f}" for px, py in inside), class_="pb-boundary")
            )
        for px, b, is_look in places:
            if is_look and y.holds(b):
                parts.append(tag("line", x1=px - 7, x2=px + 7, y1=y(b), y2=y(b), class_="pb-margin"))
            elif is_look:  # lies outside the picture: an arrow says where to
                tip, base = (y.end, y.end + 8) if b > y.upper else (y.start, y.start - 8)
                parts.append(
                    tag(
                        "path",
                        d=f"M{px:.1f} {tip:.1f}L{px - 4:.1f} {base:.1f}L{px + 4:.1f} {base:.1f}Z",
                        class_="pb-arrow",
                    )
                )
    return parts


def _days(first: date, last: date, width: float) -> list[tuple[date, str]]:
    """Dates under the axis at one even step, with their anchors."""
    span = (last - first).days
    room = max(int(width // 75), 2)
    step = next((s for s in (1, 2, 3, 5, 7, 14, 28, 56, 91) if span / s <= room), 182)
    offsets = range(0, span + 1, step)
    return [
        (date.fromordinal(first.toordinal() + o), "start" if o == 0 else "end" if o == span else "middle")
        for o in offsets
    ]


def _words(points: Sequence[Cumulative], end: Cumulative, unit: Unit, ribbon_name: str) -> str:
    value = number(end.value or 0.0, se=end.se, unit=unit, signed=True)
    ends = interval(end.lower, end.upper, se=end.se, unit=unit)
    days = f"{len(points)} points from {day(points[0].day)} to {day(points[-1].day)}"
    looks = sum(p.is_look for p in points)
    planned = f"; {looks} planned {'look' if looks == 1 else 'looks'}" if looks else ""
    return f"{days}; on {day(end.day)} the effect is {value}, {ribbon_name} {ends}{planned}."
