"""Distributions as quantile dots: each dot is an equal share of the chance, so that chances can be counted.

People read counts of dots better than areas (Kay, Kola, Hullman, Munson 2016).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from paribus.charts.numbers import Unit, significant
from paribus.charts.scale import Scale, ticks
from paribus.charts.svg import Figure, label, tag, text

TOP, AXIS, NAME = 6.0, 40.0, 20.0
RADII = (6.0, 5.0, 4.0, 3.4)  # of a dot, pixels; the first that fits
MOST_HIGH = 12  # dots on top of each other
CUT = 0.04  # share of the dots that may lie outside of the axis, at each end


@dataclass(frozen=True, slots=True)
class Dots:
    """A distribution: its quantiles in the middle of equal shares, and in words what it says.

    value  a point to mark, for instance the truth of a simulation or a mean
    """

    name: str
    values: tuple[float, ...]
    words: str = ""
    value: float | None = None


def distribution(
    rows: Sequence[Dots],
    *,
    title: str,
    scale_title: str = "",
    unit: Unit = "number",
    threshold: float = 0.0,
    width: float = 720,
) -> Figure:
    """Dot plots on one shared axis, one below the other.

    Args:
        rows: the distributions, top to bottom; those without values are named as such.
        title: what they are of.
        scale_title: words under the axis: what is measured, in which unit.
        unit: percent values are shares.
        threshold: a line across all rows; dots below it are drawn as losses.
        width: in pixels.
    """
    known = [row for row in rows if row.values]
    if not known:
        words = "There is nothing to draw: no value was simulated."
        return Figure(title, words, width, 40, label(words, 0, 24, class_="pb-quiet", width=width))
    lower, upper = _domain(known, threshold)
    scale = Scale(lower, upper, 12, width - 12)
    parts, y = [], TOP
    drawn: list[str] = []
    for row in rows:
        drawn.append(label(row.name, 0, y + 13, class_="pb-strong", width=0.5 * width))
        if row.words:
            drawn.append(label(row.words, width, y + 13, anchor="end", width=0.5 * width))
        y += NAME
        if not row.values:
            drawn.append(label("not known", 12, y + 14, class_="pb-quiet"))
            y += 24
            continue
        radius, columns = _stacked(row.values, scale)
        height = (max(len(column) for column in columns.values()) * 2 + 1) * radius + 4
        floor = y + height
        for place, column in sorted(columns.items()):
            for i, x in enumerate(column):
                class_ = "pb-dot pb-below" if x < threshold else "pb-dot"
                drawn.append(
                    tag("circle", cx=place, cy=floor - (2 * i + 1) * radius, r=max(radius - 0.6, 1), class_=class_)
                )
        if row.value is not None and scale.holds(row.value):
            place = scale(row.value)
            told = tag("title", text(f"{row.name}: {_said(row.value, unit)}"))
            drawn.append(tag("line", told, x1=place, x2=place, y1=y, y2=floor, class_="pb-margin"))
        drawn.append(tag("line", x1=scale.start, x2=scale.end, y1=floor, y2=floor, class_="pb-grid"))
        y = floor + 10
    marks = ticks(lower, upper, max(2, int(width // 110)))
    lines = dict.fromkeys(marks, "pb-grid") | ({threshold: "pb-zero"} if scale.holds(threshold) else {})
    parts += [tag("line", x1=scale(t), x2=scale(t), y1=TOP, y2=y - 6, class_=class_) for t, class_ in lines.items()]
    parts += drawn
    parts += [label(_tick(t, unit), scale(t), y + 10, class_="pb-quiet", anchor="middle") for t in marks]
    if scale_title:
        parts.append(label(scale_title, 0, y + 32, class_="pb-quiet", width=width))
    said = "; ".join(_described(row, threshold, unit) for row in rows)
    return Figure(title, f"{said}.", width, y + (AXIS if scale_title else 18), "".join(parts))


def _domain(rows: Sequence[Dots], threshold: float) -> tuple[float, float]:
    """From the lowest to the highest dot, without the outermost few; the threshold and marks lie inside."""
    low, high = [threshold], [threshold]
    for row in rows:
        values = sorted(x for x in row.values if math.isfinite(x))
        if values:
            cut = int(CUT * len(values))
            low.append(values[cut])
            high.append(values[-1 - cut])
        if row.value is not None and math.isfinite(row.value):
            low.append(row.value)
            high.append(row.value)
    lower, upper = min(low), max(high)
    if lower == upper:
        return lower - 1.0, upper + 1.0
    room = 0.05 * (upper - lower)
    return lower - room, upper + room


def _stacked(values: Sequence[float], scale: Scale) -> tuple[float, dict[float, list[float]]]:
    """The radius of a dot, and the values of each column of dots by its place; outliers stand at the rim.

    Where very many values are alike, their column would tower: they stand side by side then, still to be counted.
    """
    columns: dict[int, list[float]] = {}
    for radius in RADII:
        columns = {}
        for x in sorted(values):
            columns.setdefault(_column(x, scale, radius), []).append(x)
        if max(map(len, columns.values())) <= MOST_HIGH:
            break
    else:
        columns = {}
        for x in sorted(values):
            at = _column(x, scale, radius)
            beside = (at + step * side for step in range(len(values)) for side in (1, -1))
            free = next(c for c in beside if len(columns.get(c, ())) < MOST_HIGH)
            columns.setdefault(free, []).append(x)
    return radius, {scale.start + 2 * radius * c: own for c, own in columns.items()}


def _column(x: float, scale: Scale, radius: float) -> int:
    return round((scale.clamped(x) - scale.start) / (2 * radius))


def _described(row: Dots, threshold: float, unit: Unit) -> str:
    if not row.values:
        return f"{row.name}: not known"
    below = sum(x < threshold for x in row.values)
    middle = sorted(row.values)[len(row.values) // 2]
    share = f"{below} of {len(row.values)} dots below {_said(threshold, unit)}"
    return f"{row.name}: {row.words or f'about {_said(middle, unit)}'}, {share}"


def _tick(t: float, unit: Unit) -> str:
    factor, suffix = (1, "") if unit == "number" else (100, "%")
    return f"{float(f'{t * factor:.6g}'):,.10g}{suffix}".replace("-", "−")


def _said(x: float, unit: Unit) -> str:
    return (significant(x * (1 if unit == "number" else 100), 3) + ("" if unit == "number" else "%")).replace("-", "−")
