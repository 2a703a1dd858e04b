"""Effects by segment: exploratory, with error control over all of them, shrinkage, and a test of whether they differ.

A segment's own p-value is no evidence: there are many, and people look at the largest. Effects carry
Benjamini-Hochberg p-values over all segments that are shown, the estimate shrunk toward the others of its attribute
(random effects), and Cochran's test of whether the attribute's levels differ at all. They never touch the verdict.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from paribus.experiments.comparisons import arm_values, quantities
from paribus.experiments.effects import Panel, reshaped
from paribus.experiments.phrases import p_words
from paribus.experiments.plan import Design
from paribus.experiments.result import Comparison, Conclusion, Quantity
from paribus.metrics.definition import Metric
from paribus.stats.arm import Arm
from paribus.stats.estimate import Estimates, Floats
from paribus.stats.interactions import cochran
from paribus.stats.meta import shrink
from paribus.stats.multiplicity import adjusted_p_values


def by_segments(design: Design, panels: Sequence[Panel]) -> tuple[Comparison, ...]:
    """Every metric in every treatment arm and segment, metric by metric."""
    if not panels:
        return ()
    p = np.concatenate([panel.absolute.p_value.ravel() for panel in panels])
    adjusted = adjusted_p_values(p, "benjamini-hochberg")
    found: list[tuple[int, list[Comparison]]] = []
    order = {metric.name: i for i, metric in enumerate(design.metrics)}
    at = 0
    for panel in panels:
        shape = panel.absolute.shape
        size = int(np.prod(shape))
        own = adjusted[at : at + size].reshape(shape)
        at += size
        for m, metric in enumerate(panel.metrics):
            found.append((order[metric.name], _of_metric(design, panel, m, own[:, :, m])))
    return tuple(comparison for _, each in sorted(found, key=lambda item: item[0]) for comparison in each)


def _of_metric(design: Design, panel: Panel, m: int, adjusted: Floats) -> list[Comparison]:
    metric = panel.metrics[m]
    treatments = [variant.name for variant in design.variants if variant.name != design.control]
    one = _of(panel, m)
    groups, arms = panel.groups, len(treatments)
    absolute, relative = quantities(one.absolute), quantities(one.relative)
    plain = absolute if one.unadjusted is one.absolute else quantities(one.unadjusted)
    controls = arm_values([design.control] * arms, one, 0)
    values = arm_values(treatments, one, 1)
    shrunk, notes = _together(one)
    conclusions = _conclusions(design, metric, one, adjusted)
    p_values = [None if math.isnan(p) else p for p in adjusted.ravel().tolist()]
    reduction = one.reduction.ravel().tolist()
    used = one.adjusted.ravel().tolist()
    segments = [group for group in groups if group is not None] * arms
    method = f"{panel.method[m]}, Benjamini–Hochberg over the segments shown"
    method = f"{method}, CUPED" if any(used) else method
    return [
        Comparison(
            metric.name,
            metric.type,
            metric.role,
            metric.direction,
            controls[i],
            values[i],
            absolute[i],
            relative[i],
            plain[i],
            method,
            p_values[i],
            None,
            None,
            False,
            conclusions[i],
            reduction[i] if used[i] else None,
            None,
            None,
            None,
            segment,
            shrunk[i],
            None,
            0,
            notes[i],
        )
        for i, segment in enumerate(segments)
    ]


def _of(panel: Panel, m: int) -> Panel:
    """The panel of one metric."""

    def one(e: Estimates) -> Estimates:
        return reshaped(e, lambda a: a[:, :, m : m + 1])

    def arm(a: Arm) -> Arm:
        return Arm(*(getattr(a, name)[:, :, m : m + 1] for name in ("n", "value", "var", "skewness")))

    absolute = one(panel.absolute)
    return replace(
        panel,
        metrics=panel.metrics[m : m + 1],
        control=arm(panel.control),
        treatment=arm(panel.treatment),
        absolute=absolute,
        relative=one(panel.relative),
        unadjusted=absolute if panel.unadjusted is panel.absolute else one(panel.unadjusted),
        reduction=panel.reduction[:, :, m : m + 1],
        adjusted=panel.adjusted[:, :, m : m + 1],
        totals=None,
    )


def _conclusions(design: Design, metric: Metric, panel: Panel, adjusted: Floats) -> list[Conclusion]:
    """Better or worse where the corrected p-value says so; a guardrail's margin is not tested by segment."""
    good = 1.0 if metric.direction == "increase" else -1.0
    with np.errstate(invalid="ignore"):
        shown = adjusted <= 1 - design.plan.confidence_level
    code = np.where(shown, np.sign(panel.absolute.value[:, :, 0]) * good, 0)
    code = np.where(panel.absolute.determined[:, :, 0], code, 2)
    words: dict[float, Conclusion] = {1: "better", -1: "worse", 0: "inconclusive", 2: "undetermined"}
    return [words[c] for c in code.ravel().tolist()]


def _together(panel: Panel) -> tuple[list[Quantity | None], list[tuple[str, ...]]]:
    """What the levels of each attribute say together: shrunk effects, and a note whether they differ."""
    arms, size, _ = panel.absolute.shape
    shrunk: list[list[Quantity | None]] = [[None] * size for _ in range(arms)]
    notes: list[list[tuple[str, ...]]] = [[()] * size for _ in range(arms)]
    attributes: dict[str, list[int]] = {}
    for g, group in enumerate(panel.groups):
        if group is not None:
            attributes.setdefault(group[0], []).append(g)
    for attribute, levels in attributes.items():
        own = reshaped(panel.absolute, lambda a, at=levels: a[:, at])
        test = cochran(own, axis=1)
        toward = quantities(shrink(own, axis=1))
        for t in range(arms):
            p = float(test.p_value[t, 0])
            said = "differ" if p <= 0.05 else "do not differ"
            said = "cannot be compared" if math.isnan(p) else f"{said} ({p_words(p)})"
            note = ("exploratory", f"The effects in the levels of {attribute} {said}.")
            for i, g in enumerate(levels):
                shrunk[t][g] = toward[t * len(levels) + i]
                notes[t][g] = note
    return [each for row in shrunk for each in row], [each for row in notes for each in row]
