"""The engine as it is by default, fed with replications: each replication is one metric of one design."""

from __future__ import annotations

from functools import cache

import numpy as np

from paribus.experiments import looks
from paribus.experiments.covariates import adjustable, imbalances
from paribus.experiments.effects import Panel
from paribus.experiments.layout import Batch, Grid
from paribus.experiments.plan import Design, Kind, Plan, Variant
from paribus.experiments.reading import reading
from paribus.metrics.cells import CellKey, Counts, Measurement
from paribus.metrics.definition import Covariate, Metric, MetricType, Role
from paribus.stats.moments import Moments

VARIANTS = ("control", "treatment")
AT_ONCE = 2_000


def design_of(metrics: tuple[Metric, ...], plan: Plan | None = None) -> Design:
    """An A/B test of these metrics; their split is not declared, since health checks are simulated elsewhere."""
    return Design(
        key="calibration",
        kind=Kind.AB,
        interference="none because the units are simulated",
        variants=tuple(Variant(name, 0.5) for name in VARIANTS),
        control="control",
        metrics=metrics,
        plan=plan or Plan(),
        split_declared=False,
    )


@cache
def replicated(type: MetricType, size: int, covariate: bool = False) -> tuple[Metric, ...]:
    """Metrics r0, r1, …, tested two-sided and each on its own."""
    covariates = (Covariate(value="x"),) if covariate else ()
    return tuple(Metric(f"r{i}", type, Role.SECONDARY, covariates=covariates) for i in range(size))


def batch_of(control: Moments, treatment: Moments, type: MetricType) -> Batch:
    """Replications (axis 0 of both) as the metrics of one batch."""
    n, mean, m2, m3 = (np.stack([getattr(control, f), getattr(treatment, f)]) for f in ("n", "mean", "m2", "m3"))
    covariate = any(name.startswith("x") for name in control.names)
    metrics = replicated(type, control.n.shape[0], covariate)
    grid = Grid.of([CellKey(name) for name in VARIANTS], VARIANTS)
    return Batch(metrics, grid, Moments(control.names, n, mean, m2, m3), VARIANTS)


def analyzed(control: Moments, treatment: Moments, type: MetricType, plan: Plan | None = None) -> Panel:
    """What `infer` computes for every replication before families correct it."""
    batch = batch_of(control, treatment, type)
    design = design_of(batch.metrics, plan)
    read = reading(design, Measurement(Counts(0, {}), {}), None, ())
    levels = np.full((1, len(batch.metrics)), design.plan.confidence_level)
    return looks.whole(batch, design, read, levels, adjustable(batch, design, imbalances(batch, design)))
