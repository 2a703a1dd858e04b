"""The tracking plan as JSON Schema 2020-12, and back.

What JSON Schema has no word for stands under `x-paribus` (owner, version, semantics, funnel, personal class); other
validators skip it. Reading refuses what the plan cannot hold, instead of dropping it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paribus.errors import DefinitionError
from paribus.events.plan import EventDoc, PlanDoc, PropertyDoc, parse_plan, plan_body

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_EXTENSION = "x-paribus"
_TYPES: dict[str, Any] = {"string": "string", "integer": "integer", "number": "number", "boolean": "boolean"}
_EVENT_WORDS = {
    "$schema", "$id", "title", "description", "type", "properties", "required", "additionalProperties",
    "deprecated", _EXTENSION,
}  # fmt: skip
_PROPERTY_WORDS = {
    "type", "enum", "const", "minimum", "maximum", "pattern", "format", "description", "title", "examples",
    _EXTENSION,
}  # fmt: skip


def event_schema(name: str, event: EventDoc) -> dict[str, Any]:
    """The schema of the event's properties; other properties are allowed, as at intake."""
    extension: dict[str, Any] = {"event": name, "version": event.version, "semantics": event.semantics}
    if event.owner:
        extension["owner"] = event.owner
    if event.funnel is not None:
        extension["funnel"] = event.funnel.model_dump()
    schema: dict[str, Any] = {
        "$schema": DIALECT,
        "$id": f"urn:paribus:event:{_urn_part(name)}:{event.version}",
        "title": name,
        "type": "object",
        "properties": {key: _property_schema(part) for key, part in event.properties.items()},
        "required": [key for key, part in event.properties.items() if part.required],
        "additionalProperties": True,
        _EXTENSION: extension,
    }
    if event.description:
        schema["description"] = event.description
    if event.deprecated:
        schema["deprecated"] = True
    return schema


def plan_schema(plan: PlanDoc) -> dict[str, Any]:
    """One schema for the whole plan: an event is {name, properties} with the properties of its name."""
    definitions = {name: event_schema(name, event) for name, event in plan.events.items()}
    for definition in definitions.values():
        del definition["$schema"], definition["$id"]
    choices = [
        {
            "if": {"properties": {"name": {"const": name}}, "required": ["name"]},
            "then": {"properties": {"properties": {"$ref": f"#/$defs/{_pointer_part(name)}"}}},
        }
        for name in definitions
    ]
    schema: dict[str, Any] = {
        "$schema": DIALECT,
        "$id": "urn:paribus:tracking-plan",
        "type": "object",
        "properties": {"name": {"type": "string"}, "properties": {"type": "object"}},
        "required": ["name"],
        "$defs": definitions,
        _EXTENSION: {"unplanned": dict(plan.unplanned)},
    }
    return {**schema, "allOf": choices} if choices else schema


def plan_from_schemas(schemas: Mapping[str, Mapping[str, Any]], unplanned: Mapping[str, str] | None = None) -> PlanDoc:
    """The plan of event schemas by event name.

    Raises:
        DefinitionError: a schema says something that the plan cannot hold, or the events contradict each other.
    """
    events = {name: plan_body(PlanDoc(events={name: event_from_schema(name, schema)}, unplanned={}))["events"][name]
              for name, schema in schemas.items()}  # fmt: skip
    return parse_plan({"events": events, "unplanned": dict(unplanned or {})})


def event_from_schema(name: str, schema: Mapping[str, Any]) -> EventDoc:
    """The event whose properties the schema describes.

    Raises:
        DefinitionError: it uses a keyword or a type that the plan cannot hold.
    """
    unknown = sorted(set(schema) - _EVENT_WORDS)
    if unknown:
        raise _refusal(name, f"keyword {unknown[0]!r}", "an event is an object of plain properties")
    if schema.get("type", "object") != "object" or schema.get("additionalProperties") not in (None, True):
        raise _refusal(name, "no open object", "type object; additionalProperties true or left out")
    required = schema.get("required", [])
    given = schema.get("properties", {})
    for key in required:
        if key not in given:
            raise _refusal(f"{name}.{key}", "required without a declaration", "each required property has a type")
    extension = dict(schema.get(_EXTENSION, {}))
    extension.pop("event", None)
    body = {
        "description": schema.get("description", ""),
        "deprecated": schema.get("deprecated", False),
        "properties": {
            key: _property_body(f"{name}.{key}", part, is_required=key in required) for key, part in given.items()
        },
        **extension,
    }
    return parse_plan({"events": {name: body}}).events[name]


def _property_schema(declared: PropertyDoc) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    kind = "string" if declared.type == "datetime" else _TYPES.get(declared.type)
    if kind is not None:
        schema["type"] = kind if declared.required else [kind, "null"]
    elif declared.required:
        schema["type"] = ["object", "array", "string", "number", "boolean"]
    if declared.type == "datetime":
        schema["format"] = "date-time"
    if declared.enum is not None:
        schema["enum"] = list(declared.enum) if declared.required else [*declared.enum, None]
    if declared.type == "integer":  # the lake's column has 64 bits
        schema["minimum"] = -(2**63) if declared.minimum is None else declared.minimum
        schema["maximum"] = 2**63 - 1 if declared.maximum is None else declared.maximum
    else:
        for word in ("minimum", "maximum"):
            if getattr(declared, word) is not None:
                schema[word] = getattr(declared, word)
    if declared.pattern is not None:
        schema["pattern"] = declared.pattern
    if declared.description:
        schema["description"] = declared.description
    if declared.personal != "none" or declared.type == "json":
        schema[_EXTENSION] = {"type": declared.type, "personal": declared.personal}
    return schema


def _property_body(where: str, schema: Mapping[str, Any], *, is_required: bool) -> dict[str, Any]:
    unknown = sorted(set(schema) - _PROPERTY_WORDS)
    kind = schema.get("type")
    if isinstance(kind, list):
        kinds = [part for part in kind if part != "null"]
        kind = kinds[0] if len(kinds) == 1 else None
    extension = schema.get(_EXTENSION, {})
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if kind is None and values and all(isinstance(value, str) for value in values if value is not None):
        kind = "string"
    if kind in ("object", "array", None) or extension.get("type") == "json":
        nested = sorted(set(schema) - {"type", "description", "title", "examples", _EXTENSION})
        if nested:
            raise _refusal(where, f"keyword {nested[0]!r}", "type json has no inner rules")
        ours = "json"
    elif unknown:
        raise _refusal(where, f"keyword {unknown[0]!r}", "known: " + ", ".join(sorted(_PROPERTY_WORDS)))
    elif kind == "string" and "format" in schema:
        if schema["format"] != "date-time":
            raise _refusal(where, f"format {schema['format']!r}", "date-time is the only format")
        ours = "datetime"
    elif kind in _TYPES and "format" not in schema:
        ours = kind
    else:
        raise _refusal(where, f"type {kind!r}", "string, integer, number, boolean, object, array")
    body: dict[str, Any] = {"type": ours, "required": is_required}
    if ours == "json":
        pass
    elif values is not None:
        body["enum"] = [value for value in values if value is not None]
    for word in ("minimum", "maximum", "pattern"):
        if ours != "json" and word in schema and not _is_column_bound(ours, word, schema[word]):
            body[word] = schema[word]
    body["description"] = schema.get("description", "")
    body["personal"] = extension.get("personal", "none")
    return body


def _is_column_bound(kind: str, word: str, value: Any) -> bool:
    return kind == "integer" and value == (-(2**63) if word == "minimum" else 2**63 - 1)


def _urn_part(name: str) -> str:
    from urllib.parse import quote

    return quote(name, safe="$")


def _pointer_part(name: str) -> str:
    from urllib.parse import quote

    return quote(name.replace("~", "~0").replace("/", "~1"), safe="$~")


def _refusal(where: str, what: str, rule: str) -> DefinitionError:
    return DefinitionError(
        f"the tracking plan cannot hold {what}", where=where, rule=rule, fix="say it in words, in the description"
    )
