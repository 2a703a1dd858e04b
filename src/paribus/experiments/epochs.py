"""Allocation epochs: the probabilities with which their units were drawn, as the exposures say them.

Epochs are strata. With known probabilities that is the augmented inverse-probability estimate whose model is the mean
of each arm in each epoch: the weighted residuals of an epoch sum to zero, and what is left is the stratified effect,
every unit with a weight that was fixed when it was drawn. The estimate by the weights alone (Hajek 1971) stands beside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from paribus.charts.numbers import Unit
from paribus.experiments.effects import arms, compare, control_of, rule_of
from paribus.experiments.layout import Batch
from paribus.experiments.phrases import effect, listing
from paribus.experiments.plan import Design
from paribus.experiments.reading import Look
from paribus.metrics.definition import SHARES
from paribus.stats.estimate import Floats

Told = Mapping[tuple[str | None, str], tuple[float, float]]  # (epoch, variant) -> lowest and highest probability

SAME = 1e-9  # exposures of one epoch and variant whose probabilities differ by more say no split


def split_of(told: Told, epoch: str | None, variants: Sequence[str]) -> Floats | None:
    """The share of each variant in an epoch's units; None where the exposures do not say one number for each."""
    found = [told.get((epoch, name)) for name in variants]
    known = [each[0] for each in found if each is not None and each[0] > 0 and each[1] - each[0] < SAME]
    return np.array(known) / sum(known) if len(known) == len(variants) else None


def has_moved(told: Told, variants: Sequence[str]) -> bool:
    """Whether the exposures say that the split was not the same in all epochs."""
    splits = [split_of(told, epoch, variants) for epoch in {epoch for epoch, _ in told}]
    known = [split for split in splits if split is not None]
    return any(not np.allclose(split, known[0], rtol=0, atol=SAME) for split in known[1:])


def weighted(batch: Batch, design: Design, look: Look, adjust: NDArray[np.bool_], told: Told) -> dict[str, str]:
    """By metric, the effect in the whole by the known probabilities alone; empty where they did not move.

    Args:
        batch, design: the metrics.
        look: the one that is read.
        adjust: whether covariates adjust, axes (treatment, metric).
        told: the probabilities that units were drawn with.
    """
    splits = [split_of(told, epoch, batch.variants) for epoch, _ in batch.grid.strata]
    known = [split for split in splits if split is not None]
    if len(known) < len(splits) or not has_moved(told, batch.variants):
        return {}
    until = look.last_cohort(batch.window_days) if batch.grid.days else None
    pairs = batch.weighted(np.array(known), until, control=control_of(design))
    boundary = rule_of(design.plan, look)(design.plan.confidence_level)
    absolute, relative, _ = compare(batch, arms(batch, pairs, adjust[:, None, :]), boundary)
    said = {}
    for j, metric in enumerate(batch.metrics):
        unit: Unit = "points" if metric.type in SHARES else "number"
        each = [
            effect(None if metric.margin_absolute else relative.at(t, 0, j), absolute.at(t, 0, j), unit)
            for t in range(absolute.shape[0])
        ]
        said[metric.name] = f"By the known probabilities of the splits alone (Hájek), without epochs: {listing(each)}."
    return said
