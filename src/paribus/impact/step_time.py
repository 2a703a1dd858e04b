"""How long units take from step to step, and where they click again and again: by arm, counted on the lake.

Times are compared as ratios of geometric means, over units that went on: who goes on may differ by arm, so a longer
time is a hint of friction and no effect. A rage click is the third click of a unit on one element within two seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import exp, sqrt
from typing import TYPE_CHECKING

from paribus.impact.after_exposure import Asked
from paribus.impact.exposed import Exposed, exposed_units
from paribus.impact.friction import ALPHA, Contrast, Share, Z, contrasts
from paribus.stats.multiplicity import adjusted_p_values
from paribus.warehouse.csv_types import quote
from paribus.warehouse.event_views import events_of

if TYPE_CHECKING:
    from paribus.experiments.on_lake import Snapshot

CLICKS = 3
SECONDS = 2.0
FEWEST = 30
"""Units of an arm below which times are not compared."""
LEAST = 0.1
"""Seconds: two events in one moment took so long at least."""


@dataclass(frozen=True, slots=True)
class StepTime:
    """A transition: median seconds by arm, and treatment over control with its own 95% interval.

    units    by arm, of those who went on
    p_value  of equal times, corrected over all transitions (Holm)
    """

    start: str
    end: str
    units: Mapping[str, int]
    medians: Mapping[str, float]
    ratio: float
    low: float
    high: float
    p_value: float

    @property
    def is_slower(self) -> bool:
        """Whether treatment takes longer, beyond chance."""
        return self.p_value <= ALPHA and self.ratio > 1


@dataclass(frozen=True)
class Pace:
    """Times from step to step, units with rage clicks by element, and the statements that counted."""

    times: tuple[StepTime, ...] = ()
    rage: tuple[Contrast, ...] = ()
    statements: Mapping[str, str] = field(default_factory=dict)


def pace(
    snapshot: Snapshot,
    flag: str,
    steps: Sequence[str],
    clicks: Sequence[Asked],
    *,
    control: str,
    treatment: str,
    exposed: Mapping[str, int],
    within_hours: float = 24.0,
    environment: str | None = None,
    unit_type: str = "user",
    until: datetime | None = None,
    threads: int | None = None,
) -> Pace:
    """Both, on one version of the lake.

    Args:
        snapshot: what to read.
        flag: whose exposures begin the way.
        steps: events in order; the first is met at exposure.
        clicks: events that are clicks, `by` the property that names the element.
        control, treatment: arms that are compared.
        exposed: units by arm.
        within_hours: a transition that takes longer is another visit and counts nowhere.
        environment: of the exposures.
        unit_type: of the units.
        until: read no event of this time or later.
        threads: of the engine.

    Raises:
        InputError: the lake is empty, or a property is in none of the event's rows.
        EngineError: the engine failed.
    """
    read = [*((event, "") for event in steps[1:]), *((each.event, each.by) for each in clicks)]
    with exposed_units(
        snapshot, flag, read, environment=environment, unit_type=unit_type, until=until, threads=threads
    ) as of:
        statements: dict[str, str] = {}
        times: tuple[StepTime, ...] = ()
        if len(steps) > 1:
            statements["time from step to step"] = text = _times_sql(of, steps, within_hours)
            times = _times(steps, of.engine.query(text).rows, control, treatment)
        found: list[tuple[str, Share, Share]] = []
        for each in clicks:
            text = _rage_sql(of, each)
            statements[f"rage clicks, {each.event}"] = text
            found += _rage(each, of.engine.query(text).rows, control, treatment, exposed)
    return Pace(times, contrasts(found, correction="holm"), statements)


def _times_sql(of: Exposed, steps: Sequence[str], within_hours: float) -> str:
    """Each step's first time at or after that of the step before, then logarithms of seconds by arm."""
    levels = [f"s0 AS MATERIALIZED (SELECT unit, arm, t0 AS t FROM ({of.who}))"]
    sums = []
    for i, event in enumerate(steps[1:], 1):
        levels.append(
            f"s{i} AS MATERIALIZED (SELECT w.unit AS unit, w.arm AS arm, w.t AS since, min(e.time) AS t "
            f"FROM s{i - 1} AS w JOIN (SELECT {of.unit} AS unit, time FROM {of.engine.relation_sql(events_of(event))} "
            f"WHERE {of.unit} IS NOT NULL{of.before}) AS e ON e.unit = w.unit AND e.time >= w.t "
            f"AND epoch(e.time) - epoch(w.t) <= {within_hours * 3600:g} GROUP BY 1, 2, 3)"
        )
        sums.append(
            f"SELECT {i} AS step, arm, count(*) AS units, avg(ln(greatest(epoch(t) - epoch(since), {LEAST}))) "
            f"AS level, var_samp(ln(greatest(epoch(t) - epoch(since), {LEAST}))) AS spread, "
            f"median(epoch(t) - epoch(since)) AS seconds FROM s{i} GROUP BY 2"
        )
    return f"WITH {', '.join(levels)} {' UNION ALL '.join(sums)} ORDER BY 1, 2"


def _times(
    steps: Sequence[str], rows: Sequence[Sequence[object]], control: str, treatment: str
) -> tuple[StepTime, ...]:
    from scipy.special import ndtr

    by_step: dict[int, dict[str, tuple[int, float, float, float]]] = {}
    for step, arm, units, level, spread, seconds in rows:
        own = by_step.setdefault(int(str(step)), {})
        own[str(arm)] = (int(str(units)), float(str(level)), float(str(spread or 0.0)), float(str(seconds)))
    compared = []
    for step, arms in sorted(by_step.items()):
        if not {control, treatment} <= arms.keys() or min(arms[control][0], arms[treatment][0]) < FEWEST:
            continue
        (n0, m0, v0, _), (n1, m1, v1, _) = arms[control], arms[treatment]
        se = sqrt(v0 / n0 + v1 / n1)
        if se > 0:
            compared.append((step, m1 - m0, se, float(2 * ndtr(-abs(m1 - m0) / se))))
    if not compared:
        return ()
    adjusted = adjusted_p_values([p for *_, p in compared], "holm").tolist()
    return tuple(
        StepTime(
            steps[step - 1],
            steps[step],
            {arm: by_step[step][arm][0] for arm in (control, treatment)},
            {arm: by_step[step][arm][3] for arm in (control, treatment)},
            exp(difference),
            exp(difference - Z * se),
            exp(difference + Z * se),
            float(p),
        )
        for (step, difference, se, _), p in zip(compared, adjusted, strict=True)
    )


def _rage_sql(of: Exposed, asked: Asked) -> str:
    """Units by arm and element whose click has two more within two seconds; copies of an event count once."""
    element = f"coalesce(CAST({quote(asked.by)} AS VARCHAR), '')" if asked.by else "''"
    return (
        f"WITH clicks AS (SELECT {of.unit} AS unit, event_id, min(time) AS time, min({element}) AS element "
        f"FROM {of.engine.relation_sql(events_of(asked.event))} WHERE {of.unit} IS NOT NULL{of.before} GROUP BY 1, 2), "
        "seen AS (SELECT w.arm AS arm, c.unit AS unit, c.element AS element, epoch(c.time) AS began, "
        f"lead(epoch(c.time), {CLICKS - 1}) OVER (PARTITION BY c.unit, c.element ORDER BY c.time, c.event_id) AS later "
        f"FROM clicks AS c JOIN ({of.who}) AS w ON w.unit = c.unit AND c.time >= w.t0) "
        f"SELECT element, arm, count(DISTINCT unit) AS units FROM seen WHERE later - began <= {SECONDS:g} "
        "GROUP BY 1, 2 ORDER BY 1, 2"
    )


def _rage(
    asked: Asked, rows: Sequence[Sequence[object]], control: str, treatment: str, exposed: Mapping[str, int]
) -> list[tuple[str, Share, Share]]:
    units: dict[str, dict[str, int]] = {}
    for element, arm, n in rows:
        units.setdefault(str(element), {})[str(arm)] = int(str(n))
    return [
        (
            f"{asked.event}: {element}" if element else asked.event,
            Share(by_arm.get(control, 0), exposed.get(control, 0)),
            Share(by_arm.get(treatment, 0), exposed.get(treatment, 0)),
        )
        for element, by_arm in sorted(units.items(), key=lambda kv: (-sum(kv[1].values()), kv[0]))[:50]
    ]
