"""The tracking plan as other platforms write it: Segment Protocols, Amplitude's taxonomy, Mixpanel's Lexicon."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from paribus.events.plan import EventDoc, PlanDoc, PropertyDoc

Json = dict[str, Any]
DRAFT_7 = "http://json-schema.org/draft-07/schema#"
_TYPES: dict[str, Any] = {
    "string": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "datetime": "string",
    "json": ["object", "array"],
}
_AMPLITUDE = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "datetime": "string",
    "json": "any",
}


def platform_file(platform: str, plan: PlanDoc, name: str) -> tuple[str, str]:
    """File name and text of the plan for `segment`, `amplitude` or `mixpanel`.

    Args:
        platform: whose.
        plan: the plan; events that Paribus itself sends are no part of it.
        name: how the plan is called there.
    """
    body = WRITERS[platform](plan, name)
    return f"{platform}-tracking-plan.json", json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def _segment(plan: PlanDoc, name: str) -> Json:
    """The body of a Protocols tracking plan: a JSON Schema of draft 7 per event, over its `properties`."""
    return {
        "tracking_plan": {
            "display_name": name,
            "rules": {
                "global": {"$schema": DRAFT_7, "type": "object", "properties": {}},
                "events": [
                    {
                        "name": event_name,
                        "description": event.description,
                        "version": event.version,
                        "rules": {
                            "$schema": DRAFT_7,
                            "type": "object",
                            "labels": _labels(event),
                            "properties": {"properties": _object(event)},
                            "required": ["properties"],
                        },
                    }
                    for event_name, event in plan.events.items()
                ],
            },
        }
    }


def _amplitude(plan: PlanDoc, name: str) -> Json:
    """The requests of the Taxonomy API: event types, and the properties of each."""
    return {
        "plan": name,
        "event": [
            {
                "event_type": event_name,
                "category": event.semantics,
                "description": event.description,
                "owner": event.owner,
                "tags": ",".join(f"{key}:{value}" for key, value in _labels(event).items()),
            }
            for event_name, event in plan.events.items()
        ],
        "event-property": [
            {
                "event_type": event_name,
                "event_property": key,
                "description": declared.description,
                "type": "enum" if declared.enum is not None else _AMPLITUDE[declared.type],
                "enum_values": ",".join(map(str, declared.enum)) if declared.enum is not None else None,
                "regex": declared.pattern,
                "is_array_type": False,
                "is_required": declared.required,
                "classifications": ["PII"] if declared.personal in ("personal", "sensitive") else [],
            }
            for event_name, event in plan.events.items()
            for key, declared in event.properties.items()
        ],
    }


def _mixpanel(plan: PlanDoc, name: str) -> Json:
    """The body of a bulk upload to the Lexicon Schemas API."""
    return {
        "entries": [
            {
                "entityType": "event",
                "name": event_name,
                "schemaJson": {
                    "$schema": DRAFT_7,
                    "description": event.description,
                    **_object(event),
                    "metadata": {
                        "com.mixpanel": {
                            "displayName": event_name,
                            "tags": [name, *(f"{key}:{value}" for key, value in _labels(event).items())],
                            "hidden": False,
                            "dropped": event.deprecated,
                        }
                    },
                },
            }
            for event_name, event in plan.events.items()
        ],
        "truncate": False,
    }


WRITERS: dict[str, Callable[[PlanDoc, str], Json]] = {
    "segment": _segment,
    "amplitude": _amplitude,
    "mixpanel": _mixpanel,
}


def _object(event: EventDoc) -> Json:
    return {
        "type": "object",
        "properties": {key: _schema(declared) for key, declared in event.properties.items()},
        "required": [key for key, declared in event.properties.items() if declared.required],
        "additionalProperties": True,
    }


def _schema(declared: PropertyDoc) -> Json:
    kind = _TYPES[declared.type]
    optional = [*kind, "null"] if isinstance(kind, list) else [kind, "null"]
    schema: Json = {"type": kind if declared.required else optional, "description": declared.description}
    if declared.type == "datetime":
        schema["format"] = "date-time"
    if declared.enum is not None:
        schema["enum"] = list(declared.enum) if declared.required else [*declared.enum, None]
    for word in ("minimum", "maximum", "pattern"):
        if getattr(declared, word) is not None:
            schema[word] = getattr(declared, word)
    return schema


def _labels(event: EventDoc) -> dict[str, str]:
    labels = {"owner": event.owner, "semantics": event.semantics}
    if event.funnel is not None:
        labels |= {"funnel": event.funnel.funnel, "step": str(event.funnel.step)}
    return {key: value for key, value in labels.items() if value}
