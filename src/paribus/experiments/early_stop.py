"""What an early stop adds to an effect, taken off again.

An effect is shown early because its estimate was large, so at that moment the estimate is too large on average. A
group-sequential plan knows its boundaries, and the median-unbiased estimate follows from them (Tsiatis, Rosner, Mehta
1984). An anytime-valid plan has no planned looks to condition on: there the posterior under the metric's prior is
shown. One correction, never both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from paribus.charts import numbers
from paribus.experiments.effects import Panel
from paribus.experiments.plan import Design, Method
from paribus.experiments.posterior import credible
from paribus.experiments.reading import Reading, Rule
from paribus.experiments.result import Comparison, Quantity
from paribus.stats.estimate import Estimate
from paribus.stats.gsd_inference import GroupSequentialLook, StoppedEstimate, stopped_estimate

SEQUENTIAL = (Method.GROUP_SEQUENTIAL, Method.ANYTIME)


def with_early_stop(
    design: Design, read: Reading, panels: Sequence[Panel], comparisons: Sequence[Comparison]
) -> tuple[Comparison, ...]:
    """The comparisons; those shown better or worse before a sequential plan's end with the corrected estimate."""
    if design.plan.method not in SEQUENTIAL or read.ended:
        return tuple(comparisons)
    places = {metric.name: (panel, m) for panel in panels for m, metric in enumerate(panel.metrics)}
    treatments = [variant.name for variant in design.variants if variant.name != design.control]
    out = []
    for c in comparisons:
        corrected = None
        if c.conclusion in ("better", "worse") and isinstance(c.relative, Estimate):
            panel, m = places[c.metric]
            corrected = _corrected(design, c, c.relative, panel, treatments.index(c.treatment.variant), m)
        out.append(c if corrected is None else _with(c, corrected))
    return tuple(out)


def _corrected(design: Design, c: Comparison, relative: Estimate, panel: Panel, t: int, m: int) -> Quantity | None:
    if design.plan.method is Method.ANYTIME:
        return credible(design, c.metric, relative)
    if panel.series is None or panel.rules is None:
        return None
    level = design.plan.confidence_level
    seen = panel.series.absolute
    crossed = np.flatnonzero(seen.p_value[:, t, m] <= 1 - level)
    if not len(crossed):
        return None
    k = int(crossed[0])
    rule, value, se = panel.rules[k, t, m], float(seen.value[k, t, m]), float(seen.se[k, t, m])
    boundary = rule(level) if isinstance(rule, Rule) else None
    scale = abs(c.control.value)
    if not isinstance(boundary, GroupSequentialLook) or not (se > 0 and scale > 0):
        return None
    found = stopped_estimate(boundary.design, value / se, boundary.look, se**-2)
    if not isinstance(found, StoppedEstimate):
        return found
    value, lower, upper = (float(end) / scale for end in (found.value, found.lower, found.upper))
    method = f"{found.method}, at look {boundary.look}"
    return Estimate(
        value, se / scale, lower, upper, float(found.p_value), float("inf"), found.level, "two-sided", method
    )


def _with(c: Comparison, corrected: Quantity) -> Comparison:
    if not isinstance(corrected, Estimate):
        return replace(c, at_stop=corrected)
    value = numbers.number(corrected.value, se=corrected.se, unit="percent", signed=True)
    ends = numbers.interval(corrected.lower, corrected.upper, se=corrected.se, unit="percent")
    said = (
        "Shown before the plan's end, an effect is too large on average; without what the early stop adds it is about "
        f"{value} ({numbers.level(corrected.level)} interval {ends}; {corrected.method})."
    )
    return replace(c, at_stop=corrected, notes=(*c.notes, said))
