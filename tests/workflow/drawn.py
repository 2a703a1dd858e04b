"""Facts of steps 1 to 3 as a small shop has them, changed as tests need it, and a context on a store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from paribus.app.feature import Operating
from paribus.store import open_store
from paribus.workflow.artifact import Artifact, Evidence, Measured, Part
from paribus.workflow.config import Config
from paribus.workflow.context import Context, Feature
from paribus.workflow.facts.design import DesignFacts
from paribus.workflow.facts.explore import (
    Baseline,
    Bottleneck,
    EventProfile,
    ExploreFacts,
    Funnel,
    FunnelStep,
    Segment,
    Window,
)
from paribus.workflow.facts.hypothesize import Forecast, Hypothesis, HypothesizeFacts
from paribus.workflow.roles.agent import Deterministic
from paribus.workflow.step import BY_SLUG

NOW = datetime(2026, 6, 1, tzinfo=UTC)
FEATURE = Feature("one-click-checkout", "one-click checkout for returning mobile users", simulated=True)
FUNNEL = (
    ("session_started", 20_000),
    ("product_viewed", 15_000),
    ("cart_item_added", 6_000),
    ("checkout_started", 3_000),
    ("payment_submitted", 1_500),
    ("order_completed", 1_400),
)
PROPERTIES = {
    "session_started": {"device": "string", "country": "string", "returning": "boolean", "channel": "string"},
    "product_viewed": {"product": "string", "category": "string", "price": "number"},
    "cart_item_added": {"product": "string", "price": "number", "quantity": "integer"},
    "checkout_started": {"items": "integer", "value": "number"},
    "payment_submitted": {"method": "string"},
    "order_completed": {"revenue": "number", "items": "integer"},
    "refund_requested": {"value": "number"},
    "error_shown": {"kind": "string", "route": "string"},
}
RULE = {
    "all": [
        {"attribute": "device", "op": "equals", "value": "mobile"},
        {"attribute": "returning", "op": "equals", "value": True},
    ]
}


def number(value: float | None, evidence: str = "e", unit: str = "") -> Measured:
    return Measured(value=value, evidence=evidence, unit=unit)


def metrics(order: str = "order_completed") -> tuple[dict[str, Any], ...]:
    return (
        {"name": "order_rate", "type": "proportion", "event": order, "role": "success"},
        {"name": "error_rate", "type": "proportion", "event": "error", "role": "guardrail", "direction": "decrease",
         "margin": {"absolute": 0.001}},
        {"name": "p95_latency", "type": "quantile", "event": "request", "value": "latency_ms", "quantile": 0.95,
         "role": "guardrail", "direction": "decrease", "margin": 0.1},
        {"name": "revenue", "type": "mean", "event": order, "value": "revenue", "role": "secondary"},
    )  # fmt: skip


def explored(
    *,
    rename: Mapping[str, str] | None = None,
    dead: tuple[str, ...] = (),
    segment: bool = True,
    latency_ms: float = 120.0,
) -> ExploreFacts:
    named = rename or {}
    steps = []
    before = FUNNEL[0][1]
    for name, units in FUNNEL:
        own = 0 if name in dead else units
        steps.append(FunnelStep(event=named.get(name, name), units=own, share=number(own / before)))
        before = max(own, 1)
    counts = dict(FUNNEL) | {"refund_requested": 90, "error_shown": 60}
    return ExploreFacts(
        window=Window(start="2026-05-04", end="2026-06-01", days=28, evidence="e"),
        units=number(20_000),
        daily_new_units=number(714.0),
        arrivals=(700.0, 728.0),
        evidence="e",
        events=tuple(
            EventProfile(
                name=named.get(name, name), count=0 if name in dead else 2 * units, units=0 if name in dead else units,
                properties=PROPERTIES[name], evidence="e",
            )
            for name, units in counts.items()
        ),
        funnels=(Funnel(name="purchase", window_hours=24, steps=tuple(steps), evidence="e"),),
        segments=(
            Segment(key="returning-mobile", title="returning mobile users", rule=RULE, units=number(5_000)),
        ) if segment else (),
        baselines=(
            Baseline(metric="error_rate", definition=dict(metrics()[1]), mean=number(0.004), sd=0.063, units=20_000,
                     evidence="e"),
            Baseline(metric="p95_latency", definition=dict(metrics()[2]), mean=number(latency_ms, unit="ms"), sd=30.0,
                     units=20_000, evidence="e"),
        ),
        bottlenecks=(
            Bottleneck(
                id="b1", funnel="purchase", from_event=named.get("checkout_started", "checkout_started"),
                to_event=named.get("payment_submitted", "payment_submitted"), segment="returning-mobile",
                rate=number(0.4), best=number(0.6), lost_units=number(9_000), reach=number(100.0),
            ),
        ),
    )  # fmt: skip


def hypothesized(order: str = "order_completed", *, finding: str = "b1") -> HypothesizeFacts:
    tested = Hypothesis(
        id="h1", because="most are lost at payment", change=FEATURE.requirement, for_whom="returning mobile users",
        segment="returning-mobile", expected="more orders", measured_by="order_rate",
        findings=(finding,) if finding else (), reach=number(100.0), ice=number(300.0), rice=number(90.0),
        forecast=Forecast(lift=number(0.05), chance_of_success=number(0.6)),
    )  # fmt: skip
    return HypothesizeFacts(
        hypotheses=(tested,), chosen="h1", metrics=metrics(order), evidence="e", smallest_worthwhile=number(0.01),
        detectable=number(0.05), minimum_detectable_effect=number(0.05),
    )  # fmt: skip


def designed(
    order: str = "order_completed",
    *,
    entry: str = "checkout_started",
    audience: dict[str, Any] | None = RULE,
    reach: float = 100.0,
    units: float = 12_000.0,
    days: float = 14.0,
    variants: Mapping[str, int] | None = None,
) -> DesignFacts:
    document = {
        "paribus": 1, "experiment": FEATURE.key, "flag": FEATURE.key, "environment": "production",
        "interference": "none because carts are personal",
        "variants": dict(variants or {"control": 50, "treatment": 50}),
        "control": "control", "metrics": [dict(each) for each in metrics(order)],
        "plan": {"method": "fixed", "runtime_days": int(days), "min_sample_size": 10_000},
    }  # fmt: skip
    return DesignFacts(
        experiment=FEATURE.key, flag=FEATURE.key, document=document, plan_hash="ab" * 32, evidence="e",
        units_per_arm=number(units), runtime_days=number(days), minimum_detectable_effect=number(0.05),
        chosen_method="fixed", why="one look", methods=(), interference="none", entry_event=entry, audience=audience,
        arrivals_per_day=number(reach),
    )  # fmt: skip


class Scene:
    """A store of its own and the artifacts so far; `step` runs one more."""

    def __init__(self, folder: Path, config: Config | None = None, feature: Feature = FEATURE) -> None:
        self.store = open_store(folder / "definitions.sqlite", clock=lambda: NOW)
        self.feature = feature
        self.context = Context(
            feature, config or Config(), {}, Operating(self.store, folder, lambda: NOW), folder, lambda: NOW,
            lambda name, effect: effect(), Deterministic(),
        )  # fmt: skip

    def give(self, slug: str, facts: Part) -> None:
        made = Artifact(
            step=slug, role=BY_SLUG[slug].role, feature=self.feature.key, requirement=self.feature.requirement,
            summary="given", facts=facts.model_dump(mode="json"),
            evidence={"e": Evidence(kind="sql", title="given")},
        )  # fmt: skip
        self.keep(made)

    def keep(self, artifact: Artifact) -> None:
        self.context = replace(self.context, artifacts={**self.context.artifacts, artifact.step: artifact})

    def step(self, run: Callable[[Context], Artifact]) -> Artifact:
        made = run(self.context)
        self.keep(made)
        return made

    def close(self) -> None:
        self.store.close()
