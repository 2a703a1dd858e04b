"""Effects by segment: exploratory, with error control over all of them, shrinkage, and a test of whether they differ.

A segment's own p-value is no evidence: there are many, and people look at the largest. Effects carry
Benjamini-Hochberg p-values over all segments that are shown, the estimate shrunk toward the others of its attribute
(random effects), and Cochran's test of whether the attribute's levels differ at all. They never touch the verdict.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paribus.experiments.comparisons import arm_values, quantities
from paribus.experiments.effects import Panel, reshaped
from paribus.experiments.phrases import p_words
from paribus.experiments.plan import Design
from paribus.experiments.records import records
from paribus.experiments.result import Comparison, Conclusion, Quantity
from paribus.stats.estimate import Floats
from paribus.stats.interactions import cochran
from paribus.stats.meta import shrink
from paribus.stats.multiplicity import adjusted_p_values

_WORDS: tuple[Conclusion, ...] = ("worse", "inconclusive", "better", "undetermined")


def by_segments(design: Design, panels: Sequence[Panel]) -> tuple[Comparison, ...]:
    """Every metric in every treatment arm and segment, metric by metric."""
    if not panels:
        return ()
    adjusted = adjusted_p_values(
        np.concatenate([panel.absolute.p_value.ravel() for panel in panels]), "benjamini-hochberg"
    )
    ends = np.cumsum([panel.absolute.value.size for panel in panels])
    by_metric: dict[str, list[Comparison]] = {}
    with _uncollected():
        for panel, own in zip(panels, np.split(adjusted, ends[:-1]), strict=True):
            by_metric |= _of_panel(design, panel, own.reshape(panel.absolute.shape))
    return tuple(c for metric in design.metrics for c in by_metric.get(metric.name, ()))


def _of_panel(design: Design, panel: Panel, adjusted: Floats) -> dict[str, list[Comparison]]:
    """The comparisons of each metric; columns are lists with the metric varying slowest, then arm, then segment."""
    treatments = [variant.name for variant in design.variants if variant.name != design.control]
    shrunk, notes = _together(panel)
    ordered = panel.metric_first()
    absolute = quantities(ordered.absolute)
    groups = [group for group in panel.groups if group is not None]
    columns: dict[str, list[Any]] = {
        "control": arm_values([design.control] * len(treatments), ordered, 0, axis=1),
        "treatment": arm_values(treatments, ordered, 1, axis=1),
        "absolute": absolute,
        "relative": quantities(ordered.relative),
        "unadjusted": absolute if ordered.unadjusted is ordered.absolute else quantities(ordered.unadjusted),
        "adjusted_p": [None if math.isnan(p) else p for p in np.moveaxis(adjusted, -1, 0).ravel().tolist()],
        "conclusion": _conclusions(design, panel, adjusted),
        "variance_reduction": [
            removed if used else None
            for removed, used in zip(ordered.reduction.ravel().tolist(), ordered.adjusted.ravel().tolist(), strict=True)
        ],
        "segment": groups * (len(treatments) * len(panel.metrics)),
        "shrunk": shrunk,
        "notes": notes,
    }
    size = len(treatments) * len(panel.groups)
    methods = [
        f"{method}{', CUPED' if panel.adjusted[:, :, m].any() else ''}, Benjamini–Hochberg over the segments shown"
        for m, method in enumerate(panel.method)
    ]
    of_metric: dict[str, list[Any]] = {
        "metric": [metric.name for metric in panel.metrics],
        "type": [metric.type for metric in panel.metrics],
        "role": [metric.role for metric in panel.metrics],
        "direction": [metric.direction for metric in panel.metrics],
        "method": methods,
    }
    columns |= {name: [value for value in values for _ in range(size)] for name, values in of_metric.items()}
    made = records(Comparison, size * len(panel.metrics), columns.items())
    return {metric.name: made[m * size : (m + 1) * size] for m, metric in enumerate(panel.metrics)}


def _conclusions(design: Design, panel: Panel, adjusted: Floats) -> list[Conclusion]:
    """Better or worse where the corrected p-value says so; a guardrail's margin is not tested by segment."""
    good = np.array([1.0 if metric.direction == "increase" else -1.0 for metric in panel.metrics])
    with np.errstate(invalid="ignore"):
        shown = adjusted <= 1 - design.plan.confidence_level
        code = np.where(shown, 1 + np.sign(panel.absolute.value) * good, 1)
    code = np.where(panel.absolute.determined, code, 3).astype(np.intp)
    return [_WORDS[c] for c in np.moveaxis(code, -1, 0).ravel().tolist()]


def _together(panel: Panel) -> tuple[list[Quantity | None], list[tuple[str, ...]]]:
    """What the levels of each attribute say together: shrunk effects, and a note whether they differ."""
    arms, size, metrics = panel.absolute.shape
    shrunk = np.empty((metrics, arms, size), dtype=object)
    notes = np.empty((metrics, arms, size), dtype=object)
    attributes: dict[str, list[int]] = {}
    for g, group in enumerate(panel.groups):
        if group is not None:
            attributes.setdefault(group[0], []).append(g)
    for attribute, levels in attributes.items():
        # On the relative scale, which is the one that is shown.
        own = reshaped(panel.relative, partial(_levels, levels))
        p_values = cochran(own, axis=-1).p_value
        shrunk[..., levels] = _objects(quantities(shrink(own, axis=-1))).reshape(own.shape)
        for m, t in np.ndindex(metrics, arms):
            p = float(p_values[m, t])
            said = "differ" if p <= 0.05 else "do not differ"
            said = "cannot be compared" if math.isnan(p) else f"{said} ({p_words(p)})"
            own_notes = panel.notes.get(panel.metrics[m].name, ())
            note = ("exploratory", f"The effects in the levels of {attribute} {said}.", *own_notes)
            notes[m, t, levels] = _objects([note] * len(levels))
    return shrunk.ravel().tolist(), notes.ravel().tolist()


def _levels(levels: list[int], a: NDArray[Any]) -> NDArray[Any]:
    """The segments of one attribute, with the metric first."""
    return np.moveaxis(a[:, levels], -1, 0)


def _objects(values: Sequence[object]) -> NDArray[np.object_]:
    """Values as an array of objects, none of which is taken for a sequence."""
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without garbage collection: thousands of comparisons are made and all are kept, so walking them frees nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
