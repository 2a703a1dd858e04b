"""Effects of metrics measured by cluster: arms as ratios of sums over clusters, few clusters by CR2 and its df."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from paribus.experiments.effects import Panel, rule_of
from paribus.experiments.layout import WHOLE
from paribus.experiments.plan import Design
from paribus.experiments.reading import Reading
from paribus.metrics.cells import ClusterSums as Measured
from paribus.metrics.definition import Metric
from paribus.stats.arm import Arm
from paribus.stats.boundary import Boundary
from paribus.stats.cluster import ClusterSums, cluster_arm, cluster_difference
from paribus.stats.estimate import Estimates, Floats, Reason
from paribus.stats.relative import lift


def clustered(metric: Metric, sums: Measured, design: Design, read: Reading, levels: Floats) -> Panel:
    """The effect of one metric; `levels` of the correction by treatment arm."""
    by_variant = {variant.name: _of_variant(sums, variant.name) for variant in design.variants}
    units = {name: _units(sums, name) for name in by_variant}
    control = by_variant[design.control]
    treatments = [by_variant[variant.name] for variant in design.variants if variant.name != design.control]
    rule = rule_of(design.plan, read.looks[-1])
    boundary = rule(design.plan.confidence_level)
    found = [_compare(control, treatment, boundary) for treatment in treatments]
    absolute, relative = (joined([pair[i] for pair in found]) for i in range(2))
    ends = [_ends(control, treatment, rule(float(own))) for treatment, own in zip(treatments, levels, strict=True)]
    lower, upper = (np.array([[end[i]] for end in ends]) for i in range(2))
    return Panel(
        metrics=(metric,),
        groups=(WHOLE,),
        control=_shown([control] * len(treatments), [units[design.control]] * len(treatments)),
        treatment=_shown(treatments, [n for name, n in units.items() if name != design.control]),
        absolute=absolute,
        relative=relative,
        unadjusted=absolute,
        reduction=np.zeros(absolute.shape),
        adjusted=np.zeros(absolute.shape, dtype=np.bool_),
        method=(absolute.method,),
        simultaneous=(lower, upper),
        sign=np.sign(absolute.value[:, 0, :]),
        notes={metric.name: (f"{len(sums.cluster):,} clusters; units within one are not independent.",)},
    )


def joined(each: list[Estimates]) -> Estimates:
    """Single estimates, one for each treatment arm, as axes (treatment, one group, one metric)."""
    names = ("value", "se", "lower", "upper", "p_value", "df", "reason")
    arrays: dict[str, Any] = {name: np.stack([np.reshape(getattr(e, name), (1, 1)) for e in each]) for name in names}
    return replace(each[0], **arrays, extra={})


def _of_variant(sums: Measured, variant: str) -> ClusterSums:
    mine = [i for i, name in enumerate(sums.variant) if name == variant]
    y = np.array([sums.sums[0][i] for i in mine], dtype=np.float64)
    sizes = sums.sums[1] if len(sums.sums) > 1 else sums.n
    return ClusterSums(y, np.array([sizes[i] for i in mine], dtype=np.float64))


def _compare(control: ClusterSums, treatment: ClusterSums, boundary: Boundary) -> tuple[Estimates, Estimates]:
    absolute = cluster_difference(control, treatment, boundary=boundary)
    relative = lift(cluster_arm(control), cluster_arm(treatment), boundary=boundary, negative_baseline="magnitude")
    for reason in set(absolute.reason.flat) - {None}:
        relative = relative.without(absolute.reason == reason, Reason(reason))
    # One test: the lift's p-value is that of the difference, with its correction for few clusters.
    p = np.where(relative.determined, absolute.p_value, np.nan)
    return absolute, replace(relative, p_value=p, method=absolute.method)


def _ends(control: ClusterSums, treatment: ClusterSums, boundary: Boundary) -> tuple[float, float]:
    absolute, relative = _compare(control, treatment, boundary)
    shown = relative if relative.determined.all() else absolute
    return float(shown.lower), float(shown.upper)


def _units(sums: Measured, variant: str) -> float:
    return float(sum(n for name, n in zip(sums.variant, sums.n, strict=True) if name == variant))


def _shown(each: list[ClusterSums], units: list[float]) -> Arm:
    """The arms' values and standard errors by cluster, with their number of units."""
    arms = [cluster_arm(sums) for sums in each]
    n = np.array(units)[:, None, None]
    value, se, skewness = (
        np.array([float(getattr(arm, name)) for arm in arms])[:, None, None] for name in ("value", "se", "skewness")
    )
    return Arm(n, value, se**2 * n, skewness)
