"""Web Vitals by arm, as browsers measured them: the 75th percentile of units, its interval free of distributions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from paribus.lake.reading import LakeReader
from paribus.lake.record import microseconds
from paribus.lake.rows import ask
from paribus.stats.quantile import quantile_ranks

EVENT = "$web_vital"
SHARE = 0.75
"""Of units; Google judges pages by this percentile."""
LEVEL = 0.95
LIMITS = {"LCP": (2500.0, 4000.0), "INP": (200.0, 500.0), "CLS": (0.1, 0.25), "TTFB": (800.0, 1800.0)}
"""Up to the first a value is good, beyond the second poor (web.dev/articles/vitals); milliseconds, CLS a score."""
STATEMENT = """
SELECT metric, arm, unit, median(value) AS value, count(*) AS views FROM (
  SELECT properties ->> '$.metric' AS metric, json_extract_string(properties, '$.variants."' || $flag || '"') AS arm,
         coalesce(unit, user_id, anonymous_id) AS unit, TRY_CAST(properties ->> '$.value' AS DOUBLE) AS value
  FROM {events}
  WHERE environment = $environment AND epoch_us(corrected_time) >= $since AND epoch_us(corrected_time) < $until
) WHERE arm IS NOT NULL AND unit IS NOT NULL AND isfinite(value) GROUP BY ALL ORDER BY metric, arm, value
"""


@dataclass(frozen=True, slots=True)
class Vital:
    """One Web Vital in one arm.

    Attributes:
        metric: LCP, INP or TTFB in milliseconds, or CLS, a score.
        value: 75th percentile of units, each by the median of its views.
        low, high: its 95% interval; None where there are too few units for that end.
        rating: good, needs improvement or poor.
    """

    metric: str
    arm: str
    units: int
    views: int
    value: float
    low: float | None
    high: float | None
    rating: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def vitals(reader: LakeReader, flag: str, environment: str, *, since: datetime, until: datetime) -> tuple[Vital, ...]:
    """Each Web Vital by the variant of `flag` that the page showed, in an environment and a span of time."""
    columns = ("name", "unit", "user_id", "anonymous_id", "properties", "environment", "corrected_time")
    span = {"since": microseconds(since), "until": microseconds(until)}
    values = {"flag": flag, "environment": environment, **span}
    rows = ask(reader, STATEMENT, names=[EVENT], columns=columns, values=values)
    groups: dict[tuple[str, str], list[tuple[float, int]]] = {}
    for row in rows:
        if row["metric"] in LIMITS:
            groups.setdefault((row["metric"], row["arm"]), []).append((float(row["value"]), int(row["views"])))
    places = list(LIMITS)
    return tuple(
        _vital(metric, arm, groups[metric, arm])
        for metric, arm in sorted(groups, key=lambda each: (places.index(each[0]), each[1]))
    )


def _vital(metric: str, arm: str, listed: list[tuple[float, int]]) -> Vital:
    ordered = sorted(value for value, _ in listed)
    ranks = quantile_ranks(len(ordered), SHARE, level=LEVEL)
    lower, center, upper = int(ranks.lower), int(ranks.center), int(ranks.upper)
    value = ordered[center - 1]
    good, poor = LIMITS[metric]
    return Vital(
        metric,
        arm,
        units=len(ordered),
        views=sum(views for _, views in listed),
        value=value,
        low=ordered[lower - 1] if lower >= 1 else None,
        high=ordered[upper - 1] if upper <= len(ordered) else None,
        rating="good" if value <= good else "needs improvement" if value <= poor else "poor",
    )
