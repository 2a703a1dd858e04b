"""Facts of steps 3 to 5 as a small shop would have them, for the steps that generate code from them."""

from __future__ import annotations

from typing import Any

from paribus.workflow.facts.architect import ArchitectFacts, DecisionPoint
from paribus.workflow.facts.instrument import InstrumentFacts, MetricEvents

TEXT, WHOLE, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}


def event(semantics: str = "action", **properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "semantics": semantics,
        "properties": {name: {"required": True, **each} for name, each in properties.items()},
    }


EVENTS = {
    "session_started": event(
        "system",
        device={"type": "string", "enum": ["mobile", "desktop"]},
        country=TEXT,
        returning={"type": "boolean"},
        channel={"type": "string", "enum": ["organic", "ad", "email"]},
    ),
    "product_viewed": event(product=TEXT, category=TEXT, price=NUMBER),
    "search_performed": event(results=WHOLE),
    "cart_item_added": event(product=TEXT, price=NUMBER, quantity={"type": "integer", "minimum": 1}),
    "checkout_started": event("funnel_step", items=WHOLE, value=NUMBER),
    "payment_submitted": event("funnel_step", method={"type": "string", "enum": ["card", "invoice"]}),
    "order_completed": event("conversion", revenue=NUMBER, items=WHOLE),
}
FUNNEL = (
    "session_started",
    "product_viewed",
    "cart_item_added",
    "checkout_started",
    "payment_submitted",
    "order_completed",
)
INTERACTIONS = {
    "view-product": "product_viewed",
    "search": "search_performed",
    "add-to-cart": "cart_item_added",
    "start-checkout": "checkout_started",
    "pay": "payment_submitted",
}
FLAG = {
    "type": "boolean",
    "description": "one-click checkout",
    "variants": [{"name": "control", "value": False}, {"name": "treatment", "value": True}],
    "default_variant": "control",
    "environments": {
        "production": {
            "rules": [
                {
                    "id": "experiment",
                    "when": {
                        "all": [
                            {"attribute": "device", "equals": "mobile"},
                            {"attribute": "returning", "equals": True},
                        ]
                    },
                    "rollout": {
                        "traffic_salt": "one-click-checkout-traffic",
                        "split_salt": "one-click-checkout-split",
                        "traffic_bp": 1000,
                        "split": [
                            {"variant": "control", "weight_bp": 5000},
                            {"variant": "treatment", "weight_bp": 5000},
                        ],
                    },
                }
            ]
        }
    },
}


def architecture(**changes: Any) -> ArchitectFacts:
    given = {
        "flag": FLAG,
        "value_schema": {"type": "boolean"},
        "stages": (),
        "breaker": {},
        "decision_points": (DecisionPoint(id="checkout", where="service: checkout page", event="checkout_started"),),
        "control_function": "checkout_control",
        "treatment_function": "checkout_treatment",
    }
    return ArchitectFacts(**{**given, **changes})


def instrumentation(**changes: Any) -> InstrumentFacts:
    given = {
        "plan": {"events": EVENTS},
        "added": (),
        "funnel": FUNNEL,
        "metrics": (MetricEvents(metric="order_rate", role="success", events=("order_completed",), sent_by="backend"),),
        "interactions": INTERACTIONS,
        "cohort_keys": ("device", "country", "returning"),
    }
    return InstrumentFacts(**{**given, **changes})
