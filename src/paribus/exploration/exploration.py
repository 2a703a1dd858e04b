"""One exploration: every analysis on one event log, in the order in which one needs the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from paribus.exploration.baseline import MetricBaseline, Stretch, measure_baselines, metrics_of, stretch_of
from paribus.exploration.bottleneck import Loss, find_losses
from paribus.exploration.days import Days, arrivals, measure_days
from paribus.exploration.event_log import EventLog
from paribus.exploration.funnel import FunnelResult, measure_funnel
from paribus.exploration.funnel_choice import WINDOW_HOURS, Choice, choose_funnel

Progress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class Exploration:
    """What was found in one event log; parts that the data do not allow are None or empty."""

    log: EventLog
    days: Days
    stretch: Stretch | None
    units: int
    arrivals: tuple[float, ...]
    arrivals_statement: str
    arrivals_from: int
    choice: Choice | None
    funnel: FunnelResult | None
    losses: tuple[Loss, ...]
    baselines: tuple[MetricBaseline, ...]
    units_of: dict[str, int] = field(default_factory=dict)
    """Units with the event in the days read, by event."""
    bad_days: tuple[int, ...] = ()
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
    level: float = 0.95,
    progress: Progress = lambda share, word: None,
) -> Exploration:
    """Looks at everything once.

    Args:
        log: the events.
        plan: the tracking plan's document, where there is one.
        funnel: the funnel's events, where somebody named them.
        window_hours: of the funnel.
        level: confidence level of intervals and findings.
        progress: told what goes on.
    """
    progress(0.1, "days")
    days = measure_days(log)
    bad: tuple[int, ...] = ()
    stretch = stretch_of(days, bad)
    inside = f"day >= {days.first} AND day < {days.until}"
    per_event = log.query(f"SELECT event, COUNT(DISTINCT unit) AS n FROM events WHERE {inside} GROUP BY event").rows
    units_of = {str(name): int(n) for name, n in per_event}
    units = int(
        log.query(
            f"SELECT COUNT(DISTINCT unit) AS n FROM events WHERE event IN ({log.names(log.actions)}) AND {inside}"
        ).rows[0][0]
    )
    begin, end = (stretch.entry - stretch.before, stretch.entry_end + stretch.window - 1) if stretch else (days.first, days.until)
    came, came_statement = arrivals(log, begin, end)
    progress(0.3, "funnel")
    choice = choose_funnel(log, plan=plan, given=funnel, window_hours=window_hours)
    result = None
    losses: tuple[Loss, ...] = ()
    if choice is not None:
        result = measure_funnel(
            log,
            choice.events,
            window_hours=window_hours,
            days=(days.first, days.until),
            leave_out=bad,
            attributes=log.attributes,
        )
        losses = find_losses(result, level=level)
    progress(0.6, "baselines")
    baselines: tuple[MetricBaseline, ...] = ()
    if stretch is not None:
        definitions = metrics_of(log, choice.conversion if choice else None, stretch.window, plan or {})
        baselines = measure_baselines(log, days, stretch, definitions, bad=bad)
    return Exploration(
        log, days, stretch, units, came, came_statement, begin, choice, result, losses, baselines, units_of, bad
    )
