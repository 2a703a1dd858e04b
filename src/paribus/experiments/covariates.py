"""Are the arms alike before exposure? Covariates and their missingness by arm decide whether adjustment is used.

A covariate that the treatment could move (a leak: a late exposure date, stitched identities) makes adjustment biased.
Where a covariate, or the share of units with a history, differs between the arms at p < .001, the metric is left
unadjusted and the report says so (statistics.md, decision 13).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paribus.experiments.effects import control_of
from paribus.experiments.layout import Batch, Pairs
from paribus.experiments.plan import Design
from paribus.stats.arm import difference, mean
from paribus.stats.boundary import Fixed

# The p-value below which arms are not alike.
UNLIKE = 0.001


@dataclass(frozen=True, slots=True)
class Imbalance:
    """One covariate of one metric compared before exposure; `history` marks the share of units with a history."""

    metric: str
    variable: str
    treatment: str
    p_value: float
    history: bool = False


def imbalances(batch: Batch, design: Design) -> list[Imbalance]:
    """Every covariate of the batch in every treatment arm, with the p-value of its difference from control."""
    names = [name for name in batch.moments.names if name not in ("y", "d")]
    if not names:
        return []
    pairs: Pairs = batch.pairs(control=control_of(design), whole_only=True)
    treatments = [variant.name for variant in design.variants if variant.name != design.control]
    found = []
    for name in names:
        effect = difference(mean(pairs.control, name), mean(pairs.treatment, name), boundary=Fixed())
        for t, m in np.ndindex(len(treatments), len(batch.metrics)):
            p = float(effect.p_value[t, 0, m])
            if not np.isnan(p):  # a covariate that is the same for all units is balanced
                found.append(Imbalance(batch.metrics[m].name, name, treatments[t], p, name.startswith("h")))
    return found


def adjustable(batch: Batch, design: Design, found: Iterable[Imbalance]) -> NDArray[np.bool_]:
    """Where covariates are used, axes (treatment, metric): by the plan, and unless the arms differ in them."""
    treatments = [variant.name for variant in design.variants if variant.name != design.control]
    use = np.full((len(treatments), len(batch.metrics)), design.plan.cuped and bool(batch.covariates))
    names = [metric.name for metric in batch.metrics]
    for imbalance in found:
        if imbalance.p_value < UNLIKE and imbalance.metric in names:
            use[treatments.index(imbalance.treatment), names.index(imbalance.metric)] = False
    return use
