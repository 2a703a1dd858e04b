"""The columns of the lake's tables, and the record batches written to them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import mmh3

from paribus.lake.record import Quarantined, Record, microseconds

if TYPE_CHECKING:
    from arro3.core import Array, Table

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

_PYTHON_TYPES = {bool: "boolean", int: "long", float: "double", str: "string", datetime: "timestamp"}
_DERIVED = {"landing_id", "landing_index", "event_key", "event_date", "received_date"}
_EVENT_FIELDS = tuple(name for name in EVENT_COLUMNS if name not in _DERIVED)
_QUARANTINE_FIELDS = tuple(name for name in QUARANTINE_COLUMNS if name not in _DERIVED)
_FORBIDDEN_IN_NAME = re.compile(r"[ ,;{}()\n\t=\x00]")
_INT64 = 1 << 63

Place = tuple[int, int]
"""Landing id and the event's place among the row's decoded events."""


def events_table(
    records: Sequence[Record], places: Sequence[Place], known: dict[str, str], untyped: Counter[str]
) -> Table:
    """The records as one Arrow table with the partition column.

    Args:
        known: the table's columns so far, name → Delta type; a typed value that does not fit its column's type is left
            out of the column (the JSON text keeps it) and counted in `untyped` by property name.
    """
    columns = {name: list(map(attrgetter(name), records)) for name in _EVENT_FIELDS}
    columns["landing_id"], columns["landing_index"] = map(list, zip(*places, strict=True))
    columns["event_key"] = list(map(_event_key, columns["source"], columns["event_id"]))
    columns["event_date"] = [time // DAY for time in columns["original_time"]]
    arrays = {name: _array(columns[name], kind) for name, kind in EVENT_COLUMNS.items()}
    arrays.update(_typed_arrays(records, known, untyped))
    return _table(arrays)


def quarantine_table(events: Sequence[Quarantined], places: Sequence[Place]) -> Table:
    """The quarantined events as one Arrow table with the partition column."""
    columns = {name: list(map(attrgetter(name), events)) for name in _QUARANTINE_FIELDS}
    columns["landing_id"], columns["landing_index"] = map(list, zip(*places, strict=True))
    columns["received_date"] = [time // DAY for time in columns["received_time"]]
    return _table({name: _array(columns[name], kind) for name, kind in QUARANTINE_COLUMNS.items()})


def _event_key(source: str, event_id: str) -> int:
    """The first half, signed, of MurmurHash3 x64 128 of source, NUL, event id.

    Of bytes: mmh3 crashes the process on text with a lone surrogate.
    """
    return mmh3.hash64(f"{source}\0{event_id}".encode("utf-8", "replace"))[0]


def _typed_arrays(records: Sequence[Record], known: dict[str, str], untyped: Counter[str]) -> dict[str, Array]:
    columns: dict[str, list[Any]] = {}
    count = len(records)
    for index, record in enumerate(records):
        for name, value in record.typed.items():
            if value is not None:
                column = columns.get(name)
                if column is None:
                    column = columns[name] = [None] * count
                column[index] = value
    spelled = {name.lower(): name for name in known}
    arrays: dict[str, Array] = {}
    for name, values in columns.items():
        column_name = TYPED_PREFIX + name
        clashes = spelled.setdefault(column_name.lower(), column_name) != column_name
        if clashes or _FORBIDDEN_IN_NAME.search(column_name):
            untyped[name] += count - values.count(None)
            continue
        kind = known.get(column_name) or _kind_of(values)
        arrays[column_name] = _array(_fitting(name, values, kind, untyped), kind)
    return arrays


def _kind_of(values: list[Any]) -> str:
    first = next(value for value in values if value is not None)
    for python_type, kind in _PYTHON_TYPES.items():
        if isinstance(first, python_type):
            return "double" if kind == "long" and any(isinstance(value, float) for value in values) else kind
    return "string"


def _fitting(name: str, values: list[Any], kind: str, untyped: Counter[str]) -> list[Any]:
    types = set(map(type, values)) - {type(None)}
    if types == {str} and kind == "string":
        return values
    if types == {float} and kind == "double":
        return values
    fitted = [_fitted(value, kind) for value in values]
    untyped[name] += fitted.count(None) - values.count(None)
    return fitted


def _fitted(value: Any, kind: str) -> Any:
    if kind == "string":
        return value if isinstance(value, str) else None
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if kind == "timestamp":
        return microseconds(value) if isinstance(value, datetime) and value.tzinfo is not None else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if kind == "double":
        return _as_float(value)
    return value if isinstance(value, int) and -_INT64 <= value < _INT64 else None


def _as_float(value: float) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None


def _array(values: Sequence[Any], kind: str) -> Array:
    from arro3.core import Array, DataType

    if kind == "string":
        try:
            return Array(values, type=DataType.utf8())
        except UnicodeEncodeError:
            repaired = [None if text is None else text.encode("utf-8", "replace").decode() for text in values]
            return Array(repaired, type=DataType.utf8())
    if kind == "timestamp":
        return Array(values, type=DataType.int64()).cast(DataType.timestamp("us", tz="UTC"))
    if kind == "date":
        return Array(values, type=DataType.int32()).cast(DataType.date32())
    types = {"long": DataType.int64, "double": DataType.float64, "boolean": DataType.bool}
    return Array(values, type=types[kind]())


def _table(arrays: dict[str, Any]) -> Table:
    from arro3.core import Table

    return Table.from_pydict(arrays)
