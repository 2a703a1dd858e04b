"""Effects on a quantile, from the order statistics that the warehouse returned.

There is no daily view of a quantile: order statistics do not add up over days, so a sequential plan reads the latest
ones at its last look.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from paribus.experiments.effects import Panel, rule_of
from paribus.experiments.layout import WHOLE, Group
from paribus.experiments.plan import Design
from paribus.experiments.reading import Reading
from paribus.metrics.cells import CellKey, Ranks
from paribus.metrics.definition import Metric
from paribus.stats.arm import Arm, ratio
from paribus.stats.boundary import Boundary
from paribus.stats.estimate import Estimates, Floats
from paribus.stats.quantile import clustered_quantile_arm, quantile_arm, quantile_difference, tied_limits


def quantile_panels(
    metric: Metric, ranks: Ranks, design: Design, read: Reading, levels: Floats
) -> tuple[Panel, Panel | None]:
    """The effect of one metric in the whole, and in the segments; `levels` of the correction by treatment arm."""
    segments = {(key.attribute, key.level) for key in ranks.keys if key.attribute is not None}
    groups: list[Group] = [WHOLE, *sorted(segments, key=lambda segment: (segment[0], segment[1] or ""))]
    control, treatment, tied = _pairs(metric, ranks, design, groups)
    rule = rule_of(design.plan, read.looks[-1])
    boundary = rule(design.plan.confidence_level)
    absolute, relative = _compare(control, treatment, tied, boundary)
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
        notes={metric.name: (f"The {100 * (metric.quantile or 0):g}th percentile, by order statistics.",)},
    )
    whole = panel.of_groups(slice(0, 1))
    lower, upper = np.full((len(levels), 1), np.nan), np.full((len(levels), 1), np.nan)
    for t, level in enumerate(levels):
        a, r = _compare(whole.control, whole.treatment, tied[:, :1], rule(float(level)))
        shown = r if r.determined[t, 0, 0] else a
        lower[t, 0], upper[t, 0] = shown.lower[t, 0, 0], shown.upper[t, 0, 0]
    whole = replace(whole, simultaneous=(lower, upper), sign=np.sign(whole.absolute.value[:, 0, :]))
    return whole, panel.of_groups(slice(1, None)) if len(groups) > 1 else None


def _pairs(metric: Metric, ranks: Ranks, design: Design, groups: list[Group]) -> tuple[Arm, Arm, np.ndarray]:
    """Control and treatments as arms (treatment, group, one metric), and where a limit sits on an atom."""
    treatments = [variant.name for variant in design.variants if variant.name != design.control]
    place = {key: i for i, key in enumerate(ranks.keys)}
    points = {label: np.array([*values, np.nan]) for label, values in ranks.points.items()}
    n = np.array([*ranks.n, 0], dtype=np.float64)
    level = design.plan.confidence_level
    share = metric.quantile or 0.5
    flat = quantile_arm(n, points["q"], points["lower"], points["upper"], level=level)
    if ranks.clustered is not None:
        below = ratio(ranks.clustered, "s", "n")
        widened = Arm(*(np.append(getattr(below, name), np.nan) for name in ("n", "value", "var", "skewness")))
        flat = clustered_quantile_arm(flat, share, widened)
    atoms = tied_limits(points["q"], points["lower"], points["upper"])

    def at(names: list[str]) -> np.ndarray:
        def position(name: str, group: Group) -> int:
            key = CellKey(name) if group is None else CellKey(name, attribute=group[0], level=group[1])
            return place.get(key, len(ranks.keys))

        return np.array([[[position(name, group)] for group in groups] for name in names])

    def arm(where: np.ndarray) -> Arm:
        return Arm(*(getattr(flat, name)[where] for name in ("n", "value", "var", "skewness")))

    control, treatment = at([design.control] * len(treatments)), at(treatments)
    return arm(control), arm(treatment), atoms[control] | atoms[treatment]


def _compare(control: Arm, treatment: Arm, tied: np.ndarray, boundary: Boundary) -> tuple[Estimates, Estimates]:
    absolute, relative = (
        quantile_difference(control, treatment, tied=tied, relative=scale, boundary=boundary) for scale in (False, True)
    )
    return absolute, relative
