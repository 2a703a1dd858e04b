"""Control and one treatment of a metric as rows of units: what methods read that moments cannot feed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paribus.experiments.effects import N_OPT
from paribus.experiments.plan import Design, Method
from paribus.metrics.definition import Metric
from paribus.metrics.unit_rows import UnitRows
from paribus.stats.arm import Arm, mean
from paribus.stats.domain import outside
from paribus.stats.estimate import Estimate, Floats, Reason, Undetermined
from paribus.stats.moments import Moments

Found = Iterator[tuple[str, bool, Estimate | Undetermined]]
"""Method, whether it holds at any look, and the effect."""


@dataclass(frozen=True, slots=True, eq=False)
class UnitPair:
    """The rows of two arms, in the order of the ids.

    y           the metric's value
    treated     1 for treatment, 0 for control
    covariates  values before exposure in standard deviations from their mean, shape (n, k); none where they may not
                adjust, and none that others determine
    names       of the covariates: x1, x2, .. and h1, .. for whether the unit has one
    once        whether the plan lets what holds once be shown
    every       whether these are all units, so that what holds at any look does so
    """

    y: Floats
    treated: Floats
    covariates: Floats
    names: tuple[str, ...]
    level: float
    n_opt: float
    once: bool
    every: bool

    @property
    def control(self) -> Floats:
        return np.asarray(self.y[self.treated == 0])

    @property
    def treatment(self) -> Floats:
        return np.asarray(self.y[self.treated == 1])

    @property
    def arms(self) -> tuple[Arm, Arm]:
        """The metric's means, without covariates."""
        control, treatment = (mean(Moments.from_rows(y[:, None], ["y"]), "y") for y in (self.control, self.treatment))
        return control, treatment

    def refused(self, domain: str) -> Undetermined | None:
        """Why the error rate of a method of means is not assured on these units, if it is not."""
        reason = outside(domain, *self.arms).item()
        return Undetermined(Reason(reason)) if reason is not None else None


def unit_pair(rows: UnitRows, design: Design, treatment: str, *, adjusts: bool) -> UnitPair:
    """The rows of the control and one treatment, with the covariates where these may adjust."""
    variants = np.array(rows.variants, dtype=object)
    chosen: NDArray[np.bool_] = np.asarray((variants == design.control) | (variants == treatment))
    treated = np.asarray(variants[chosen] == treatment, dtype=np.float64)
    before = {**rows.covariates, **rows.history} if adjusts else {}
    names, columns = _independent({name: values[chosen] for name, values in before.items()}, treated)
    plan = design.plan
    return UnitPair(
        rows.outcome[chosen],
        treated,
        columns,
        names,
        plan.confidence_level,
        float(plan.n_opt or plan.planned_units or N_OPT),
        plan.method is Method.FIXED,
        len(rows.outcome) == rows.total,
    )


def _independent(before: dict[str, Floats], treated: Floats) -> tuple[tuple[str, ...], Floats]:
    """The covariates that those before them do not determine in either arm, standardized."""
    names: list[str] = []
    columns = np.ones((treated.size, 1))
    for name, values in before.items():
        sd = float(np.std(values)) if values.size else 0.0
        if not sd > 0:
            continue
        wider = np.column_stack([columns, (values - values.mean()) / sd])
        ranks = [np.linalg.matrix_rank(wider[treated == arm], tol=1e-6 * treated.size**0.5) for arm in (0, 1)]
        if min(ranks) == wider.shape[1]:
            names.append(name)
            columns = wider
    return tuple(names), columns[:, 1:]


def label(metric: Metric, name: str) -> str:
    """What a covariate is, in words.

    >>> from paribus.metrics.definition import Covariate, MetricType
    >>> label(Metric("spend", MetricType.MEAN, covariates=(Covariate(days=14),)), "x1")
    'spend in the 14 days before'
    """
    covariate = metric.covariates[int(name[1:]) - 1]
    what = covariate.value or covariate.source or metric.name
    said = f"{what} in the {covariate.days} days before" if covariate.days else what
    return f"has {said}" if name.startswith("h") else said
