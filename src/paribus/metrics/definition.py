"""What a metric is, whatever the engine: one definition compiles to SQL, seals into a plan and names a result."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

Direction = Literal["increase", "decrease"]


class MetricType(StrEnum):
    """How a unit's rows become the metric."""

    MEAN = "mean"  # sum of value per unit, averaged over units
    PROPORTION = "proportion"  # 1 if any row of the unit passes the filter (value true), else 0
    COUNT = "count"  # number of rows of the unit that pass the filter
    RATIO = "ratio"  # sum of numerator over all units / sum of denominator over all units
    QUANTILE = "quantile"  # quantile of value over units, or over rows clustered by unit
    FUNNEL = "funnel"  # share of units that complete ordered steps within the window (optionally given step j)
    RETENTION = "retention"  # share of units with a row between day a and day b after exposure


SHARES = frozenset({MetricType.PROPORTION, MetricType.FUNNEL, MetricType.RETENTION})
"""Types whose value is a share of units: written in percent, their differences in percentage points."""


class Role(StrEnum):
    """What the metric may do to the verdict."""

    SUCCESS = "success"
    GUARDRAIL = "guardrail"
    SECONDARY = "secondary"


@dataclass(frozen=True, slots=True)
class FunnelStep:
    """One step: rows of `source` that pass `where`."""

    name: str
    source: str
    where: str | None = None


@dataclass(frozen=True, slots=True)
class Cap:
    """Winsorizing limits: numbers (sealed), or percentiles (fractions: 0.999) of the pre-period or of the pooled arms.

    Pooled percentiles belong to a fixed horizon only: a moving cap changes every past value.
    """

    lower: float | None = None
    upper: float | None = None
    lower_percentile: float | None = None
    upper_percentile: float | None = None
    over: Literal["pre_period", "pooled"] = "pre_period"


@dataclass(frozen=True, slots=True)
class Covariate:
    """A pre-exposure covariate: the same metric in the `days` before exposure, or another column or fragment.

    With a table of units the covariate is a fragment over its columns (`value`). With events it is `value` (default:
    the metric's own value) over rows in [t0 - days, t0); a unit without history gets 0 and an indicator variable.
    """

    days: int | None = None
    value: str | None = None
    source: str | None = None
    filter: str | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. Fragments (`value`, `filter`, `denominator` ...) are SQL in the user's dialect over the source.

    source             name of the events source; None means the table of units (one row per unit)
    value              scalar fragment; None means 1 per row (count, proportion)
    filter             boolean fragment that a row must pass
    denominator        ratio only: scalar fragment; its source and filter default to the metric's own; the source's
                       `session` column means the number of distinct sessions
    window_days        rows in [t0, t0 + window_days); None means all rows from t0 on, up to the as-of time
    quantile           quantile only, 0 < q < 1; `level_of_rows` "unit" or "row" (rows clustered by unit)
    steps, given       funnel only: ordered steps; conversion of the last step given step number `given` (0 = exposure)
    retention_days     retention only: (first day, last day), row in [t0 + first, t0 + last + 1 day)
    cap                winsorizing
    covariates         for CUPED
    margin             guardrail: largest acceptable harm, relative (0.01 = 1%) unless margin_absolute
    """

    name: str
    type: MetricType
    role: Role = Role.SUCCESS
    direction: Direction = "increase"
    source: str | None = None
    value: str | None = None
    filter: str | None = None
    denominator: str | None = None
    denominator_source: str | None = None
    denominator_filter: str | None = None
    window_days: int | None = None
    quantile: float | None = None
    level_of_rows: Literal["unit", "row"] = "unit"
    steps: tuple[FunnelStep, ...] = ()
    given: int = 0
    retention_days: tuple[int, int] | None = None
    cap: Cap | None = None
    covariates: tuple[Covariate, ...] = ()
    margin: float | None = None
    margin_absolute: bool = False
    description: str = ""

    @property
    def is_open(self) -> bool:
        """Whether the values of units go on growing after their exposure for as long as the experiment is read."""
        reads_events = self.source is not None or bool(self.steps)
        return reads_events and self.window_days is None and self.type is not MetricType.RETENTION


@dataclass(frozen=True, slots=True)
class UnitTable:
    """One row per unit: its variant and its metric columns; optional columns make the rest possible.

    Column fields name columns of `relation`. `exposed_at` (optional) gives the cohort day.
    """

    relation: str  # file path or glob, table name, or the name under which a frame is registered
    unit: str
    variant: str
    exposed_at: str | None = None
    stratum: str | None = None
    epoch: str | None = None
    cluster: str | None = None
    filter: str | None = None


@dataclass(frozen=True, slots=True)
class Exposures:
    """Many rows per unit: who met which variant when. The earliest exposure counts.

    `reason` (only SPLIT enters), `served`, `epoch`, `probability` are columns of the exposure contract, when present.
    `own_unit` is the id that the exposure itself names, where `unit` is the person whom several ids were joined to.
    """

    relation: str
    unit: str
    variant: str
    time: str
    epoch: str | None = None
    probability: str | None = None
    reason: str | None = None
    served: str | None = None
    stratum: str | None = None
    cluster: str | None = None
    filter: str | None = None
    own_unit: str | None = None


@dataclass(frozen=True, slots=True)
class EventSource:
    """Rows of facts about units: orders, page views, errors."""

    relation: str
    unit: str
    time: str
    filter: str | None = None
    event_id: str | None = None  # when present, rows with the same id are one event
    session: str | None = None


@dataclass(frozen=True, slots=True)
class DataModel:
    """Where the data of an experiment is: a table of units, or exposures with event sources."""

    units: UnitTable | None = None
    exposures: Exposures | None = None
    events: dict[str, EventSource] = field(default_factory=dict)
    segments: tuple[str, ...] = ()  # columns of units or exposures, read at first exposure
    time_zone: str = "UTC"
