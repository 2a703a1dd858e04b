"""The shop's tracking plan before the feature: which events it sends and what they carry."""

from __future__ import annotations

from typing import Any

from paribus.shop.happening import CATEGORIES, METHODS, THEMES
from paribus.shop.scenario import PROPERTIES, STEPS

OWNER = "shop"
FUNNEL = "purchase"
_TYPES = {
    "price": "number",
    "value": "number",
    "revenue": "number",
    "results": "integer",
    "quantity": "integer",
    "items": "integer",
    "score": "integer",
    "returning": "boolean",
}
_ENUMS: dict[str, tuple[str, ...]] = {
    "device": ("mobile", "desktop"),
    "channel": ("organic", "ad", "email"),
    "category": CATEGORIES,
    "method": METHODS,
    "theme": THEMES,
}
_DESCRIPTIONS = {
    "session_started": "A visit begins.",
    "product_viewed": "A product's page was shown.",
    "search_performed": "A search was answered.",
    "cart_item_added": "A product was put into the cart.",
    "checkout_started": "The checkout was opened.",
    "payment_submitted": "The payment form was sent.",
    "order_completed": "An order was placed and paid.",
    "login_completed": "A user logged in.",
    "refund_requested": "Money was asked back.",
    "survey_answered": "A question after the order was answered.",
    "support_ticket_opened": "Help was asked for.",
    "error_shown": "An error was shown to the user.",
}
_SEMANTICS: dict[str, str] = {
    **dict.fromkeys(("session_started", *STEPS), "funnel_step"),
    "order_completed": "conversion",
    "error_shown": "error",
}


def tracking_plan() -> dict[str, Any]:
    """The document, as `paribus apply` takes it; events of the SDK itself need no plan."""
    steps = ("session_started", *STEPS)
    events: dict[str, Any] = {}
    for name, properties in PROPERTIES.items():
        if name.startswith("$"):
            continue
        event: dict[str, Any] = {
            "description": _DESCRIPTIONS[name],
            "owner": OWNER,
            "semantics": _SEMANTICS.get(name, "action"),
            "properties": {each: _property(each) for each in properties},
        }
        if name in steps:
            event["funnel"] = {"funnel": FUNNEL, "step": steps.index(name) + 1}
        events[name] = event
    return {"events": events}


def _property(name: str) -> dict[str, Any]:
    told: dict[str, Any] = {"type": _TYPES.get(name, "string"), "required": True}
    if name in _ENUMS:
        told["enum"] = list(_ENUMS[name])
    if told["type"] == "number" or name in ("items", "quantity"):
        told["minimum"] = 0
    return told
