"""One difference over time with two intervals: one that holds at a single reading, one that holds at all of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from paribus.charts.interval import tick_text
from paribus.charts.numbers import interval, number
from paribus.charts.scale import Scale, domain, ticks
from paribus.charts.svg import CHARACTER_WIDTH, Figure, label, tag, text

TOP, BOTTOM, RIGHT = 30.0, 26.0, 14.0


@dataclass(frozen=True, slots=True)
class TwoReadings:
    """The difference at one time with both intervals (lower, upper), infinite where an end is open."""

    time: str
    value: float
    se: float | None
    single: tuple[float, float]
    always: tuple[float, float]


def two_readings(
    points: Sequence[TwoReadings],
    *,
    title: str,
    names: tuple[str, str],
    marks: Sequence[tuple[str, str]] = (),
    width: float = 720,
    height: float = 240,
) -> Figure:
    """The difference as a line, the interval of all readings as a ribbon, that of a single one dashed.

    Args:
        points: earlier first.
        title: what is drawn.
        names: of both intervals, the single reading's first.
        marks: (time, words) at which something happened.
        width: in pixels.
        height: in pixels.
    """
    if not points:
        words = "There is no checkpoint that can be read."
        return Figure(title, words, width, 40, label(words, 0, 24, class_="pb-quiet", width=width))
    lower, upper = domain([(p.value, *p.single, *p.always) for p in points])
    grid = ticks(lower, upper, max(3, round((height - TOP - BOTTOM) / 40)))
    left = max(len(tick_text(t, "number")) for t in grid) * 7.0 + 10
    at = _places([p.time for p in points])
    span = (at[0], at[-1]) if at[-1] > at[0] else (at[0] - 1, at[0] + 1)
    x, y = Scale(*span, left, width - RIGHT), Scale(lower, upper, height - BOTTOM, TOP)
    parts = [
        tag("line", x1=left, x2=width - RIGHT, y1=y(t), y2=y(t), class_="pb-zero" if t == 0 else "pb-grid")
        for t in grid
    ]
    parts += [label(tick_text(t, "number"), left - 7, y(t) + 4, class_="pb-quiet", anchor="end") for t in grid]
    parts += _axis([p.time for p in points], [x(place) for place in at], height)
    for i, (time, words) in enumerate(marks):
        place = x(at[next(k for k, p in enumerate(points) if p.time == time)])
        parts.append(tag("line", x1=place, x2=place, y1=TOP, y2=height - BOTTOM, class_="pb-look"))
        anchor = "end" if place > width / 2 else "start"
        parts.append(label(words, place, TOP - 18 + 12 * (i % 2), class_="pb-quiet", anchor=anchor))
    ends = [(x(place), y.clamped(p.always[0]), y.clamped(p.always[1])) for place, p in zip(at, points, strict=True)]
    around = [(px, high) for px, _, high in ends] + [(px, low) for px, low, _ in reversed(ends)]
    parts.append(tag("polygon", points=_line(around), class_="pb-ribbon"))
    for side in (0, 1):
        parts += [
            tag("polyline", points=_line(run), class_="pb-boundary")
            for run in _inside([(x(place), p.single[side]) for place, p in zip(at, points, strict=True)], y)
        ]
    line = [(x(place), y.clamped(p.value)) for place, p in zip(at, points, strict=True)]
    parts.append(tag("polyline", points=_line(line), class_="pb-estimate"))
    for (px, py), p in zip(line, points, strict=True):
        parts.append(tag("circle", tag("title", text(_said(p, names))), cx=px, cy=py, r=2.2, class_="pb-end"))
    said = f"{len(points)} checkpoints from {points[0].time} to {points[-1].time}; {_said(points[-1], names)}."
    said += "".join(f" {words} at {time}." for time, words in marks)
    return Figure(title, said, width, height, "".join(parts))


def _said(p: TwoReadings, names: tuple[str, str]) -> str:
    value = number(p.value, se=p.se, signed=True)
    both = ", ".join(
        f"{name} {interval(*ends, se=p.se)}" for name, ends in zip(names, (p.single, p.always), strict=True)
    )
    return f"at {p.time} the difference is {value}, {both}"


def _places(times: Sequence[str]) -> list[float]:
    """Where the times lie: numbers and dates by their distance, other periods evenly."""
    try:
        return [float(time) for time in times]
    except ValueError:
        pass
    try:
        return [_moment(time).timestamp() / 86_400 for time in times]
    except ValueError:
        return [float(i) for i in range(len(times))]


def _moment(time: str) -> datetime:
    moment = datetime.fromisoformat(time)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _axis(times: Sequence[str], places: Sequence[float], height: float) -> Iterator[str]:
    """The times under the axis, as many as have room."""
    free = -math.inf
    for i, (time, place) in enumerate(zip(times, places, strict=True)):
        half = len(time) * CHARACTER_WIDTH / 2
        is_last = i == len(times) - 1 and i > 0
        start = place - (2 * half if is_last else half)
        if start > free:
            yield label(time, place, height - 8, class_="pb-quiet", anchor="end" if is_last else "middle")
            free = start + 2 * half + 14


def _inside(points: Sequence[tuple[float, float]], y: Scale) -> Iterator[list[tuple[float, float]]]:
    """Stretches of at least two points that lie in the picture."""
    run: list[tuple[float, float]] = []
    for px, value in [*points, (0.0, math.inf)]:
        if y.holds(value):
            run.append((px, y(value)))
            continue
        if len(run) > 1:
            yield run
        run = []


def _line(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
