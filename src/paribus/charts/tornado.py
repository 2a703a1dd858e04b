"""Tornado plots: how far a result moves when one input at a time goes from its low to its high end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from paribus.charts.numbers import Unit, significant
from paribus.charts.scale import Scale, ticks
from paribus.charts.svg import CHARACTER_WIDTH, Figure, label, tag, text

LINE, TOP, AXIS = 34.0, 8.0, 42.0


@dataclass(frozen=True, slots=True)
class Swing:
    """One bar: the result with the input at its low and at its high end, which are named in words."""

    name: str
    at_low: float
    at_high: float
    low: str = ""
    high: str = ""


def tornado(
    swings: Sequence[Swing],
    *,
    center: float,
    title: str,
    scale_title: str = "",
    unit: Unit = "number",
    width: float = 720,
) -> Figure:
    """Bars around the result with every input at its middle, in the order given (widest first).

    Args:
        swings: the bars; the end where the input is low is outlined, the high one filled, and both are named.
        center: the result in the middle.
        title: what moves.
        scale_title: words under the axis.
        unit: percent values are shares.
        width: in pixels.
    """
    if not swings:
        words = "There is nothing that could move it."
        return Figure(title, words, width, 40, label(words, 0, 24, class_="pb-quiet", width=width))
    ends = [x for swing in swings for x in (swing.at_low, swing.at_high)] + [center, 0.0]
    lower, upper = min(ends), max(ends)
    room = 0.12 * (upper - lower or 1.0)
    lower, upper = lower - room, upper + room
    left = min(max(len(swing.name) for swing in swings) * CHARACTER_WIDTH + 16, 0.34 * width)
    scale = Scale(lower, upper, left, width - 10)
    bottom = TOP + LINE * len(swings)
    parts = []
    for t in ticks(lower, upper, max(2, int((width - left) // 110))):
        class_ = "pb-zero" if t == 0 else "pb-grid"
        parts.append(tag("line", x1=scale(t), x2=scale(t), y1=TOP, y2=bottom, class_=class_))
        parts.append(label(_number(t, unit, 6), scale(t), bottom + 16, class_="pb-quiet", anchor="middle"))
    for i, swing in enumerate(swings):
        y = TOP + LINE * i
        parts.append(label(swing.name, 0, y + LINE / 2 + 4, width=left - 8))
        for end, words, class_ in (
            (swing.at_low, swing.low, "pb-bar pb-open"),
            (swing.at_high, swing.high, "pb-bar"),
        ):
            a, b = sorted((scale(center), scale(end)))
            said = tag("title", text(f"{swing.name} {words}: {_number(end, unit)}"))
            parts.append(tag("rect", said, x=a, width=max(b - a, 0.5), y=y + 7, height=LINE - 14, class_=class_))
            if words and b - a > len(words) * CHARACTER_WIDTH * 0.2:
                outward = "end" if scale(end) < scale(center) else "start"
                at = scale(end) + (-4 if outward == "end" else 4)
                if (outward == "start" and at + len(words) * CHARACTER_WIDTH < width) or (
                    outward == "end" and at - len(words) * CHARACTER_WIDTH > left - 4
                ):
                    parts.append(label(words, at, y + LINE / 2 + 4, class_="pb-quiet", anchor=outward))
    parts.append(tag("line", x1=scale(center), x2=scale(center), y1=TOP - 2, y2=bottom + 2, class_="pb-margin"))
    if scale_title:
        parts.append(label(scale_title, 0, bottom + 36, class_="pb-quiet", width=width))
    said = "; ".join(
        f"{swing.name} {swing.low} to {swing.high}: {_number(swing.at_low, unit)} to {_number(swing.at_high, unit)}"
        for swing in swings
    )
    height = bottom + (AXIS if scale_title else 22)
    return Figure(title, f"From {_number(center, unit)}: {said}.", width, height, "".join(parts))


def _number(x: float, unit: Unit, digits: int = 3) -> str:
    factor, suffix = (1, "") if unit == "number" else (100, "%")
    written = f"{float(f'{x * factor:.6g}'):,.10g}" if digits > 3 else significant(x * factor, digits)
    return f"{written}{suffix}".replace("-", "−")
