"""A series by day, with its usual level and the days that are not what they seem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from paribus.charts.numbers import count
from paribus.charts.scale import Scale, ticks
from paribus.charts.svg import CHARACTER_WIDTH, Figure, label, tag, text

TOP, BOTTOM = 20.0, 24.0


def day_series(
    names: Sequence[str],
    values: Sequence[float],
    *,
    title: str,
    flagged: Mapping[int, str] | None = None,
    usual: Sequence[float] | None = None,
    changed: int | None = None,
    width: float = 720,
    height: float = 170,
) -> Figure:
    """A line from day to day from zero; flagged days are crossed out and broken from the line.

    Args:
        names: dates, left to right.
        values: of each day.
        title: what is counted.
        flagged: by position, why a day is left out.
        usual: the level expected of each day, drawn as a dashed line.
        changed: position of the first day of a new level.
        width: in pixels.
        height: in pixels.
    """
    if not values:
        return Figure(title, "There is no day.", width, 40, label("No days.", 0, 24, class_="pb-quiet"))
    out = dict(flagged or {})
    top = max(*values, *(usual or ()), 1.0) * 1.04
    marks = ticks(0, top, 4)
    left = max(len(f"{t:,.10g}") for t in marks) * 7.0 + 10
    x = Scale(0, max(len(values) - 1, 1), left + 14, width - 16)
    y = Scale(0, top, height - BOTTOM, TOP)
    parts = [tag("line", x1=left, x2=width, y1=y(t), y2=y(t), class_="pb-zero" if t == 0 else "pb-grid") for t in marks]
    parts += [label(f"{t:,.10g}", left - 7, y(t) + 4, class_="pb-quiet", anchor="end") for t in marks]
    if usual is not None:
        parts.append(tag("polyline", points=_points(x, y, enumerate(usual)), class_="pb-boundary pb-usual"))
    for run in _runs([i for i in range(len(values)) if i not in out]):
        parts.append(tag("polyline", points=_points(x, y, ((i, values[i]) for i in run)), class_="pb-estimate"))
    if changed is not None:
        parts.append(
            tag("line", x1=x(changed - 0.5), x2=x(changed - 0.5), y1=TOP, y2=height - BOTTOM, class_="pb-look")
        )
        parts.append(label("new level", x(changed - 0.5) + 4, TOP + 10, class_="pb-quiet"))
    for i, value in enumerate(values):
        said = f"{names[i]}: {count(value)}" + (f" — {out[i]}" if i in out else "")
        if i in out:
            parts.append(_cross(x(i), y(value), said))
        else:
            parts.append(tag("circle", tag("title", text(said)), cx=x(i), cy=y(value), r=2.2, class_="pb-end"))
    parts += _reasons(out, x, len(values))
    room = int((width - left) / max(len(values), 1))
    every = max(1, -(-int(max(len(name) for name in names) * CHARACTER_WIDTH + 14) // max(room, 1)))
    parts += [
        label(name, x(i), height - 7, class_="pb-quiet", anchor="middle")
        for i, name in enumerate(names)
        if i % every == 0
    ]
    least, most = min(values), max(values)
    said = f"{len(values)} days from {names[0]} to {names[-1]}, between {count(least)} and {count(most)}"
    said += "".join(f"; {names[i]} left out: {why}" for i, why in sorted(out.items()))
    return Figure(title, said + ".", width, height, "".join(parts))


def _reasons(out: Mapping[int, str], x: Scale, days: int) -> list[str]:
    """Why days are left out, once for days that follow each other; where two would overlap, the later is left out."""
    parts: list[str] = []
    free = 0.0
    runs = [run for why in set(out.values()) for run in _runs([i for i in sorted(out) if out[i] == why])]
    for run in sorted(runs):
        said = out[run[0]] if len(run) == 1 else f"{out[run[0]]}, {len(run)} days"
        at, wide = (x(run[0]) + x(run[-1])) / 2, len(said) * CHARACTER_WIDTH
        share = (run[0] + run[-1]) / 2 / days
        anchor = "end" if share > 0.8 else "start" if share < 0.2 else "middle"
        begin = at - {"start": 0.0, "middle": wide / 2, "end": wide}[anchor]
        if begin >= free:
            parts.append(label(said, at, 12, class_="pb-worse-text", anchor=anchor))
            free = begin + wide + 8
    return parts


def _points(x: Scale, y: Scale, of: object) -> str:
    return " ".join(f"{x(i):.1f},{y(v):.1f}" for i, v in of)  # type: ignore[attr-defined]


def _runs(places: Sequence[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for i in places:
        if runs and runs[-1][-1] == i - 1:
            runs[-1].append(i)
        else:
            runs.append([i])
    return runs


def _cross(x: float, y: float, said: str) -> str:
    lines = f"M{x - 4:.1f} {y - 4:.1f}L{x + 4:.1f} {y + 4:.1f}M{x - 4:.1f} {y + 4:.1f}L{x + 4:.1f} {y - 4:.1f}"
    return tag("g", tag("path", tag("title", text(said)), d=lines, class_="pb-cross"))
