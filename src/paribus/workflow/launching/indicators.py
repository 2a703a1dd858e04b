"""Early indicators in the life of a feature: which the plan names, what they say on the way, how a reader sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from paribus.charts import numbers
from paribus.errors import InputError, did_you_mean
from paribus.experiments.result import EarlyIndicator
from paribus.experiments.words import pieces
from paribus.stats.estimate import Estimate
from paribus.workflow.block import Block, Heading, Table
from paribus.workflow.hypotheses.guardrails import harm_kind
from paribus.workflow.hypotheses.numbers import rounded

if TYPE_CHECKING:
    from paribus.workflow.facts.explore import ExploreFacts

Json = dict[str, Any]
TYPES = ("proportion", "count", "mean", "ratio", "funnel")


def with_indicators(body: Json, configured: Mapping[str, str] | None, explore: ExploreFacts) -> Json:
    """The document with the early indicators that the configuration names, by event.

    An event without a metric gets one, the share of units with it. Without a configuration the first step of the funnel
    that the plan follows on the way to success warns; where there is none, nothing does.

    Raises:
        InputError: no such event in the history.
    """
    metrics: list[Json] = list(body["metrics"])
    if configured is None:
        first = next((m for m in metrics if _is_step(m)), None)
        named = [{"metric": str(first["name"]), "rule": "warn"}] if first is not None else []
    else:
        known = [each.name for each in explore.events]
        named = []
        for event, rule in configured.items():
            if event not in known:
                raise InputError(
                    f"no event {event!r} is in the history",
                    where="paribus.yaml: early_indicators",
                    rule="an early indicator is an event that units have",
                    fix=did_you_mean(event, known),
                )
            metric = next((m for m in metrics if m.get("event") == event and m["type"] in TYPES), None)
            if metric is None:
                metric = {
                    "name": f"early_{'_'.join(pieces(event))}",
                    "type": "proportion",
                    "role": "secondary",
                    "direction": "decrease" if harm_kind({"event": event}) else "increase",
                    "event": event,
                }
                metrics.append(metric)
            named.append({"metric": str(metric["name"]), "rule": rule})
    if not named:
        return body
    return {**body, "metrics": metrics, "plan": {**body["plan"], "early_indicators": named}}


def _is_step(metric: Mapping[str, Any]) -> bool:
    return (
        metric.get("role") == "secondary"
        and metric["type"] == "proportion"
        and metric.get("direction", "increase") == "increase"
        and str(metric["name"]).startswith("reached_")
    )


def indicator_facts(of: Sequence[EarlyIndicator], evidence: str) -> tuple[Json, ...]:
    """What each says, with its interval."""
    return tuple(
        {
            "metric": each.metric,
            "arm": each.arm,
            "rule": each.rule,
            "worse_than": rounded(each.worse_than),
            "state": each.state,
            "units": each.units,
            **_effect(each),
            "sentence": each.sentence,
            "evidence": evidence,
        }
        for each in of
    )


def indicator_blocks(facts: Sequence[Json]) -> list[Block]:
    """A table; nothing where the plan names none."""
    if not facts:
        return []
    return [
        Heading("Early indicators"),
        Table(
            ("metric", "arm", "units", "effect so far", "interval at all times", "says", "a bad sign"),
            [
                (
                    str(each["metric"]),
                    str(each["arm"]),
                    numbers.count(each["units"]),
                    _number(each["value"]),
                    numbers.interval(each["low"], each["high"], unit="percent")
                    if each["low"] is not None and each["high"] is not None
                    else numbers.NOTHING,
                    str(each["state"]),
                    "holds traffic" if each["rule"] == "hold" else "is said",
                )
                for each in facts
            ],
            caption="Leading metrics of the plan, each by a sequence of its own; none takes part in the verdict",
            right=("units", "effect so far", "interval at all times"),
        ),
    ]


def held_by(of: Sequence[EarlyIndicator]) -> str:
    """Why traffic does not widen: the first bad sign of an indicator that holds; empty without one."""
    return next((each.sentence for each in of if each.rule == "hold" and each.state == "bad sign"), "")


def _effect(of: EarlyIndicator) -> Json:
    if not isinstance(of.relative, Estimate):
        return {"value": None, "low": None, "high": None}
    return {"value": rounded(of.relative.value), "low": rounded(of.relative.lower), "high": rounded(of.relative.upper)}


def _number(value: float | None) -> str:
    return numbers.NOTHING if value is None else numbers.number(value, unit="percent", signed=True)
