"""Correlated units: clusters are randomized, and the default is CR2 with Satterthwaite's degrees of freedom."""

from __future__ import annotations

import numpy as np

from benchmarks.calibrate_engine import VARIANTS, design_of
from benchmarks.calibrate_fixed import ALPHA, REQUIRED, SPLITS, UNITS, cell_name
from benchmarks.calibrate_gate import Gate, inside_gate, share_gate, uniform_gate
from paribus.experiments.clustered import clustered
from paribus.experiments.reading import reading
from paribus.metrics.cells import ClusterSums, Counts, Measurement
from paribus.metrics.definition import Metric, MetricType, Role
from paribus.stats.estimate import Estimates

REPLICATIONS = 2_000  # as statistics.md allows for CR2: the standard error is .005
CLUSTER_SIZE = 10
CORRELATION = 0.2
MEAN, SD, EFFECT = 10.0, 5.0, 0.05
METRIC = Metric("y", MetricType.MEAN, Role.SECONDARY)


def gates(rng: np.random.Generator, replications: int) -> list[Gate]:
    """Type I error, uniformity and coverage at every number of units and split; n counts units."""
    return [gate for n in UNITS for share in SPLITS for gate in _cell(rng, n, share, min(replications, REPLICATIONS))]


def _cell(rng: np.random.Generator, n: int, share: float, replications: int) -> list[Gate]:
    count = max(n // CLUSTER_SIZE, 2)
    treated = max(round(count * share), 1)
    found: dict[str, list[Estimates]] = {"null": [], "absolute": [], "relative": []}
    design = design_of((METRIC,))
    read = reading(design, Measurement(Counts(0, {}), {}), None, ())
    names = tuple(map(str, range(count)))
    variants = tuple(VARIANTS[i >= count - treated] for i in range(count))
    levels = np.array([design.plan.confidence_level])
    treatment = np.arange(count) >= count - treated
    for _ in range(replications):
        size = rng.poisson(CLUSTER_SIZE - 1, count) + 1.0
        shared = rng.normal(0, SD * CORRELATION**0.5, count)
        sums = size * (MEAN + shared) + rng.normal(0, SD * (1 - CORRELATION) ** 0.5, count) * size**0.5
        for lift in (0.0, EFFECT):
            y = tuple((sums * np.where(treatment, 1 + lift, 1.0)).tolist())
            measured = ClusterSums("y", variants, names, tuple(size.tolist()), (y,))
            panel = clustered(METRIC, measured, design, read, levels)
            if lift:
                found["absolute"].append(panel.absolute)
                found["relative"].append(panel.relative)
            else:
                found["null"].append(panel.absolute)
    name = cell_name(f"clusters of {CLUSTER_SIZE}", n, share)
    null = found["null"]
    p = np.array([float(e.p_value.item()) for e in null])
    known = np.array([bool(e.determined.item()) for e in null])
    method = null[0].method
    group = "Type I error of the default, correlated units"
    out = [share_gate(group, name, "type I", p <= ALPHA, ALPHA, "both", known=known, method=method)]
    if n == REQUIRED:
        out.append(inside_gate(group, name, known))
    if known.mean() > 0.5:
        out.append(uniform_gate(group, name, p[known]))
    for measure, truth in (("absolute", MEAN * EFFECT), ("relative", EFFECT)):
        each = found[measure]
        lower, upper, has = (
            np.array([getattr(e, field).item() for e in each]) for field in ("lower", "upper", "determined")
        )
        out.append(
            share_gate(
                "Coverage of 95% intervals under an effect, correlated units",
                name,
                measure,
                (lower <= truth) & (truth <= upper),
                0.95,
                "both",
                known=has,
                method=each[0].method,
            )
        )
    return out
