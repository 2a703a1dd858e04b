"""The events of Paribus itself; they are part of every tracking plan."""

from __future__ import annotations

from paribus.events.plan import EventDoc, PropertyDoc, PropertyType, Semantics

EXPOSURE = "$exposure"


def _event(semantics: Semantics, description: str, required: tuple[str, ...] = (), **types: PropertyType) -> EventDoc:
    return EventDoc(
        semantics=semantics,
        description=description,
        owner="paribus",
        properties={name: PropertyDoc(type=kind, required=name in required) for name, kind in types.items()},
    )


RESERVED: dict[str, EventDoc] = {
    EXPOSURE: _event(
        "exposure",
        "A flag decided what a unit gets.",
        ("flag",),
        flag="string",
        assigned="string",
        served="string",
        reason="string",
        revision="integer",
        epoch="integer",
        traffic_bp="integer",
        split_bp="integer",
        probability="number",
        attributes="json",
        environment="string",
        sdk="string",
        sequence="integer",
        unit_type="string",
        unit="string",
    ),
    "$breaker": _event("system", "A local circuit breaker changed its state."),
    "$web_vital": _event("performance", "A Web Vital of a page view."),
    "$error": _event("error", "An error in a page or a service."),
    "$request": _event("performance", "A request handled by a service, with its latency."),
    "$page_view": _event("page_view", "A page was shown."),
    "$screen_view": _event("page_view", "A screen of an app was shown."),
    "$recording": _event("system", "A piece of a session recording."),
    "$dropped": _event("system", "Events that a client had to drop, counted."),
    "$identify": _event("system", "Traits of a person, and the link of an anonymous id to a known one."),
    "$group": _event("system", "The person belongs to a group, or the group's traits."),
    "$alias": _event("system", "Two ids are one person."),
}
