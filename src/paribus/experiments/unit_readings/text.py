"""Readings of units in words, 80 columns wide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import wrap

import numpy as np

from paribus.charts import numbers
from paribus.experiments.phrases import p_words
from paribus.experiments.unit_readings.findings import Draw, UnitReading, UnitReadings
from paribus.experiments.unit_readings.quantiles import ERRORS, SEQUENCES, TEST
from paribus.stats.estimate import Estimate, Undetermined

_WIDTH = 33  # of a method's name
_ONCE = f"quantile regression, {ERRORS[0]}"


def lines(found: UnitReadings) -> Iterator[str]:
    """What was drawn, then every comparison: its mean, and where its distribution moved."""
    yield "Units as rows, each comparison by itself, without the units' ids."
    for draw in found.draws:
        yield from wrap(_drawn(draw, found.once), 80)
    for left in found.left_out:
        name = left.metric if left.treatment is None else f"{left.metric}, {left.treatment}"
        yield from wrap(f"{name}: left out; {left.reason}", 80)
    for metric, treatment in dict.fromkeys((r.metric, r.treatment) for r in found.readings):
        own = [r for r in found.readings if (r.metric, r.treatment) == (metric, treatment)]
        yield from _means(own, found)
        yield from _quantiles(own, found)


def _drawn(draw: Draw, once: bool) -> str:
    told = f"{draw.metric}: {numbers.count(draw.units)} of {numbers.count(draw.total)} units"
    if draw.covariates:
        told += "; adjusted for " + ", ".join(f"{name} ({what})" for name, what in draw.covariates.items())
    if draw.units < draw.total:
        nothing = "" if once else ", and this plan is read more than once"
        told += f"; what holds at any look needs all of them{nothing}: --units {draw.total}"
    return told


def _means(own: list[UnitReading], found: UnitReadings) -> Iterator[str]:
    shown = [r for r in own if r.quantile is None]
    if not shown:
        return
    yield ""
    yield from wrap(f"{shown[0].metric}, {shown[0].treatment}: the mean, {100 * found.level:g}% intervals", 80)
    for r in shown:
        if isinstance(r.effect, Estimate):
            yield f"{_mark(r)} {_method(r)[:_WIDTH]:<{_WIDTH}} {_effect(r.effect, r.effect, r.is_share)}".rstrip()
    yield from _undetermined((_method(r), r.effect) for r in shown)
    if any(r.covariate for r in shown):
        yield "  A change is that of the effect per standard deviation of the covariate."


def _method(r: UnitReading) -> str:
    method = r.method.replace("anytime-valid Lin regression", "anytime-valid")
    return method if r.covariate is None else f"change with {r.covariate}, {method.split(', ')[-1]}"


def _quantiles(own: list[UnitReading], found: UnitReadings) -> Iterator[str]:
    """Every quantile by the method that needs least, then by what holds at any look, and what moved together."""
    by_method = {(r.quantile, r.method): r for r in own if r.quantile is not None}
    levels = list(dict.fromkeys(p for p, _ in by_method))
    metric, treatment = own[0].metric, own[0].treatment
    at = {(q.variant == treatment, q.quantile): q.value for q in found.quantiles if q.metric == metric}
    ways = (
        (_ONCE, _ONCE, "  Quantiles by quantile regression"),
        (SEQUENCES["quantile"], TEST, "* Quantiles at any look, each by itself, with a test that they are equal"),
    )
    for method, test, title in ways:
        rows = [(p, by_method[p, method].effect, by_method[p, test].effect) for p in levels if (p, method) in by_method]
        if rows:
            yield ""
            if title == ways[0][2] or not found.once:
                yield from wrap(f"{metric}, {treatment}: where did it move? Control, treatment, difference", 80)
            yield title
        for p, effect, tested in rows:
            if isinstance(effect, Estimate):
                values = " ".join(f"{numbers.number(at[arm, p]):>9}" for arm in (False, True))
                yield f"  {_share(p):>6} {values} {_effect(effect, tested, False)}".rstrip()
        yield from _undetermined((_share(p), effect) for p, effect, _ in rows)
    yield from _together(by_method, levels)


def _undetermined(effects: Iterable[tuple[str, Estimate | Undetermined]]) -> Iterator[str]:
    """What has no result, together by reason."""
    by_reason: dict[str, list[str]] = {}
    for name, effect in effects:
        if isinstance(effect, Undetermined):
            by_reason.setdefault(str(effect), []).append(name)
    for reason, names in by_reason.items():
        yield from wrap(f"undetermined, {reason}: {'; '.join(names)}", 80, initial_indent="  ", subsequent_indent="  ")


def _together(by_method: dict[tuple[float, str], UnitReading], levels: list[float]) -> Iterator[str]:
    for method in (SEQUENCES["quantiles"], SEQUENCES["distance"]):
        effects = {p: by_method[p, method].effect for p in levels if (p, method) in by_method}
        if not effects:
            continue
        shown = [p for p, e in effects.items() if isinstance(e, Estimate) and (e.lower > 0 or e.upper < 0)]
        told = ", ".join(map(_share, shown)) if shown else "none of these is shown to have moved"
        yield from wrap(f"* {method}: {f'moved at {told}' if shown else told}", 80)


def _effect(e: Estimate, tested: Estimate | Undetermined, is_share: bool) -> str:
    """The estimate, its interval, and the p-value of a test of the same."""
    unit: numbers.Unit = "points" if is_share else "number"
    ends = [end for end in (e.lower, e.upper) if np.isfinite(end)]
    width = (ends[1] - ends[0]) / 4 if len(ends) == 2 else abs(e.value - ends[0]) / 2 if ends else 0.0
    value = numbers.number(e.value, se=width or None, unit=unit, signed=True)
    interval = numbers.interval(e.lower, e.upper, se=width or None, unit=unit)
    p = p_words(tested.p_value) if isinstance(tested, Estimate) and not np.isnan(tested.p_value) else ""
    return f"{value:>10} {interval:>20} {p}"


def _mark(r: UnitReading) -> str:
    return "*" if r.at_any_time else " "


def _share(p: float) -> str:
    return f"{100 * p:g}%"
