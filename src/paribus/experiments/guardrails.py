"""Guardrails against their margins: one-sided p-values that agree with the intervals by which they are judged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paribus.metrics.definition import Metric, Role
from paribus.stats.arm import Arm
from paribus.stats.boundary import Boundary
from paribus.stats.estimate import Estimates, Floats
from paribus.stats.margin import margin_p_value
from paribus.stats.two_proportions import EXACT_BELOW, proportion_difference, proportion_lift

Table = tuple[Floats, Floats, Floats, Floats]


def margin_p(
    metrics: Sequence[Metric], control: Arm, treatment: Arm, boundary: Boundary, table: Table | None = None
) -> Floats | None:
    """P-values that the treatment is no more than the margin worse, metrics along the last axis; NaN for no guardrail.

    Args:
        metrics: the metrics, along the last axis of the arms.
        control: the control arm.
        treatment: the treatment arm.
        boundary: the two-sided rule of the interval that is shown.
        table: successes and units, where shares are compared as tables of counts.
    """
    mine = [m for m, metric in enumerate(metrics) if metric.role is Role.GUARDRAIL]
    if not mine:
        return None
    null = np.array([null_of(metric) for metric in metrics])
    if table is None:
        found = margin_p_value(
            control,
            treatment,
            null=null,
            relative=np.array([not metric.margin_absolute for metric in metrics]),
            safe_above=np.array([metric.direction == "increase" for metric in metrics]),
            boundary=boundary,
        )
        return np.where(np.isin(np.arange(len(metrics)), mine), found, np.nan)
    out = np.full(np.shape(table[0]), np.nan)
    for m in mine:
        metric = metrics[m]
        if not metric.margin_absolute and null[m] <= -1:
            continue
        test = proportion_difference if metric.margin_absolute else proportion_lift
        out[..., m] = test(
            *(a[..., m] for a in table),
            alternative="greater" if metric.direction == "increase" else "less",
            null=float(null[m]),
            exact_below=EXACT_BELOW,
        ).p_value
    return out


def null_of(metric: Metric) -> float:
    """The effect at which the metric's margin lies; a guardrail without one may not get worse at all."""
    return -(metric.margin or 0.0) if metric.direction == "increase" else metric.margin or 0.0


def margin_p_of(metric: Metric, absolute: Estimates, boundary: Boundary, n: float) -> Floats:
    """The same for one absolute margin and an estimate with a standard error of its own, as clusters have."""
    gap = absolute.value - null_of(metric)
    with np.errstate(invalid="ignore", divide="ignore"):
        both = boundary.p_value(gap, absolute.se, np.full(np.shape(gap), n), absolute.df)
    return np.asarray(np.where((gap > 0) == (metric.direction == "increase"), both / 2, 1 - both / 2))
