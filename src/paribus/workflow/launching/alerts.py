"""Alert rules of an experiment: one for each metric that can hurt or decide, and for the platform underneath."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paribus.monitoring.sample_ratio import ALPHA
from paribus.monitoring.service_level import WINDOWS, ServiceLevel
from paribus.monitoring.watch import Guard

Json = dict[str, Any]
ERROR_LEVEL = 0.999
"""Share of requests without error that is promised: the success criterion's 0.1%."""


def rules(
    metrics: Sequence[Mapping[str, Any]],
    guards: Sequence[Guard],
    *,
    method: str,
    acts: bool,
    detects: bool,
    holds: bool = True,
) -> tuple[Json, ...]:
    """What fires when, and what then happens.

    `acts`: a conviction kills the flag by itself; `holds`: a spent error budget keeps traffic from widening.
    """
    convicted = "the flag is killed by one revision, and an alert is kept" if acts else "an alert asks a person"
    found: list[Json] = [
        {
            "alert": f"{guard.name} in treatment",
            "metric": guard.name,
            "when": f"more than {guard.tolerated_ratio:g} times control's share of units with "
            f"{_listed(guard.events)}, with evidence of 1 in {1 / guard.budget:,.0f}, at any time",
            "then": convicted,
            "where": "paribus serve",
            "false_alarms": guard.budget,
        }
        for guard in guards
    ]
    for metric in metrics:
        role, name = metric.get("role", "secondary"), str(metric["name"])
        if role == "guardrail":
            found.append(
                {
                    "alert": f"{name} beyond its margin",
                    "metric": name,
                    "when": f"the interval of the {method} plan lies wholly beyond the margin {_margin(metric)}",
                    "then": "the verdict is roll back" + ("; the rollout kills the flag" if acts else ""),
                    "where": "the analysis at each stage",
                    "false_alarms": None,
                }
            )
        elif role == "success":
            found.append(
                {
                    "alert": f"{name} is decided",
                    "metric": name,
                    "when": f"the boundary of the {method} plan is crossed; never a fixed test read early",
                    "then": "the rollout ends, and the report is made",
                    "where": "the analysis at each stage",
                    "false_alarms": None,
                }
            )
    found.append(
        {
            "alert": "sample ratio",
            "metric": "units by arm",
            "when": "the sequential test against the sealed split reaches its level, over the experiment's life",
            "then": "traffic does not widen, results are hidden",
            "where": "paribus serve",
            "false_alarms": ALPHA,
        }
    )
    found.append(
        {
            "alert": "error budget",
            "metric": "failed requests by arm",
            "when": f"a treatment spends its budget of {1 - ERROR_LEVEL:.1%} beyond chance, and control does not",
            "then": "traffic does not widen" if holds else "it is said, and nothing is done",
            "where": "before each move of the rollout",
            "false_alarms": None,
        }
    )
    if detects:
        found.append(
            {
                "alert": "latency",
                "metric": "p95 of $request",
                "when": "treatment's interval lies wholly above control's and a tenth more",
                "then": "traffic does not widen; nobody is convicted, since requests are not what is randomized",
                "where": "paribus serve",
                "false_alarms": None,
            }
        )
    return tuple(found)


def service_levels(p95_ms: float | None) -> tuple[ServiceLevel, ...]:
    """What the feature promises: requests without error, and where history knows one, a latency."""
    levels = [ServiceLevel("errors", ERROR_LEVEL, indicator="requests of the feature's units without error")]
    if p95_ms:
        levels.append(
            ServiceLevel("latency", 0.95, indicator=f"requests of the feature's units within {p95_ms:,.0f} ms")
        )
    return tuple(levels)


def prometheus(key: str, levels: Sequence[ServiceLevel]) -> str:
    """Rules for Prometheus: the platform's own health, and the feature's service, by names that both export."""
    import yaml

    error = next(level for level in levels if level.name == "errors")
    burns = f"{key}, {{{{ $labels.variant }}}}: the error budget burns"
    burn = [
        {
            "alert": f"ErrorBudgetBurns{int(long)}h",
            "expr": " and ".join(f"{_error_rate(hours)} > {round(rate * error.budget, 6)}" for hours in (long, short)),
            "labels": {"severity": "page", "feature": key},
            "annotations": {"summary": f"{burns} {rate:g} times too fast over {long:g} h"},
        }
        for long, short, rate in WINDOWS
    ]
    platform = [
        ("IntakeQueueWaits", "paribus_queue_oldest_seconds > 60", "2m", "events wait for the lake"),
        ("LakeFallsBehind", "paribus_watermark_lag_seconds > 120", "2m", "the lake is not complete up to now"),
        (
            "EventsQuarantined",
            'sum(rate(paribus_intake_events_total{fate="quarantined"}[10m])) '
            "/ sum(rate(paribus_intake_events_total[10m])) > 0.01",
            "10m",
            "more than 1% of events break the tracking plan",
        ),
        ("WatchStopped", "paribus_watch_is_alive < 1", "1m", "nobody watches the guardrails"),
        ("ExperimentAlert", "increase(paribus_watch_alerts[10m]) > 0", "0m", "a watch fired: see paribus feature show"),
    ]
    own = [
        {
            "alert": name,
            "expr": expression,
            "for": duration,
            "labels": {"severity": "page", "feature": key},
            "annotations": {"summary": f"{key}: {summary}"},
        }
        for name, expression, duration, summary in platform
    ]
    return yaml.safe_dump(
        {"groups": [{"name": f"{key}-platform", "rules": own}, {"name": f"{key}-service", "rules": burn}]},
        sort_keys=False,
        width=1000,
    )


def _error_rate(hours: float) -> str:
    window = _hours(hours)
    return f"sum by (variant) (rate(request_errors_total[{window}])) / " + (
        f"sum by (variant) (rate(request_seconds_count[{window}]))"
    )


def _hours(hours: float) -> str:
    return f"{round(hours * 60)}m" if hours < 1 else f"{hours:g}h"


def _margin(metric: Mapping[str, Any]) -> str:
    margin = metric.get("margin")
    if isinstance(margin, Mapping):
        return f"{margin.get('absolute', margin.get('relative'))} ({next(iter(margin))})"
    return str(margin) if margin is not None else "0"


def _listed(names: Sequence[str]) -> str:
    return " or ".join(names)
