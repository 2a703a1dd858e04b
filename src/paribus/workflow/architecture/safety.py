"""The settings of the SDK's local circuit breaker, from the history of errors and latency."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from paribus_sdk.breaker import BreakerPolicy

from paribus.workflow.architecture.journey import metric_events
from paribus.workflow.facts.explore import Baseline

ROOM = 2.0  # times the usual rate that is still within limits
MEANINGS = {
    "error_floor": "share of calls that may fail whatever control does",
    "ratio": "times control's rate that are still within limits",
    "slow_seconds": "a call is slow beyond this many seconds",
    "slow_ratio": "and beyond this multiple of control's 95th percentile",
    "slow_floor": "share of slow calls that is borne whatever control does",
    "control_calls": "calls of control before latency is judged",
    "run_length": "calls of a healthy variant between two false trips, on average, at least",
    "cool_down_seconds": "wait before the first retry; doubles with each trip",
    "trials_per_second": "decisions that a retry lets through in a second",
    "trial_calls": "healthy calls of a retried variant that close its circuit",
    "trips": "after so many trips the variant stays off until it is reset",
}
"""What each setting means, in the order in which they act."""


def breaker(baselines: Iterable[Baseline]) -> tuple[dict[str, Any], str]:
    """The policy's fields, and in words what they derive from.

    The floors stay at the SDK's own where the history is quieter than they are: a breaker that trips on what happens
    every day protects nobody.
    """
    policy = asdict(BreakerPolicy())
    derived = []
    for baseline in baselines:
        definition = baseline.definition
        value = baseline.mean.value
        events = metric_events(definition)
        if value is None:
            continue
        if definition.get("type") == "proportion" and any("error" in event for event in events):
            floor = round(ROOM * value, 6)
            if floor > policy["error_floor"]:
                policy["error_floor"] = min(floor, 0.5)
            derived.append(f"error_floor: {ROOM:g} times {baseline.metric} of {value:.4g}, at least the SDK's own")
        elif definition.get("type") == "quantile" and any(event.strip("$") == "request" for event in events):
            seconds = (
                value / 1000
                if "ms" in f"{definition.get('value', '')} {baseline.metric} {baseline.mean.unit}"
                else value
            )
            if seconds > policy["slow_seconds"]:
                policy["slow_seconds"] = round(seconds, 4)
            derived.append(f"slow_seconds: {baseline.metric} of {seconds * 1000:.4g} ms, at least the SDK's own")
    return policy, "; ".join(derived) or "the SDK's own settings: no history of errors or latency"
