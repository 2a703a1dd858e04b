"""Traffic over time as steps: how far it was opened, when, and when it was shut."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from paribus.charts.scale import Scale, ticks
from paribus.charts.svg import Figure, label, tag

WIDTH, HEIGHT = 720.0, 180.0
LEFT, BOTTOM, TOP = 52.0, 26.0, 10.0


def traffic_chart(moves: Sequence[tuple[str, int, str]], ended: str) -> Figure:
    """The share of traffic by time.

    Args:
        moves: time (RFC 3339), basis points from then on, and a word, in order.
        ended: when the rollout ended.
    """
    times = [datetime.fromisoformat(time).timestamp() for time, _, _ in moves]
    last = max(datetime.fromisoformat(ended).timestamp(), times[-1])
    span = max(last - times[0], 1.0)
    top = max(max(bp for _, bp, _ in moves) / 100, 1.0)
    x = Scale(times[0], times[0] + span, LEFT, WIDTH - 8)
    y = Scale(0, top, HEIGHT - BOTTOM, TOP)
    parts = [
        tag("line", x1=LEFT, x2=WIDTH, y1=y(at), y2=y(at), class_="pb-zero" if at == 0 else "pb-grid")
        for at in ticks(0, top, 3)
    ]
    parts += [label(f"{at:g}%", LEFT - 7, y(at) + 4, class_="pb-quiet", anchor="end") for at in ticks(0, top, 3)]
    path = [f"M{x(times[0]):.1f},{y(0):.1f}"]
    for i, (_, bp, _) in enumerate(moves):
        after = times[i + 1] if i + 1 < len(moves) else last
        path.append(f"V{y(bp / 100):.1f}H{x(after):.1f}")
    parts.append(tag("path", d="".join(path), class_="pb-line", fill="none", stroke="currentColor", stroke_width=2))
    taken = -1e9
    for time, (_, _, word) in zip(times, moves, strict=True):
        if x(time) - taken > 7 * len(word) + 12:
            parts.append(label(word, x(time), HEIGHT - 8, class_="pb-quiet"))
            taken = x(time)
    said = ", ".join(f"{word} {bp / 100:g}% from {time[:10]}" for time, bp, word in moves)
    return Figure("Traffic", f"{said}; ended {ended[:10]}.", WIDTH, HEIGHT, "".join(parts))
