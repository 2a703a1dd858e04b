"""Curves of a design: the detectable effect against days or units, power against the effect."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from paribus.charts.numbers import Unit, significant
from paribus.charts.scale import Scale, ticks
from paribus.charts.svg import CHARACTER_WIDTH, Figure, label, tag

DASHES = ("", "6 3", "2 3", "8 3 2 3")
TOP, BOTTOM = 18.0, 44.0


@dataclass(frozen=True, slots=True)
class Line:
    """One curve with its name; the second and later ones differ by their dashes."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]


def power_curve(
    lines: Sequence[Line],
    *,
    title: str,
    x_title: str,
    y_title: str,
    x_unit: Unit = "number",
    y_unit: Unit = "percent",
    planned: tuple[float, float] | None = None,
    threshold: float | None = None,
    width: float = 720,
    height: float = 300,
) -> Figure:
    """Curves with their names at their ends.

    Args:
        lines: the curves; values that are not finite interrupt nothing and are left out.
        title: what is drawn.
        x_title: words under the axis.
        y_title: words above the axis.
        x_unit: percent values are shares.
        y_unit: percent values are shares.
        planned: a point to mark, with guides to both axes.
        threshold: a level of y to mark, for instance the planned power.
        width: in pixels.
        height: in pixels.
    """
    drawn = [
        (line, [(x, y) for x, y in zip(line.x, line.y, strict=True) if math.isfinite(x) and math.isfinite(y)])
        for line in lines
    ]
    pairs = [pair for _, of in drawn for pair in of] + ([planned] if planned else [])
    if not pairs:
        words = "There is nothing to draw: no point is determined."
        return Figure(title, words, width, 40, label(words, 0, 24, class_="pb-quiet", width=width))
    x_low, x_high = min(p[0] for p in pairs), max(p[0] for p in pairs)
    y_high = max([p[1] for p in pairs] + ([threshold] if threshold is not None else []))
    y_low = min(0.0, *(p[1] for p in pairs)) if len(pairs) > 1 else min(0.0, pairs[0][1])
    y_high = 1.0 if y_unit == "percent" and 0.8 < y_high <= 1 else y_high + 0.08 * (y_high - y_low or 1.0)
    x_high = x_high if x_high > x_low else x_low + 1
    y_ticks, x_ticks = ticks(y_low, y_high, 5), ticks(x_low, x_high, max(3, int(width // 110)))
    left = max(len(_plain(t, y_unit)) for t in y_ticks) * 7.0 + 10
    named = max(len(line.name) for line in lines) * CHARACTER_WIDTH + 10 if len(lines) > 1 else 14
    x, y = Scale(x_low, x_high, left, width - named), Scale(y_low, y_high, height - BOTTOM, TOP + 12)
    parts = [label(y_title, 0, 12, class_="pb-quiet", width=width)]
    parts += [
        tag("line", x1=left, x2=x.end, y1=y(t), y2=y(t), class_="pb-zero" if t == 0 else "pb-grid") for t in y_ticks
    ]
    parts += [label(_plain(t, y_unit), left - 7, y(t) + 4, class_="pb-quiet", anchor="end") for t in y_ticks]
    parts += [label(_plain(t, x_unit), x(t), height - BOTTOM + 17, class_="pb-quiet", anchor="middle") for t in x_ticks]
    parts.append(label(x_title, x.end, height - 8, class_="pb-quiet", anchor="end"))
    if threshold is not None:
        parts.append(tag("line", x1=left, x2=x.end, y1=y(threshold), y2=y(threshold), class_="pb-margin"))
    for i, (_, of) in enumerate(drawn):
        class_ = "pb-estimate" if i == 0 else "pb-estimate pb-second"
        route = " ".join(f"{x(px):.1f},{y(py):.1f}" for px, py in of)
        parts.append(tag("polyline", points=route, class_=class_, stroke_dasharray=DASHES[i % len(DASHES)] or None))
    if len(lines) > 1:
        above = math.inf
        for line, of in sorted((d for d in drawn if d[1]), key=lambda d: d[1][-1][1]):
            above = min(y(of[-1][1]) + 4, above - 14)  # names do not cover one another
            parts.append(label(line.name, x(of[-1][0]) + 6, above))
    if planned:
        px, py = x(planned[0]), y(planned[1])
        parts.append(
            tag(
                "polyline", points=f"{left:.1f},{py:.1f} {px:.1f},{py:.1f} {px:.1f},{y.start:.1f}", class_="pb-boundary"
            )
        )
        parts.append(tag("circle", cx=px, cy=py, r=5, class_="pb-point"))
    ends = [f"{line.name}: {_said(of[0], x_unit, y_unit)}, {_said(of[-1], x_unit, y_unit)}" for line, of in drawn if of]
    return Figure(title, f"{y_title} by {x_title}: {'; '.join(ends)}.", width, height, "".join(parts))


def _said(pair: tuple[float, float], x_unit: Unit, y_unit: Unit) -> str:
    return f"{_value(pair[1], y_unit)} at {_value(pair[0], x_unit)}"


def _plain(t: float, unit: Unit) -> str:
    factor, suffix = (1, "") if unit == "number" else (100, "%")
    return f"{float(f'{t * factor:.6g}'):,.10g}{suffix}"


def _value(v: float, unit: Unit) -> str:
    return significant(v * (1 if unit == "number" else 100), 3) + ("" if unit == "number" else "%")
