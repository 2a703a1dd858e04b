"""The second stage alone: effects, intervals and p-values of cells that are ready, CPU seconds of one call."""

from __future__ import annotations

from time import process_time
from typing import Any

SEGMENTS, ARMS = 100, 2  # two treatments against one control


def effects(cells: int) -> dict[str, Any]:
    """The arrays: arms adjusted for a covariate, absolute and relative effects, intervals and p-values by segment."""
    started = process_time()
    import scipy.optimize
    import scipy.stats  # noqa: F401

    from paribus.experiments.effects import by_segment
    from paribus.experiments.layout import batches
    from paribus.experiments.reading import reading

    design, measurement = material(cells // SEGMENTS // ARMS)
    imported = process_time()
    read = reading(design, measurement, None, ())
    panels = [by_segment(batch, design, read, _all_adjusted(batch)) for batch in batches(design, measurement.cells)]
    done = process_time()
    found = sum(panel.absolute.determined.sum() for panel in panels if panel is not None)
    return {"imports": imported - started, "work": done - imported, "cells": int(found)}


def whole(cells: int) -> dict[str, Any]:
    """`infer`: health checks, effects in the whole and in every segment, corrections, shrinkage, verdict."""
    started = process_time()
    import scipy.optimize
    import scipy.stats  # noqa: F401

    from paribus.experiments.analysis import infer

    design, measurement = material(cells // SEGMENTS // ARMS)
    imported = process_time()
    result = infer(design, measurement)
    done = process_time()
    return {"imports": imported - started, "work": done - imported, "cells": len(result.segments)}


def material(metrics: int) -> tuple[Any, Any]:
    """A design of means with a covariate, and moments of 500 units in every cell from normal draws."""
    import numpy as np

    from paribus.experiments.plan import Design, Kind, Plan, Variant
    from paribus.metrics.cells import CellKey, Cells, Counts, Measurement
    from paribus.metrics.definition import Covariate, Metric, MetricType
    from paribus.stats.moments import Moments

    rng = np.random.default_rng(20261124)
    variants = ("control", "first", "second")
    keys = [CellKey(variant=v) for v in variants]
    keys += [CellKey(variant=v, attribute="country", level=f"{i:03d}") for i in range(SEGMENTS) for v in variants]
    size = 500
    names = [f"metric {i}" for i in range(metrics)]
    found = {}
    for name in names:
        x = rng.normal(10, 3, (len(keys), size))
        y = 0.5 * x + rng.normal(20, 5, (len(keys), size))
        rows = np.stack([y, x], axis=-1)
        # The whole is the sum of its levels.
        for v in range(len(variants)):
            rows[v] = rows[len(variants) + v :: len(variants)].reshape(-1, 2)[rng.permutation(SEGMENTS * size)[:size]]
        mean = rows.mean(axis=1)
        centred = rows - mean[:, None]
        n = np.full(len(keys), float(size))
        n[: len(variants)] = size * SEGMENTS
        scale = n / size
        m2 = np.einsum("csi,csj->cij", centred, centred) * scale[:, None, None]
        m3 = (centred**3).sum(axis=1) * scale[:, None]
        found[name] = Cells(name, tuple(keys), Moments(("y", "x1"), n, mean, m2, m3))
    listed = tuple(Metric(name, MetricType.MEAN, value="y", covariates=(Covariate(value="x"),)) for name in names)
    design = Design(
        key="speed",
        kind=Kind.AB,
        interference="none",
        variants=tuple(Variant(name, 1.0) for name in variants),
        control="control",
        metrics=listed,
        plan=Plan(),
        segments=("country",),
    )
    counts = Counts(rows=3 * SEGMENTS * size, units=dict.fromkeys(variants, SEGMENTS * size))
    return design, Measurement(counts, found)


def _all_adjusted(batch: Any) -> Any:
    import numpy as np

    return np.ones((batch.arms - 1, len(batch.metrics)), dtype=np.bool_)
