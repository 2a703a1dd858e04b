"""What was read from rows of units, as data."""

from __future__ import annotations

from dataclasses import dataclass

from paribus.stats.estimate import Estimate, Undetermined

Ends = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Draw:
    """The rows of one metric.

    units      read
    total      that could be read: matured, of one variant, with a value
    covariates what adjusts, by the name that readings give it
    statement  the SQL that drew them
    """

    metric: str
    units: int
    total: int
    covariates: dict[str, str]
    statement: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A metric, or one comparison of it, without readings from rows, and why."""

    metric: str
    treatment: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class UnitReading:
    """One comparison by one method, uncorrected for others: of means, or of what is named.

    quantile   the share, where quantiles are compared
    covariate  where the effect's change with it is told, per standard deviation of it
    """

    metric: str
    treatment: str
    method: str
    quantile: float | None
    covariate: str | None
    is_share: bool
    at_any_time: bool
    effect: Estimate | Undetermined


@dataclass(frozen=True, slots=True)
class ArmQuantile:
    """One quantile of one arm; ends are infinite where the sample is too small for them.

    value        sample quantile, type 7
    smooth       by Harrell and Davis: all order statistics, weighted
    limits       by ranks, right once; None where the plan is read more than once
    at_any_look  of this quantile, right at every look; None where not all units were read
    of_all       of all quantiles together, right at every look: double stitching; None as above
    by_distance  the same by the distance of the distribution functions; None as above
    """

    metric: str
    variant: str
    quantile: float
    units: int
    value: float
    smooth: float
    limits: Ends | None
    at_any_look: Ends | None
    of_all: Ends | None
    by_distance: Ends | None


@dataclass(frozen=True, slots=True)
class UnitReadings:
    """Readings in the order of the design's metrics; intervals at `level`.

    once  whether the plan is read once, so that what holds once is shown
    """

    draws: tuple[Draw, ...]
    readings: tuple[UnitReading, ...]
    quantiles: tuple[ArmQuantile, ...]
    left_out: tuple[LeftOut, ...]
    level: float
    once: bool
