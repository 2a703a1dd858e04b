"""A small shop's exploration by hand, and a context with a real store, for the steps of the business analyst."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from paribus.store import Store, open_store
from paribus.workflow import Artifact, Config, Context, Evidence, Feature, Measured, Part
from paribus.workflow.facts.explore import (
    Baseline,
    Bottleneck,
    EventProfile,
    ExploreFacts,
    Finding,
    Funnel,
    FunnelStep,
    Segment,
    Window,
)
from paribus.workflow.operations import Operations
from paribus.workflow.roles.agent import Agent, Deterministic
from paribus.workflow.step import BY_SLUG

REQUIREMENT = "one-click checkout for returning mobile users"
KEY = "one-click-checkout"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
E = "e"
DAYS = 28
STEPS = {
    "session_started": 56_000,
    "product_viewed": 44_800,
    "cart_item_added": 22_400,
    "checkout_started": 14_000,
    "payment_submitted": 9_800,
    "order_completed": 9_240,
}
MOBILE = {"attribute": "device", "op": "equals", "value": "mobile"}
RETURNING = {"attribute": "returning", "op": "equals", "value": True}


def number(value: float, unit: str = "") -> Measured:
    return Measured(value=value, unit=unit, evidence=E)


def funnel(steps: Mapping[str, int] | None = None) -> Funnel:
    steps = steps or STEPS
    counts = list(steps.values())
    before = [counts[0], *counts[:-1]]
    return Funnel(
        name="main",
        window_hours=24,
        steps=tuple(
            FunnelStep(event=event, units=n, share=number(n / b if b else 0.0))
            for (event, n), b in zip(steps.items(), before, strict=True)
        ),
        evidence=E,
    )


def baseline(event: str, mean: float, **definition: Any) -> Baseline:
    body = {"name": event, "type": "proportion", "event": event, **definition}
    body = {key: value for key, value in body.items() if value is not None}
    sd = (mean * (1 - mean)) ** 0.5 if body["type"] == "proportion" else 3 * mean
    return Baseline(metric=body["name"], definition=body, mean=number(mean), sd=sd, units=50_000, evidence=E)


BASELINES = (
    baseline("order_completed", 0.165, role="success"),
    baseline("order_completed", 8.25, name="order_completed_revenue", type="mean", value="revenue", role="secondary"),
    baseline("error_shown", 0.02, role="guardrail", direction="decrease"),
    baseline("refund_requested", 0.006, role="guardrail", direction="decrease"),
)


def explored(**changes: Any) -> ExploreFacts:
    given: dict[str, Any] = {
        "window": Window(start="2026-02-01", end="2026-03-01", days=DAYS, evidence=E),
        "units": number(56_000, "users"),
        "daily_new_units": number(2_000, "users/day"),
        "evidence": E,
        "events": tuple(
            EventProfile(name=name, count=2 * n, units=n, properties=properties, evidence=E)
            for name, n, properties in (
                *((name, n, {"value": "number"}) for name, n in STEPS.items()),
                ("search_performed", 20_000, {"results": "integer"}),
                ("error_shown", 1_100, {"kind": "string"}),
                ("refund_requested", 330, {"value": "number"}),
                ("$request", 56_000, {"latency_ms": "number", "route": "string"}),
            )
        ),
        "funnels": (funnel(),),
        "segments": (
            Segment(key="device=mobile", title="device mobile", rule=MOBILE, units=number(33_600)),
            Segment(key="returning=true", title="returning", rule=RETURNING, units=number(28_000)),
            Segment(
                key="device=mobile&returning=true",
                title="device mobile, returning",
                rule={"all": [MOBILE, RETURNING]},
                units=number(16_800),
            ),
            Segment(
                key="country=NO",
                title="country NO",
                rule={"attribute": "country", "op": "equals", "value": "NO"},
                units=number(9_000),
            ),
        ),
        "baselines": BASELINES,
        "bottlenecks": (
            bottleneck("b1", "product_viewed", "cart_item_added", "country=NO", 0.40, 0.52, lost=40_000, reach=257),
            bottleneck(
                "b2",
                "checkout_started",
                "payment_submitted",
                "device=mobile&returning=true",
                0.50,
                0.76,
                lost=11_000,
                reach=120,
            ),
        ),
        "findings": (Finding(id="f1", kind="season", statement="checkout_started falls on Sundays", evidence=E),),
    }
    return ExploreFacts(**{**given, **changes})


def bottleneck(
    name: str, start: str, end: str, segment: str, rate: float, best: float, *, lost: float, reach: float
) -> Bottleneck:
    return Bottleneck(
        id=name,
        funnel="main",
        from_event=start,
        to_event=end,
        segment=segment,
        rate=number(rate),
        best=number(best),
        lost_units=number(lost, "users/year"),
        reach=number(reach, "users/day"),
    )


@dataclass
class Installation:
    """What a step of this part needs of an installation: its store, and an analysis where one is given."""

    store: Store
    result: Any = None

    def lake(self) -> None:
        return None

    def analyze(self, key: str, **_: Any) -> Any:
        return self.result


def context(
    folder: Path,
    config: dict[str, Any] | None = None,
    *,
    requirement: str = REQUIREMENT,
    previous: str = "",
    agent: Agent | None = None,
    installation: Installation | None = None,
    **facts: Part | Artifact,
) -> Context:
    made: dict[str, Any] = {}

    def once(name: str, effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if name not in made:
            made[name] = effect()
        return cast("dict[str, Any]", made[name])

    installation = installation or Installation(store(folder))
    return Context(
        feature=Feature(key=KEY, requirement=requirement, previous=previous),
        config=Config.model_validate(config or {}),
        artifacts={slug: part if isinstance(part, Artifact) else artifact(slug, part) for slug, part in facts.items()},
        operations=cast("Operations", installation),
        folder=folder,
        clock=lambda: NOW,
        once=once,
        agent=agent or Deterministic(),
    )


def store(folder: Path) -> Store:
    folder.mkdir(parents=True, exist_ok=True)
    return open_store(folder / "definitions.sqlite", clock=lambda: NOW)


def artifact(slug: str, facts: Part, key: str = KEY) -> Artifact:
    names = {E, "result", "plan", "metrics", "history", "config", "moves", "configuration", "monitoring"}
    names |= {"card", "follow_ups"}
    return Artifact(
        step=slug,
        role=BY_SLUG[slug].role,
        feature=key,
        requirement=REQUIREMENT,
        summary="By hand.",
        facts=facts.model_dump(mode="json"),
        evidence={name: Evidence(kind="config", title="by hand") for name in names},
    )
