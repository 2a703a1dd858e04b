"""What the warehouse returns to statistics: cells of units with their moments, and counts about the data."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from paribus.stats.moments import Moments


@dataclass(frozen=True, slots=True)
class CellKey:
    """A cell (contracts.md): each unit is in exactly one cell per segment attribute (`attribute` None: the whole)."""

    variant: str
    epoch: str | None = None
    stratum: str | None = None
    day: date | None = None  # the units' first-exposure date in the experiment's time zone
    attribute: str | None = None
    level: str | None = None  # the attribute's value; None with an attribute means the value is missing


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells of one metric. `keys[i]` describes cell i of `moments`.

    Variables of `moments`, by metric type, in this order: `y` (and `d`, the denominator, for ratios; and for a funnel
    given a step), then covariates `x1`.. (for ratios `x1`, `x1d` pairs: numerator and denominator), then indicators
    `h1`.. (1 = the unit has history for that covariate; with a table of units, only where the covariate has gaps).
    Third powers are summed for `y` alone. A ratio of a table of units has `x1` without `x1d`.
    `uncapped` holds the moments of `y` (and `d`) without winsorizing, when the metric is capped; `capped` counts units.
    `matured` is the number of units whose window has closed, `immature` those left out, by cell.
    """

    metric: str
    keys: tuple[CellKey, ...]
    moments: Moments
    uncapped: Moments | None = None
    capped: tuple[int, ...] | None = None
    immature: tuple[int, ...] | None = None


UNKNOWN_FIRST = "(unknown)"  # among mixed units by the variant met first: a table without times does not say it
NO_CLUSTER = "(no cluster)"  # the units whose cluster is missing, together


@dataclass(frozen=True, slots=True)
class ClusterSums:
    """One row per variant and cluster: units, and sums of `y` (and `d`) over them; NO_CLUSTER takes the rest."""

    metric: str
    variant: tuple[str, ...]
    cluster: tuple[str, ...]
    n: tuple[float, ...]
    sums: tuple[tuple[float, ...], ...]  # by variable, then cluster


@dataclass(frozen=True, slots=True)
class Ranks:
    """Order statistics for a quantile metric by variant and segment: what `stats.quantile` needs and no rows.

    `points` maps a label to a value by key: "q" the sample quantile (type 7), "lower" and "upper" the order statistics
    that enclose the quantile at the asked confidence level (binomial ranks; NaN where the rank is beyond the sample),
    "lower_rank" and "upper_rank" their ranks from 1. The standard error is half the distance of the two order
    statistics over the z of the asked level (Deng, Knoblich, Lu 2018, section 4.1), as `stats.quantile` computes it.
    `clustered` (rows clustered by unit) holds per key the moments over units of `s` = rows at or below "q" and `n` =
    rows; `n` of the metric counts rows then.
    """

    metric: str
    keys: tuple[CellKey, ...]
    n: tuple[int, ...]
    points: dict[str, tuple[float, ...]]
    clustered: Moments | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """What the probe counted about the data, before any metric: the food of the health checks. By variant unless said.

    Every row of the source is in exactly one of: used, or one of the reasons it was left out.
    """

    rows: int
    units: dict[str, int]  # units in the analysis, by variant
    null_unit_rows: int = 0
    blank_unit_rows: int = 0
    null_variant_rows: int = 0
    unknown_variant_rows: dict[str, int] = field(default_factory=dict)
    duplicate_rows: int = 0  # unit tables: identical rows beyond a unit's first; exposures may repeat
    conflicting_units: int = 0  # unit tables: one unit, different metric values
    mixed_units: dict[str, int] = field(
        default_factory=dict
    )  # several variants, by the first (or UNKNOWN_FIRST); excluded
    by_reason: dict[str, int] = field(default_factory=dict)  # exposures by reason
    served_differs: dict[str, int] = field(default_factory=dict)
    outside_window: dict[str, int] = field(default_factory=dict)  # exposures before start or after the end
    not_finite: dict[str, int] = field(default_factory=dict)  # by metric
    null_values: dict[str, int] = field(default_factory=dict)  # by metric
    negative_units: dict[str, int] = field(default_factory=dict)  # by metric: units with a value below zero, kept
    repeated_event_rows: dict[str, int] = field(default_factory=dict)  # by events source: rows with an id seen before
    inside_tolerance: dict[str, int] = field(default_factory=dict)  # event rows less than the tolerance before t0
    unmatched_event_rows: dict[str, int] = field(default_factory=dict)  # by events source: units never exposed
    by_day: dict[tuple[str | None, str, str], int] = field(default_factory=dict)  # (epoch, ISO day, variant) -> units
    by_segment: dict[tuple[str, str | None, str], int] = field(default_factory=dict)  # (attribute, level, variant)
    first_time: datetime | None = None
    last_time: datetime | None = None
    events_first_time: datetime | None = None
    filtered_rows: int = 0  # rows that the filter of the units or exposures leaves out; they are not among `rows`
    maxima: dict[str, float] = field(default_factory=dict)  # by metric: the largest |y| of one unit
    totals: dict[str, float] = field(default_factory=dict)  # by metric: the sum of |y|
    # where identities are joined: persons with several ids, and those of them that only this made mixed
    identity: dict[str, int] = field(default_factory=dict)
    # (epoch, variant) -> lowest and highest probability that its exposures were drawn with, where they say it
    probabilities: dict[tuple[str | None, str], tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StatementText:
    """One statement as it ran (values filled in) or would run (`:name` where an earlier one computes the value)."""

    name: str  # probe, moments, ranks, clusters ... with the source: "moments:orders"
    dialect: str
    sql: str


@dataclass(frozen=True, slots=True)
class LakeState:
    """The lake as it was measured.

    table, version        the Delta table and the version that was read
    watermark             every event acknowledged before it is in that version
    lateness_p99_seconds  99% of events arrived within this time of happening; None when there were none
    closed_at             when a kill of the flag closed enrollment; None when none did
    way                   where the cells come from: the statement over the events, or the maintained tables
    """

    table: str
    version: int
    watermark: datetime | None = None
    lateness_p99_seconds: float | None = None
    closed_at: datetime | None = None
    way: Literal["statement", "tables"] = "statement"


@dataclass(frozen=True, slots=True)
class Measurement:
    """All that left the warehouse for one analysis."""

    counts: Counts
    cells: dict[str, Cells]
    clusters: dict[str, ClusterSums] = field(default_factory=dict)
    ranks: dict[str, Ranks] = field(default_factory=dict)
    statements: tuple[StatementText, ...] = ()
    shifts: dict[str, float] = field(default_factory=dict)
    caps: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)
    as_of: datetime | None = None
    fingerprint: dict[str, object] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    lake: LakeState | None = None
    windows: dict[str, dict[str, Cells]] = field(default_factory=dict)  # by metric and days: asked for by novelty
    cutoffs: dict[str, dict[str, Cells]] = field(default_factory=dict)  # by metric and cut-off: as known then
