"""Capped metrics: the share of units that the cap touched by arm, and the effect without it, shown beside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from paribus.experiments.effects import N_OPT
from paribus.experiments.layout import whole_by_arm
from paribus.experiments.plan import Design, Method
from paribus.experiments.result import Comparison, Quantity
from paribus.metrics.cells import Cells, Measurement
from paribus.stats.anytime import AsymptoticSequence
from paribus.stats.arm import difference, mean
from paribus.stats.boundary import Boundary, Fixed
from paribus.stats.moments import Moments


def with_caps(design: Design, measurement: Measurement, comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """The comparisons with units not matured, and for capped metrics the share capped and the uncapped effect."""
    return tuple(_with_cells(design, c, measurement.cells.get(c.metric)) for c in comparisons)


def _with_cells(design: Design, c: Comparison, cells: Cells | None) -> Comparison:
    if cells is None or (cells.immature is None and cells.uncapped is None):
        return c
    place = whole_by_arm(cells)
    arms = [place.get(arm.variant, np.array([], dtype=np.intp)).tolist() for arm in (c.control, c.treatment)]
    waiting = sum(int(cells.immature[i]) for at in arms for i in at) if cells.immature else 0
    if cells.uncapped is None or cells.capped is None:
        return replace(c, immature_units=waiting)
    shares = [
        sum(cells.capped[i] for i in at) / arm.units if arm.units else 0.0
        for at, arm in zip(arms, (c.control, c.treatment), strict=True)
    ]
    return replace(
        c,
        immature_units=waiting,
        capped_share=(shares[0], shares[1]),
        uncapped=_uncapped(design, cells.uncapped, arms),
    )


def _uncapped(design: Design, moments: Moments, arms: list[list[int]]) -> Quantity:
    control, treatment = (moments.take(at).total(np.zeros(len(at), dtype=int)).take(0) for at in arms)
    level = design.plan.confidence_level
    # A description: before a sequential plan's end a fixed interval would be peeking, so a sequence stands in.
    n_opt = float(design.plan.n_opt or design.plan.planned_units or N_OPT)
    rule: Boundary = Fixed(level) if design.plan.method is Method.FIXED else AsymptoticSequence(n_opt, level)
    return difference(mean(control), mean(treatment), boundary=rule).at()
