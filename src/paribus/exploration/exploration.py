"""One exploration: every analysis on one event log, in the order in which one needs the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from paribus.exploration.anomaly import Anomaly, find_anomalies
from paribus.exploration.baseline import MetricBaseline, Stretch, measure_baselines, stretch_of
from paribus.exploration.behavior import Behavior, measure_behavior
from paribus.exploration.bottleneck import Loss, find_losses
from paribus.exploration.days import Days, arrivals, measure_days
from paribus.exploration.engagement import Engagement, Retention, measure_engagement, measure_retention
from paribus.exploration.event_log import EventLog
from paribus.exploration.funnel import FunnelResult, measure_funnel
from paribus.exploration.funnel_choice import WINDOW_HOURS, Choice, choose_funnel, conversion_event, planned_funnels
from paribus.exploration.metric_choice import metrics_of
from paribus.exploration.path import Paths, measure_paths
from paribus.exploration.pattern import Patterns, measure_patterns
from paribus.exploration.quality import Quality, leave_out_bots, measure_quality
from paribus.exploration.shape import Attribute

Progress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class Entered:
    """The units that reach an event: by day of their first time since `arrivals_from`, and metrics from there on."""

    event: str
    arrivals: tuple[float, ...]
    statement: str
    baselines: tuple[MetricBaseline, ...]


@dataclass(frozen=True, slots=True)
class Exploration:
    """What was found in one event log; parts that the data do not allow are None or empty.

    Attributes:
        log: the events.
        days: counts by day.
        anomalies: days that are not what they seem; `bad_days` of them take no part.
        stretch: the days that baselines are measured on.
        units: that acted in the days read.
        units_of: by event.
        arrivals: units by the day of their first action since `arrivals_from`, a stretch without bad days.
        choice, funnel, losses: the funnel, why this one, and where most are lost.
        entry_days: days on which units entered the funnel, whose whole window lies in the days read.
        others: further funnels of the tracking plan, by name.
        baselines: metrics before anything changes.
        entries: the same for units from each step of the funnel on.
        attributes: known of most units when they enter the funnel.
    """

    log: EventLog
    days: Days
    quality: Quality
    anomalies: tuple[Anomaly, ...]
    bad_days: tuple[int, ...]
    stretch: Stretch | None
    units: int
    units_of: dict[str, int]
    units_statement: str
    arrivals: tuple[float, ...]
    arrivals_from: int
    arrivals_statement: str
    choice: Choice | None
    funnel: FunnelResult | None
    losses: tuple[Loss, ...]
    entry_days: int
    others: dict[str, FunnelResult]
    baselines: tuple[MetricBaseline, ...]
    entries: tuple[Entered, ...]
    attributes: tuple[Attribute, ...]
    engagement: Engagement
    retention: Retention
    paths: Paths
    patterns: Patterns
    behavior: Behavior
    remarks: tuple[str, ...] = field(default=())

    @property
    def good_days(self) -> int:
        """Days that were read, without those left out."""
        return self.days.count - len(self.bad_days)


def explore(
    log: EventLog,
    *,
    plan: Mapping[str, Any] | None = None,
    funnel: Sequence[str] = (),
    window_hours: float = WINDOW_HOURS,
    exclude: Sequence[str] = (),
    level: float = 0.95,
    seed: int = 1,
    progress: Progress = lambda share, word: None,
) -> Exploration:
    """Looks at everything once.

    Args:
        log: the events.
        plan: the tracking plan's document, where there is one.
        funnel, window_hours, exclude: the funnel, where somebody named it; see `measure_funnel`.
        level: confidence level of intervals and findings.
        seed: of the clusterings.
        progress: told what goes on.
    """
    progress(0.05, "programs")
    bots = leave_out_bots(log, funnel[-1] if funnel else conversion_event(log, plan or {}))
    progress(0.1, "days")
    days = measure_days(log)
    quality = measure_quality(log, days, bots)
    anomalies = find_anomalies(days, system=log.system)
    bad = tuple(sorted({day for each in anomalies if each.is_left_out for day in range(each.first, each.until)}))
    stretch = stretch_of(days, bad)
    inside = f"day >= {days.first} AND day < {days.until}"
    units_statement = f"SELECT event, COUNT(DISTINCT unit) AS n FROM events WHERE {inside} GROUP BY event"
    units_of = {str(name): int(n) for name, n in log.query(units_statement).rows}
    did = log.names(log.actions)
    units = int(
        log.query(f"SELECT COUNT(DISTINCT unit) AS n FROM events WHERE event IN ({did}) AND {inside}").rows[0][0]
    )
    begin, end = (
        (stretch.entry - stretch.before, stretch.entry_end + stretch.window - 1)
        if stretch
        else (days.first, days.until)
    )
    came, came_statement = arrivals(log, begin, end)
    progress(0.3, "funnel")
    choice = choose_funnel(log, plan=plan, given=funnel, window_hours=window_hours)
    # who enters later is not seen for the whole window
    last_entry = max(days.until - -(-int(window_hours) // 24), days.first + 1) if days.count > 1 else days.until
    entry_days = sum(day not in bad for day in range(days.first, last_entry))
    attributes = _known(log, choice.events[0] if choice else None)
    result = None
    losses: tuple[Loss, ...] = ()
    if choice is not None:
        result = measure_funnel(
            log,
            choice.events,
            window_hours=window_hours,
            exclude=exclude,
            days=(days.first, last_entry),
            leave_out=bad,
            attributes=attributes,
        )
        losses = find_losses(result, level=level)
    planned = planned_funnels(plan or {}, log.events) if choice is not None and choice.origin == "plan" else {}
    others = {
        name: measure_funnel(log, steps, window_hours=window_hours, days=(days.first, last_entry), leave_out=bad)
        for name, steps in sorted(planned.items())
        if choice is not None and name != choice.name
    }
    conversion = choice.conversion if choice else None
    progress(0.5, "baselines")
    baselines: tuple[MetricBaseline, ...] = ()
    entries: list[Entered] = []
    if stretch is not None:
        definitions = metrics_of(log, conversion, stretch.window, plan or {})
        baselines = measure_baselines(log, days, stretch, definitions, bad=bad)
        for event in choice.events[:-1] if choice else ():
            reached, reached_statement = arrivals(log, begin, end, event)
            success = [each for each in definitions if each["role"] != "guardrail"]
            measured = measure_baselines(log, days, stretch, success, bad=bad, entry=event)
            entries.append(Entered(event, reached, reached_statement, measured))
    progress(0.65, "engagement")
    engagement = measure_engagement(log, days, bad)
    retention = measure_retention(log, days)
    progress(0.8, "journeys")
    paths = measure_paths(log, days)
    patterns = measure_patterns(log, days, bad=bad, conversion=conversion, funnel=choice.events if choice else ())
    progress(0.9, "segments")
    behavior = measure_behavior(log, days, conversion=conversion, seed=seed)
    return Exploration(
        log,
        days,
        quality,
        anomalies,
        bad,
        stretch,
        units,
        units_of,
        units_statement,
        came,
        begin,
        came_statement,
        choice,
        result,
        losses,
        entry_days,
        others,
        baselines,
        tuple(entries),
        attributes,
        engagement,
        retention,
        paths,
        patterns,
        behavior,
    )


def _known(log: EventLog, entry: str | None) -> tuple[Attribute, ...]:
    """The attributes that at least half of the entry's events (of all actions without one) carry."""
    if not log.attributes:
        return ()
    counts = ", ".join(f"COUNT({each.column}) AS n{i}" for i, each in enumerate(log.attributes))
    names = log.names([entry] if entry else log.actions)
    rows, *known = log.query(f"SELECT COUNT(*) AS n, {counts} FROM events WHERE event IN ({names})").rows[0]
    return tuple(each for each, n in zip(log.attributes, known, strict=True) if n >= 0.5 * rows)
