"""Two arms of one metric as other methods read them: moments of single cells, and what the plan says of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from paribus.metrics.definition import Metric
from paribus.stats.arm import Arm, Outcome, outcome
from paribus.stats.estimate import Alternative, Estimate, Estimates, Undetermined
from paribus.stats.moments import Moments
from paribus.stats.two_proportions import EXACT_BELOW

Scale = Literal["difference", "lift"]
Found = Iterator[tuple[str, Scale, Estimates | Estimate | Undetermined]]


@dataclass(frozen=True, slots=True)
class Strata:
    """Both arms of one comparison by the levels of one attribute, which lie along the moments' only axis."""

    by: str
    control: Moments
    treatment: Moments


@dataclass(frozen=True, slots=True)
class Pair:
    """Control and treatment of one metric.

    adjusts     whether covariates may adjust
    is_share    whether units are 0 or 1
    expected    a size that the effect may have, in the metric's unit: where mixtures expect it
    worthwhile  the smallest relative effect that matters; None where nobody said
    split       probability that a unit of these two arms is in treatment; None where nobody said, or it moved
    strata      the same units by strata, and by each attribute that was measured
    """

    metric: Metric
    control: Moments
    treatment: Moments
    what: Outcome
    covariates: tuple[Outcome, ...]
    adjusts: bool
    is_share: bool
    level: float
    n_opt: float
    expected: float
    worthwhile: float | None
    split: float | None = None
    strata: tuple[Strata, ...] = ()

    @property
    def arms(self) -> tuple[Arm, Arm]:
        """Control and treatment."""
        return outcome(self.control, self.what), outcome(self.treatment, self.what)

    @property
    def alpha(self) -> float:
        return 1 - self.level

    @property
    def units(self) -> float:
        """Units of both arms."""
        return float(self.control.n + self.treatment.n)

    @property
    def is_increase(self) -> bool:
        """Whether more of the metric is better."""
        return self.metric.direction == "increase"

    @property
    def table(self) -> tuple[float, float, float, float]:
        """Successes and units of control and treatment."""
        x = [round(float(m.mean[..., 0]) * float(m.n)) for m in (self.control, self.treatment)]
        return x[0], float(self.control.n), x[1], float(self.treatment.n)

    @property
    def has_few_events(self) -> bool:
        """Whether so few units of a share succeeded, or failed, that its large-sample tests do not hold."""
        x_c, n_c, x_t, n_t = self.table
        pooled = (x_c + x_t) / (n_c + n_t)
        return min(n_c, n_t) * min(pooled, 1 - pooled) < EXACT_BELOW

    def interval(
        self,
        value: float,
        lower: float,
        upper: float,
        method: str,
        p: float = np.nan,
        alternative: Alternative = "two-sided",
    ) -> Estimate:
        """An estimate that has ends and a p-value, and no standard error."""
        return Estimate(value, np.nan, float(lower), float(upper), float(p), np.inf, self.level, alternative, method)
