"""A small installation with a server, a clock that tests move, and the facts that steps 10 to 13 read."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from paribus_sdk import Client
from tests.server.installation import running
from tests.workflow.drawn import FEATURE, PROPERTIES, RULE, number

from paribus.app.feature import Operating
from paribus.app.live import Installation
from paribus.clock import FileClock
from paribus.governance.access import create_key
from paribus.settings import Settings
from paribus.workflow.architecture.draft import drafted
from paribus.workflow.artifact import Artifact, Evidence, Part, refuse_unsupported
from paribus.workflow.config import Config
from paribus.workflow.context import Context, Endpoint
from paribus.workflow.effect import Effects
from paribus.workflow.facts.architect import ArchitectFacts, DecisionPoint, Stage
from paribus.workflow.facts.design import DesignFacts
from paribus.workflow.facts.instrument import InstrumentFacts, MetricEvents
from paribus.workflow.roles.agent import Deterministic
from paribus.workflow.step import BY_SLUG

KEY = "one-click-checkout"
START = datetime(2026, 6, 1, tzinfo=UTC)
PRODUCTION = "production"
FUNNEL = (
    "session_started",
    "product_viewed",
    "cart_item_added",
    "checkout_started",
    "payment_submitted",
    "order_completed",
)
DOCUMENT: dict[str, Any] = {
    "paribus": 1,
    "experiment": KEY,
    "flag": KEY,
    "environment": PRODUCTION,
    "unit_type": "user",
    "variants": {"control": 50, "treatment": 50},
    "control": "control",
    "interference": "none because users check out alone",
    "metrics": [
        {"name": "order_rate", "type": "proportion", "event": "order_completed", "role": "success"},
        {
            "name": "error_rate",
            "type": "proportion",
            "event": "error_shown",
            "role": "guardrail",
            "direction": "decrease",
            "margin": {"absolute": 0.01},
        },
    ],
    "plan": {"method": "anytime", "confidence_level": 0.95, "min_sample_size": 100, "runtime_days": 7},
}


def plan() -> dict[str, Any]:
    """The tracking plan of the shop."""
    events: dict[str, Any] = {}
    for name, properties in PROPERTIES.items():
        events[name] = {
            "description": name.replace("_", " "),
            "owner": "shop",
            "semantics": "error" if name == "error_shown" else "funnel_step" if name in FUNNEL else "action",
            "properties": {key: {"type": kind, "required": True} for key, kind in properties.items()},
        }
    return {"events": events}


def stages(*, dogfood: bool = True) -> tuple[Stage, ...]:
    """A short rollout: staff, 5%, everyone."""
    first = Stage(
        name="dogfood",
        traffic_bp=0,
        hold_hours=24,
        audience=f"{KEY}-staff",
        criteria=("staff used it",),
        in_analysis=False,
        evidence="e",
        rule={"id": "dogfood", "when": {"audience": f"{KEY}-staff"}, "variant": "treatment"},
    )
    rest = tuple(
        Stage(
            name=name,
            traffic_bp=traffic,
            hold_hours=hours,
            criteria=("no harm",),
            approver="policy",
            in_analysis=True,
            evidence="e",
            units_per_day=per_day,
        )
        for name, traffic, hours, per_day in (("experiment", 1000, 24, 60.0), ("target", 10_000, 144, 600.0))
    )
    return (first, *rest) if dogfood else rest  # type: ignore[return-value]


@dataclass
class Scene:
    """The installation, its server and clock, and the artifacts made so far."""

    live: Installation
    url: str
    clock: FileClock
    folder: Path
    config: Config
    artifacts: dict[str, Artifact] = field(default_factory=dict)

    @property
    def operations(self) -> Operating:
        return Operating(self.live.store, self.live.folder, self.clock)

    def context(self, slug: str, generation: int = 1, **changes: Any) -> Context:
        _, secret = create_key(self.live.store, "admin", environment=PRODUCTION, author="test")
        given = Context(
            feature=FEATURE,
            config=self.config,
            artifacts=dict(self.artifacts),
            operations=self.operations,
            folder=self.live.folder,
            clock=self.clock,
            once=Effects(self.live.store, FEATURE.key, slug, generation).once,
            agent=Deterministic(),
            endpoint=Endpoint(self.url, secret),
        )
        return replace(given, **changes)

    def make(self, slug: str, **changes: Any) -> Artifact:
        """A step's artifact, kept, with its numbers resolved and its page drawn."""
        made = BY_SLUG[slug].run(self.context(slug, **changes))
        refuse_unsupported(made, self.artifacts)
        assert BY_SLUG[slug].present(made)
        self.artifacts[slug] = made
        return made

    def know(self, slug: str, facts: Part) -> None:
        """An earlier step's facts."""
        self.artifacts[slug] = Artifact(
            step=slug,
            role=BY_SLUG[slug].role,
            feature=KEY,
            requirement=FEATURE.requirement,
            summary="Planned.",
            facts=facts.model_dump(mode="json"),
            evidence={
                name: Evidence(kind="config", title="planned by hand")
                for name in ("e", "plan", "design", "stages", "breaker", "result")
            },
        )

    def pass_time(self, **much: float) -> None:
        self.clock.set(self.clock() + timedelta(**much))

    def client(self, environment: str = PRODUCTION, source: str = "shop") -> Client:
        _, secret = create_key(self.live.store, "server", environment=environment, source=source, author="test")
        made = Client(
            self.url,
            secret,
            cache_dir=self.folder / f"sdk-{environment}-{source}-{random.random()}",
            flush_seconds=0.02,
            clock=lambda: self.clock().timestamp(),
        )
        assert made.ready(10)
        return made

    def played(
        self,
        client: Client,
        numbers: range,
        *,
        error_rates: Mapping[str, float] | None = None,
        seconds: Mapping[str, float] | None = None,
        order_rates: Mapping[str, float] | None = None,
        seed: int = 1,
    ) -> dict[str, int]:
        """Returning mobile users who meet the decision; how many of each arm."""
        chance = random.Random(seed)
        errors = error_rates or {"control": 0.0, "treatment": 0.0}
        orders = order_rates or {"control": 0.5, "treatment": 0.5}
        took = seconds or {"control": 0.2, "treatment": 0.2}
        met: dict[str, int] = {}
        for place in numbers:
            unit = f"u{place:06d}"
            decision = client.decide(KEY, unit=unit, context={"device": "mobile", "returning": True})
            arm = decision.variant or "control"
            if decision.reason == "SPLIT":
                met[arm] = met.get(arm, 0) + 1
            fails = chance.random() < errors[arm]
            client.track(
                "$request",
                unit,
                properties={
                    "route": "/checkout",
                    "status": 500 if fails else 200,
                    "seconds": took[arm] * chance.lognormvariate(0, 0.3),
                },
            )
            if chance.random() < orders[arm]:
                client.track("order_completed", unit, properties={"revenue": 10.0 + place % 7, "items": 1})
        assert client.flush(30)
        return met

    def settle(self) -> None:
        """Moves what waits into the lake."""
        self.live.lake.flush()
        self.live.watcher.look()


@contextmanager
def launched(folder: Path, config: Mapping[str, Any] | None = None, *, dogfood: bool = True) -> Iterator[Scene]:
    """The scene, its flag drafted and its plan sealed, as steps 3 to 5 leave them."""
    clock = FileClock.create(folder / "clock", START)
    settings = Settings(data=folder / "data", log_level="error", flush_seconds=0.2)
    with Installation(settings, clock=clock) as live, running(live) as url:
        live.start()
        scene = Scene(live, url, clock, folder, Config.model_validate(dict(config or {})))
        operations = scene.operations
        flag = drafted(KEY, FEATURE, DOCUMENT, audience=f"{KEY}-audience", owner="test", seed=7)
        for name, when in (
            ("audience", RULE),
            ("staff", {"attribute": "staff", "op": "equals", "value": True}),
        ):
            operations.write("audience", f"{KEY}-{name}", {"when": when}, author="test", reason="planned")
        operations.write("flag", KEY, flag, author="test", reason="drafted")
        operations.write("tracking_plan", "default", plan(), author="test", reason="planned")
        operations.write("experiment", KEY, DOCUMENT, author="test", reason="designed")
        scene.know("design", _design(operations.seal(KEY, author="test").hash))
        scene.know(
            "architect",
            ArchitectFacts(
                flag=flag,
                value_schema={"type": "boolean"},
                stages=stages(dogfood=dogfood),
                breaker={},
                decision_points=(DecisionPoint(id="d", where="service", event="checkout_started"),),
                control_function="a",
                treatment_function="b",
            ),
        )
        scene.know(
            "instrument",
            InstrumentFacts(
                plan=plan(),
                added=(),
                funnel=FUNNEL,
                interactions={
                    "view-product": "product_viewed",
                    "add-to-cart": "cart_item_added",
                    "start-checkout": "checkout_started",
                    "pay": "payment_submitted",
                },
                metrics=(
                    MetricEvents(metric="order_rate", role="success", events=("order_completed",), sent_by="backend"),
                    MetricEvents(metric="error_rate", role="guardrail", events=("error_shown",), sent_by="backend"),
                ),
            ),
        )
        yield scene


def _design(seal: str) -> DesignFacts:
    return DesignFacts(
        experiment=KEY,
        flag=KEY,
        document=DOCUMENT,
        plan_hash=seal,
        units_per_arm=number(1000),
        runtime_days=number(7),
        minimum_detectable_effect=number(0.1),
        chosen_method="anytime",
        why="it fits",
        methods=(),
        interference="none",
        entry_event="checkout_started",
        audience=RULE,
        arrivals_per_day=number(100.0),
    )


Until = Callable[[], bool]
