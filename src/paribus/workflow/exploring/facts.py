"""An exploration as the typed facts that later steps read."""

from __future__ import annotations

import math
from typing import Any

from paribus.exploration.baseline import MetricBaseline
from paribus.exploration.bottleneck import DAYS_PER_YEAR, Loss
from paribus.exploration.exploration import Exploration
from paribus.exploration.funnel import FunnelResult, bounded_values, segment_counts
from paribus.exploration.shape import Attribute as UnitAttribute
from paribus.stats.proportion import proportion_interval
from paribus.workflow.artifact import Measured
from paribus.workflow.exploring.findings import findings_of
from paribus.workflow.exploring.rounding import rounded
from paribus.workflow.exploring.usage import engagement_of, journeys_of, quality_of, series_of
from paribus.workflow.facts.explore import (
    Attribute,
    Baseline,
    Bottleneck,
    Entry,
    EventProfile,
    ExploreFacts,
    Funnel,
    FunnelStep,
    Segment,
    Window,
)
from paribus.workflow.hypotheses.matching import combination_meant


def facts_of(found: Exploration, level: float, requirement: str = "") -> ExploreFacts:
    """The facts, each number below the id of its evidence; those whom the requirement is for among the segments."""
    log, days = found.log, found.days
    arrived = found.arrivals
    facts = ExploreFacts(
        window=Window(start=days.start, end=days.end, days=days.count, evidence="days"),
        units=Measured(value=found.units, unit="users", evidence="days"),
        daily_new_units=_daily(arrived, level, "arrivals"),
        arrivals=arrived,
        events=tuple(
            EventProfile(
                name=name,
                count=int(days.counts[i].sum()),
                units=found.units_of.get(name, 0),
                properties={p.name: p.type for p in log.properties if p.event == name and p.place != "context"},
                present={
                    p.name: round(p.present, 6) for p in log.properties if p.event == name and p.place != "context"
                },
                choices={p.name: p.seen for p in log.properties if p.event == name and p.place != "context" and p.seen},
                evidence="days",
            )
            for i, name in enumerate(days.events)
        ),
        funnels=_funnels(found, level),
        segments=_segments(found, requirement),
        baselines=_baselines(found.baselines, level, "baseline"),
        bottlenecks=tuple(_bottleneck(found, loss, i, level) for i, loss in enumerate(found.losses)),
        findings=findings_of(found),
        engagement=engagement_of(found),
        attributes=tuple(
            Attribute(name=a.name, type=a.type, values=a.values, in_context=a.in_context, evidence="events")
            for a in found.attributes
        ),
        entries=_entries(found, level),
        quality=quality_of(found),
        journeys=journeys_of(found),
        series=series_of(found),
    )
    return rounded(facts)


def _funnels(found: Exploration, level: float) -> tuple[Funnel, ...]:
    if found.funnel is None or found.choice is None:
        return ()
    main = _funnel(found.choice.name, found.funnel, level, "funnel")
    others = [_funnel(name, result, level, f"funnel_{name}") for name, result in found.others.items()]
    return (main, *others)


def _funnel(name: str, result: FunnelResult, level: float, evidence: str) -> Funnel:
    steps = [
        FunnelStep(
            event=event,
            units=result.reached[k],
            share=_share(result.reached[k], result.reached[max(k - 1, 0)], level, evidence),
            median_seconds=result.median_seconds[k],
        )
        for k, event in enumerate(result.events)
    ]
    return Funnel(name=name, window_hours=result.window_hours, steps=tuple(steps), evidence=evidence)


def _segments(found: Exploration, requirement: str) -> tuple[Segment, ...]:
    """Attribute values, the combinations where something was lost, and the one that the requirement is for."""
    result = found.funnel
    if result is None:
        return ()
    wanted: list[dict[str, str]] = [{a.name: v} for a in result.attributes for v in bounded_values(a)]
    wanted += [dict(loss.segment) for loss in found.losses if len(loss.segment) > 1]
    wanted += [dict(loss.best_segment) for loss in found.losses if len(loss.best_segment) > 1]
    meant = _meant(requirement, result.attributes)
    if len(meant) > 1 and meant not in wanted:
        wanted.append(meant)
    seen: dict[str, Segment] = {}
    for each in wanted:
        entered = segment_counts(result, each)[0]
        key = segment_key(tuple(each.items()))
        if entered:
            seen[key] = Segment(
                key=key,
                title=segment_title(tuple(each.items())),
                rule=rule_of(each, result.attributes),
                units=Measured(value=entered, unit="users", evidence="funnel"),
            )
    behaved = tuple(
        Segment(
            key=f"behavior-{i + 1}",
            title=each.rule,
            units=Measured(value=each.units, unit="users", evidence="behavior"),
            behavior={
                "when": {"all": [part.condition() for part in each.when]},
                "named": each.named,
                "evidence": "behavior",
            },
            stability=Measured(value=found.behavior.stability, unit="adjusted Rand index", evidence="behavior"),
        )
        for i, each in enumerate(found.behavior.segments)
    )
    return (*seen.values(), *behaved)


def _meant(requirement: str, attributes: tuple[UnitAttribute, ...]) -> dict[str, str]:
    typed = {
        each.name: [value == "true" if each.type == "boolean" else value for value in bounded_values(each)]
        for each in attributes
        if each.in_context
    }
    found = combination_meant(requirement, typed)
    return {name: str(value).lower() if isinstance(value, bool) else value for name, value in found.items()}


def segment_key(segment: tuple[tuple[str, str], ...]) -> str:
    """The key of a segment of attributes.

    >>> segment_key((("device", "mobile"), ("returning", "true")))
    'device=mobile&returning=true'
    """
    return "&".join(f"{name}={value}" for name, value in segment)


def segment_title(segment: tuple[tuple[str, str], ...]) -> str:
    """The segment in words.

    >>> segment_title((("device", "mobile"), ("returning", "true"), ("vip", "false")))
    'device mobile, returning, not vip'
    """
    words = []
    for name, value in segment:
        words.append(name if value == "true" else f"not {name}" if value == "false" else f"{name} {value}")
    return ", ".join(words)


def rule_of(segment: dict[str, str], attributes: tuple[UnitAttribute, ...]) -> dict[str, Any] | None:
    """The segment as a flag's condition; None when one of its attributes is not sent with the context."""
    by_name = {each.name: each for each in attributes}
    conditions: list[dict[str, Any]] = []
    for name, value in segment.items():
        if not by_name[name].in_context:
            return None
        typed: Any = value == "true" if by_name[name].type == "boolean" else value
        conditions.append({"attribute": name, "op": "equals", "value": typed})
    return conditions[0] if len(conditions) == 1 else {"all": conditions}


def _baselines(measured: tuple[MetricBaseline, ...], level: float, prefix: str) -> tuple[Baseline, ...]:
    made = []
    for i, each in enumerate(measured):
        evidence = f"{prefix}_{i + 1}"
        half = _z(level) * each.se
        low, high = each.mean - half, each.mean + half
        if each.definition["type"] == "proportion":
            low, high = (float(x) for x in proportion_interval(round(each.mean * each.units), each.units, level=level))
        made.append(
            Baseline(
                metric=each.definition["name"],
                definition=each.definition,
                mean=Measured(value=each.mean, low=low, high=high, level=level, evidence=evidence),
                sd=each.sd,
                units=each.units,
                pre_period_correlation=each.pre_period_correlation,
                autocorrelation=each.autocorrelation,
                weekly=each.weekly,
                skew=each.skew,
                intra_unit_correlation=each.intra_unit_correlation,
                evidence=evidence,
            )
        )
    return tuple(made)


def _entries(found: Exploration, level: float) -> tuple[Entry, ...]:
    return tuple(
        Entry(
            event=each.event,
            daily=_daily(each.arrivals, level, f"entry_{i + 1}"),
            arrivals=each.arrivals,
            baselines=_baselines(each.baselines, level, f"entry_{i + 1}_baseline"),
            evidence=f"entry_{i + 1}",
        )
        for i, each in enumerate(found.entries)
    )


def _daily(arrived: tuple[float, ...], level: float, evidence: str) -> Measured:
    mean, half = _mean(arrived, level)
    return Measured(
        value=mean, low=max(mean - half, 0), high=mean + half, level=level, unit="users/day", evidence=evidence
    )


def _bottleneck(found: Exploration, loss: Loss, i: int, level: float) -> Bottleneck:
    assert found.funnel is not None  # noqa: S101 - losses come from a funnel
    assert found.choice is not None  # noqa: S101
    events = found.funnel.events
    year = DAYS_PER_YEAR / max(found.entry_days, 1)
    return Bottleneck(
        id=f"bottleneck_{i + 1}",
        funnel=found.choice.name,
        from_event=events[loss.step - 1],
        to_event=events[loss.step],
        segment=segment_key(loss.segment),
        rate=Measured(value=loss.rate, low=loss.low, high=loss.high, level=level, unit="share", evidence="bottlenecks"),
        best=Measured(
            value=loss.best, low=loss.best_low, high=loss.best_high, level=level, unit="share", evidence="bottlenecks"
        ),
        lost_units=Measured(
            value=loss.lost * year,
            low=loss.lost_low * year,
            high=loss.lost_high * year,
            level=level,
            unit="users/year",
            evidence="bottlenecks",
        ),
        reach=Measured(value=loss.units / max(found.entry_days, 1), unit="users/day", evidence="bottlenecks"),
        best_segment=segment_key(loss.best_segment),
        lost_conversions=Measured(value=loss.converted * year, unit="users/year", evidence="bottlenecks"),
        p_value=loss.p_value,
    )


def _share(x: int, n: int, level: float, evidence: str) -> Measured:
    if not n:
        return Measured(value=None, unit="share", evidence=evidence)
    low, high = (float(end) for end in proportion_interval(x, n, level=level))
    return Measured(value=x / n, low=low, high=high, level=level, unit="share", evidence=evidence)


def _mean(values: tuple[float, ...], level: float) -> tuple[float, float]:
    """The mean of a few days and half its interval (Student)."""
    from scipy.special import stdtrit

    n = len(values)
    if n < 2:
        return (values[0] if values else 0.0), 0.0
    mean = sum(values) / n
    sd = math.sqrt(sum((v - mean) ** 2 for v in values) / (n - 1))
    return mean, float(stdtrit(n - 1, (1 + level) / 2)) * sd / math.sqrt(n)


def _z(level: float) -> float:
    from scipy.special import ndtri

    return float(ndtri((1 + level) / 2))
