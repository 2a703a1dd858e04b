"""The columns of the lake's tables."""

from __future__ import annotations

EVENT_COLUMNS: dict[str, str] = {
    "source": "string",
    "event_id": "string",
    "name": "string",
    "unit_type": "string",
    "unit": "string",
    "user_id": "string",
    "anonymous_id": "string",
    "session_id": "string",
    "original_time": "timestamp",
    "sent_time": "timestamp",
    "received_time": "timestamp",
    "corrected_time": "timestamp",
    "properties": "string",
    "context": "string",
    "environment": "string",
    "plan_revision": "long",
    "planned": "boolean",
    "sequence": "long",
    "landing_id": "long",
    "landing_index": "long",
    "event_key": "long",
    "event_date": "date",
}
"""Name → Delta type. landing_id and landing_index (place in the request) say which accepted event a row is; event_key
is a hash of (source, event_id), by which copies are found without reading the ids."""

QUARANTINE_COLUMNS: dict[str, str] = {
    "reason": "string",
    "detail": "string",
    "source": "string",
    "name": "string",
    "event_id": "string",
    "unit": "string",
    "user_id": "string",
    "anonymous_id": "string",
    "original_time": "timestamp",
    "received_time": "timestamp",
    "body": "string",
    "plan_revision": "long",
    "environment": "string",
    "landing_id": "long",
    "landing_index": "long",
    "received_date": "date",
}

EVENT_STATISTICS = ("name", "original_time", "received_time", "corrected_time", "landing_id")
"""Columns whose minimum and maximum may stand in the table's log; none of them says who."""
QUARANTINE_STATISTICS = ("reason", "received_time", "landing_id")

IDENTITY_COLUMNS = ("unit", "user_id", "anonymous_id")
TYPED_PREFIX = "p_"
DAY = 86_400_000_000  # microseconds

DUCKDB_TYPES = {
    "string": "VARCHAR",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "long": "BIGINT",
    "integer": "INTEGER",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
}
