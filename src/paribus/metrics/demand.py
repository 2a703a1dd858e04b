"""What a metric asks of an event source: which rows of a unit, in which window around exposure, and what of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from paribus.errors import InputError, did_you_mean
from paribus.metrics.definition import Covariate, EventSource, Metric, MetricType


@dataclass(frozen=True, slots=True)
class Window:
    """Rows in [t0 + first, t0 + last) days; None is open: to the beginning of data, to the as-of time."""

    first: int | None = 0
    last: int | None = None


@dataclass(frozen=True, slots=True)
class Demand:
    """One number per unit from one source: a sum of values, whether any row, how many rows, how many sessions."""

    source: str
    how: Literal["sum", "any", "count", "sessions"]
    value: str | None
    filter: str | None
    window: Window
    where: str  # the place in the definition, for errors

    @property
    def zero_one(self) -> bool:
        return self.how == "any"


@dataclass(frozen=True, slots=True)
class Demands:
    """A metric's outcome variables, then covariates with the source and window whose rows make their history."""

    outcomes: tuple[Demand, ...]
    covariates: tuple[tuple[str, Demand], ...]  # (variable name, demand)
    history: tuple[Demand, ...]  # h1.. in the order of the metric's covariates
    matured_days: int | None  # a unit counts once this many days have passed since exposure


def demands(metric: Metric, events: Mapping[str, EventSource]) -> Demands:
    """What a metric of any type but funnel's steps asks for.

    Raises:
        InputError: a source, value or denominator is missing or unknown.
    """
    where = f"metrics.{metric.name}"
    window = Window(0, metric.window_days)
    outcomes: tuple[Demand, ...] = ()
    matured = metric.window_days
    if metric.type == MetricType.FUNNEL:
        for step in metric.steps:
            _known(step.source, events, f"{where}.steps")
        if not metric.steps:
            raise InputError("a funnel needs steps", where=where, fix="steps: a list of name, source, where")
        if not 0 <= metric.given < len(metric.steps):
            raise InputError(
                f"given is {metric.given}, and the funnel has {len(metric.steps)} steps",
                where=f"{where}.given",
                rule="given names a step before the last (0 is the exposure)",
            )
    else:
        source = _known(metric.source, events, where)
        if metric.type == MetricType.RETENTION:
            if metric.retention_days is None:
                raise InputError("a retention metric needs retention_days", where=where, fix="retention_days: [7, 13]")
            first, last = metric.retention_days
            if not 0 <= first <= last:
                raise InputError(f"retention_days is [{first}, {last}]", where=where, rule="0 <= first day <= last day")
            window, matured = Window(first, last + 1), last + 1
        outcomes = (_outcome(metric, source, window, where),)
        if metric.type == MetricType.RATIO:
            outcomes = (*outcomes, _denominator(metric, events, source, window, where))
    covariates: list[tuple[str, Demand]] = []
    history: list[Demand] = []
    for j, covariate in enumerate(metric.covariates):
        found = _covariate(metric, covariate, events, j + 1, f"{where}.covariates[{j}]")
        covariates += found
        source, before = found[0][1].source, found[0][1].window
        history.append(Demand(source, "any", None, None, before, where))
    return Demands(outcomes, tuple(covariates), tuple(history), matured)


def reach(metrics: Iterable[Metric], events: Mapping[str, EventSource]) -> dict[str, Window]:
    """For each source the metrics read, the widest window around exposure that any of them asks for."""
    windows: dict[str, list[Window]] = {}
    for metric in metrics:
        asked = demands(metric, events)
        for demand in (*asked.outcomes, *(demand for _, demand in asked.covariates), *asked.history):
            windows.setdefault(demand.source, []).append(demand.window)
        for step in metric.steps:
            windows.setdefault(step.source, []).append(Window(0, metric.window_days))
    return {
        name: Window(
            None if any(w.first is None for w in found) else min(w.first for w in found if w.first is not None),
            None if any(w.last is None for w in found) else max(w.last for w in found if w.last is not None),
        )
        for name, found in windows.items()
    }


def _known(name: str | None, events: Mapping[str, EventSource], where: str) -> str:
    if name is None and len(events) == 1:
        return next(iter(events))
    if name is None:
        raise InputError("the metric names no source", where=where, fix=f"source: one of {', '.join(sorted(events))}")
    if name not in events:
        raise InputError(
            f"there is no events source {name!r}",
            where=where,
            rule="sources are declared",
            fix=did_you_mean(name, events),
        )
    return name


def _outcome(metric: Metric, source: str, window: Window, where: str) -> Demand:
    if metric.type in {MetricType.PROPORTION, MetricType.RETENTION}:
        return Demand(source, "any", metric.value, metric.filter, window, where)
    if metric.type == MetricType.COUNT and metric.value is None:
        return Demand(source, "count", None, metric.filter, window, where)
    if metric.value is None:
        raise InputError(f"a {metric.type} metric needs a value", where=where, fix="value: a column or expression")
    return Demand(source, "sum", metric.value, metric.filter, window, where)


def _denominator(metric: Metric, events: Mapping[str, EventSource], source: str, window: Window, where: str) -> Demand:
    """A sum of the denominator's values; the source's own session column means the number of distinct sessions."""
    if metric.denominator is None:
        raise InputError("a ratio needs a denominator", where=where, fix="denominator: a column or expression")
    other = _known(metric.denominator_source or source, events, where)
    fallback = metric.filter if other == source else None
    condition = metric.denominator_filter if metric.denominator_filter is not None else fallback
    how: Literal["sum", "sessions"] = "sessions" if metric.denominator == events[other].session else "sum"
    return Demand(other, how, metric.denominator, condition, window, f"{where}.denominator")


def _covariate(
    metric: Metric, covariate: Covariate, events: Mapping[str, EventSource], number: int, where: str
) -> list[tuple[str, Demand]]:
    """Strictly before exposure: [t0 - days, t0). The metric's own value unless the covariate says otherwise."""
    if covariate.days is not None and covariate.days < 1:
        raise InputError(f"days is {covariate.days}", where=where, rule="a covariate looks back at least one day")
    before = Window(None if covariate.days is None else -covariate.days, 0)
    name = f"x{number}"
    if covariate.value is not None or covariate.source is not None or covariate.filter is not None:
        source = _known(covariate.source or metric.source, events, where)
        value = covariate.value if covariate.value is not None else metric.value
        return [(name, Demand(source, "count" if value is None else "sum", value, covariate.filter, before, where))]
    if metric.type == MetricType.FUNNEL:
        last = metric.steps[-1]
        return [(name, Demand(last.source, "any", None, last.where, before, where))]
    if metric.type == MetricType.QUANTILE:
        raise InputError("a quantile takes no covariate", where=where, rule="CUPED adjusts means, counts and ratios")
    source = _known(metric.source, events, where)
    found = [(name, _outcome(metric, source, before, where))]
    if metric.type == MetricType.RATIO:
        found.append((f"{name}d", _denominator(metric, events, source, before, where)))
    return found
