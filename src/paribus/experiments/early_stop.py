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
from paribus.stats.group_sequential import GroupSequentialDesign
from paribus.stats.gsd_inference import GroupSequentialLook, StoppedEstimate, stopped_estimate, watched_design

SEQUENTIAL = (Method.GROUP_SEQUENTIAL, Method.ANYTIME)
# Values that go on growing can leave a later look with less information than an earlier one; the looks are no random
# walk then, and no correction follows from them.
MOST_BEFORE = 1.02
TOO_LARGE = "Shown before the plan's end, an effect is too large on average"


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
        if c.conclusion not in ("better", "worse"):
            out.append(c)
            continue
        corrected = None
        if isinstance(c.relative, Estimate):
            panel, m = places[c.metric]
            corrected = _corrected(design, c, c.relative, panel, treatments.index(c.treatment.variant), m)
        out.append(_with(c, corrected))
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
    found: Quantity | None
    if isinstance(boundary, GroupSequentialLook):
        found = _at(boundary.design, boundary.look, value, se, k, level)
    else:
        with np.errstate(invalid="ignore", divide="ignore"):
            critical = panel.series.reach[: k + 1, t, m] / se
        found = at_first_crossing(value, se, critical, k, level)
    if not isinstance(found, Estimate):
        return found
    middle, error, lower, upper = (end / scale for end in (found.value, found.se, found.lower, found.upper))
    return replace(found, value=middle, se=error, lower=lower, upper=upper)


def at_first_crossing(value: Floats, se: Floats, critical: Floats, k: int, level: float) -> Quantity | None:
    """The effect at the look at which a sequence first showed it, without what stopping there adds.

    Args:
        value, se: the estimate and its error at each look.
        critical: estimate over error at which the sequence shows an effect, look by look.
        k: the look that showed it, from 0.
        level: of the sequence.

    Returns:
        The median-unbiased estimate; None where an earlier look knew more, so that looks are no random walk.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        information = se[: k + 1] ** -2.0
    if np.any(information[np.isfinite(critical[: k + 1])] > MOST_BEFORE * information[k]):
        return None
    plan = watched_design(critical[: k + 1], information, alpha=1 - level)
    return _at(plan, plan.looks, value, se, k, level)


def _at(plan: GroupSequentialDesign, look: int, value: Floats, se: Floats, k: int, level: float) -> Quantity:
    found = stopped_estimate(plan, float(value[k] / se[k]), look, float(se[k]) ** -2)
    if not isinstance(found, StoppedEstimate):
        return found
    middle, lower, upper, p_value = (float(x) for x in (found.value, found.lower, found.upper, found.p_value))
    method = f"{found.method}, at look {k + 1}"
    return Estimate(middle, float(se[k]), lower, upper, p_value, float("inf"), level, "two-sided", method)


def _with(c: Comparison, corrected: Quantity | None) -> Comparison:
    if not isinstance(corrected, Estimate):
        return replace(c, at_stop=corrected, notes=(*c.notes, f"{TOO_LARGE}; its looks do not say by how much."))
    value = numbers.number(corrected.value, se=corrected.se, unit="percent", signed=True)
    ends = numbers.interval(corrected.lower, corrected.upper, se=corrected.se, unit="percent")
    said = (
        f"{TOO_LARGE}; without what the early stop adds it is about "
        f"{value} ({numbers.level(corrected.level)} interval {ends}; {corrected.method})."
    )
    return replace(c, at_stop=corrected, notes=(*c.notes, said))
