"""A grid of shares: cohorts by period, the darker the more; every cell also holds its number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from paribus.charts.numbers import count
from paribus.charts.svg import CHARACTER_WIDTH, Figure, label, tag, text

HEAD, ROW = 22.0, 24.0


@dataclass(frozen=True, slots=True)
class HeatRow:
    """One cohort: its name, its size, and its shares by column; None for a cell that cannot be known."""

    name: str
    size: float
    shares: Sequence[float | None]


def heat_map(rows: Sequence[HeatRow], columns: Sequence[str], *, title: str, width: float = 720) -> Figure:
    """The grid; cells that cannot be known yet are left empty, which is not zero.

    Args:
        rows: top to bottom.
        columns: names above the grid.
        title: what the shares are of.
        width: in pixels.
    """
    if not rows or not columns:
        return Figure(title, "There is nothing to show.", width, 40, label("No cohorts.", 0, 24, class_="pb-quiet"))
    left = max(len(row.name) for row in rows) * CHARACTER_WIDTH + 12
    sized = left + 64
    place = min((width - sized) / len(columns), 84.0)
    known = [x for row in rows for x in row.shares[1:] if x is not None] or [1.0]
    most = max(*known, 1e-9)
    parts = [label("size", sized - 12, 14, class_="pb-quiet", anchor="end")]
    every = max(1, -(-int(max(len(name) for name in columns) * CHARACTER_WIDTH + 8) // max(int(place), 1)))
    parts += [_above(name, sized + (j + 0.5) * place, width) for j, name in enumerate(columns) if j % every == 0]
    said: list[str] = []
    shows_numbers = place >= 34
    for i, row in enumerate(rows):
        y = HEAD + i * ROW
        parts.append(label(row.name, 0, y + 16))
        parts.append(label(count(row.size), sized - 12, y + 16, class_="pb-quiet", anchor="end"))
        for j, value in enumerate(row.shares[: len(columns)]):
            if value is None:
                continue
            strength = min(value / most, 1.0) * 0.62 if j else 0.0
            told = tag("title", text(f"{row.name}, {columns[j]}: {100 * value:.1f}%"))
            box = {"x": sized + j * place + 1, "y": y + 1, "width": place - 2, "height": ROW - 2, "rx": 2}
            if j:
                parts.append(tag("rect", told, **box, class_="pb-heat", fill_opacity=round(0.06 + strength, 3)))
            if shows_numbers:
                parts.append(
                    label(f"{100 * value:.0f}%", sized + (j + 0.5) * place, y + 16, anchor="middle", class_="pb-bare")
                )
        last = [f"{columns[j]} {100 * v:.1f}%" for j, v in enumerate(row.shares[: len(columns)]) if v is not None]
        said.append(f"{row.name} ({count(row.size)}): {', '.join(last)}")
    return Figure(title, "; ".join(said) + ".", width, HEAD + len(rows) * ROW + 4, "".join(parts))


def _above(name: str, middle: float, width: float) -> str:
    """The name of a column, over its middle; the last ends with the picture."""
    if middle + len(name) * CHARACTER_WIDTH / 2 > width:
        return label(name, width, 14, class_="pb-quiet", anchor="end")
    return label(name, middle, 14, class_="pb-quiet", anchor="middle")
