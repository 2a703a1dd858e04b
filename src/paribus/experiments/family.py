"""The families of hypotheses that share an error: success metrics x treatment arms, secondary metrics x arms.

Alpha is split over the success metrics only; guardrails are tested each at (1 - c) / 2, unadjusted, because all of
them must pass (Schultzberg, Ankargren, Franberg 2024). Hypotheses are ordered metric by metric, arms within.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paribus.errors import PlanError
from paribus.experiments.plan import Correction, Design, Method
from paribus.metrics.definition import Metric, Role
from paribus.stats.dunnett import dunnett_p_values
from paribus.stats.estimate import Floats
from paribus.stats.graphical import Graph, graph, graphical_test
from paribus.stats.metric_power import comparison_alpha
from paribus.stats.multiplicity import Adjustment, adjusted_p_values

_ADJUSTMENTS: dict[Correction, Adjustment] = {
    "holm": "holm",
    "bonferroni": "bonferroni",
    "hochberg": "hochberg",
    "none": "none",
}
_STEPWISE = ("holm", "hochberg", "graph")


@dataclass(frozen=True, slots=True)
class Family:
    """Some metrics of one role under one correction.

    note  what was done when the plan's correction does not apply as it stands
    """

    role: Role
    metrics: tuple[str, ...]
    arms: int
    correction: Correction
    alpha: float
    graph: Graph | None = None
    note: str = ""

    @property
    def size(self) -> int:
        return len(self.metrics) * self.arms

    @property
    def in_words(self) -> str:
        """The correction, for a method's description."""
        if self.size <= 1:
            return "one hypothesis"
        named = {
            "none": "uncorrected",
            "graph": "a graphical procedure",
            "dunnett": "Dunnett's method",
            "holm": "Holm's method",
            "hochberg": "Hochberg's method",
            "bonferroni": "Bonferroni's method",
        }
        return f"{named[self.correction]} over {self.size} hypotheses"

    def levels(self, treatment_share: float) -> Floats:
        """Levels of the simultaneous intervals, axes (metric, arm); `treatment_share` is treatment over control."""
        shape = (len(self.metrics), self.arms)
        if self.correction == "none" or self.size <= 1:
            return np.full(shape, 1 - self.alpha)
        if self.correction == "graph" and self.graph is not None:
            # A hypothesis without a share of its own gets an interval only through others' rejection.
            share = np.maximum(self.graph.weights.reshape(shape), 1e-6)
            return np.asarray(1 - self.alpha * share)
        if self.correction == "dunnett":
            own = comparison_alpha(self.arms, self.alpha / len(self.metrics), ratio=treatment_share)
            return np.full(shape, 1 - own)
        return np.full(shape, 1 - self.alpha / self.size)

    def adjust(self, p: Floats, n_control: Floats, n_treatment: Floats) -> Floats:
        """Adjusted p-values, axes (metric, arm); an undetermined comparison stays in the family as p = 1."""
        known = ~np.isnan(p)
        filled = np.where(known, p, 1.0)
        if self.size <= 1 or self.correction == "none":
            out = filled
        elif self.correction == "graph" and self.graph is not None:
            out = graphical_test(filled.ravel(), self.graph, self.alpha).adjusted_p_value.reshape(p.shape)
        elif self.correction == "dunnett":
            out = np.stack([_dunnett(*row) for row in zip(filled, n_control, n_treatment, strict=True)])
            out = np.minimum(out * len(self.metrics), 1.0)
        else:
            out = adjusted_p_values(filled.ravel(), _ADJUSTMENTS[self.correction]).reshape(p.shape)
        return np.asarray(np.where(known, out, np.nan))

    def ends(self, lower: Floats, upper: Floats, adjusted: Floats, sign: Floats) -> tuple[Floats, Floats]:
        """Simultaneous intervals that agree with the decision: where a stepwise method rejects, they end at zero.

        Source: Strassburger, Bretz 2008; Guilbaud 2008.
        """
        if self.correction not in _STEPWISE:
            return lower, upper
        with np.errstate(invalid="ignore"):
            rejected = adjusted <= self.alpha
            return (
                np.where(rejected & (sign > 0) & (lower < 0), 0.0, lower),
                np.where(rejected & (sign < 0) & (upper > 0), 0.0, upper),
            )


def families(design: Design) -> dict[Role, Family]:
    """The families of success and of secondary metrics; without a family a metric is tested on its own."""
    arms = len(design.variants) - 1
    alpha = 1 - design.plan.confidence_level
    found = {}
    for role in (Role.SUCCESS, Role.SECONDARY):
        names = tuple(metric.name for metric in design.metrics if metric.role is role)
        if names:
            found[role] = _family(design, role, names, arms, alpha)
    return found


def deterioration_p(design: Design) -> float:
    """The two-sided p-value at which a success metric is shown worse: its own alpha, split over metrics and arms."""
    success = sum(metric.role is Role.SUCCESS for metric in design.metrics)
    return 2 * design.plan.deterioration_alpha / max(success * (len(design.variants) - 1), 1)


def of_role(metrics: tuple[Metric, ...], role: Role) -> list[int]:
    """Positions of the metrics with this role."""
    return [i for i, metric in enumerate(metrics) if metric.role is role]


def _family(design: Design, role: Role, names: tuple[str, ...], arms: int, alpha: float) -> Family:
    plan = design.plan
    if role is Role.SECONDARY:
        return Family(role, names, arms, "holm", alpha)
    if plan.correction == "graph":
        size = len(names) * arms
        if len(plan.graph_weights) != size:
            raise PlanError(
                f"the graph has {len(plan.graph_weights)} hypotheses",
                where="plan.graph",
                rule=f"one for each success metric in each treatment arm, here {size}",
            )
        moves = plan.graph_transitions or tuple((0.0,) * size for _ in range(size))
        return Family(role, names, arms, "graph", alpha, graph(plan.graph_weights, moves))
    if plan.correction == "dunnett" and plan.method is not Method.FIXED:
        # Dunnett's joint distribution is that of one look; Holm holds for any valid p-values.
        note = "Dunnett's method is for a fixed horizon; Holm's is used over the success hypotheses."
        return Family(role, names, arms, "holm", alpha, note=note)
    return Family(role, names, arms, plan.correction, alpha)


def _dunnett(p: Floats, n_control: Floats, n_treatment: Floats) -> Floats:
    from scipy.special import ndtri

    z = -ndtri(np.clip(p, 1e-300, 1.0) / 2)
    if not (np.all(n_treatment > 0) and n_control[0] > 0):
        return np.minimum(p * len(p), 1.0)
    return dunnett_p_values(z, n_control=float(n_control[0]), n_treatments=n_treatment)
