"""Effects on a quantile, from the order statistics that the warehouse returned.

There is no daily view of a quantile: order statistics do not add up over days, so a sequential plan reads the latest
ones by a sequence that holds at any time, and says so.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from paribus.experiments.effects import Panel, undated_notes, undated_rule
from paribus.experiments.guardrails import margin_p
from paribus.experiments.layout import WHOLE, Group
from paribus.experiments.plan import Design
from paribus.experiments.reading import Reading
from paribus.metrics.cells import CellKey, Ranks
from paribus.metrics.definition import Metric
from paribus.stats.arm import Arm, ratio
from paribus.stats.boundary import Boundary
from paribus.stats.domain import domain_of
from paribus.stats.estimate import Estimates, Floats, Reason
from paribus.stats.quantile import (
    clustered_quantile_arm,
    effective_clusters,
    quantile_arm,
    quantile_difference,
    tied_limits,
)


def quantile_panels(
    metric: Metric, ranks: Ranks, design: Design, read: Reading, levels: Floats
) -> tuple[Panel, Panel | None]:
    """The effect of one metric in the whole, and in the segments; `levels` of the correction by treatment arm."""
    segments = {(key.attribute, key.level) for key in ranks.keys if key.attribute is not None}
    groups: list[Group] = [WHOLE, *sorted(segments, key=lambda segment: (segment[0], segment[1] or ""))]
    control, treatment, tied, few = _pairs(metric, ranks, design, groups)
    rule = undated_rule(design.plan, read.looks[-1])
    boundary = rule(design.plan.confidence_level)
    absolute, relative = _compare(control, treatment, tied, few, boundary)
    panel = Panel(
        metrics=(metric,),
        groups=tuple(groups),
        control=control,
        treatment=treatment,
        absolute=absolute,
        relative=relative,
        unadjusted=absolute,
        reduction=np.zeros(absolute.shape),
        adjusted=np.zeros(absolute.shape, dtype=np.bool_),
        method=(absolute.method,),
        notes={
            metric.name: (
                f"The {100 * (metric.quantile or 0):g}th percentile, by order statistics.",
                *undated_notes(design.plan, "order statistics of days do not add up to those of all days"),
            )
        },
    )
    whole = panel.of_groups(slice(0, 1))
    lower, upper = np.full((len(levels), 1), np.nan), np.full((len(levels), 1), np.nan)
    reach = np.full((len(levels), 1), np.nan)
    for t, level in enumerate(levels):
        own = rule(float(level))
        a, r = _compare(whole.control, whole.treatment, tied[:, :1], few[:, :1], own)
        with np.errstate(invalid="ignore"):
            reach[t, 0] = own.radius(a.se, whole.control.n + whole.treatment.n, a.df)[t, 0, 0]
        shown = r if r.determined[t, 0, 0] else a
        lower[t, 0], upper[t, 0] = shown.lower[t, 0, 0], shown.upper[t, 0, 0]
    against = margin_p(whole.metrics, whole.control, whole.treatment, boundary)
    whole = replace(
        whole,
        simultaneous=(lower, upper),
        margin_p=None if against is None else against[:, 0, :],
        reach=reach,
        sign=np.sign(whole.absolute.value[:, 0, :]),
    )
    return whole, panel.of_groups(slice(1, None)) if len(groups) > 1 else None


def _pairs(
    metric: Metric, ranks: Ranks, design: Design, groups: list[Group]
) -> tuple[Arm, Arm, NDArray[np.bool_], NDArray[np.bool_]]:
    """Control and treatments as arms (treatment, group, one metric); where a limit sits on an atom, where units lack.

    Rows clustered by unit count through their units, so these must be enough for their share's variance.
    """
    treatments = [variant.name for variant in design.variants if variant.name != design.control]
    place = {key: i for i, key in enumerate(ranks.keys)}
    points = {label: np.array([*ranks.points.get(label, ()), np.nan]) for label in ("q", "lower", "upper")}
    n = np.array([*ranks.n, 0], dtype=np.float64)
    level = design.plan.confidence_level
    share = metric.quantile or 0.5
    flat = quantile_arm(n, points["q"], points["lower"], points["upper"], level=level)
    if ranks.clustered is not None:
        below = ratio(ranks.clustered, "s", "n")
        widened = Arm(*(np.append(getattr(below, name), np.nan) for name in ("n", "value", "var", "skewness")))
        flat = clustered_quantile_arm(flat, share, widened)
        few = np.append(effective_clusters(ranks.clustered, "n") < domain_of("clustered quantile").min_clusters, False)
    else:
        few = np.zeros(len(n), dtype=np.bool_)
    atoms = tied_limits(points["q"], points["lower"], points["upper"])

    def at(names: list[str]) -> np.ndarray:
        def position(name: str, group: Group) -> int:
            key = CellKey(name) if group is None else CellKey(name, attribute=group[0], level=group[1])
            return place.get(key, len(ranks.keys))

        return np.array([[[position(name, group)] for group in groups] for name in names])

    def arm(where: np.ndarray) -> Arm:
        return Arm(*(getattr(flat, name)[where] for name in ("n", "value", "var", "skewness")))

    control, treatment = at([design.control] * len(treatments)), at(treatments)
    return arm(control), arm(treatment), atoms[control] | atoms[treatment], few[control] | few[treatment]


def _compare(
    control: Arm, treatment: Arm, tied: NDArray[np.bool_], few: NDArray[np.bool_], boundary: Boundary
) -> tuple[Estimates, Estimates]:
    absolute, relative = (
        quantile_difference(control, treatment, tied=tied, relative=scale, boundary=boundary).without(
            few, Reason.TOO_FEW_CLUSTERS
        )
        for scale in (False, True)
    )
    return absolute, relative
