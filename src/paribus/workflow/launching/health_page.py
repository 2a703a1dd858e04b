"""The monitoring report as its readers see it: the summary, arms side by side, alerts and what came of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paribus.charts.bars import Bar, bars
from paribus.monitoring.watch import Watch
from paribus.workflow.artifact import Artifact, Measured
from paribus.workflow.block import Block, Heading, Listing, Paragraph, Picture, Table
from paribus.workflow.facts.launch import MonitorFacts, SetupFacts
from paribus.workflow.launching.indicators import indicator_blocks

EVIDENCE = "Evidence is an e-value: 1 says nothing, and it convicts at the number beside it, whenever it is read."
_STATES = {"well": "passed", "pauses": "pauses traffic", "convicts": "convicts"}


def without_name(finding: Mapping[str, Any]) -> str:
    """A guard's message without its own name before it."""
    message = str(finding["message"])
    for name in (str(finding["what"]), str(finding["what"]).replace("_", " ")):
        message = message.removeprefix(f"{name}: ")
    return message


def blocks(artifact: Artifact) -> list[Block]:
    """Arms side by side, then service levels, alerts and their outcome, checks."""
    facts = MonitorFacts.model_validate(artifact.facts)
    made: list[Block] = []
    if facts.p95_latency_ms:
        made.append(
            Picture(
                bars(
                    [Bar(arm, each.value or 0.0) for arm, each in facts.p95_latency_ms.items()],
                    title="95th percentile of latency, ms",
                ),
                "p95 of requests by arm",
                "latency",
            )
        )
    if facts.error_rate or facts.p95_latency_ms:
        arms = list(facts.units)
        made.append(
            Table(
                ("arm", "units", "failed requests", "95% interval", "p95 latency", "95% interval of it"),
                [
                    (
                        arm,
                        f"{facts.units[arm].value:,.0f}",
                        _percent(facts.error_rate.get(arm)),
                        _interval(facts.error_rate.get(arm), percent=True),
                        _milliseconds(facts.p95_latency_ms.get(arm)),
                        _interval(facts.p95_latency_ms.get(arm)),
                    )
                    for arm in arms
                ],
                right=("units", "failed requests", "95% interval", "p95 latency", "95% interval of it"),
            )
        )
    made += indicator_blocks(facts.early_indicators)
    made += _signals(facts)
    made += _vitals(facts)
    made += [
        Heading("Service levels"),
        Table(
            ("level", "arm", "state"),
            [(each["what"], each["arm"] or "all", each["message"]) for each in facts.service_levels],
        ),
        Heading("Alerts that fired"),
        Table(
            ("when", "alert", "arm", "what came of it", "message"),
            [
                (each["time"][:16].replace("T", " "), each["what"], each["arm"], each["outcome"], each["message"])
                for each in facts.alerts
            ],
        )
        if facts.alerts
        else Paragraph("No alert fired."),
        Heading("Health of the experiment"),
        Table(
            ("check", "state", "what it found"),
            [
                (each["check"], each["status"].replace("_", " "), each["sentence"])
                if "check" in each
                else (
                    each["what"].replace("_", " "),
                    _STATES.get(each["severity"], each["severity"]),
                    without_name(each),
                )
                for each in facts.health
            ],
            caption=f"Checks of the analysis, then guards of the watch. {EVIDENCE}",
        ),
    ]
    if facts.anomalies:
        made += [Heading("Unusual days"), Listing([each["message"] for each in facts.anomalies])]
    return made


def _signals(facts: MonitorFacts) -> list[Block]:
    """Traffic, errors, duration and saturation of each arm."""
    if not facts.signals:
        return []

    def shown(value: float | None, unit: str) -> str:
        return "…" if value is None else f"{value:,.0f} ms" if unit == "ms" else f"{value:.3g}"

    return [
        Heading("Golden signals"),
        Table(
            ("arm", "requests", "a second", "failed", "median", "p95", "in progress"),
            [
                (
                    each["of"],
                    f"{each['requests']:,}",
                    shown(each["per_second"], ""),
                    f"{each['failed']:,}",
                    shown(each["p50_ms"], "ms"),
                    shown(each["p95_ms"], "ms"),
                    shown(each["in_progress"], ""),
                )
                for each in facts.signals
            ],
            caption="Requests of exposed units from the first exposure on; in progress: requests a second times their "
            "mean duration. Those of the server: paribus signals.",
            right=("requests", "a second", "failed", "median", "p95", "in progress"),
        ),
    ]


def _vitals(facts: MonitorFacts) -> list[Block]:
    """Web Vitals by arm, the first of them as a picture; or that no browser sent any."""
    if not facts.vitals:
        return [Heading("Web Vitals"), Paragraph("No browser sent any: no page of this feature measures itself yet.")]
    first = [each for each in facts.vitals if each["metric"] == facts.vitals[0]["metric"]]
    unit = "" if first[0]["metric"] == "CLS" else ", ms"
    return [
        Heading("Web Vitals"),
        Picture(
            bars(
                [Bar(each["arm"], each["value"]) for each in first],
                title=f"{first[0]['metric']}, 75th percentile of units{unit}",
            ),
            f"{first[0]['metric']} by arm",
            "vitals",
        ),
        Table(
            ("metric", "arm", "units", "views", "75th percentile", "95% interval", "rating"),
            [
                (
                    each["metric"],
                    each["arm"],
                    f"{each['units']:,}",
                    f"{each['views']:,}",
                    _vital(each["metric"], each["value"]),
                    f"{_vital(each['metric'], each['low'])} to {_vital(each['metric'], each['high'])}",
                    each["rating"],
                )
                for each in facts.vitals
            ],
            caption="As browsers measured them; a unit counts by the median of its views.",
            right=("units", "views", "75th percentile", "95% interval"),
        ),
    ]


def _vital(metric: str, value: float | None) -> str:
    if value is None:
        return "…"
    return f"{value:.3f}" if metric == "CLS" else f"{value:,.0f} ms"


def summary(setup: SetupFacts, facts: MonitorFacts, watch: Watch, margin: float) -> str:
    """The first paragraph."""
    control, arms = watch.control, [arm for arm in facts.units if arm != watch.control]
    said = []
    if arms and control in facts.error_rate and arms[0] in facts.error_rate:
        said.append(
            f"{_percent(facts.error_rate[arms[0]])} of requests failed in {arms[0]} and "
            f"{_percent(facts.error_rate[control])} in control"
        )
    if arms and control in facts.p95_latency_ms and arms[0] in facts.p95_latency_ms:
        word = {True: "slower than the margin allows", False: "within the margin", None: "not yet told apart"}
        said.append(
            f"95 of 100 requests took at most {_milliseconds(facts.p95_latency_ms[arms[0]])} in {arms[0]} and "
            f"{_milliseconds(facts.p95_latency_ms[control])} in control, {word[facts.latency_is_degraded]}"
        )
    killed = [each for each in facts.alerts if each["outcome"] == "killed"]
    count = len(facts.alerts)
    alerts = f"{count} alert{'' if count == 1 else 's'} fired" if count else "No alert fired"
    if killed:
        alerts += f", and {killed[0]['what']} ended the experiment"
    unhealthy = [each for each in facts.health if each.get("severity") == "blocking" and each["status"] == "failed"]
    health = (
        f"{unhealthy[0]['check']} failed, so results are hidden"
        if unhealthy
        else "Every check of the experiment's validity passed"
    )
    return ". ".join([*said, alerts, health]) + "."


def failed_checks(facts: MonitorFacts) -> list[str]:
    """Names of the blocking checks that failed."""
    return [
        str(each["check"])
        for each in facts.health
        if each.get("severity") == "blocking" and each.get("status") == "failed"
    ]


def _percent(measured: Measured | None) -> str:
    return "" if measured is None or measured.value is None else f"{measured.value:.3%}"


def _milliseconds(measured: Measured | None) -> str:
    return "" if measured is None or measured.value is None else f"{measured.value:,.0f} ms"


def _interval(measured: Measured | None, *, percent: bool = False) -> str:
    if measured is None or measured.low is None or measured.high is None:
        return ""
    return f"{measured.low:.3%} to {measured.high:.3%}" if percent else f"{measured.low:,.0f} to {measured.high:,.0f}"
