"""The cumulative effect by day: what had been seen by the end of each cohort day, with an interval that may be read.

A sequential plan shows its own looks. A fixed-horizon plan has a valid interval at its end only, so the days before
it carry an anytime-valid sequence tuned to the final number of units: a picture for after the end, never a test.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from paribus.experiments.comparisons import quantities
from paribus.experiments.effects import Panel, Series, arms, compare, control_of
from paribus.experiments.layout import Batch
from paribus.experiments.looks import by_cohort, by_look, pairs_at
from paribus.experiments.plan import Design, Method
from paribus.experiments.posterior import credible
from paribus.experiments.reading import curve_looks
from paribus.experiments.result import CurvePoint
from paribus.stats.anytime import AsymptoticSequence
from paribus.stats.estimate import Estimate


def curve(design: Design, drawn: Sequence[tuple[Panel, Series]], last_day: date | None) -> tuple[CurvePoint, ...]:
    """One point for each day or look, metric and treatment arm."""
    if last_day is None:
        return ()
    treatments = [variant.name for variant in design.variants if variant.name != design.control]
    order = {metric.name: i for i, metric in enumerate(design.metrics)}
    planned = design.plan.method in (Method.GROUP_SEQUENTIAL, Method.BAYESIAN) or bool(design.plan.looks)
    points: dict[tuple[int, str, date], CurvePoint] = {}
    for panel, series in drawn:
        absolute, relative = quantities(series.absolute), quantities(series.relative)
        for i, (k, t, m) in enumerate(np.ndindex(*series.absolute.shape)):
            if not series.units[k, t, m]:
                continue
            before = series.looks[k].before
            day = last_day if before is None else min(before - timedelta(days=1), last_day)
            reach = float(series.reach[k, t, m])
            name = panel.metrics[m].name
            effect = relative[i]
            if design.plan.method is Method.BAYESIAN and isinstance(effect, Estimate):
                effect = credible(design, name, effect)
            points[order[name], treatments[t], day] = CurvePoint(
                metric=name,
                treatment=treatments[t],
                day=day,
                units=int(series.units[k, t, m]),
                absolute=absolute[i],
                relative=effect,
                boundary=(-reach, reach) if np.isfinite(reach) else None,
                is_look=planned or (before is None and design.plan.method is not Method.ANYTIME),
            )
    return tuple(points[at] for at in sorted(points))


def daily(batch: Batch, design: Design, panel: Panel, adjust: NDArray[np.bool_]) -> Series | None:
    """The days before a fixed-horizon plan's end, with an anytime-valid sequence."""
    days = batch.grid.days
    if not days:
        return None
    looks = curve_looks(days, batch.window_days)
    if not looks:
        return None
    control = control_of(design)
    pairs = [pairs_at(batch, look, control) for look in looks]
    both = by_look([arms(batch, own, adjust[:, None, :]) for own in pairs])
    units = both.control.n + both.treatment.n
    n_opt = float((panel.control.n + panel.treatment.n).max())
    sequence = AsymptoticSequence(max(n_opt, 1.0), design.plan.confidence_level)
    absolute, relative, _ = compare(batch, both, sequence)
    with np.errstate(invalid="ignore", divide="ignore"):
        reach = sequence.radius(absolute.se, units, absolute.df)
    return Series(by_cohort(looks, batch.window_days), units, absolute, relative, np.asarray(reach))
