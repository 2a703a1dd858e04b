"""Step 13: how healthy it was while it ran: arms compared, service levels, alerts that fired and what came of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from paribus.charts.numbers import interval
from paribus.monitoring import rebuild
from paribus.monitoring.alert import ALERTS, Alert
from paribus.monitoring.latency import Latency
from paribus.monitoring.request_rate import Rate, difference, rate, ratio
from paribus.monitoring.service_level import read as read_level
from paribus.monitoring.signals import of_arm
from paribus.monitoring.unusual_days import STATEMENT, unusual_days
from paribus.monitoring.vitals import STATEMENT as VITALS
from paribus.monitoring.vitals import vitals
from paribus.monitoring.watch import Watch, stored
from paribus.store import DEFAULT_PROJECT
from paribus.workflow.artifact import Artifact, Evidence, File, Measured, Outcome
from paribus.workflow.block import Block
from paribus.workflow.context import Context
from paribus.workflow.facts.design import DesignFacts
from paribus.workflow.facts.launch import MonitorFacts, RolloutFacts, SetupFacts
from paribus.workflow.launching import health_page
from paribus.workflow.launching.alerts import service_levels
from paribus.workflow.launching.dashboard import datadog, grafana
from paribus.workflow.launching.health import settled
from paribus.workflow.launching.indicators import indicator_facts

Json = dict[str, Any]
SLUG = "monitor"
LATENCY_MARGIN = 0.1
ERROR_LIMIT = 0.001
"""The success criterion: fewer than one request in a thousand fails."""
ERROR_MARGIN = 0.001
LEVEL = 0.95
HISTORY = timedelta(days=28)


def run(context: Context) -> Artifact:
    """Health from the first exposure to the end of the rollout, from what the lake holds."""
    setup = context.facts("setup", SetupFacts)
    design = context.facts("design", DesignFacts)
    rollout = context.facts("rollout", RolloutFacts)
    watch = stored(context.store, setup.experiment)
    settled(context)
    reader = context.operations.lake()
    until = datetime.fromisoformat(rollout.ended_at) + timedelta(microseconds=1)
    alerts = _alerts(context, setup)
    if watch is None or reader is None or not rollout.first_exposure:
        facts = MonitorFacts(alerts=alerts, health=(), service_levels=())
        return context.artifact(
            SLUG,
            f"Nobody met {setup.flag} while it was open, so there is no health to report.",
            facts,
            evidence={"monitoring": Evidence(kind="source", title="no exposure arrived", data=setup.flag)},
            assumptions=("Exposures reach the lake within seconds.",),
        )
    state = rebuild.rebuild(reader, watch, until=until)
    sums = rebuild.request_sums(reader, watch, until=until)
    arms = (watch.control, *(arm for arm in watch.weights if arm != watch.control))
    rates = {arm: rate(sums[arm], level=LEVEL) for arm in arms if arm in sums}
    latencies = {arm: each for arm, each in state.latencies(level=LEVEL).items() if each.value is not None}
    margin = latency_margin(design.document)
    differences = {arm: difference(rates[watch.control], each) for arm, each in _treated(rates, watch).items()}
    ratios = {
        arm: ratio(_rate(latencies[watch.control]), _rate(each)) for arm, each in _treated(latencies, watch).items()
    }
    degraded = is_degraded(ratios, margin)
    levels = _levels(context, watch, until)
    analyzed = context.operations.analyze(setup.experiment)
    checks = analyzed.checks
    anomalies = _anomalies(context, rollout, until) if context.config.monitoring.anomaly_detection else ()
    facts = MonitorFacts(
        alerts=alerts,
        health=(
            *(
                {
                    "check": check.name,
                    "severity": check.severity,
                    "status": check.status,
                    "sentence": check.sentence,
                    "p_value": check.p_value,
                    "evidence": "analysis",
                }
                for check in checks
                if check.status != "not_applicable"
            ),
            *({**each.to_dict(), "evidence": "monitoring"} for each in state.findings()),
        ),
        service_levels=levels,
        error_rate={arm: _measured(each, "share of requests") for arm, each in rates.items()},
        p95_latency_ms={arm: _measured(_rate(each), "ms") for arm, each in latencies.items()},
        latency_is_degraded=degraded,
        errors_hold=errors_hold(rates, differences),
        error_difference={arm: _measured(each, "share of requests") for arm, each in differences.items()},
        latency_ratio={arm: _measured(each, "ratio") for arm, each in ratios.items()},
        anomalies=anomalies,
        units={
            arm: Measured(value=count, unit=f"{watch.unit_type}s", evidence="monitoring")
            for arm, count in state.tally.units().items()
        },
        signals=tuple(
            {
                **of_arm(arm, sums[arm], state.latency[arm], _observed_seconds(rollout, until)).plain(),
                "evidence": "monitoring",
            }
            for arm in arms
            if arm in sums
        ),
        early_indicators=indicator_facts(analyzed.early_indicators, "analysis"),
        vitals=tuple(
            {**each.to_dict(), "evidence": "vitals"}
            for each in vitals(
                reader,
                setup.flag,
                context.feature.environment,
                since=datetime.fromisoformat(rollout.first_exposure),
                until=until,
            )
        ),
    )
    return context.artifact(
        SLUG,
        health_page.summary(setup, facts, watch, margin),
        facts,
        evidence=_evidence(setup, watch, rollout),
        assumptions=(
            "A request fails when the service answers with status 500 or above, or says so; the denominator is all "
            "requests of a unit after its first exposure.",
            "Requests of one unit are alike: intervals count units, not requests, as independent.",
            "Latencies are kept in bins 2% wide, so a quantile is exact to 1%; step 14 reads the rows themselves.",
            "Service levels are absolute: they say that something is wrong, not that the feature did it.",
            "Detectors of unusual days alert and never act."
            if context.config.monitoring.anomaly_detection
            else "No detector ran: anomaly_detection is false.",
            "Health was read while events arrived."
            if context.config.monitoring.real_time_metrics
            else "Health is read when a step runs: real_time_metrics is false.",
        ),
        checks=_checks(facts, watch, rates, differences, margin),
        files=(
            File(path="dashboards/grafana.json", text=grafana(setup.flag, context.feature.requirement, setup.arms)),
            File(path="dashboards/datadog.json", text=datadog(setup.flag)),
        ),
    )


def present(artifact: Artifact) -> list[Block]:
    """Arms side by side, then service levels, alerts and their outcome, checks."""
    return health_page.blocks(artifact)


def _alerts(context: Context, setup: SetupFacts) -> tuple[Json, ...]:
    found: list[Alert] = context.store.records(ALERTS).scan(DEFAULT_PROJECT, setup.experiment)
    keep = ("what", "arm", "time", "message", "outcome", "revision", "numbers")
    return tuple(
        {**{name: getattr(each, name) for name in keep}, "evidence": "alerts"}
        for each in sorted(found, key=lambda each: (each.time, each.what, each.arm))
    )


def _levels(context: Context, watch: Watch, until: datetime) -> tuple[Json, ...]:
    reader = context.operations.lake()
    if reader is None:
        return ()
    errors = service_levels(None)[0]
    return tuple(
        {**read_level(errors, each.windows, each.arm).to_dict(), "evidence": "monitoring"}
        for each in rebuild.requests_by_arm(reader, watch, now=until)
    )


def _observed_seconds(rollout: RolloutFacts, until: datetime) -> float:
    return (until - datetime.fromisoformat(rollout.first_exposure)).total_seconds()


def _anomalies(context: Context, rollout: RolloutFacts, until: datetime) -> tuple[Json, ...]:
    reader = context.operations.lake()
    if reader is None:
        return ()
    first = datetime.fromisoformat(rollout.first_exposure)
    found = unusual_days(reader, since=first - HISTORY, judged_from=first, until=until)
    return tuple({**each.to_dict(), "evidence": "counts"} for each in found[:20])


def latency_margin(document: Mapping[str, Any]) -> float:
    """The plan's own margin for a quantile that should fall; a tenth where it has none."""
    for metric in document.get("metrics", ()):
        if metric.get("type") == "quantile" and metric.get("direction") == "decrease":
            margin = metric.get("margin")
            if isinstance(margin, str) and margin.endswith("%"):
                return float(margin.rstrip("%")) / 100
            if isinstance(margin, int | float):
                return float(margin)
            if isinstance(margin, Mapping) and "relative" in margin:
                return float(str(margin["relative"]).rstrip("%")) / (100 if "%" in str(margin["relative"]) else 1)
    return LATENCY_MARGIN


def is_degraded(ratios: Mapping[str, Rate], margin: float) -> bool | None:
    """True where an arm is shown slower beyond the margin, False where all are shown within it, None else."""
    known = [each for each in ratios.values() if each.low is not None and each.high is not None]
    if any(each.low is not None and each.low > 1 + margin for each in known):
        return True
    if known and len(known) == len(ratios) and all(each.high is not None and each.high <= 1 + margin for each in known):
        return False
    shown = [each for each in known if each.low is not None and each.low > 1 and (each.value or 1) > 1 + margin]
    return True if shown else None


def errors_hold(rates: Mapping[str, Rate], differences: Mapping[str, Rate]) -> bool | None:
    """Whether every treatment fails less than the limit, or no more than the margin above control; None: not known."""
    if not differences or any(each.high is None for each in differences.values()):
        return None
    return all(
        (rates[arm].high or 0.0) < ERROR_LIMIT or (each.high or 0.0) <= ERROR_MARGIN
        for arm, each in differences.items()
    )


def _checks(
    facts: MonitorFacts, watch: Watch, rates: Mapping[str, Rate], differences: Mapping[str, Rate], margin: float
) -> tuple[Outcome, ...]:
    found = []
    for arm, each in differences.items():
        high = rates[arm].high
        within = high is not None and high < ERROR_LIMIT
        near = each.high is not None and each.high <= ERROR_MARGIN
        worse = each.low is not None and each.low > 0
        found.append(
            Outcome(
                name=f"Errors, {arm} against {watch.control}",
                status="failed" if worse and not within else "passed" if within or near else "warned",
                message=f"{rates[arm].value or 0:.3%} of requests failed, {rates[watch.control].value or 0:.3%} in "
                f"control; difference {interval(each.low or 0, each.high or 0, unit='points')}",
                blocking=False,
                evidence="monitoring",
            )
        )
    degraded = facts.latency_is_degraded
    for arm, measured in facts.latency_ratio.items():
        found.append(
            Outcome(
                name=f"Latency, {arm} against {watch.control}",
                status={True: "failed", False: "passed", None: "warned"}[degraded],
                message=f"p95 is {measured.value or 0:.2f} times control's (95% interval {measured.low or 0:.2f} to "
                f"{measured.high or 0:.2f}); up to {1 + margin:.3g} is within the margin",
                blocking=False,
                evidence="monitoring",
            )
        )
    failed = [
        each["check"] for each in facts.health if each.get("severity") == "blocking" and each["status"] == "failed"
    ]
    found.append(
        Outcome(
            name="Health of the experiment",
            status="failed" if failed else "passed",
            message=f"failed: {', '.join(failed)}; results are hidden" if failed else "every blocking check passed",
            blocking=False,
            evidence="analysis",
        )
    )
    return tuple(found)


def _evidence(setup: SetupFacts, watch: Watch, rollout: RolloutFacts) -> dict[str, Evidence]:
    span = f"{rollout.first_exposure} to {rollout.ended_at}"
    return {
        "monitoring": Evidence(
            kind="sql",
            title="Requests of exposed units by arm, from the lake",
            statement=f"$request events of units after their first randomized exposure to {watch.flag}; failed: status "
            "500 and above, or error",
            data=span,
        ),
        "analysis": Evidence(
            kind="result",
            title="Health checks of the analysis",
            statement=f"paribus analyze {setup.experiment}",
            data=span,
        ),
        "alerts": Evidence(
            kind="source", title="Alerts kept by the server", statement=f"records of {setup.experiment}", data=span
        ),
        "vitals": Evidence(
            kind="sql",
            title="Web Vitals by the variant that the page showed",
            statement=VITALS.format(events="events").strip(),
            data=span,
        ),
        "counts": Evidence(
            kind="sql",
            title="Events by day",
            statement=STATEMENT.format(events="events"),
            data=span,
        ),
    }


def _treated(by_arm: Mapping[str, Any], watch: Watch) -> dict[str, Any]:
    if watch.control not in by_arm:
        return {}
    return {arm: each for arm, each in by_arm.items() if arm != watch.control}


def _rate(latency: Latency) -> Rate:
    return Rate(latency.value, latency.low, latency.high)


def _measured(each: Rate, unit: str) -> Measured:
    return Measured(
        value=_rounded(each.value),
        low=_rounded(each.low),
        high=_rounded(each.high),
        level=LEVEL,
        unit=unit,
        evidence="monitoring",
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
