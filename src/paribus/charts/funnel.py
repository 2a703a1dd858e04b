"""A funnel as bars: how many reached each step, what share went on, how long it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from paribus.charts.numbers import count, share
from paribus.charts.scale import Scale
from paribus.charts.svg import Figure, label, tag, text

ROW, BAR, TOP = 44.0, 20.0, 6.0
BOLD_WIDTH = 7.4  # mean advance of a bold character at 12 px


@dataclass(frozen=True, slots=True)
class FunnelBar:
    """One step: its units; the share of the step before with its interval; seconds since entry."""

    name: str
    units: float
    rate: float | None = None
    low: float | None = None
    high: float | None = None
    seconds: float | None = None


def funnel_bars(of: Sequence[FunnelBar], *, title: str, weakest: int | None = None, width: float = 720) -> Figure:
    """Steps from top to bottom, each bar as long as its units, and between two bars the share that went on.

    Args:
        of: the steps in order.
        title: what the funnel is.
        weakest: position of the step where most could be won, marked by a triangle and in words.
        width: in pixels.
    """
    if not of:
        return Figure(title, "There is no funnel.", width, 40, label("No funnel.", 0, 24, class_="pb-quiet"))
    left = min(max(len(bar.name) for bar in of) * BOLD_WIDTH + 16, width * 0.38)
    right = 96.0
    x = Scale(0, max(*(bar.units for bar in of), 1), left, width - right)
    parts: list[str] = []
    said: list[str] = []
    for i, bar in enumerate(of):
        y = TOP + i * ROW
        told = f"{bar.name}: {count(bar.units)}"
        if bar.seconds is not None:
            told += f", median {duration(bar.seconds)} after entry"
        parts.append(label(bar.name, left - 10, y + 14, anchor="end", width=left - 12, class_="pb-strong"))
        parts.append(
            tag(
                "rect", tag("title", text(told)), x=left, y=y, width=max(x(bar.units) - left, 1), height=BAR,
                class_="pb-bar", rx=2,
            )
        )  # fmt: skip
        parts.append(label(count(bar.units), x(bar.units) + 8, y + 14))
        words = told
        if bar.rate is not None:
            interval = f" [{share(bar.low)}, {share(bar.high)}]" if bar.low is not None and bar.high is not None else ""
            is_weakest = i == weakest
            mark = "▼ " if is_weakest else "↓ "
            after = f" · after {duration(bar.seconds)}" if bar.seconds is not None else ""
            shown = f"{mark}{share(bar.rate)} went on{interval}{after}" + (" · falls shortest" if is_weakest else "")
            parts.append(label(shown, left, y - 8, class_="pb-worse-text pb-strong" if is_weakest else "pb-quiet"))
            words += f", {share(bar.rate)} of the step before{interval}" + (
                ", where a segment falls shortest of its best" if is_weakest else ""
            )
        said.append(words)
    return Figure(title, "; ".join(said) + ".", width, TOP + len(of) * ROW - (ROW - BAR) + 6, "".join(parts))


def duration(seconds: float) -> str:
    """A time span as people say it.

    >>> duration(42.4), duration(200), duration(9000), duration(200000)
    ('42 s', '3 min', '2.5 h', '2.3 days')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    if seconds < 172_800:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"
