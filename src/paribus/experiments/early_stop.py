"""What an early stop adds to an effect, taken off again.

An effect is shown early because its estimate was large, so at that moment the estimate is too large on average. The
looks at which the plan could have shown it are known, daily ones under an anytime-valid plan, and the median-unbiased
estimate follows from their boundaries (Tsiatis, Rosner, Mehta 1984). Where an anytime-valid plan seals a prior of the
metric, its posterior is shown instead. One correction, never both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from paribus.charts import numbers
from paribus.experiments.effects import Panel
from paribus.experiments.plan import Design, Method
from paribus.experiments.posterior import credible
from paribus.experiments.reading import Reading, Rule
from paribus.experiments.result import Comparison, Quantity
from paribus.stats.estimate import Estimate, Floats
from paribus.stats.gsd_inference import GroupSequentialLook, StoppedEstimate, stopped_estimate, watched_design

SEQUENTIAL = (Method.GROUP_SEQUENTIAL, Method.ANYTIME)
LEAST = 1e-6  # information gained from look to look, as a share, where the data say less


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
    if design.plan.method is Method.ANYTIME and c.metric in design.plan.priors:
        return credible(design, c.metric, relative)
    if panel.series is None or panel.rules is None:
        return None
    level = design.plan.confidence_level
    seen = panel.series.absolute
    crossed = np.flatnonzero(seen.p_value[:, t, m] <= 1 - level)
    scale = abs(c.control.value)
    if not len(crossed) or not scale > 0:
        return None
    k = int(crossed[0])
    value, se = seen.value[: k + 1, t, m], seen.se[: k + 1, t, m]
    rule = cast(Rule, panel.rules[k, t, m])
    boundary = rule(level)
    if isinstance(boundary, GroupSequentialLook):
        plan, look = boundary.design, boundary.look
    else:
        with np.errstate(invalid="ignore", divide="ignore"):
            critical = panel.series.reach[: k + 1, t, m] / se
        plan = watched_design(critical, growing(se), alpha=1 - level)
        look = plan.looks
    found = stopped_estimate(plan, float(value[k] / se[k]), look, float(se[k]) ** -2)
    if not isinstance(found, StoppedEstimate):
        return found
    middle, lower, upper = (float(end) / scale for end in (found.value, found.lower, found.upper))
    method = f"{found.method}, at look {k + 1}"
    return Estimate(
        middle, float(se[k]) / scale, lower, upper, float(found.p_value), float("inf"), level, "two-sided", method
    )


def growing(se: Floats) -> Floats:
    """Information 1 / se^2 at the looks, where it fell behind an earlier look raised just above it.

    >>> growing(np.array([0.5, 0.25, 0.26])).tolist() == [4.0, 16.0, 16.0 * (1 + LEAST)]
    True
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        information = np.nan_to_num(se**-2.0, nan=0.0, posinf=0.0)
    out, last = np.empty_like(information), 0.0
    for i, now in enumerate(information):
        last = out[i] = max(float(now), last * (1 + LEAST), np.finfo(float).tiny)
    return out


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
