"""What the plan lets be read, and with which boundary: looks, information, the interval's rule at any level.

Looks are not remembered: from the plan and the data up to the as-of time every planned look is computed again, so the
answer is the same whoever reads, however often. A fixed-horizon plan is read once, at its end, guardrails included (a
fixed test read at a stopping time is no test); before that only health checks speak.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, cast
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paribus.charts import numbers
from paribus.experiments.layout import window_of
from paribus.experiments.plan import Design, Method, Plan
from paribus.metrics.cells import Measurement
from paribus.metrics.definition import Metric
from paribus.stats.anytime import AsymptoticSequence, tuned_rho
from paribus.stats.boundary import Boundary, Fixed
from paribus.stats.estimate import Alternative, Floats
from paribus.stats.group_sequential import GroupSequentialDesign, actual_looks, group_sequential_design
from paribus.stats.gsd_inference import GroupSequentialLook
from paribus.stats.spending import Spending, SpendingFamily

MOST_LOOKS = 60
AT_END = "end"  # of a plan that is read once
_SPENDING: dict[str, SpendingFamily] = {
    "obrien_fleming": "obrien-fleming",
    "pocock": "pocock",
    "kim_demets": "power",
    "hwang_shih_decani": "hwang-shih-decani",
}
_PARAMETER = {"kim_demets": 3.0, "hwang_shih_decani": -4.0}


@dataclass(frozen=True, slots=True)
class Look:
    """One planned look: units exposed on local days before `before`, less a metric's window, have matured by then."""

    number: int
    before: date | None  # None: everything measured
    final: bool = False

    @property
    def label(self) -> str:
        """What names the cut-off at which values that go on growing are read; AT_END where the plan is read once."""
        return AT_END if self.before is None else self.before.isoformat()

    def last_cohort(self, window_days: int) -> date | None:
        """The last cohort day whose units are counted at this look."""
        return None if self.before is None else self.before - timedelta(days=1 + window_days)


@dataclass(frozen=True, slots=True)
class Reading:
    """What may be read now.

    forbidden  why nothing may be read; empty when something may
    looks      the looks up to now, the last one being the reading
    ended      the plan's end is reached
    until      the plan's end in words
    """

    plan: Plan
    looks: tuple[Look, ...]
    forbidden: tuple[str, ...]
    ended: bool
    until: str
    notes: tuple[str, ...] = ()


def reading(design: Design, measurement: Measurement, as_of: datetime | None, days: tuple[date, ...]) -> Reading:
    """The looks that plan and time allow; `days` are the cohort days that the data have."""
    plan = design.plan
    zone = ZoneInfo(design.time_zone)
    now = _aware(as_of or measurement.as_of or measurement.counts.last_time)
    start = _aware(plan.start or measurement.counts.first_time)
    end = last_window(design, planned_end(plan, start))
    ended = end is None or now is None or now >= end
    until = "the plan's end" if end is None else numbers.moment(end.astimezone(zone))
    notes: tuple[str, ...] = ()
    if end is not None and now is None:
        notes = ("The data have no times: the reading is taken as made at the plan's end.",)
    if plan.method is Method.FIXED:
        early = f"a fixed-horizon plan is read once, at its end, {until}"
        if as_of is None and now is not None:
            known = numbers.moment(now.astimezone(zone))
            early += (
                f" (the data reach {known}; where they are complete beyond their last row, say so with an as-of time)"
            )
        return Reading(plan, (Look(1, None, True),), () if ended else (early,), ended, until, notes)
    if plan.method is Method.ANYTIME:
        longest = longest_window(design.metrics)
        looks = _anytime_looks(plan, start, now, zone, days, longest)
        return Reading(plan, looks, (), ended and end is not None, until, notes)
    return replace(_planned_looks(plan, start, now, zone, days, until, end), notes=notes)


def cutoffs(design: Design, measurement: Measurement, as_of: datetime | None) -> dict[str, datetime]:
    """The times up to now, by their looks' labels, at which values that go on growing are read as they were then.

    A plan that is read once is read at its end, whoever reads it later; the days of its curve are drawn beside it.
    """
    plan, zone = design.plan, ZoneInfo(design.time_zone)
    known = (key.day for cells in measurement.cells.values() for key in cells.keys if key.day is not None)
    days = tuple(sorted(set(known)))
    read = reading(design, measurement, as_of, days)
    if read.forbidden or not days:
        return {}
    looks = [*read.looks, *(curve_looks(days, 0) if plan.method is Method.FIXED else ())]
    times = {look.label: datetime.combine(look.before, time(), zone).astimezone(UTC) for look in looks if look.before}
    now = _aware(as_of or measurement.as_of or measurement.counts.last_time)
    end = last_window(design, planned_end(plan, _aware(plan.start or measurement.counts.first_time)))
    if plan.method is not Method.ANYTIME and read.looks[-1].before is None and end is not None:
        times[AT_END] = end.astimezone(UTC)
    return {label: at for label, at in times.items() if now is None or at <= now}


def planned_cutoffs(design: Design) -> tuple[datetime, ...]:
    """The cut-offs that the plan alone tells: its looks, or the end of one that is read once. Others need the data."""
    plan, start = design.plan, _aware(design.plan.start)
    end = last_window(design, planned_end(plan, start))
    if plan.looks and start is not None:
        zone = ZoneInfo(design.time_zone)
        days = [(start + timedelta(days=d)).astimezone(zone).date() for d in sorted(plan.looks)]
        return tuple(datetime.combine(day, time(), zone).astimezone(UTC) for day in days)
    return () if end is None or plan.method is Method.ANYTIME else (end.astimezone(UTC),)


def curve_looks(days: Sequence[date], window_days: int) -> tuple[Look, ...]:
    """The days before the end of a plan that is read once, as its curve shows them."""
    ends = [day + timedelta(days=1 + window_days) for day in days]
    if len(ends) > MOST_LOOKS:
        ends = [ends[round(i)] for i in np.linspace(0, len(ends) - 1, MOST_LOOKS)]
    return tuple(Look(i + 1, end) for i, end in enumerate(ends[:-1]))


def planned_end(plan: Plan, start: datetime | None) -> datetime | None:
    """The registered end: `end`, else start and runtime, else start and the last planned look."""
    if plan.end is not None:
        return _aware(plan.end)
    length = plan.runtime_days or (max(plan.looks) if plan.looks else None)
    return None if start is None or length is None else start + timedelta(days=length)


def last_window(design: Design, end: datetime | None) -> datetime | None:
    """When the last unit's window has closed: the end of a plan that is read once.

    Units enroll up to the registered end. Read at that moment, the last window's units would be left out, and a later
    reading would give other numbers: two readings of a plan that allows one. Planned looks count matured units only.
    """
    if end is None or (design.plan.looks and design.plan.method is not Method.FIXED):
        return end
    return end + timedelta(days=longest_window(design.metrics))


def longest_window(metrics: Sequence[Metric]) -> int:
    """Days after exposure until every metric of a unit has closed; metrics without a window ask for none."""
    return max((window_of(metric) for metric in metrics), default=0)


def _planned_looks(
    plan: Plan,
    start: datetime | None,
    now: datetime | None,
    zone: ZoneInfo,
    days: tuple[date, ...],
    until: str,
    end: datetime | None,
) -> Reading:
    """Group-sequential and Bayesian plans are read at their looks; between two, the earlier one stands."""
    if not plan.looks:
        # One look, at the end.
        ended = end is None or now is None or now >= end
        forbidden = () if ended else (f"the plan has a single look, at its end, {until}",)
        return Reading(plan, (Look(1, None, True),), forbidden, ended, until)
    last = len(plan.looks)
    times = [(k + 1, None if start is None else start + timedelta(days=d)) for k, d in enumerate(sorted(plan.looks))]
    passed = [(k, at) for k, at in times if at is None or now is None or at <= now]
    if not passed:
        first = times[0][1]
        on = numbers.moment(first.astimezone(zone)) if first is not None else f"day {min(plan.looks)}"
        return Reading(plan, (), (f"the first planned look is at {on}",), False, until)
    looks = tuple(
        Look(k, at.astimezone(zone).date() if at is not None and days else None, k == last) for k, at in passed
    )
    return Reading(plan, looks, (), looks[-1].final, until)


def _anytime_looks(
    plan: Plan,
    start: datetime | None,
    now: datetime | None,
    zone: ZoneInfo,
    days: tuple[date, ...],
    window_days: int,
) -> tuple[Look, ...]:
    if not days:
        return (Look(1, None),)
    if plan.looks and start is not None:
        ends = [(start + timedelta(days=d)).astimezone(zone).date() for d in sorted(plan.looks)]
    else:
        # A day after each cohort, and on until the last cohort's window has closed.
        ends = [day + timedelta(days=1) for day in days]
        ends += [days[-1] + timedelta(days=1 + d) for d in range(1, window_days + 1)]
    today = None if now is None else now.astimezone(zone).date()
    ends = [end for end in ends if today is None or end <= today]
    if len(ends) >= MOST_LOOKS:
        ends = [ends[round(i)] for i in np.linspace(0, len(ends) - 1, MOST_LOOKS - 1)]
    return (*(Look(i + 1, end) for i, end in enumerate(ends)), Look(len(ends) + 1, None))


def _aware(at: datetime | None) -> datetime | None:
    return at if at is None or at.tzinfo is not None else at.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Rule:
    """The deciding method's boundary at any level, for one look.

    n_opt        anytime-valid (and beside a posterior): units at which the sequence is tightest
    information  group-sequential: information at the looks so far, as fractions of the planned end
    final        group-sequential: no look follows
    times        group-sequential: fractions at which alpha is spent, where that is not the information
    """

    plan: Plan
    n_opt: float = np.nan
    information: tuple[float, ...] = ()
    final: bool = True
    times: tuple[float, ...] = ()

    def __call__(self, level: float) -> Boundary:
        """The boundary whose two-sided interval has this level."""
        plan = self.plan
        if plan.method in (Method.ANYTIME, Method.BAYESIAN):
            # Beside a posterior, what is shown of frequentist intervals has to hold at every look too.
            # One mixture for all levels, tuned at the plan's, so that interval and p-value cannot disagree.
            ratio = (tuned_rho(1.0, 1 - level) / tuned_rho(1.0, 1 - plan.confidence_level)) ** 2
            return AsymptoticSequence(self.n_opt * ratio, level)
        if plan.method is Method.GROUP_SEQUENTIAL and self.information:
            design = _efficacy(spending(plan), 1 - level, self.information, self.final, self.times)
            return GroupSequentialLook(design, len(self.information))
        return Fixed(level)

    def futility(self) -> float:
        """The z below which this look stops for futility; -inf where the plan has no such bound."""
        plan = self.plan
        if plan.method is not Method.GROUP_SEQUENTIAL or plan.futility == "none" or not self.information:
            return -np.inf
        tail = (1 - plan.confidence_level) / 2
        binding = plan.futility == "binding"
        information = self.times or self.information
        design = _with_futility(spending(plan), tail, plan.power, binding, information, self.final)
        return design.futility[len(information) - 1]


Index = tuple[int, ...] | tuple[NDArray[np.intp], ...]


@dataclass(frozen=True, slots=True, eq=False)
class EachCell:
    """A boundary of its own for every cell: looks and comparisons differ in information.

    rules  a `Boundary` by cell
    tests  False where only intervals are asked for: the p-value is 1 then, and costs nothing; by cell, or for all
    joins  whether cells with equal boundaries are asked together: more than eight p-values of one boundary are read
           from a table, within a thousandth of themselves (`repeated_p_value`)
    """

    rules: NDArray[Any]
    level: float
    tests: bool | NDArray[np.bool_] = True
    joins: bool = False
    alternative: Alternative = "two-sided"
    method: str = "group sequential"

    def radius(self, se: ArrayLike, n: ArrayLike, df: ArrayLike) -> Floats:
        """Each cell's own radius."""
        se, n, df = (np.asarray(a, dtype=np.float64) for a in (se, n, df))
        return self._by_cell(lambda rule, i: rule.radius(se[i], n[i], df[i]), np.ones(se.shape, dtype=bool))

    def p_value(self, difference: ArrayLike, se: ArrayLike, n: ArrayLike, df: ArrayLike) -> Floats:
        """Each cell's own p-value."""
        difference, se, n, df = (np.asarray(a, dtype=np.float64) for a in (difference, se, n, df))
        asked = np.broadcast_to(self.tests, se.shape)
        return self._by_cell(lambda rule, i: rule.p_value(difference[i], se[i], n[i], df[i]), asked)

    def _by_cell(self, ask: Callable[[Boundary, Index], Floats], asked: NDArray[np.bool_]) -> Floats:
        out = np.ones(asked.shape)
        cells = list(zip(*(axis.tolist() for axis in np.nonzero(asked)), strict=True))
        groups: dict[object, list[tuple[int, ...]]] = {}
        for cell in cells:
            groups.setdefault(self.rules[cell] if self.joins else cell, []).append(cell)
        for group in groups.values():
            index = tuple(np.array(group).T) if self.joins else group[0]
            out[index] = ask(cast(Boundary, self.rules[group[0]]), index)
        return out


def spending(plan: Plan) -> Spending:
    """The plan's error spending function."""
    family = _SPENDING[plan.spending]
    return Spending(family, plan.spending_parameter or _PARAMETER.get(plan.spending))


@lru_cache(maxsize=4096)
def _efficacy(
    rule: Spending, alpha: float, information: tuple[float, ...], final: bool, times: tuple[float, ...]
) -> GroupSequentialDesign:
    design = group_sequential_design(rule, looks=1, alpha=alpha)
    return actual_looks(design, information, 1.0, final=final, spending_time=times or None)


@lru_cache(maxsize=1024)
def _with_futility(
    rule: Spending, alpha: float, power: float, binding: bool, information: tuple[float, ...], final: bool
) -> GroupSequentialDesign:
    planned = (*(t for t in information if t < 1), 1.0)
    design = group_sequential_design(
        rule, information=planned, alpha=alpha, sides=1, power=power, futility=rule, binding=binding
    )
    return actual_looks(design, information, 1.0, final=final)
