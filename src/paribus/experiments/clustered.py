"""Effects of metrics measured by cluster: arms as ratios of sums over clusters, few clusters by CR2 and its df."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from paribus.experiments.effects import Panel, has_looks, rule_of, undated_notes
from paribus.experiments.guardrails import margin_p, margin_p_of
from paribus.experiments.layout import WHOLE
from paribus.experiments.phrases import agreeing, counted
from paribus.experiments.plan import Design, Plan
from paribus.experiments.reading import Look, Reading
from paribus.metrics.cells import NO_CLUSTER
from paribus.metrics.cells import ClusterSums as Measured
from paribus.metrics.definition import Metric, Role
from paribus.stats.anytime import AnytimeT
from paribus.stats.arm import Arm, difference
from paribus.stats.boundary import Boundary
from paribus.stats.cluster import ClusterSums, cluster_arm, cluster_difference, crossed_arms
from paribus.stats.domain import domain_of
from paribus.stats.estimate import Estimates, Floats, Reason
from paribus.stats.relative import lift

# Clusters that the prior of an anytime-valid t test is worth: its interval is narrowest at 50 clusters then. Any
# constant is valid; 14 readings of 10 to 40 clusters that go on filling are wrong in less than 1 of 100 (simulated).
PRIOR_CLUSTERS = 5.5


def clustered(metric: Metric, sums: Measured, design: Design, read: Reading, levels: Floats) -> Panel:
    """The effect of one metric; `levels` of the correction by treatment arm."""
    by_variant = {variant.name: _of_variant(sums, variant.name) for variant in design.variants}
    units = {name: _units(sums, name) for name in by_variant}
    control = by_variant[design.control]
    treatments = [by_variant[variant.name] for variant in design.variants if variant.name != design.control]
    rule = _rule(design.plan, read.looks[-1])
    boundary = rule(design.plan.confidence_level)
    names = [variant.name for variant in design.variants if variant.name != design.control]
    aligned = [_in_both(sums, design.control, name) for name in names]
    pairs = [both or (control, treatment) for both, treatment in zip(aligned, treatments, strict=True)]
    crossed = [both is not None for both in aligned]
    found = [_compare(*pair, boundary, crossed=own) for pair, own in zip(pairs, crossed, strict=True)]
    absolute, relative = (joined([pair[i] for pair in found]) for i in range(2))
    ends = [
        _ends(*pair, rule(float(level)), crossed=own) for pair, own, level in zip(pairs, crossed, levels, strict=True)
    ]
    lower, upper, reach = (np.array([[end[i]] for end in ends]) for i in range(3))
    against = [_margin_p(metric, *pair, boundary, crossed=own) for pair, own in zip(pairs, crossed, strict=True)]
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
        method=(f"{absolute.method}, {boundary.method}" if has_looks(design.plan) else absolute.method,),
        simultaneous=(lower, upper),
        margin_p=np.array([[p] for p in against]) if metric.role is Role.GUARDRAIL else None,
        reach=reach,
        sign=np.sign(absolute.value[:, 0, :]),
        notes={metric.name: (*_notes(sums), *undated_notes(design.plan, "clusters are measured over all days"))},
    )


def _rule(plan: Plan, look: Look) -> Callable[[float], Boundary]:
    """Clusters are few, so an asymptotic sequence says nothing of them; the anytime-valid t test counts their df."""
    return partial(AnytimeT, PRIOR_CLUSTERS) if has_looks(plan) else rule_of(plan, look)


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


def _in_both(sums: Measured, control: str, treatment: str) -> tuple[ClusterSums, ClusterSums] | None:
    """Both arms over the same list of clusters, when some cluster has units in both; None when none has."""
    place: dict[str, int] = {}
    arms: dict[str, list[int]] = {control: [], treatment: []}
    for i, (variant, cluster) in enumerate(zip(sums.variant, sums.cluster, strict=True)):
        if variant in arms:
            arms[variant].append(i)
            place.setdefault(cluster, len(place))
    named = [{sums.cluster[i] for i in mine} - {NO_CLUSTER} for mine in arms.values()]
    if not named[0] & named[1]:
        return None
    sizes = sums.sums[1] if len(sums.sums) > 1 else sums.n
    both = []
    for mine in arms.values():
        total, size = np.zeros(len(place)), np.zeros(len(place))
        at = [place[sums.cluster[i]] for i in mine]
        total[at], size[at] = [sums.sums[0][i] for i in mine], [sizes[i] for i in mine]
        both.append(ClusterSums(total, size))
    return both[0], both[1]


def _notes(sums: Measured) -> tuple[str, ...]:
    clusters = set(sums.cluster)
    arms: dict[str, set[str]] = {}
    for variant, cluster in zip(sums.variant, sums.cluster, strict=True):
        arms.setdefault(cluster, set()).add(variant)
    notes = [f"{counted(len(clusters), 'cluster')}; units within one are not independent."]
    crossed = sum(len(variants) > 1 for cluster, variants in arms.items() if cluster != NO_CLUSTER)
    if crossed:
        notes.append(
            f"{counted(crossed, 'cluster', 'have')} units in several arms, so whole clusters were not randomized; the "
            "standard error follows what the arms share."
        )
    without = sum(int(n) for cluster, n in zip(sums.cluster, sums.n, strict=True) if cluster == NO_CLUSTER)
    if without:
        notes.append(f"{counted(without, 'unit', 'name')} no cluster and {agreeing(without, 'count')} together as one.")
    return tuple(notes)


def _compare(
    control: ClusterSums, treatment: ClusterSums, boundary: Boundary, *, crossed: bool
) -> tuple[Estimates, Estimates]:
    if crossed:
        return _compare_crossed(control, treatment, boundary)
    absolute = cluster_difference(control, treatment, boundary=boundary)
    relative = lift(cluster_arm(control), cluster_arm(treatment), boundary=boundary, negative_baseline="magnitude")
    for reason in set(absolute.reason.flat) - {None}:
        relative = relative.without(absolute.reason == reason, Reason(reason))
    # One test: the lift's p-value is that of the difference, with its correction for few clusters.
    p = np.where(relative.determined, absolute.p_value, np.nan)
    return absolute, replace(relative, p_value=p, method=absolute.method)


def _compare_crossed(control: ClusterSums, treatment: ClusterSums, boundary: Boundary) -> tuple[Estimates, Estimates]:
    arms = crossed_arms(control, treatment)
    few = np.asarray(len(control) < domain_of("cluster").min_clusters)
    absolute = difference(*arms, boundary=boundary).without(few, Reason.TOO_FEW_CLUSTERS)
    relative = lift(*arms, boundary=boundary, negative_baseline="magnitude").without(few, Reason.TOO_FEW_CLUSTERS)
    method = f"{absolute.method}, clustered (CR1), clusters in both arms"
    return replace(absolute, method=method), replace(relative, method=method)


def _margin_p(
    metric: Metric, control: ClusterSums, treatment: ClusterSums, boundary: Boundary, *, crossed: bool
) -> float:
    """The guardrail's one-sided p-value, from the arms or the estimate whose interval judges it."""
    if metric.role is not Role.GUARDRAIL:
        return float("nan")
    if metric.margin_absolute:
        absolute, _ = _compare(control, treatment, boundary, crossed=crossed)
        n = len(control) if crossed else len(control) + len(treatment)
        return float(margin_p_of(metric, absolute, boundary, n))
    arms = crossed_arms(control, treatment) if crossed else (cluster_arm(control), cluster_arm(treatment))
    found = margin_p((metric,), *arms, boundary)
    return float("nan") if found is None else float(found[0])


def _ends(
    control: ClusterSums, treatment: ClusterSums, boundary: Boundary, *, crossed: bool
) -> tuple[float, float, float]:
    """The ends of the interval that is shown, and how far the difference must be from zero to be shown."""
    absolute, relative = _compare(control, treatment, boundary, crossed=crossed)
    shown = relative if relative.determined.all() else absolute
    n = len(control) if crossed else len(control) + len(treatment)
    return (
        float(shown.lower),
        float(shown.upper),
        float(boundary.radius(absolute.se, np.asarray(float(n)), absolute.df)),
    )


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
