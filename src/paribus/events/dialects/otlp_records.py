"""Log records of OpenTelemetry out of both encodings, each with its resource and scope."""

from __future__ import annotations

import base64
import math
from typing import Any

import msgspec

from paribus.events.dialects import protobuf as wire
from paribus.events.hygiene import MAX_DEPTH, Unreadable


def protobuf_records(body: bytes) -> list[dict[str, Any]]:
    """The records of an ExportLogsServiceRequest.

    Raises:
        Unreadable: it is not one.
    """
    records: list[dict[str, Any]] = []
    for number, _, resource_logs in wire.fields(memoryview(body)):
        if number != 1:
            continue
        parts = list(wire.fields(wire.message(resource_logs)))
        resource: dict[str, Any] = {}
        for field, _, value in parts:
            if field == 1:
                resource = _attributes(wire.message(value), 1)
        for field, _, value in parts:
            if field == 2:
                records += _scope_records(wire.message(value), resource)
    return records


def _scope_records(data: memoryview, resource: dict[str, Any]) -> list[dict[str, Any]]:
    parts = list(wire.fields(data))
    scope = ""
    for field, _, value in parts:
        if field == 1:
            scope = next((wire.text(part) for inner, _, part in wire.fields(wire.message(value)) if inner == 1), "")
    return [_record(wire.message(value), resource, scope) for field, _, value in parts if field == 2]


def _record(data: memoryview, resource: dict[str, Any], scope: str) -> dict[str, Any]:
    record: dict[str, Any] = {"attributes": {}, "resource": resource, "scope": scope}
    for field, _, value in wire.fields(data):
        if field == 1:
            record["time"] = wire.number(value)
        elif field == 11:
            record["observed"] = wire.number(value)
        elif field == 3:
            record["severity"] = wire.text(value)
        elif field == 5:
            record["body"] = _any_value(wire.message(value), 0)
        elif field == 6:
            name, attribute = _key_value(wire.message(value), 0)
            record["attributes"][name] = attribute
        elif field == 9:
            record["trace_id"] = bytes(wire.message(value)).hex()
        elif field == 10:
            record["span_id"] = bytes(wire.message(value)).hex()
        elif field == 12:
            record["event_name"] = wire.text(value)
    return record


def _attributes(data: memoryview, number: int) -> dict[str, Any]:
    return dict(_key_value(wire.message(value), 0) for field, _, value in wire.fields(data) if field == number)


def _key_value(data: memoryview, depth: int) -> tuple[str, Any]:
    name: str = ""
    found: Any = None
    for field, _, value in wire.fields(data):
        if field == 1:
            name = wire.text(value)
        elif field == 2:
            found = _any_value(wire.message(value), depth + 1)
    return name, found


def _any_value(data: memoryview, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise Unreadable("nested too deep", f"at most {MAX_DEPTH} levels")
    for field, _, value in wire.fields(data):
        if field == 1:
            return wire.text(value)
        if field == 2:
            return bool(wire.number(value))
        if field == 3:
            return wire.signed(value)
        if field == 4:
            found = wire.double(value)
            return found if math.isfinite(found) else str(found)
        if field == 5:
            values = wire.fields(wire.message(value))
            return [_any_value(wire.message(part), depth + 1) for inner, _, part in values if inner == 1]
        if field == 6:
            pairs = wire.fields(wire.message(value))
            return dict(_key_value(wire.message(part), depth + 1) for inner, _, part in pairs if inner == 1)
        if field == 7:
            return base64.b64encode(wire.message(value)).decode()
    return None


def json_records(document: bytes) -> list[dict[str, Any]]:
    """The records of an export in OTLP/JSON.

    Raises:
        Unreadable: it is not one.
    """
    try:
        body = msgspec.json.decode(document)
        return [
            _json_record(record, _json_attributes(logs.get("resource", {}).get("attributes")), scope_logs)
            for logs in body.get("resourceLogs", [])
            for scope_logs in logs.get("scopeLogs", [])
            for record in scope_logs.get("logRecords", [])
        ]
    except (AttributeError, TypeError, KeyError, ValueError):
        raise Unreadable("not an export of logs", "OTLP/JSON: resourceLogs, scopeLogs, logRecords") from None


def _json_record(record: dict[str, Any], resource: dict[str, Any], scope_logs: dict[str, Any]) -> dict[str, Any]:
    return {
        "attributes": _json_attributes(record.get("attributes")),
        "resource": resource,
        "scope": (scope_logs.get("scope") or {}).get("name", ""),
        "time": int(record.get("timeUnixNano") or 0),
        "observed": int(record.get("observedTimeUnixNano") or 0),
        "severity": record.get("severityText"),
        "body": _json_value(record.get("body")),
        "trace_id": record.get("traceId"),
        "span_id": record.get("spanId"),
        "event_name": record.get("eventName"),
    }


def _json_attributes(pairs: Any) -> dict[str, Any]:
    return {pair["key"]: _json_value(pair.get("value")) for pair in pairs or []}


def _json_value(value: Any) -> Any:
    if not isinstance(value, dict):
        return None
    for name, found in value.items():
        if name == "intValue":
            return int(found)
        if name == "arrayValue":
            return [_json_value(part) for part in found.get("values", [])]
        if name == "kvlistValue":
            return _json_attributes(found.get("values"))
        if name == "doubleValue":
            return float(found) if math.isfinite(float(found)) else str(found)
        if name in ("stringValue", "boolValue", "bytesValue"):
            return found
    return None
