"""The eight parts of every answer: requirements, components, errors, quality, cost, governance, health, flows."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from paribus.charts.graph import Edge, Graph, Node, mermaid
from paribus.workflow.artifact import Measured
from paribus.workflow.engineering.request import Request, blueprints, understood
from paribus.workflow.facts.pipeline import AlertPlan, OptionPlan
from paribus.workflow.pipeline.requirements import (
    BROKER,
    EMBEDDED_EVENTS_PER_SECOND,
    SMALL_MACHINE,
    TYPICAL_BYTES,
    Load,
    options,
)
from paribus.workflow.pipeline.running import alerts, runbooks
from paribus.workflow.pipeline.tables import RETENTION

Json = dict[str, Any]
HOPS = ("intake", "landing", "cleaned", "served")
OWNER = "data-engineering::data-engineer"
PEAK = 4.0
"""The busiest hour over the mean, where nothing was measured."""
SERVERS = 2
"""Of the distributed way at its smallest."""
PER_BROKERS = 200_000.0
"""Events a second that three small brokers take in batches: an assumption, which plans beyond it state."""
RESULTS = {"late.md", "reconcile.md", "quarantine.md"}
_CHECKS = {
    "intake": ("contract", "each event keeps its version of the contract, or waits in quarantine with its reason"),
    "landing": ("reconciled", "accepted at the door = rows that landed, by source"),
    "cleaned": ("unique", "source and id together are unique, and required columns are there"),
    "served": ("relationships", "each fact names a row of its dimension, and the sums equal those of the cleaned rows"),
}


@dataclass(frozen=True, slots=True)
class Component:
    """Something that stores or moves data: why it, instead of what, and what does it in Paribus ("": outside)."""

    name: str
    role: str
    why: str
    instead: str
    part: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A plan for a request.

    Attributes:
        request: as understood.
        title: of the kind.
        requirements: scale, latency, delivery, consistency, and what was assumed.
        components, flow: what there is, and what goes where.
        errors: what happens when something fails.
        checks: quality checks by hop.
        options: ways to run it, one chosen.
        tables: what is kept: owner, class, retention.
        alerts: each with its runbook.
        runbooks: file → text.
    """

    request: Request
    title: str
    requirements: Json
    components: tuple[Component, ...]
    flow: Graph
    errors: tuple[str, ...]
    checks: tuple[Json, ...]
    options: tuple[OptionPlan, ...]
    tables: tuple[Json, ...]
    alerts: tuple[AlertPlan, ...]
    runbooks: Json

    def plain(self) -> Json:
        """The plan as JSON."""
        return {
            "request": self.request.text,
            "kind": self.request.kind,
            "title": self.title,
            "requirements": self.requirements,
            "components": [{**asdict(each), "outside": not each.part} for each in self.components],
            "errors": list(self.errors),
            "checks": list(self.checks),
            "options": [each.model_dump(mode="json") for each in self.options],
            "tables": list(self.tables),
            "alerts": [each.model_dump(mode="json") for each in self.alerts],
            "flow": mermaid(self.flow),
            "runbooks": self.runbooks,
        }


def answer(text: str) -> Answer:
    """A plan for what the request asks.

    Raises:
        InputError: it names nothing that is known.
    """
    request = understood(text)
    known = blueprints()[request.kind]
    rate = Measured(value=request.per_second, unit="events/s", evidence="request")
    peak = Measured(value=PEAK * request.per_second, unit="events/s", evidence="request")
    ways, _ = options(Load(rate, peak, TYPICAL_BYTES, {}), RETENTION["pseudonymous"], real_time=True)
    ways = tuple(_scaled(each, PEAK * request.per_second) for each in ways)
    taken = next(each for each in ways if each.chosen)
    fresh = taken.p95_freshness_seconds.value or 0.0
    components = tuple(Component(**each) for each in known["components"])
    kept = {each["name"]: each for each in known["components"]}
    told = tuple(each for each in alerts("", fresh) if each.runbook in RESULTS)
    return Answer(
        request=request,
        title=str(known["title"]),
        requirements={
            "events_per_second": request.per_second,
            "busiest_hour_per_second": PEAK * request.per_second,
            "freshness_p95_seconds": fresh,
            "delivery": "at least once to the door, exactly once in the tables: one row for each source and id",
            "consistency": "readers see one version of a table, complete up to its watermark",
            "assumed": [
                *([] if request.stated else [f"{request.per_second:,.0f} events a second: the request names none"]),
                f"the busiest hour brings {PEAK:g} times the mean",
                f"an event has {TYPICAL_BYTES:,.0f} bytes of JSON",
                *(
                    [f"three small brokers take {PER_BROKERS:,.0f} events a second in batches"]
                    if servers_of(PEAK * request.per_second) > SERVERS
                    else []
                ),
            ],
        },
        components=components,
        flow=Graph(
            known["title"],
            tuple(Node(_id(each.name), each.name, _shape(each, known), each.role) for each in components),
            tuple(Edge(_id(source), _id(target)) for source, target in known["flow"]),
        ),
        errors=(
            "A request that is not durable is not acknowledged, and its sender repeats it with the same ids.",
            "What breaks its contract waits in quarantine with its reason, and is let in again after a fix.",
            "A task that fails repeats three times with growing pauses, then somebody is told; running it again "
            "changes nothing that is done.",
            "Each step reads what is durable before it: a replay from there gives the same tables.",
        ),
        checks=tuple({"hop": hop, "kind": kind, "rule": rule} for hop, (kind, rule) in _CHECKS.items()),
        options=ways,
        tables=tuple(
            {
                "table": name,
                "holds": kept[name]["role"],
                "owner": OWNER,
                "class": "pseudonymous",
                "purpose": known["title"],
                "retention_days": RETENTION["pseudonymous"],
            }
            for name in known["tables"]
        ),
        alerts=told,
        runbooks={
            file.path.removeprefix("runbooks/"): file.text
            for file in runbooks("", "production")
            if file.path.removeprefix("runbooks/") in {each.runbook for each in told}
        },
    )


def servers_of(peak_per_second: float) -> int:
    """Servers that carry the busiest hour, each as much as was measured of one."""
    return math.ceil(peak_per_second / EMBEDDED_EVENTS_PER_SECOND)


def _scaled(way: OptionPlan, peak: float) -> OptionPlan:
    """The distributed way with as many servers and brokers as the busiest hour asks for."""
    servers = servers_of(peak)
    if way.name == "embedded" or servers <= SERVERS:
        return way
    brokers = math.ceil(peak / PER_BROKERS)
    more = (servers - SERVERS) * SMALL_MACHINE + (brokers - 1) * BROKER
    return way.model_copy(
        update={
            "components": (f"{servers:,} servers", f"{brokers:,} times three brokers of Kafka", *way.components[2:]),
            "cost_per_month": Measured(
                value=round((way.cost_per_month.value or 0.0) + more, 2), unit="USD/month", evidence="prices"
            ),
            "moving_parts": way.moving_parts - SERVERS - 1 + servers + 3 * brokers,
            "why": f"{servers:,} servers carry {EMBEDDED_EVENTS_PER_SECOND:,} events a second each",
        }
    )


def _shape(component: Component, known: Json) -> Any:
    return "table" if component.name in known["tables"] else "store" if component.name == "queue" else "service"


def _id(name: str) -> str:
    return name.replace(" ", "_")
