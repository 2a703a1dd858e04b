"""A result's pictures: its interval plot, its cumulative effects, its units by day."""

from __future__ import annotations

from collections.abc import Sequence

from paribus.charts import Bar, Cumulative, Figure, Interval, bars, cumulative_effect, interval_plot
from paribus.charts.numbers import Unit, level
from paribus.charts.svg import label
from paribus.experiments.report.method import METHODS, cause, effects_hidden
from paribus.experiments.report.row import (
    ROLES,
    TONES,
    Reading,
    absolute_effect,
    arms,
    level_words,
    margin_effect,
    reading,
)
from paribus.experiments.result import Comparison, CurvePoint, Result
from paribus.metrics.definition import SHARES
from paribus.stats.estimate import Estimate, Undetermined


def plot(result: Result, *, width: float = 720) -> Figure:
    """The interval plot of all comparisons on one axis of relative effects; hidden where the result is invalid."""
    title = f"Effects in {result.title or result.experiment}"
    if effects_hidden(result):
        words = f"Effects are hidden: {cause(result)}"
        return Figure(title, words, width, 40, label(words, 0, 24, width=width))
    several = len(arms(result.comparisons)) > 1
    ordered = sorted(result.comparisons, key=lambda c: ROLES.index(c.role))
    rows, last = [], None
    for comparison in ordered:
        heading = comparison.role.value if comparison.role is not last else ""
        last = comparison.role
        rows.append(interval_of(comparison, heading=heading, with_arm=several))
    return interval_plot(rows, title=title, scale_title=_scale_title(ordered), width=width)


def interval_of(comparison: Comparison, *, heading: str = "", with_arm: bool = False) -> Interval:
    """One comparison as a row of an interval plot; only relative effects share its axis, others are written."""
    shown = reading(comparison)
    name = f"{comparison.metric}, {comparison.treatment.variant}" if with_arm else comparison.metric
    if isinstance(shown, Undetermined):
        return Interval(name, note=f"undetermined: {shown}", heading=heading)
    if shown.scale == "absolute":
        return Interval(name, note=f"absolute {absolute_effect(comparison)}", heading=heading)
    return Interval(
        label=name,
        value=shown.value,
        lower=shown.lower,
        upper=shown.upper,
        se=shown.se,
        margin=margin_effect(comparison),
        harm="above" if comparison.direction == "decrease" else "below",
        tone=TONES.get(comparison.conclusion, "neutral"),
        heading=heading,
    )


def curves(result: Result, *, width: float = 720, height: float = 260) -> tuple[Figure, ...]:
    """The cumulative effect of each metric and treatment that has a curve."""
    groups: dict[tuple[str, str], list[CurvePoint]] = {}
    for point in result.curve:
        groups.setdefault((point.metric, point.treatment), []).append(point)
    several = len({treatment for _, treatment in groups}) > 1
    figures = []
    for (metric, treatment), points in groups.items():
        comparison = next(
            (c for c in result.comparisons if (c.metric, c.treatment.variant) == (metric, treatment)), None
        )
        name = f"{metric}, {treatment}" if several else metric
        figures.append(_curve(result, name, points, comparison, width, height))
    return tuple(figures)


def units_by_day(result: Result, *, width: float = 720, height: float = 130) -> Figure | None:
    """Units that entered the analysis on each day of the longest curve; None without a curve."""
    groups: dict[tuple[str, str], list[CurvePoint]] = {}
    for point in result.curve:
        groups.setdefault((point.metric, point.treatment), []).append(point)
    if not groups:
        return None
    points = max(groups.values(), key=len)
    before = [0, *(p.units for p in points)]
    drawn = [Bar(f"{p.day.day} {p.day:%b}", max(p.units - b, 0)) for p, b in zip(points, before, strict=False)]
    return bars(drawn, title="New units by day", width=width, height=height)


def _curve(
    result: Result, name: str, points: Sequence[CurvePoint], comparison: Comparison | None, width: float, height: float
) -> Figure:
    # The plan's boundary is absolute, so a curve with one is drawn on the absolute scale, the same for both.
    absolute = any(p.boundary is not None for p in points) or not any(isinstance(p.relative, Estimate) for p in points)
    unit: Unit = "percent" if not absolute else "points" if comparison and comparison.type in SHARES else "number"
    drawn, method = [], METHODS.get(result.method, result.method)
    for p in points:
        of = p.absolute if absolute else p.relative
        boundary = p.boundary if absolute else None
        if isinstance(of, Undetermined):
            drawn.append(Cumulative(p.day, boundary=boundary, is_look=p.is_look))
        else:
            drawn.append(Cumulative(p.day, of.value, of.lower, of.upper, of.se, boundary, p.is_look))
    levels = {p.absolute.level for p in points if isinstance(p.absolute, Estimate)}
    ribbon = f"{level(levels.pop())} {method} interval" if len(levels) == 1 else f"{method} interval"
    title = f"{name}: cumulative {'absolute' if absolute else 'relative'} effect"
    margin = margin_effect(comparison) if comparison is not None and not absolute else None
    return cumulative_effect(
        drawn, title=title, unit=unit, ribbon_name=ribbon, margin=margin, width=width, height=height
    )


def _scale_title(comparisons: Sequence[Comparison]) -> str:
    kinds = {level_words(r): r for r in map(reading, comparisons) if isinstance(r, Reading)}
    return f"relative effect, {' and '.join(kinds)} intervals" if kinds else ""
